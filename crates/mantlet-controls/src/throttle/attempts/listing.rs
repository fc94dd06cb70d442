//! All sensitive operations and their limits, as `mantlet throttles` prints them.

use http::Method;
use mantlet_contract::sensitive::{Evidence, Place, Purpose, SensitiveRoute};

use crate::throttle::{
    Policy,
    attempts::{Certainty, Limits, Sensitive, operations::Operation},
};
use crate::{Mode, call::Spellings, config::template::template};

/// A sensitive operation, and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensitiveOperation {
    /// Its methods.
    pub methods: Vec<String>,
    /// Its path: as the contract has it, or as the configuration does where the contract does not know it.
    pub path: String,
    /// The evidence, if the contract shows it.
    pub why: Option<String>,
    /// The section of `[[throttle.operation]]` that applies to it, counted from 0.
    pub section: Option<usize>,
    /// Its limits, or why it has none.
    pub gets: EffectiveLimit,
}

/// The limits of an operation, or why it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectiveLimit {
    /// Limits.
    Limits {
        /// Its purpose.
        purpose: Purpose,
        /// How many attempts.
        limits: Limits,
        /// Where the account is named.
        accounts: Vec<Place>,
        /// Whether too many are refused.
        mode: Mode,
        /// How it is known to be sensitive; a section that is about it knows.
        evidence: Evidence,
        /// It may name an account that Mantlet cannot find.
        may_name_more: bool,
        /// Its body has several forms, and in one of them no account is found.
        hides_in_part: bool,
    },
    /// It is exempt.
    Nothing,
    /// The configuration does not name a purpose, and the contract shows none.
    Unknown,
}

impl Policy {
    /// Lists the operations that the contract shows to be sensitive, and those that the
    /// configuration names.
    pub fn sensitive_operations(&self, found: &[SensitiveRoute]) -> Vec<SensitiveOperation> {
        let operations = &self.operations;
        let mut all = Vec::new();
        // The contract's, by the sections that are about their methods. A template is a path that it matches itself.
        for SensitiveRoute { path, methods, sensitivity, .. } in found {
            let mut by_section: Vec<(Option<usize>, Vec<String>)> = Vec::new();
            for name in methods {
                let method = Method::from_bytes(name.as_bytes());
                let section =
                    method.ok().and_then(|method| operations.number_of(&method, Spellings::one(path)));
                match by_section.iter_mut().find(|(known, _)| *known == section) {
                    Some((_, names)) => names.push(name.clone()),
                    None => by_section.push((section, vec![name.clone()])),
                }
            }
            for (section, methods) in by_section {
                let operation = section.and_then(|section| operations.all.get(section));
                let hides = sensitivity.hides_in_part && !operation.is_some_and(Operation::names_account);
                let hides = (sensitivity.may_name_more, hides);
                let sensitive = match operation {
                    Some(operation) => operation.for_sensitivity(Some(sensitivity)),
                    None => self.usual(sensitivity),
                };
                let gets = gets(sensitive, hides, EffectiveLimit::Nothing);
                all.push(SensitiveOperation {
                    methods,
                    path: path.clone(),
                    why: Some(sensitivity.why.clone()),
                    section,
                    gets,
                });
            }
        }
        // Those that the contract does not show as such, or only as a part of what a template of its own matches.
        for (section, operation) in operations.all.iter().enumerate() {
            for path in &operation.paths {
                if self.covers_one_of(section, path, found) {
                    continue;
                }
                let sensitivity =
                    found.iter().find(|found| is_below(path, &found.path)).map(|found| &found.sensitivity);
                let otherwise = match (operation.mode, operation.purpose) {
                    (Mode::Off, _) | (_, Some(_)) => EffectiveLimit::Nothing,
                    (_, None) => EffectiveLimit::Unknown,
                };
                all.push(SensitiveOperation {
                    methods: operation.methods.clone(),
                    path: path.clone(),
                    why: None,
                    section: Some(section),
                    gets: gets(operation.for_sensitivity(sensitivity), (true, false), otherwise),
                });
            }
        }
        all
    }

    /// Whether a path of a section is the template of something that has been found, under whatever name.
    fn covers_one_of(&self, section: usize, path: &str, found: &[SensitiveRoute]) -> bool {
        found.iter().any(|found| {
            is_below(&found.path, path)
                && found.methods.iter().any(|name| {
                    Method::from_bytes(name.as_bytes()).is_ok_and(|method| {
                        self.operations.number_of(&method, Spellings::one(&found.path)) == Some(section)
                    })
                })
        })
    }
}

