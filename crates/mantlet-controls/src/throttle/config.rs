use std::{collections::HashMap, fmt, str::FromStr, sync::Arc, time::Duration};

use http::HeaderName;
use mantlet_contract::sensitive::Purpose;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::throttle::{
    HeaderPolicy, Policy,
    attempts::{
        self,
        operations::{OperationConfig, Operations},
    },
    bans, challenge,
    general::{GeneralRate, REFUSALS_TABLE},
    quotas::QuotaConfig,
    rate::Rate,
    rules::{Counter, KeyPart, Rule, Rules},
    store::Fail,
    usage::Subject,
};
use crate::{
    Mode,
    config::{Context, Mistake, Networks, Posture, Section, template::methods, units::Span},
    selection::Target,
};

/// How many operations are remembered as having responded with 401.
const PROVEN: usize = 4_096;
const LONGEST_TARPIT: Duration = Duration::from_secs(10);
/// Requests at once where the general rate is a number.
const BURST: u32 = 400;

/// The `[throttle]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What to do about too many requests. Default `enforce`.
    pub mode: Mode,
    /// Rate of all requests of one client address. Default `auto`: as many as the app can carry; a
    /// busy app is shared among its clients.
    pub rate: GeneralRate,
    /// Requests of one client address at once, if `rate` is a number. Default 400. If only this is
    /// set, `rate` is `100/s`.
    pub burst: u32,
    /// Addresses, accounts and other keys that are remembered for each rule; 16 bytes each. Default 131,072 (2 MiB).
    pub keys: usize,
    /// Length of the IPv6 prefix whose addresses count as one. Default 64, the smallest network of
    /// one customer (RFC 6177).
    pub ipv6_prefix: u8,
    /// Addresses and networks that are not throttled: health checks, monitoring. Default none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exempt: Vec<String>,
    /// The responses that say what is left (`RateLimit`, `RateLimit-Policy`, `X-RateLimit-…`).
    /// Default `refused`.
    pub headers: HeaderPolicy,
    /// Requests of one client address that the app may work on at once. Default 0: no fixed number,
    /// but a busy app is shared equally.
    pub concurrent: u32,
    /// Delay before refusing a client that goes on after a refusal, so that a flood on a few
    /// connections becomes a trickle. Default 100 ms; `0s`: none.
    pub tarpit: Span,
    /// What to do about too many attempts on sensitive operations: logins, password resets and the
    /// like, if the contract shows them. Default `enforce`.
    pub sensitive: Mode,
    /// The same for operations that only a word in the path or the names of fields show to be
    /// sensitive. Default `report`, and `enforce` in strict posture; never more than `sensitive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspected: Option<Mode>,
    /// What lets the owner of an account log in at once while strangers guess at it.
    pub challenge: challenge::Config,
    /// Bans: after too many refusals, all requests of an address are refused for a while.
    pub ban: bans::Config,
    /// Traps: paths that no client of the app asks for; a request there leads to a ban at once.
    pub trap: bans::traps::Config,
    /// Settings for sensitive operations, also for those that the contract does not show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operation: Vec<OperationConfig>,
    /// Rules beside these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<RuleConfig>,
    /// Requests of a user or an API key in an hour, a day, a month. Default none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quota: Vec<QuotaConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            rate: GeneralRate::Auto,
            burst: BURST,
            keys: 1 << 17,
            ipv6_prefix: 64,
            exempt: Vec::new(),
            headers: HeaderPolicy::Refused,
            tarpit: Span(Duration::from_millis(100)),
            concurrent: 0,
            sensitive: Mode::Enforce,
            suspected: None,
            challenge: challenge::Config::default(),
            ban: bans::Config::default(),
            trap: bans::traps::Config::default(),
            operation: Vec::new(),
            rule: Vec::new(),
            quota: Vec::new(),
        }
    }
}

