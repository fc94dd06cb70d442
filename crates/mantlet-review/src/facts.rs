//! What reviewers are told: the contract of an app, and the gate in front of it.
//!
//! A review without a gate speaks of the app alone. With one, it speaks of the app *behind the gate as it is
//! configured*: what the gate refuses, takes out of answers or limits is no finding at its level.

use mantlet_contract::{
    model::{Code, Contract, Operation, Route, Router},
    objects,
    sensitive::{self, SensitiveRoute},
};
use mantlet_controls::{Config, Mode, Policy, operation};

use crate::{
    finding::Place,
    review::{Review, Row},
    rule::Owasp,
};

/// An app, and the gate in front of it.
#[derive(Debug, Clone, Copy)]
pub struct AppFacts<'f> {
    /// What the app accepts, and what its code does.
    pub contract: &'f Contract,
    /// The gate; none if the app is reviewed alone.
    pub gate: Option<Gate<'f>>,
}

/// The gate, as it is configured.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'f> {
    /// The sections of its controls.
    pub config: &'f Config,
    /// The same, checked.
    pub policy: &'f Policy,
    /// It has a certificate.
    pub has_certificate: bool,
    /// It keeps records.
    pub keeps_records: bool,
}

/// All that the reviewers of an app look at.
pub(crate) struct App<'f> {
    pub(crate) facts: AppFacts<'f>,
    pub(crate) operations: Vec<Located<'f>>,
    pub(crate) sensitive: Vec<SensitiveRoute>,
    pub(crate) objects: objects::Found,
    /// For the rules about owners that the gate has.
    compiled: Option<operation::Contract>,
}

/// An operation and its place.
pub(crate) struct Located<'f> {
    /// With what it is mounted below.
    pub(crate) path: String,
    pub(crate) methods: &'f [String],
    pub(crate) operation: &'f Operation,
    /// It is in no document.
    pub(crate) hidden: bool,
    /// Something around it may refuse first.
    pub(crate) is_guarded: bool,
}

impl<'f> App<'f> {
    pub(crate) fn of(facts: AppFacts<'f>) -> Self {
        let mut operations = Vec::new();
        collect("", &facts.contract.router, false, &mut operations);
        let rules = facts.gate.is_some_and(|gate| !gate.config.authorization.own.is_empty());
        Self {
            facts,
            operations,
            sensitive: sensitive::find(facts.contract),
            objects: objects::find(facts.contract),
            compiled: rules.then(|| operation::Contract::compile(facts.contract).0),
        }
    }

    /// Whether anything asks who is calling. Without that nothing is known of who may do what.
    pub(crate) fn asks_who_calls(&self) -> bool {
        self.operations
            .iter()
            .any(|one| one.is_secured() || one.is_guarded || !one.operation.authenticators.is_empty())
    }

    /// What the operation is for, if it is a sensitive one.
    pub(crate) fn purpose(&self, one: &Located<'_>) -> Option<&SensitiveRoute> {
        self.sensitive.iter().find(|found| found.path == one.path && found.methods == one.methods)
    }

    /// Whether the gate checks whose the object of an operation is.
    pub(crate) fn has_own_rule(&self, one: &Located<'_>) -> bool {
        let (Some(gate), Some(compiled)) = (self.facts.gate, &self.compiled) else { return false };
        let mut rules = gate.config.authorization.own.iter();
        let enforced = rules.any(|rule| {
            let methods = rule.methods.is_empty() || one.methods.iter().all(|own| rule.methods.contains(own));
            let path = rule.paths.is_empty() || rule.paths.iter().any(|path| covers(path, &one.path));
            rule.mode == Mode::Enforce && methods && path
        });
        enforced && gate.policy.authorization.own_rules(&one.path, one.methods, compiled) > 0
    }

    /// Whether the gate has a rule about who may call an operation.
    pub(crate) fn has_allow_rule(&self, one: &Located<'_>) -> bool {
        let Some(gate) = self.facts.gate else { return false };
        let is_of =
            |named: &[String], own: &[String]| named.is_empty() || own.iter().all(|one| named.contains(one));
        gate.config.authorization.allow.iter().chain(&gate.config.authorization.deny).any(|rule| {
            let path = rule.paths.is_empty() || rule.paths.iter().any(|path| covers(path, &one.path));
            let tag = rule.tags.is_empty() || one.operation.tags.iter().any(|tag| rule.tags.contains(tag));
            rule.mode == Mode::Enforce && path && tag && is_of(&rule.methods, one.methods)
        })
    }

    /// The largest body that the gate passes on to an operation, where the configuration says it.
    pub(crate) fn largest_body(&self, one: &Located<'_>) -> Option<u64> {
        let config = self.facts.gate?.config;
        let of_route = config.route.iter().find(|route| route.path == one.path);
        let own = of_route.and_then(|route| route.limits.body_size);
        own.or(config.limits.body_size).map(|size| size.0)
    }

    /// Whether the gate limits files that are sent to an operation.
    pub(crate) fn limits_files(&self, one: &Located<'_>) -> bool {
        let Some(gate) = self.facts.gate else { return false };
        let of_route = gate.config.route.iter().find(|route| route.path == one.path);
        let own = of_route.and_then(|route| route.uploads.file_size);
        own.or(gate.config.uploads.file_size).is_some() || self.largest_body(one).is_some()
    }
}

