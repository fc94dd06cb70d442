//! Operations that seem to be for administrators, where the app asks for *a* login only (OWASP API5, Broken
//! Function Level Authorization).
//!
//! A word in a path or a tag suggests it, no more: so the rule is proposed with that doubt. Where a dependency
//! or a scope tells callers apart, the app has a rule of its own.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Located,
    caller::Caller,
    proposal::{list, text},
};

/// A rule that is proposed: who may call operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FunctionProposal {
    /// The paths that it is for.
    pub paths: Vec<String>,
    /// The methods; none means all.
    pub methods: Vec<String>,
    /// Conditions; one has to hold.
    pub who: Vec<String>,
}

impl FunctionProposal {
    /// As it is written in the configuration.
    pub fn to_toml(&self) -> String {
        let mut lines = vec![
            "# doubt: only a word in the path or a tag says that this is for administrators; the app asks for any login"
                .to_owned(),
            "[[authorization.allow]]".to_owned(),
            format!("paths   = {}", list(&self.paths)),
        ];
        if !self.methods.is_empty() {
            lines.push(format!("methods = {}", list(&self.methods)));
        }
        lines.push(format!("who     = {}", list(&self.who)));
        lines.push(format!("mode    = {} # until you know that it is right", text("report")));
        lines.join("\n")
    }
}

/// The rules for an app whose callers have these roles.
pub(super) fn find(caller: &Caller<'_>, all: &[Located<'_>]) -> Vec<FunctionProposal> {
    let who = caller.roles();
    if who.is_empty() {
        return Vec::new();
    }
    // Paths by the methods that the rule is for: none where it is for all that the path has.
    let mut found: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    let mut paths: Vec<_> = all.iter().filter(|one| one.seems_forgotten()).map(|one| &one.path).collect();
    paths.dedup();
    for path in paths {
        let (forgotten, other): (Vec<_>, Vec<_>) =
            all.iter().filter(|one| one.path == *path).partition(|one| one.seems_forgotten());
        let methods = forgotten.iter().flat_map(|one| one.methods.iter().cloned());
        let methods = if other.is_empty() { Vec::new() } else { methods.collect() };
        let paths = found.entry(methods).or_default();
        if !paths.contains(path) {
            paths.push(path.clone());
        }
    }
    let of = |(methods, paths)| FunctionProposal { paths, methods, who: who.clone() };
    found.into_iter().map(of).collect()
}

impl Located<'_> {
    /// Whether it says that it is for administrators, and nothing is known that tells these from other callers.
    fn seems_forgotten(&self) -> bool {
        let has_scopes = self.operation.security.iter().flatten().any(|one| !one.scopes.is_empty());
        self.is_secured() && self.is_for_administrators() && !self.is_behind_administrators() && !has_scopes
    }
}
