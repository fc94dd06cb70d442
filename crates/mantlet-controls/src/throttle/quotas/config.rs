use std::str::FromStr as _;

use serde::{Deserialize, Serialize};

use super::{Limits, Quota};
use crate::throttle::{
    Config, Memory,
    rules::{KeyPart, Rule, Rules},
    store::Fail,
};
use crate::{
    Mode,
    config::{Mistake, template::methods},
    selection::Target,
};

/// A `[[throttle.quota]]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct QuotaConfig {
    /// Its name, in records and in `RateLimit-Policy`.
    pub name: String,
    /// The key that is counted: `user`, `api-key`, `ip`, `route`, `header:NAME`, or several of them
    /// together.
    pub key: Vec<String>,
    /// Requests in an hour of the calendar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<u32>,
    /// Requests in a day, of UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<u32>,
    /// Requests in a month of the calendar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<u32>,
    /// Path templates that it applies to, as in `[[route]]`; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Methods that it applies to; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Tags of operations that it applies to; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Percentage of a window that causes a warning. Default 80.
    #[serde(default = "most")]
    pub warn: u8,
    /// What it does while the store does not respond: `local` counts on this machine alone, `open`
    /// lets everything pass, `closed` nothing. Default `local`.
    #[serde(default)]
    pub fail: Fail,
    /// The mode of this quota, if it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

const fn most() -> u8 {
    80
}

impl Config {
    /// The quotas; what is wrong with them is added to the mistakes.
    pub(in crate::throttle) fn check_quotas(
        &self,
        memory: &Memory,
        report_only: bool,
        mistakes: &mut Vec<Mistake>,
    ) -> Rules<Quota> {
        let mut quotas = Rules::default();
        for (index, config) in self.quota.iter().enumerate() {
            let at = |key: &str| format!("quota[{index}].{key}");
            mistakes.extend(config.mistakes(&at));
            let rule = self.rule.iter().position(|rule| rule.name == config.name);
            let earlier = self.quota.iter().take(index).position(|quota| quota.name == config.name);
            let taken = rule.map(|rule| format!("rule[{rule}]"));
            if let Some(other) = taken.or_else(|| earlier.map(|quota| format!("quota[{quota}]"))) {
                let message = format!("`{other}` has the name `{}` too", config.name);
                mistakes.push(Mistake::new(at("name"), message));
            }
            let key = config.key.iter().filter_map(|part| KeyPart::from_str(part).ok()).collect();
            let counter = Quota {
                name: config.name.as_str().into(),
                limits: Limits { of: [config.hour, config.day, config.month], warn: config.warn },
                ledger: memory.ledger(&config.name, self.keys),
                mode: config.mode.unwrap_or(self.mode).under(report_only || self.mode == Mode::Report),
                fail: config.fail,
            };
            // A wrong method is a mistake by now.
            let methods = methods(&config.methods).unwrap_or_default();
            let target = Target { paths: &config.paths, methods, tags: &config.tags };
            quotas.add_late(Rule { counter, key }, &target).unwrap_or_else(|message| {
                mistakes.push(Mistake::of_template(at("paths"), message));
            });
        }
        quotas
    }
}

impl QuotaConfig {
    fn mistakes(&self, at: &impl Fn(&str) -> String) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.name.is_empty()
            || !self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        {
            let message =
                format!("`{}` is not a valid name: use letters, digits, `-`, `_` and `.`", self.name);
            mistakes.push(Mistake::new(at("name"), message));
        }
        for part in &self.key {
            if !KeyPart::from_str(part).is_ok_and(|part| !matches!(part, KeyPart::Field(_))) {
                let message = format!("`{part}` is not a key part of a quota");
                let help = "write `user`, `api-key`, `bearer`, `ip`, `route` or `header:NAME`";
                mistakes.push(Mistake::new(at("key"), message).help(help));
            }
        }
        if self.key.is_empty() {
            mistakes.push(Mistake::new(at("key"), "has no key part"));
        }
        let windows = [("hour", self.hour), ("day", self.day), ("month", self.month)];
        if windows.iter().all(|(_, limit)| limit.is_none()) {
            let message = format!("`{}` has no limit", self.name);
            mistakes
                .push(Mistake::new(at("name"), message).help("write `hour`, `day` or `month` = a number"));
        }
        for (window, _) in windows.into_iter().filter(|(_, limit)| *limit == Some(0)) {
            mistakes.push(Mistake::new(at(window), "`0` would refuse every request"));
        }
        if !(1..=100).contains(&self.warn) {
            mistakes.push(Mistake::new(at("warn"), format!("`{}` is outside 1 to 100", self.warn)));
        }
        if methods(&self.methods).is_none() {
            mistakes.push(Mistake::of_methods(at("methods")));
        }
        mistakes
    }
}
