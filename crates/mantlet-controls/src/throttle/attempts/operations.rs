//! Sensitive operations by configuration: named, changed or exempt.

use std::collections::HashSet;

use http::Method;
use mantlet_contract::sensitive::{Place, Purpose, Sensitivity};
use serde::{Deserialize, Serialize};

use crate::throttle::{
    RateText,
    attempts::{Base, Certainty, Limit, Limits, Names, Remembered, Sensitive, limits_of},
    config::rate_of,
    usage::Counts,
};
use crate::{
    Call, Mode,
    call::Spellings,
    config::{
        Mistake,
        template::{methods, template},
    },
};

/// A `[[throttle.operation]]` section: settings for operations that are sensitive, or that the
/// operator names as such.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OperationConfig {
    /// Path templates that it applies to, as in `[[route]]`.
    pub paths: Vec<String>,
    /// Methods that it applies to. Default `POST`, `PUT` and `PATCH`.
    #[serde(default = "changing")]
    pub methods: Vec<String>,
    /// Their purpose, whatever the contract shows; `none` exempts. Default as the contract shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<PurposeText>,
    /// The field of the body that names the account (`user.email` for one in an object),
    /// `query:NAME` or `path:NAME`; empty for none. Default as the contract shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Attempts of one client address, counted for these operations together. Default that of the purpose, counted for each operation by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_address: Option<RateText>,
    /// The same for one account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_account: Option<RateText>,
    /// The events that both count: `failures` (the app's 400, 401, 403), or `requests` where a
    /// failure cannot be told from its status. Default that of the purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// The mode here, if it differs from `sensitive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

fn changing() -> Vec<String> {
    ["POST", "PUT", "PATCH"].map(str::to_owned).into()
}

/// The purpose of an operation, as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PurposeText {
    /// Logging in.
    Login,
    /// A new password.
    Reset,
    /// A one-time code.
    Verify,
    /// A new account.
    Register,
    /// A coupon or the like.
    Redeem,
    /// Buying.
    Checkout,
    /// Nothing sensitive.
    None,
}

impl PurposeText {
    const fn purpose(self) -> Option<Purpose> {
        Some(match self {
            Self::Login => Purpose::Login,
            Self::Reset => Purpose::Reset,
            Self::Verify => Purpose::Verify,
            Self::Register => Purpose::Register,
            Self::Redeem => Purpose::Redeem,
            Self::Checkout => Purpose::Checkout,
            Self::None => return None,
        })
    }
}

/// All operations that the configuration names. Finding one costs its path, not their number.
#[derive(Debug, Default)]
pub(in crate::throttle) struct Operations {
    pub(in crate::throttle) all: Vec<Operation>,
    by_path: matchit::Router<usize>,
    /// The router's values: a template and its operations.
    of_path: Vec<(String, Vec<Numbered>)>,
}

/// The methods of an operation, and which one it is.
type Numbered = (Vec<Method>, usize);

#[derive(Debug)]
pub(in crate::throttle) struct Operation {
    pub(in crate::throttle) paths: Vec<String>,
    pub(in crate::throttle) methods: Vec<String>,
    pub(in crate::throttle) purpose: Option<PurposeText>,
    /// None if the contract is to show it, no place for none.
    account: Option<Vec<Place>>,
    pub(in crate::throttle) mode: Mode,
    /// Its limits, for its purpose or for each purpose that the contract may show.
    remembered: Vec<Remembered>,
}

impl Operations {
    /// Checks all sections; keys in mistakes are relative to `[throttle]`.
    pub(in crate::throttle) fn check(
        configs: &[OperationConfig],
        base: &Base<'_>,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let mut operations = Self::default();
        let mut names = HashSet::new();
        for (index, config) in configs.iter().enumerate() {
            let mut found = Vec::new();
            config.check(&mut found);
            let methods = methods(&config.methods).unwrap_or_default();
            if methods.is_empty() {
                found.push(Mistake::new("methods", "is empty or contains an invalid HTTP method"));
            }
            if let Err(mistake) = operations.route(index, &config.paths, &methods) {
                found.push(mistake);
            }
            mistakes.extend(found.into_iter().map(|mistake| mistake.under(&format!("operation[{index}]"))));
            operations.all.push(config.operation(base, &mut names));
        }
        operations
    }

    /// Makes paths lead to an operation.
    fn route(&mut self, index: usize, paths: &[String], methods: &[Method]) -> Result<(), Mistake> {
        for (at, path) in paths.iter().enumerate() {
            let key = || format!("paths[{at}]");
            if let Some(mistake) = Mistake::of_path(key(), path) {
                return Err(mistake);
            }
            let template = template(path);
            if let Some((_, known)) = self.of_path.iter_mut().find(|(known, _)| *known == template) {
                let earlier = known.iter().find_map(|(taken, other)| {
                    methods.iter().find(|method| taken.contains(method)).map(|method| (method, other))
                });
                if let Some((method, other)) = earlier {
                    let message = format!("`{method} {path}` is named by `operation[{other}]` too");
                    return Err(Mistake::new(key(), message));
                }
                known.push((methods.to_vec(), index));
                continue;
            }
            self.by_path.insert(template.clone(), self.of_path.len()).map_err(|error| match error {
                matchit::InsertError::Conflict { with } => {
                    Mistake::new(key(), format!("`{path}` matches the same paths as `{with}`"))
                }
                _ => Mistake::of_template(key(), format!("`{path}` is not a path template")),
            })?;
            self.of_path.push((template, vec![(methods.to_vec(), index)]));
        }
        Ok(())
    }

