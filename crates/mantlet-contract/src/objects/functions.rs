//! Operations that seem to be for administrators, where nothing is declared that tells callers apart (OWASP
//! API5, Broken Function Level Authorization).
//!
//! A word in a path or a tag suggests it, no more: so the rule is proposed with that doubt. Where a dependency
//! or a scope tells callers apart, the app has a rule of its own. Of what is below the caller's own operation
//! (`/users/me/permissions`) nothing is proposed.

use super::{
    Located,
    caller::{Caller, Roles},
    proposal::{list, text},
    words::{is_administrators_tag, of_administrators},
};

/// A rule that is proposed: who may call operations that have a word in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionProposal {
    /// The paths that it is for.
    pub paths: Vec<FunctionPath>,
    /// The methods; none means all.
    pub methods: Vec<String>,
    /// Conditions; one has to hold.
    pub who: Vec<String>,
    /// What has to be added before it works.
    pub missing: Option<String>,
}

/// A path of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionPath {
    /// Its template.
    pub path: String,
    /// The methods there that the rule is for.
    pub methods: Vec<String>,
    /// Tags of its operations.
    pub tags: Vec<String>,
}

impl FunctionProposal {
    /// As it is written in the configuration.
    pub fn to_toml(&self) -> String {
        let mut lines = vec![
            "# doubt: only a word in the path or a tag says that this is for administrators: no dependency or scope tells callers apart; the handler may"
                .to_owned(),
        ];
        lines.extend(self.missing.iter().map(|what| format!("# missing: {what}")));
        lines.push("[[authorization.allow]]".to_owned());
        let paths: Vec<_> = self.paths.iter().map(|one| one.path.clone()).collect();
        lines.push(format!("paths   = {}", list(&paths)));
        if !self.methods.is_empty() {
            lines.push(format!("methods = {}", list(&self.methods)));
        }
        lines.push(format!("who     = {}", list(&self.who)));
        lines.push(format!("mode    = {} # until you know that it is right", text("report")));
        lines.join("\n")
    }

    /// What is left of it where there are rules already. Of paths with a rule for some methods, nothing is said as
    /// long as there are paths without any.
    #[must_use]
    pub fn without(&self, is_covered: impl Fn(&FunctionPath, &str) -> bool) -> Option<Self> {
        let mut left = self.paths.clone();
        for (one, known) in left.iter_mut().zip(&self.paths) {
            one.methods.retain(|method| !is_covered(known, method));
        }
        let is_whole = |one: &FunctionPath| self.paths.contains(one);
        if left.iter().any(is_whole) {
            left.retain(is_whole);
            return Some(Self { paths: left, ..self.clone() });
        }
        let methods = left.iter().find(|one| !one.methods.is_empty())?.methods.clone();
        left.retain(|one| one.methods == methods);
        Some(Self { paths: left, methods, ..self.clone() })
    }
}

/// The rules for an app whose callers have these roles: one for each word.
pub(super) fn find(caller: &Caller<'_>, all: &[Located<'_>]) -> Vec<FunctionProposal> {
    let Roles { conditions: who, assumed } = caller.administrators();
    if who.is_empty() {
        return Vec::new();
    }
    let forgotten = |one: &Located<'_>| one.forgotten().filter(|_| !caller.is_below_me(&one.path));
    let mut found: Vec<(String, FunctionProposal)> = Vec::new();
    for one in all {
        let Some(word) = forgotten(one) else { continue };
        if found.iter().any(|(_, known)| known.paths.iter().any(|known| known.path == one.path)) {
            continue;
        }
        let (meant, other): (Vec<_>, Vec<_>) =
            all.iter().filter(|other| other.path == one.path).partition(|one| forgotten(one).is_some());
        let methods: Vec<_> = meant.iter().flat_map(|one| one.methods.iter().cloned()).collect();
        let tags = meant.iter().flat_map(|one| one.operation.tags.iter().cloned()).collect();
        let path = FunctionPath { path: one.path.clone(), methods: methods.clone(), tags };
        let methods = if other.is_empty() { Vec::new() } else { methods };
        if let Some((_, rule)) =
            found.iter_mut().find(|(known, rule)| *known == word && rule.methods == methods)
        {
            rule.paths.push(path);
        } else {
            let (who, missing) = (who.clone(), assumed.clone());
            found.push((word, FunctionProposal { paths: vec![path], methods, who, missing }));
        }
    }
    found.into_iter().map(|(_, rule)| rule).collect()
}

impl Located<'_> {
    /// Where it says that it is for administrators, if nothing is known that tells these from other callers: the
    /// start of its path, or a tag.
    fn forgotten(&self) -> Option<String> {
        let has_scopes = self.operation.security.iter().flatten().any(|one| !one.scopes.is_empty());
        if !self.is_secured() || self.is_behind_administrators() || has_scopes {
            return None;
        }
        let says = |segment: &str| !segment.contains('{') && of_administrators(segment, self.is_read());
        let mut end = 0;
        for segment in self.path.split('/') {
            end += segment.len();
            if says(segment) {
                return self.path.get(..end).map(str::to_owned);
            }
            end += 1;
        }
        self.operation.tags.iter().find(|tag| is_administrators_tag(tag)).cloned()
    }
}