/// Whether a template of the configuration means a path of the contract.
fn covers(template: &str, path: &str) -> bool {
    if template == path {
        return true;
    }
    let (mut own, mut other) = (template.split('/'), path.split('/'));
    loop {
        match (own.next(), other.next()) {
            (Some(named), _) if named.starts_with('{') && named.ends_with(":path}") => return true,
            (Some(named), Some(_)) if named.starts_with('{') => {}
            (Some(named), Some(segment)) if named == segment => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

fn collect<'f>(below: &str, router: &'f Router, guarded: bool, all: &mut Vec<Located<'f>>) {
    let guarded = guarded || router.refuses_first.is_some();
    for route in &router.routes {
        match route {
            Route::Http { path, methods, hidden, operation: Some(operation), docs: false, .. } => {
                all.push(Located {
                    path: format!("{below}{path}"),
                    methods,
                    operation,
                    hidden: *hidden,
                    is_guarded: guarded,
                });
            }
            Route::Mount { path, router: Some(router) } => {
                collect(&format!("{below}{path}"), router, guarded, all);
            }
            Route::Host { router: Some(router), .. } => collect(below, router, guarded, all),
            _ => {}
        }
    }
}

/// Words in names of what says that an account may be used, not what its user may do.
const STATES: [&str; 10] = [
    "active",
    "enabled",
    "disabled",
    "verified",
    "confirmed",
    "banned",
    "locked",
    "deleted",
    "blocked",
    "suspend",
];
/// What dependencies are told to ask for.
const PRIVILEGES: [&str; 7] =
    ["admin", "administrator", "is_admin", "is_staff", "is_superuser", "staff", "superuser"];

/// Whether an attribute of a caller says what it may do.
pub(crate) fn is_right(attribute: &str) -> bool {
    let attribute = attribute.to_lowercase();
    !STATES.iter().any(|state| attribute.contains(state))
}

impl<'f> Located<'f> {
    /// `GET /orders/{order_id}`
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.methods.join(","), self.path)
    }

    pub(crate) fn place(&self) -> Option<Place> {
        let handler = self.operation.handler.as_ref()?;
        Some(Place { file: handler.file.clone(), line: Some(handler.line) })
    }

    pub(crate) fn code(&self) -> Option<&'f Code> {
        self.operation.code.as_deref()
    }

    /// Its code, if all of it was understood.
    pub(crate) fn whole_code(&self) -> Option<&'f Code> {
        self.code().filter(|code| !code.partial)
    }

    pub(crate) fn is(&self, method: &str) -> bool {
        self.methods.iter().any(|one| one == method)
    }

    /// Whether it only asks for something.
    pub(crate) fn is_read(&self) -> bool {
        self.methods.iter().all(|method| matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS"))
    }

    /// Whether it asks who is calling, and refuses a caller who does not say it.
    pub(crate) fn is_secured(&self) -> bool {
        if self.code().is_some_and(|code| code.optional) {
            return false;
        }
        let caller = self.operation.objects.as_ref().is_some_and(|objects| objects.caller);
        let own = self.code().is_some_and(|code| code.caller);
        caller || own || !self.operation.security.is_empty()
    }

    /// Whether it is shown that nothing asks for a credential.
    pub(crate) fn is_open(&self) -> bool {
        let quiet = self.whole_code().is_some_and(|code| {
            (!code.refuses || code.optional) && !code.uses_caller && code.asks.is_empty()
        });
        quiet && !self.is_guarded && !self.is_secured()
    }

    /// Whether it is for some callers only: by a role, or a scope.
    pub(crate) fn is_restricted(&self) -> bool {
        let scopes = self.operation.security.iter().flatten().any(|one| !one.scopes.is_empty());
        let asks = self.code().is_some_and(|code| code.asks.iter().any(|one| is_right(one)));
        let behind = self.operation.objects.as_ref().map(|objects| objects.behind.as_slice());
        let told = behind.unwrap_or_default().iter().any(|one| PRIVILEGES.contains(&one.as_str()));
        scopes || asks || told
    }

    /// Names of the parameters of its path.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        let segments = self.path.split('/').filter_map(|segment| segment.strip_prefix('{'));
        segments.filter_map(|inside| inside.split([':', '}']).next())
    }

    /// Whether a word says that it is meant for administrators.
    pub(crate) fn looks_administrative(&self) -> bool {
        let fixed = self.path.split('/').filter(|segment| !segment.contains('{'));
        fixed.chain(self.operation.tags.iter().map(String::as_str)).any(is_administrative)
    }
}

fn is_administrative(text: &str) -> bool {
    let is = |word: &str| {
        matches!(
            word,
            "admin" | "admins" | "administrator" | "administration" | "superuser" | "staff" | "backoffice"
        )
    };
    text.to_lowercase().split(|letter: char| !letter.is_ascii_alphanumeric()).any(is)
}

/// Writes down how much of a row was looked at.
pub(crate) fn looked(review: &mut Review, row: Owasp, what: &str, count: usize) {
    review.looked(Row::Owasp(row), what, count);
}