    pub(in crate::throttle) fn number_of(&self, method: &Method, path: Spellings<'_>) -> Option<usize> {
        self.find(method, path).map(|(_, number)| number)
    }

    /// The template that a path has here, and which section it is of.
    fn find(&self, method: &Method, path: Spellings<'_>) -> Option<(&str, usize)> {
        path.iter().find_map(|path| {
            let found = self.by_path.at(path).ok()?;
            let (template, operations) = self.of_path.get(*found.value)?;
            let (_, number) = operations.iter().find(|(methods, _)| methods.contains(method))?;
            Some((template.as_str(), *number))
        })
    }

    /// The configuration for a request's operation, and its template there.
    pub(in crate::throttle) fn of(&self, call: &Call) -> Option<(&Operation, &str)> {
        if self.all.is_empty() {
            return None;
        }
        let (template, number) = self.find(&call.method, call.spellings())?;
        Some((self.all.get(number)?, template))
    }
}

impl OperationConfig {
    /// Checks the section, except its methods and templates.
    fn check(&self, mistakes: &mut Vec<Mistake>) {
        if self.paths.is_empty() {
            mistakes.push(Mistake::new("paths", "names no path"));
        }
        for (key, rate) in [("by-address", self.by_address), ("by-account", self.by_account)] {
            if let Some(rate) = rate {
                rate_of(rate, None, key, mistakes);
            }
        }
        let has_limits = self.by_address.is_some() || self.by_account.is_some();
        let changes = self.account.is_some() || has_limits || self.counts.is_some() || self.mode.is_some();
        match self.purpose {
            Some(PurposeText::None) if changes => {
                let message = "`none` exempts these operations, so the other keys have no effect";
                mistakes.push(Mistake::new("purpose", message).help("remove one or the other"));
            }
            None if !changes => {
                let help = "set `purpose`, `account`, `by-address`, `by-account`, `counts` or `mode`";
                mistakes.push(Mistake::new("paths", "this section changes nothing").help(help));
            }
            _ => {}
        }
        let names_account = self.account.as_ref().map(|name| !name.is_empty());
        if names_account == Some(false) && self.by_account.is_some() {
            let message = "has no effect, because `account` is empty";
            mistakes.push(Mistake::new("by-account", message));
        }
        let Some(purpose) = self.purpose.and_then(PurposeText::purpose) else { return };
        if names_account == Some(true) && self.limits(purpose).account.is_none() {
            let message = format!("has no effect, because `{}` has no limit for accounts", purpose.name());
            mistakes.push(Mistake::new("account", message).help("set one with `by-account`"));
        }
    }

    fn limits(&self, purpose: Purpose) -> Limits {
        let usual = limits_of(purpose);
        let changed = |rate: Option<RateText>, usual: Limit| Limit {
            count: rate.map_or(usual.count, |rate| rate.count),
            period: rate.map_or(usual.period, |rate| rate.period),
            failures: self.counts.map_or(usual.failures, |counts| counts == Counts::Failures),
        };
        let account = usual.account.or(self.by_account.map(|_| usual.address));
        Limits {
            address: changed(self.by_address, usual.address),
            account: account.map(|usual| changed(self.by_account, usual)),
        }
    }

    fn operation(&self, base: &Base<'_>, names: &mut HashSet<String>) -> Operation {
        let place = own_name(self.paths.first().map_or("", String::as_str), names);
        let mode = self.mode.unwrap_or(base.sensitive).under(base.report_only);
        let is_meant = |purpose: &Purpose| self.purpose.is_none_or(|named| named.purpose() == Some(*purpose));
        let remembered = Purpose::ALL.into_iter().filter(is_meant).filter_map(|purpose| {
            let usual = purpose.name();
            // With limits of their own, all operations of the section are counted together.
            let own = |rate: Option<RateText>| {
                let is_own = rate.is_some() || self.counts.is_some();
                is_own.then(|| format!("{usual}-{place}"))
            };
            let names = Names { by_address: own(self.by_address), by_account: own(self.by_account) };
            Remembered::new(base, purpose, self.limits(purpose), &names, mode)
        });
        Operation {
            paths: self.paths.clone(),
            methods: self.methods.iter().map(|name| name.to_ascii_uppercase()).collect(),
            purpose: self.purpose,
            account: self.account.as_deref().map(places),
            mode,
            remembered: remembered.collect(),
        }
    }
}