/// A `[[throttle.rule]]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RuleConfig {
    /// Its name, in records and in `RateLimit-Policy`.
    pub name: String,
    /// Path templates that it applies to, as in `[[route]]`; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Methods that it applies to; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Tags of operations that it applies to; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The key that is counted: `ip`, `user`, `api-key`, `bearer`, `route`, `header:NAME`,
    /// `field:NAME` (of a JSON body or a form), or several of them together. Default `ip`.
    #[serde(default = "by_address")]
    pub key: Vec<String>,
    /// Requests in a time: `10/s`, `100/m`, `5/15m`.
    pub rate: RateText,
    /// Requests at once. Default as many as the rate's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// What it does while the store does not respond: `local` counts on this machine alone, `open`
    /// lets everything pass, `closed` nothing. Default `local`.
    #[serde(default)]
    pub fail: Fail,
    /// The mode of this rule, if it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

fn by_address() -> Vec<String> {
    vec!["ip".into()]
}

/// A rate as people write it: `100/s`, `5/15m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateText {
    pub(super) count: u32,
    pub(super) period: Duration,
}

impl RateText {
    /// A number of requests in a period.
    pub const fn new(count: u32, period: Duration) -> Self {
        Self { count, period }
    }

    pub(super) const fn of(rate: Rate) -> Self {
        Self::new(rate.count(), rate.period())
    }

    /// So many.
    pub const fn count(self) -> u32 {
        self.count
    }

    /// In so much time.
    pub const fn period(self) -> Duration {
        self.period
    }
}

impl fmt::Display for RateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = Span(self.period).to_string();
        // `1s` is written `s`, and `1days` is written `day`.
        let unit = period.strip_prefix('1').filter(|unit| unit.chars().all(char::is_alphabetic));
        let unit = unit.map(|unit| if unit == "days" { "day" } else { unit });
        write!(f, "{}/{}", self.count, unit.unwrap_or(&period))
    }
}

impl FromStr for RateText {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (count, period) = text.split_once('/').ok_or(())?;
        let period = period.trim();
        let spelled = if period.starts_with(|first: char| first.is_ascii_digit()) {
            period.to_owned()
        } else {
            format!("1{period}")
        };
        let period = humantime::parse_duration(&spelled).map_err(drop)?;
        Ok(Self { count: count.trim().parse().map_err(drop)?, period })
    }
}

impl Serialize for RateText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RateText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong =
            |()| de::Error::invalid_value(de::Unexpected::Str(&text), &"a rate such as `100/s` or `5/15m`");
        text.parse().map_err(wrong)
    }
}

impl Config {
    /// The general rate and burst of one address, if `rate` is a number.
    pub fn general(&self) -> Option<(RateText, u32)> {
        // A number at once means that no more are wanted.
        let is_fixed = self.rate != GeneralRate::Auto || self.burst != BURST;
        is_fixed.then(|| (self.rate.counted(), self.burst))
    }

    /// The mode for operations that only look sensitive.
    fn suspected(&self, posture: Posture) -> Mode {
        let by_default = if posture == Posture::Strict { Mode::Enforce } else { Mode::Report };
        match (self.sensitive, self.suspected.unwrap_or(by_default)) {
            (Mode::Off, _) | (_, Mode::Off) => Mode::Off,
            (Mode::Report, _) | (_, Mode::Report) => Mode::Report,
            (Mode::Enforce, Mode::Enforce) => Mode::Enforce,
        }
    }

