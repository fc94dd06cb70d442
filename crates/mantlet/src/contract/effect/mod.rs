//! What the configuration says, held against what is known of the app: what cannot take effect is
//! told at start, with its place, and so is what is limited without being asked for.
//!
//! These are notes and no mistakes: an app may answer what its contract does not know.

mod facts;

use mantlet_contract::{
    routes::{Roots, is_named_by},
    sensitive::Evidence,
};
use mantlet_controls::{
    Context, Mode, Section,
    config::Posture,
    throttle::{
        Policy as Throttle,
        attempts::{EffectiveLimit, SensitiveOperation},
    },
    uploads,
};

use self::facts::Fact;
pub(crate) use self::facts::Facts;
use super::sensitive::{line_of, wants_account};
use crate::{
    config::Config,
    settings::{Loaded, Origin, Origins},
};

/// Operations that are named in one line.
const NAMED: usize = 8;
/// Headers that clients send whether an app declares them or not.
const USUAL_HEADERS: [&str; 14] = [
    "accept",
    "accept-language",
    "authorization",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "referer",
    "user-agent",
    "x-forwarded-for",
    "x-real-ip",
    "x-request-id",
    "cf-connecting-ip",
    "true-client-ip",
];

/// Finds the settings of a configuration that cannot take effect.
#[derive(Debug)]
pub(crate) struct EffectCheck {
    config: Box<Config>,
    origins: Origins,
}

impl EffectCheck {
    pub(crate) fn of(loaded: &Loaded<Config>) -> Self {
        Self { config: Box::new(loaded.config.clone()), origins: loaded.origins.clone() }
    }

    /// All that is to be told.
    pub(crate) fn notes(&self, facts: &Facts) -> Vec<String> {
        let mut notes = self.without_effect(facts);
        notes.extend(self.limited(facts));
        notes
    }

    fn note(&self, key: &str, what: &str) -> String {
        format!("note: {}: `{key}` {what}", self.origins.of(key))
    }

    /// Settings that cannot take effect.
    fn without_effect(&self, facts: &Facts) -> Vec<String> {
        let mut notes = Vec::new();
        let config = &*self.config;
        if let (own, Some(known)) = (config.path.root_path.as_str(), &facts.root_path)
            && !own.is_empty()
            && own != known
        {
            notes.push(self.note("path.root-path", &format!("replaces the app's own root path, `{known}`")));
        }
        for (index, route) in config.route.iter().enumerate() {
            let key = |name: &str| format!("route[{index}].{name}");
            let found =
                self.about(facts, &mut notes, &key("path"), &route.path, &key("methods"), &route.methods);
            if let Some(found) = found
                && route.uploads != uploads::Config::default()
                && !found.is_empty()
                && !found.iter().any(|fact| fact.takes_form)
            {
                notes.push(self.note(&key("uploads"), "has no effect: none of its operations takes a form"));
            }
        }
        let throttle = &config.throttle;
        if throttle.mode != Mode::Off {
            for (index, rule) in throttle.rule.iter().enumerate() {
                let rule =
                    Counting { paths: &rule.paths, methods: &rule.methods, tags: &rule.tags, key: &rule.key };
                self.counting(facts, &mut notes, &format!("throttle.rule[{index}]"), &rule);
            }
            for (index, quota) in throttle.quota.iter().enumerate() {
                let quota = Counting {
                    paths: &quota.paths,
                    methods: &quota.methods,
                    tags: &quota.tags,
                    key: &quota.key,
                };
                self.counting(facts, &mut notes, &format!("throttle.quota[{index}]"), &quota);
            }
            for (index, operation) in throttle.operation.iter().enumerate() {
                let key = |name: &str| format!("throttle.operation[{index}].{name}");
                let mut found = Some(Vec::new());
                for (at, path) in operation.paths.iter().enumerate() {
                    let of_path = self.about(
                        facts,
                        &mut notes,
                        &key(&format!("paths[{at}]")),
                        path,
                        &key("methods"),
                        &operation.methods,
                    );
                    found = found.zip(of_path).map(|(all, more)| [all, more].concat());
                }
                let account = operation.account.as_deref().filter(|name| !name.is_empty());
                if let (Some(account), Some(found)) = (account, found)
                    && !found.is_empty()
                    && !found.iter().any(|fact| fact.may_take_more || fact.takes.contains(account))
                {
                    notes.push(self.note(
                        &key("account"),
                        &format!("finds no account: none of its operations takes `{account}`"),
                    ));
                }
            }
        }
        if throttle.mode != Mode::Off && throttle.trap.mode != Mode::Off {
            for (at, path) in throttle.trap.paths.iter().enumerate() {
                if let Some(route) = facts.routes.iter().find(|fact| is_named_by(&fact.path, path)) {
                    let what = format!(
                        "is not a trap: `{}` is an operation of the app, so a request for it bans no address",
                        route.path
                    );
                    notes.push(self.note(&format!("throttle.trap.paths[{at}]"), &what));
                }
            }
        }
        for (section, paths) in
            [("https.exempt", &config.https.exempt), ("headers.docs-paths", &config.headers.docs_paths)]
        {
            for (at, path) in paths.iter().enumerate().filter(|(_, path)| !path.ends_with('*')) {
                let key = format!("{section}[{at}]");
                if self.origins.of_value(section) != Origin::Default {
                    self.about(facts, &mut notes, &key, path, "", &[]);
                }
            }
        }
        let posture = config.contract.posture;
        if posture == Posture::Strict && facts.operations > 0 && facts.rewritten == facts.operations {
            notes.push(format!(
                "note: {}: strict posture only reports the input of this app: no operation is proven to get requests as they came \
                 (`mantlet contract` says why)",
                self.origins.of("contract.posture")
            ));
        }
        notes
    }