/// Where an account is named, as the configuration has it.
fn places(text: &str) -> Vec<Place> {
    (!text.is_empty()).then(|| Place::read(text)).into_iter().collect()
}

/// A name for counters of its own, which a reload gives again: of a path what may stand in a name.
fn own_name(path: &str, names: &mut HashSet<String>) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-");
    let name = if name.is_empty() { "root".to_owned() } else { name };
    let mut candidates = std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}-{number}")));
    let free = candidates.find(|name| !names.contains(name)).unwrap_or_default();
    names.insert(free.clone());
    free
}

impl Operation {
    /// Whether the configuration says where the account is named, or that it is nowhere.
    pub(in crate::throttle) fn names_account(&self) -> bool {
        self.account.is_some()
    }

    /// Its limits, if the contract shows this purpose.
    pub(in crate::throttle) fn for_sensitivity<'a>(
        &'a self,
        sensitivity: Option<&'a Sensitivity>,
    ) -> Option<Sensitive<'a>> {
        if self.mode == Mode::Off {
            return None;
        }
        let purpose = match self.purpose {
            Some(named) => named.purpose(),
            None => sensitivity.map(|sensitivity| sensitivity.purpose),
        }?;
        let (accounts, each) = match (&self.account, sensitivity) {
            (Some(places), _) => (&**places, places.len()),
            (None, Some(sensitivity)) => (&*sensitivity.accounts, sensitivity.each),
            (None, None) => (&[][..], 0),
        };
        Some(Sensitive {
            known: self.remembered.iter().find(|known| known.purpose == purpose)?,
            accounts,
            each,
            mode: self.mode,
            certainty: Certainty::Known,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Context, Section,
        throttle::{Config, Memory, Policy},
    };

    fn section(toml: serde_json::Value) -> OperationConfig {
        serde_json::from_value(toml).unwrap()
    }

    fn policy(sections: serde_json::Value) -> Result<Policy, Vec<Mistake>> {
        let operation = serde_json::from_value(sections).unwrap();
        Config { operation, ..Config::default() }.check(&Context::default())
    }

    #[test]
    fn what_has_no_effect_is_a_mistake() {
        let mistakes = |sections| {
            let found = policy(sections).map(drop).unwrap_err();
            found.into_iter().map(|one| format!("{}: {}", one.key, one.message)).collect::<Vec<_>>()
        };
        let found = mistakes(serde_json::json!([
            {"paths": ["login"], "purpose": "login"},
            {"paths": ["/a/{x"], "purpose": "login"},
            {"paths": ["/b"]},
            {"paths": [], "purpose": "login"},
            {"paths": ["/c"], "purpose": "none", "mode": "report"},
            {"paths": ["/d"], "purpose": "login", "account": "", "by-account": "5/h"},
            {"paths": ["/e"], "purpose": "register", "account": "email"},
            {"paths": ["/f"], "purpose": "login", "by-address": "0/h"},
            {"paths": ["/g"], "purpose": "login", "methods": ["PO ST"]},
            {"paths": ["/h"], "purpose": "login", "methods": ["POST"]},
            {"paths": ["/h"], "purpose": "reset", "methods": ["PUT", "post"]},
            {"paths": ["/h"], "purpose": "none", "methods": ["DELETE"]},
        ]));
        let zero = "`0/h` cannot be counted: at least 1 in at most 400 days, and a burst of at least 1";
        assert_eq!(
            found,
            [
                "operation[0].paths[0]: `login` has no leading `/`",
                "operation[1].paths[0]: `/a/{x` is not a path template",
                "operation[2].paths: this section changes nothing",
                "operation[3].paths: names no path",
                "operation[4].purpose: `none` exempts these operations, so the other keys have no effect",
                "operation[5].by-account: has no effect, because `account` is empty",
                "operation[6].account: has no effect, because `register` has no limit for accounts",
                &format!("operation[7].by-address: {zero}"),
                "operation[8].methods: is empty or contains an invalid HTTP method",
                "operation[10].paths[0]: `POST /h` is named by `operation[9]` too",
            ]
        );
    }

    #[test]
    fn limits_of_its_own_are_counted_for_themselves_and_others_with_all() {
        let config =
            section(serde_json::json!({"paths": ["/a/{b}"], "purpose": "login", "by-account": "3/1m"}));
        let memory = Memory::default();
        let base = Base {
            memory: &memory,
            keys: 1_024,
            sensitive: Mode::Enforce,
            report_only: false,
            answered: None,
        };
        let mut mistakes = Vec::new();
        Operations::check(
            &[config.clone(), OperationConfig { paths: vec!["/a-b".into()], ..config }],
            &base,
            &mut mistakes,
        );
        assert_eq!(mistakes, []);
        let mut names: Vec<_> = memory.tables.lock().unwrap().keys().cloned().collect();
        names.sort_unstable();
        let expected = [
            "login-a-b-2-by-account",
            "login-a-b-by-account",
            "login-by-address",
            "login-delays",
            "login-known",
        ];
        assert_eq!(names, expected.map(Into::into));
    }
}