    fn mistaken_numbers(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if !(32..=128).contains(&self.ipv6_prefix) {
            let message = format!("`{}` is outside 32 to 128", self.ipv6_prefix);
            mistakes.push(Mistake::new("ipv6-prefix", message));
        }
        if !(1_024..=1 << 26).contains(&self.keys) {
            mistakes.push(Mistake::new("keys", format!("`{}` is outside 1024 to 67108864", self.keys)));
        }
        if self.tarpit.0 > LONGEST_TARPIT {
            let message = format!("`{}` is more than {}", self.tarpit, Span(LONGEST_TARPIT));
            let help = "a client that waits keeps its connection open";
            mistakes.push(Mistake::new("tarpit", message).help(help));
        }
        mistakes
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    /// Counters stay with rules of the same name.
    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let suspected = self.suspected(context.posture);
        let memory = &context.deployment.kept.get::<super::Memory>().by(context.deployment.clock);
        let report_only = context.report_only;
        let mut mistakes = self.mistaken_numbers();
        let exempt = Networks::parse(&self.exempt);
        for (index, text) in exempt.as_ref().err().into_iter().flatten() {
            let message = format!("`{text}` is not a network");
            let help = "write `10.0.0.0/8`, `203.0.113.7`, `private` or `loopback`";
            mistakes.push(Mistake::new(format!("exempt[{index}]"), message).help(help));
        }
        let client = rate_of(self.rate.counted(), Some(self.burst), "rate", &mut mistakes);
        let bans = self.ban.check(self, memory, report_only, &mut mistakes);
        let traps = self.trap.check(self, memory, context, &mut mistakes);
        let mut names = HashMap::new();
        let mut rules = Rules::default();
        for (index, config) in self.rule.iter().enumerate() {
            let at = |key: &str| format!("rule[{index}].{key}");
            mistakes.extend(wrong_name(&config.name).map(|message| Mistake::new(at("name"), message)));
            if let Some(first) = names.insert(config.name.as_str(), index) {
                mistakes.push(Mistake::new(
                    at("name"),
                    format!("`rule[{first}]` has the name `{}` too", config.name),
                ));
            }
            let rate = rate_of(config.rate, config.burst, &at("rate"), &mut mistakes);
            let key: Vec<_> = config.key.iter().map(|part| KeyPart::from_str(part)).collect();
            for (part, parsed) in config.key.iter().zip(&key) {
                if parsed.is_err() {
                    let message = format!("`{part}` is not a key part");
                    let help =
                        "write `ip`, `user`, `api-key`, `bearer`, `route`, `header:NAME` or `field:NAME`";
                    mistakes.push(Mistake::new(at("key"), message).help(help));
                }
            }
            if key.is_empty() {
                mistakes.push(Mistake::new(at("key"), "has no key part"));
            }
            let methods = methods(&config.methods);
            if methods.is_none() {
                mistakes.push(Mistake::of_methods(at("methods")));
            }
            let key = key.into_iter().collect::<Result<Vec<_>, _>>();
            let (Some(rate), Ok(key), Some(methods)) = (rate, key, methods) else {
                continue;
            };
            let counter = Counter {
                name: config.name.as_str().into(),
                rate,
                table: memory.table(&config.name, self.keys),
                usage: memory.usage(Subject::of_rule(config, rate), self.keys),
                mode: config.mode.unwrap_or(self.mode).under(report_only || self.mode == Mode::Report),
                fail: config.fail,
            };
            let rule = Rule { counter, key: key.into() };
            let target = Target { paths: &config.paths, methods, tags: &config.tags };
            rules.add(rule, &target).unwrap_or_else(|message| {
                mistakes.push(Mistake::of_template(at("paths"), message));
            });
        }
        let (sensitive, report_only) = (self.sensitive, report_only || self.mode == Mode::Report);
        let (challenge, answered) = self.challenge.check(context, &mut mistakes).unzip();
        let base = attempts::Base { memory, keys: self.keys, sensitive, report_only, answered };
        let operations = Operations::check(&self.operation, &base, &mut mistakes);
        let quotas = self.check_quotas(memory, report_only, &mut mistakes);
        match (client, exempt) {
            (Some(client), Ok(exempt)) if mistakes.is_empty() => Ok(Policy {
                mode: self.mode.under(report_only),
                sensitive: sensitive.under(report_only),
                suspected: suspected.under(report_only),
                client: Counter {
                    name: "client".into(),
                    rate: client,
                    table: memory.table("client", self.keys),
                    usage: memory.usage(Subject::of_clients(client), self.keys),
                    mode: self.mode.under(report_only),
                    fail: Fail::Local,
                },
                is_fixed: self.general().is_some(),
                refusals: memory.table(REFUSALS_TABLE, self.keys),
                rules,
                quotas,
                exempt,
                usages: memory.usages.clone(),
                ipv6_prefix: self.ipv6_prefix,
                told: self.headers,
                tarpit: self.tarpit.0,
                concurrent: (self.concurrent > 0).then_some(self.concurrent),
                presences: Arc::clone(&memory.presences),
                recorded: memory.table("recorded", self.keys),
                bans,
                traps,
                attempts: attempts::Memory::new(&base),
                proven: memory.table("proven", PROVEN),
                operations,
                challenge,
            }),
            _ => Err(mistakes),
        }
    }
}