    /// The routes that a template is about; what is none is told.
    fn about<'f>(
        &self,
        facts: &'f Facts,
        notes: &mut Vec<String>,
        key: &str,
        template: &str,
        methods_key: &str,
        methods: &[String],
    ) -> Option<Vec<&'f Fact>> {
        let named = self.config.path.root_path.as_str();
        let named = (!named.is_empty()).then(|| Roots::new([named]));
        let found = facts.about(template, named.as_ref().unwrap_or(&facts.roots))?;
        if found.is_empty() {
            let what = if facts.is_whole {
                format!("has no effect: the app has no route `{template}`")
            } else {
                format!("may have no effect: no route `{template}` is known")
            };
            notes.push(self.note(key, &what));
            return Some(found);
        }
        let of_methods = |fact: &&Fact| methods.is_empty() || methods.iter().any(|method| fact.has(method));
        if !found.iter().any(of_methods) {
            let what = format!("has no effect: `{template}` does not take {}", methods.join(", "));
            notes.push(self.note(methods_key, &what));
        }
        Some(found.into_iter().filter(of_methods).collect())
    }

    /// What a rule or a quota cannot count.
    fn counting(&self, facts: &Facts, notes: &mut Vec<String>, section: &str, rule: &Counting<'_>) {
        let key = |name: &str| format!("{section}.{name}");
        let mut found = Some(Vec::new());
        for (at, path) in rule.paths.iter().enumerate() {
            let of_path =
                self.about(facts, notes, &key(&format!("paths[{at}]")), path, &key("methods"), rule.methods);
            found = found.zip(of_path).map(|(all, more)| [all, more].concat());
        }
        if rule.paths.is_empty() {
            let of_methods =
                |fact: &&Fact| rule.methods.is_empty() || rule.methods.iter().any(|one| fact.has(one));
            found = Some(facts.routes.iter().filter(of_methods).collect());
        }
        for (at, tag) in rule.tags.iter().enumerate() {
            if !facts.routes.iter().any(|fact| fact.tags.contains(tag)) {
                notes.push(self.note(
                    &key(&format!("tags[{at}]")),
                    &format!("has no effect: no operation has the tag `{tag}`"),
                ));
            }
        }
        let Some(mut found) = found else { return };
        if !rule.tags.is_empty() {
            found.retain(|fact| fact.tags.iter().any(|tag| rule.tags.contains(tag)));
        }
        found.retain(|fact| fact.is_operation);
        if found.is_empty() {
            // That has been told, or nothing is known.
            return;
        }
        for (at, part) in rule.key.iter().enumerate() {
            let what = match part.split_once(':') {
                None if part == "api-key" && !found.iter().any(|fact| fact.has_key) => {
                    "counts only keys that `mantlet keys` has made: none of its operations declares an API key, a bearer token or basic credentials".to_owned()
                }
                None if part == "user" && self.config.tls.client_authorities.is_empty() => {
                    "counts nothing: `user` comes from a client certificate, and `tls.client-authorities` is not set".to_owned()
                }
                Some(("header", name))
                    if !USUAL_HEADERS.iter().any(|usual| usual.eq_ignore_ascii_case(name))
                        && !found.iter().any(|fact| fact.headers.contains(&name.to_ascii_lowercase())) =>
                {
                    format!("counts only requests with `{name}`, and none of its operations declares it")
                }
                Some(("field", name)) if !found.iter().any(|fact| fact.may_take_more || fact.takes.contains(name)) => {
                    format!("counts nothing: none of its operations takes a field `{name}`")
                }
                _ => continue,
            };
            notes.push(self.note(&key(&format!("key[{at}]")), &what));
        }
    }

    /// What is limited, what is only recorded, and which logins have no account that is found.
    fn limited(&self, facts: &Facts) -> Vec<String> {
        let context = Context {
            report_only: self.config.report_only,
            posture: self.config.contract.posture,
            ..Context::default()
        };
        let Ok(policy) = self.config.throttle.check(&context) else { return Vec::new() };
        if policy.mode() == Mode::Off {
            return Vec::new();
        }
        let all = Throttle::sensitive_operations(&policy, &facts.sensitive);
        let (mut refused, mut watched, mut recorded, mut notes) = (vec![], vec![], vec![], vec![]);
        for SensitiveOperation { methods, path, gets, .. } in &all {
            let EffectiveLimit::Limits {
                purpose,
                accounts,
                mode,
                evidence,
                may_name_more,
                hides_in_part,
                ..
            } = gets
            else {
                continue;
            };
            let name = format!("{} {path} ({})", methods.join(","), purpose.name());
            match (mode, evidence) {
                (Mode::Enforce, Evidence::Inputs) => watched.push(name.clone()),
                (Mode::Enforce, _) => refused.push(name.clone()),
                _ => recorded.push(name.clone()),
            }
            if accounts.is_empty() && wants_account(*purpose, *may_name_more, *evidence) {
                let known =
                    if *mode == Mode::Enforce { "only addresses are limited" } else { "it is not limited" };
                notes.push(format!(
                    "note: {name} seems to take an account, but none is found among its inputs: {known}; `throttle.operation = [{{ paths = \
                     [\"{path}\"], purpose = \"{}\", account = \"FIELD\" }}]` names it",
                    purpose.name()
                ));
            }
            if !accounts.is_empty() && *hides_in_part && purpose.has_accounts() {
                notes.push(format!(
                    "note: {name} takes several forms, and in one of them no account is found: there only addresses are limited; \
                     `throttle.operation = [{{ paths = [\"{path}\"], purpose = \"{}\", account = \"FIELD\" }}]` names it",
                    purpose.name()
                ));
            }
        }
        let mut lines = Vec::new();
        if !refused.is_empty() {
            lines.push(format!(
                "limited against guessing and flooding: {} (`mantlet throttles` says how)",
                some(&refused)
            ));
        }
        if !watched.is_empty() {
            lines.push(format!("limited as logins once they have answered 401: {}", some(&watched)));
        }
        if !recorded.is_empty() {
            let only_words = all.iter().find_map(|one| match &one.gets {
                EffectiveLimit::Limits { purpose, mode: Mode::Report, evidence: Evidence::Word, .. } => {
                    Some(line_of(&one.path, *purpose, &one.methods))
                }
                _ => None,
            });
            let line = only_words.map(|line| format!("; {line}")).unwrap_or_default();
            lines.push(format!("only recorded if requested too often: {}{line}", some(&recorded)));
        }
        lines.extend(notes);
        lines
    }
}

/// What a rule is about, and what it counts by.
struct Counting<'c> {
    paths: &'c [String],
    methods: &'c [String],
    tags: &'c [String],
    key: &'c [String],
}

/// The first ones, and how many there are beside.
fn some(names: &[String]) -> String {
    let mut text = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED {
        text.push_str(" and ");
        text.push_str(&(names.len() - NAMED).to_string());
        text.push_str(" more");
    }
    text
}