/// Whether a template matches a path, which may be a template itself.
fn is_below(path: &str, wide: &str) -> bool {
    let mut router = matchit::Router::new();
    router.insert(template(wide), ()).is_ok() && router.at(path).is_ok()
}

fn gets(
    sensitive: Option<Sensitive<'_>>,
    (may_name_more, hides_in_part): (bool, bool),
    otherwise: EffectiveLimit,
) -> EffectiveLimit {
    sensitive.map_or(otherwise, |Sensitive { known, accounts, mode, certainty, .. }| EffectiveLimit::Limits {
        purpose: known.purpose,
        limits: known.limits(),
        accounts: accounts.to_vec(),
        mode,
        evidence: match certainty {
            Certainty::Known => Evidence::Known,
            Certainty::ByAnswer => Evidence::Inputs,
            Certainty::Suspected => Evidence::Word,
        },
        may_name_more,
        hides_in_part,
    })
}

#[cfg(test)]
mod tests {
    use mantlet_contract::sensitive::Sensitivity;

    use super::*;
    use crate::{
        Context, Section,
        throttle::{Config, attempts::Limit},
    };

    fn found(path: &str, purpose: Purpose, account: Option<&str>) -> SensitiveRoute {
        let accounts = account.map(Place::read).into_iter().collect();
        let (evidence, why) = (Evidence::Known, "a word".into());
        let sensitivity = Sensitivity {
            purpose,
            evidence,
            accounts,
            each: 1,
            may_name_more: false,
            hides_in_part: false,
            takes_password: true,
            why,
        };
        SensitiveRoute { path: path.into(), host: None, methods: vec!["POST".into()], sensitivity }
    }

    /// `purpose account by-address by-account mode` of each line.
    fn lines(policy: &Policy, found: &[SensitiveRoute]) -> Vec<String> {
        let rate = |limit: Limit| format!("{}/{}s", limit.count, limit.period.as_secs());
        let line = |one: SensitiveOperation| {
            let gets = match one.gets {
                EffectiveLimit::Nothing => "nothing".into(),
                EffectiveLimit::Unknown => "unknown".into(),
                EffectiveLimit::Limits { purpose, limits, accounts, mode, .. } => format!(
                    "{} {} {} {} {}",
                    purpose.name(),
                    accounts.first().map_or("-".into(), Place::to_string),
                    rate(limits.address),
                    limits.account.map_or("-".into(), rate),
                    mode.as_str()
                ),
            };
            format!("{} {} {:?}: {gets}", one.methods.join(","), one.path, one.section)
        };
        policy.sensitive_operations(found).into_iter().map(line).collect()
    }

    #[test]
    fn operations_are_named_changed_and_exempt() {
        let sections = serde_json::json!([
            {"paths": ["/api/session"], "purpose": "login", "account": "mail", "by-account": "5/10m"},
            {"paths": ["/token"], "by-address": "1000/15m", "mode": "report"},
            {"paths": ["/users/{id}/reset"], "purpose": "none"},
            {"paths": ["/sign-up"], "methods": ["POST"], "by-account": "2/1h", "account": "email"},
            {"paths": ["/quiet"], "mode": "report"},
            {"paths": ["/teams/a/invite"], "account": ""},
        ]);
        let config = Config { operation: serde_json::from_value(sections).unwrap(), ..Config::default() };
        let policy = config.check(&Context::default()).unwrap();
        let found = [
            found("/token", Purpose::Login, Some("username")),
            found("/users/{user_id}/reset", Purpose::Reset, Some("email")),
            found("/sign-up", Purpose::Register, None),
            found("/teams/{team}/invite", Purpose::Register, Some("email")),
        ];
        assert_eq!(
            lines(&policy, &found),
            [
                "POST /token Some(1): login username 1000/900s 10/900s report",
                "POST /users/{user_id}/reset Some(2): nothing",
                "POST /sign-up Some(3): register email 30/3600s 2/3600s enforce",
                "POST /teams/{team}/invite None: register email 30/3600s - enforce",
                "POST,PUT,PATCH /api/session Some(0): login mail 50/900s 5/600s enforce",
                "POST,PUT,PATCH /quiet Some(4): unknown",
                "POST,PUT,PATCH /teams/a/invite Some(5): register - 30/3600s - enforce",
            ]
        );
    }
}
