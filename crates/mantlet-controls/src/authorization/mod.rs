//! May this caller do this?
//!
//! Defends operations that every account could call because their check was forgotten: an admin's
//! operation that asks for *a* login only, or a scope that is declared and never looked at (OWASP
//! API5, Broken Function Level Authorization).
//!
//! A request passes if
//! 1. no rule of `deny` for its operation holds;
//! 2. every rule of `allow` for its operation holds;
//! 3. its token has the scopes that the contract declares for the operation, or says nothing of scopes.
//!    By default that is only recorded, and only if the app accepts the request nevertheless: the app
//!    may know more about scopes than their names.
//!
//! A condition may also compare an id in the path or in the query with the caller's: `path:user_id =
//! principal:sub`.
//!
//! A condition knows the caller by what is proven: claims of a verified token, or what the operator
//! has said of an API key. What a client says of itself in a body or in a header counts nothing.
//!
//! To mind in deployment: a rule for `/admin/{rest:path}` does not hold for `/admin` itself. A caller
//! that only the app knows, by an opaque token or a cookie, is not proven here: conditions about it do
//! not hold.
//!
//! ```
//! use mantlet_controls::{
//!     Context, Section,
//!     authorization::{Config, RuleConfig},
//! };
//!
//! let admins = RuleConfig {
//!     paths: vec!["/admin/{rest:path}".into()],
//!     who: vec!["principal:role in [admin, owner]".into(), "network:10.0.0.0/8".into()],
//!     ..RuleConfig::default()
//! };
//! let config = Config { allow: vec![admins], ..Config::default() };
//! assert!(config.check(&Context::default()).is_ok());
//! ```

mod circumstance;
mod condition;
mod config;
mod countries;
mod files;
mod hours;
mod network;
mod ranges;
mod scopes;

use std::sync::Arc;

use http::{HeaderValue, header};

use self::condition::Condition;
pub use self::{
    config::{Config, RuleConfig},
    files::{ConditionFile, FileContent, Taken},
    network::NetworkConfig,
};
use crate::{Call, Mode, Reason, Refusal, refusal::Faults, selection::Selection};

/// The checked `[authorization]` section.
#[derive(Debug)]
pub struct Policy {
    scopes: Mode,
    allow: Selection<Rule>,
    deny: Selection<Rule>,
    files: Vec<Arc<ConditionFile>>,
}

/// A rule of either list.
#[derive(Debug)]
struct Rule {
    /// One of these has to hold; none: any caller.
    who: Vec<Condition>,
    /// And none of these.
    unless: Vec<Condition>,
    mode: Mode,
    /// The refusal looks like that of a path that does not exist.
    hide: bool,
    /// Where it stands in the configuration.
    place: Arc<str>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// What the rules say.
    pub(crate) faults: Faults,
    /// Scopes are missing, which is only recorded, if the app accepts the request.
    pub(crate) reported: Option<Box<Refusal>>,
}

impl Policy {
    /// The files that conditions depend on.
    pub fn files(&self) -> &[Arc<ConditionFile>] {
        &self.files
    }

    /// Judges a request. Nothing, and nothing is allocated, for nearly all. `is_anonymous`: it has no
    /// credential by which someone could be known.
    pub(crate) fn judge(&self, call: &Call, query: Option<&str>, is_anonymous: bool) -> Judged {
        let mut judged = Judged::default();
        if !(self.deny.is_empty() && self.allow.is_empty()) {
            let tags = call.operation.as_ref().and_then(|matched| matched.route.operation.as_ref());
            let tags = tags.map(|operation| &*operation.tags).unwrap_or_default();
            let denied =
                self.deny.of(&call.method, call.spellings(), tags).filter(|rule| rule.is_met(call, query));
            let allowed = self.allow.of(&call.method, call.spellings(), tags);
            let broken = denied.chain(allowed.filter(|rule| !rule.is_met(call, query)));
            judged.faults.extend(broken.map(|rule| (rule.mode, rule.refusal(is_anonymous))));
        }
        if self.scopes != Mode::Off
            && let Some(missing) = scopes::missing(call)
        {
            let refusal = of_scopes(&missing);
            match self.scopes {
                Mode::Enforce => judged.faults.push((Mode::Enforce, refusal)),
                Mode::Report | Mode::Off => judged.reported = Some(refusal.into()),
            }
        }
        judged
    }
}

impl Rule {
    fn is_met(&self, call: &Call, query: Option<&str>) -> bool {
        (self.who.is_empty() || self.who.iter().any(|condition| condition.holds(call, query)))
            && !self.unless.iter().any(|condition| condition.holds(call, query))
    }

    fn refusal(&self, is_anonymous: bool) -> Refusal {
        let reason = if is_anonymous { Reason::CredentialsMissing } else { Reason::AccessDenied };
        let other = if self.mode == Mode::Enforce { "report" } else { "enforce" };
        Refusal {
            seems: self.hide.then_some(Reason::RouteUnknown),
            remedy: Some(format!("mode = \"{other}\" # in {}", self.place).into()),
            ..Refusal::about(reason, Arc::clone(&self.place))
        }
    }
}

/// The refusal of a token without these scopes (RFC 6750 section 3.1).
fn of_scopes(missing: &[Box<str>]) -> Refusal {
    let missing = missing.join(" ");
    let mut refusal = Refusal::about(Reason::ScopeMissing, missing.as_str());
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{missing}\"");
    // A scope that does not fit into a header is named in the record alone.
    let challenge = Some(challenge).filter(|_| !missing.contains(['"', '\\']));
    if let Some(challenge) = challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
        refusal.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    refusal
}

#[cfg(test)]
mod circumstance_tests;
#[cfg(test)]
mod mmdb_tests;
#[cfg(test)]
mod ranges_tests;
#[cfg(test)]
mod tests;