fn wrong_name(name: &str) -> Option<String> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return Some(format!("`{name}` is not a valid name: use letters, digits, `-`, `_` and `.`"));
    }
    let is_of_attempts = Purpose::ALL.iter().any(|purpose| name.starts_with(purpose.name()))
        && ["-by-address", "-by-account", "-answered", "-delays", "-known"]
            .iter()
            .any(|end| name.ends_with(end));
    // They would count together.
    (is_of_attempts || ["client", "recorded", "proven"].contains(&name))
        .then(|| format!("`{name}` is the name of a built-in counter"))
}

pub(super) fn rate_of(
    text: RateText,
    burst: Option<u32>,
    key: &str,
    mistakes: &mut Vec<Mistake>,
) -> Option<Rate> {
    let rate = Rate::new(text.count, text.period, burst.unwrap_or(text.count));
    if rate.is_none() {
        let message =
            format!("`{text}` cannot be counted: at least 1 in at most 400 days, and a burst of at least 1");
        mistakes.push(Mistake::new(key, message));
    }
    rate
}

impl FromStr for KeyPart {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text.split_once(':') {
            None => match text {
                "ip" => Self::Ip,
                "user" => Self::User,
                "api-key" => Self::ApiKey,
                "bearer" => Self::Bearer,
                "route" => Self::Route,
                _ => return Err(()),
            },
            Some(("header", name)) => Self::Header(HeaderName::from_bytes(name.as_bytes()).map_err(drop)?),
            Some(("field", name)) if !name.is_empty() => Self::Field(name.into()),
            Some(_) => return Err(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{Config, wrong_name};
    use crate::{Context, Section, call::Spellings};

    #[test]
    fn methods_may_be_written_in_lower_case() {
        let config: Config = serde_json::from_value(serde_json::json!({
            "rule": [{"name": "pages", "rate": "5/s", "methods": ["get"]}],
            "quota": [{"name": "plan", "key": ["ip"], "day": 5, "methods": ["get"]}],
            "operation": [{"paths": ["/"], "purpose": "login", "methods": ["get"]}],
        }))
        .unwrap();
        let policy = config.check(&Context::default()).unwrap();
        let found = |method| {
            let rules = policy.rules.of(true, &method, Spellings::one("/"), &[]).len();
            let quotas = policy.quotas.of(false, &method, Spellings::one("/"), &[]).len();
            (rules, quotas, policy.operations.number_of(&method, Spellings::one("/")))
        };
        assert_eq!(found(Method::GET), (1, 1, Some(0)));
        assert_eq!(found(Method::POST), (0, 0, None));
    }

    #[test]
    fn names_of_rules_are_not_those_of_counters_that_are_there_anyway() {
        for name in
            ["client", "recorded", "login-by-account", "login-token-by-address", "reset-delays", "", "a b"]
        {
            assert!(wrong_name(name).is_some(), "{name:?}");
        }
        for name in ["search", "login-page", "by-account", "clients"] {
            assert_eq!(wrong_name(name), None);
        }
    }
}
