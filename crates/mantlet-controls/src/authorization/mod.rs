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
//! Whether an object is the caller's (OWASP API1) is judged by rules of [`OwnConfig`]: an owner in the
//! path, the query or the body before the app is asked, one in its answer before that is released.
//!
//! To mind in deployment: a rule for `/admin/{rest:path}` does not hold for `/admin` itself. What a
//! credential does not say of a caller, the app is asked for, if it has an operation that tells callers
//! about themselves. The layer of this library cannot ask: there, conditions about such attributes
//! do not hold, and rules that have to read an object first answer 503.
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

pub(crate) mod caller;
mod circumstance;
mod condition;
mod config;
mod countries;
pub(crate) mod enumeration;
pub(crate) mod evidence;
mod files;
mod hours;
mod network;
pub(crate) mod own;
mod proposed;
mod ranges;
mod scopes;

use std::sync::Arc;

use http::{HeaderValue, Method, header};
use mantlet_contract::objects::FunctionPath;

use self::{
    caller::{Callers, Me},
    condition::Condition,
    enumeration::Enumeration,
    own::{Own, absent::Times},
    proposed::{PROPOSED, Proposed},
};
pub use self::{
    config::{Config, RuleConfig},
    enumeration::EnumerationConfig,
    evidence::{AllEvidence, Counted, KeptEvidence, Verdict},
    files::{ConditionFile, FileContent, Taken},
    network::NetworkConfig,
    own::{ListAction, OwnConfig, Unclear, Writes},
    proposed::Told,
};
use crate::{
    Call, Mode, Reason, Refusal, call::Spellings, config::template::shape, operation::Contract,
    refusal::Faults, selection::Selection,
};

/// The checked `[authorization]` section.
#[derive(Debug)]
pub struct Policy {
    scopes: Mode,
    allow: Selection<Rule>,
    deny: Selection<Rule>,
    own: Selection<Arc<Own>>,
    /// Rules that the contract proposes.
    proposed: Proposed,
    /// The operation that tells a caller about itself, if the configuration names one.
    me: Option<Box<str>>,
    /// Ids that no answer has shown the caller.
    pub(crate) enumeration: Enumeration,
    /// What the app has said of callers.
    pub(crate) callers: Callers,
    /// How long operations with objects take.
    pub(crate) times: Times,
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

/// The rules about owners for a request. A path that is that of an operation does not mean other operations
/// below it: `/notes/{note_id}` does not mean `/notes/batch`, if the app has both. It means those
/// that take the same requests, and more: `DELETE /{kind}/{id}`.
fn own_of<'p>(own: &'p Selection<Arc<Own>>, call: &Call) -> impl Iterator<Item = &'p Arc<Own>> {
    let matched = call.operation.as_ref().filter(|matched| matched.contract.exact);
    let this = matched.map(|matched| shape(matched.route.own_path()));
    own.of_templates(&call.method, call.spellings(), tags(call), move |template| {
        let is_this = this.as_deref().is_some_and(|this| covers(this, template));
        is_this || !matched.is_some_and(|matched| matched.contract.has_path(template))
    })
}

/// Whether each path of the second template is one of the first, by their shapes. `/{}/{}` covers
/// `/orders/{}`, which does not cover `/orders/export`.
fn covers(wide: &str, narrow: &str) -> bool {
    let mut narrow = narrow.split('/');
    for wide in wide.split('/') {
        match (wide, narrow.next()) {
            ("{*}", Some(_)) => return true,
            ("{}", Some(narrow)) if narrow != "{*}" => {}
            (wide, Some(narrow)) if wide == narrow => {}
            _ => return false,
        }
    }
    narrow.next().is_none()
}

/// The tags of an operation.
fn tags(call: &Call) -> &[String] {
    let operation = call.operation.as_ref().and_then(|matched| matched.route.operation.as_ref());
    operation.map(|operation| &*operation.tags).unwrap_or_default()
}

impl Policy {
    /// Whether a rule for this request is about something that its credential does not say.
    pub(crate) fn asks_about(&self, call: &Call) -> bool {
        let has_rules = !(self.deny.is_empty() && self.allow.is_empty() && self.own.is_empty());
        let is_asked = has_rules && {
            let (method, tags) = (&call.method, tags(call));
            let mut rules = self.deny.of(method, call.spellings(), tags).chain(self.allow.of(
                method,
                call.spellings(),
                tags,
            ));
            rules.any(|rule| rule.asks_about(call)) || own_of(&self.own, call).any(|own| own.asks_about(call))
        };
        is_asked || (self.proposed.enforced_asks_about(call) && !self.has_own(call))
    }

    /// The operation that tells a caller about itself.
    pub(crate) fn me<'m>(&'m self, contract: Option<&'m Contract>) -> Option<Me<'m>> {
        match &self.me {
            Some(target) => Some(Me::at(target)),
            None => contract.and_then(Me::of),
        }
    }

    /// Whether answers about callers may be known.
    pub(crate) const fn knows_callers(&self) -> bool {
        !(self.deny.is_empty() && self.allow.is_empty() && self.own.is_empty()) || self.proposed.is_on()
    }

    /// The rules about the owner of what a request is for. Nothing is allocated if there is none.
    pub(crate) fn own(&self, call: &Call, query: Option<&str>) -> Vec<Arc<Own>> {
        if !self.own.is_empty() {
            let mut own = own_of(&self.own, call).peekable();
            // What the operator says counts more than what is proposed.
            if own.peek().is_some() {
                return own.filter(|rule| rule.counts_for(call, query)).cloned().collect();
            }
        }
        Vec::from_iter(self.proposed.enforced(call, query))
    }

    /// The rule that nothing depends on but what is learned. None if the configuration has one.
    pub(crate) fn learning(&self, call: &Call, query: Option<&str>) -> Option<Arc<Own>> {
        self.proposed.learning(call, query).filter(|_| !self.has_own(call))
    }

    /// Whether the rules that the app's tables propose are compared with its answers.
    pub const fn learns(&self) -> bool {
        self.proposed.is_on()
    }

    /// Whether objects are read to learn from requests whose answer does not show the owner.
    pub(crate) fn reads_to_learn(&self) -> bool {
        self.proposed.reads()
    }

    /// Whether the app is asked who calls so that something is learned. Only about callers that are
    /// proven by a token, for which a question changes nothing.
    pub(crate) fn asks_to_learn(&self, call: &Call) -> bool {
        call.principal.is_some() && self.proposed.ask_about(call) && !self.has_own(call)
    }

    /// Whether the configuration says whose the object of a request has to be.
    pub fn has_own(&self, call: &Call) -> bool {
        !self.own.is_empty() && own_of(&self.own, call).next().is_some()
    }

    /// How many rules check whose object an operation shows, by the template of its path.
    pub fn own_rules(&self, path: &str, methods: &[String], contract: &Contract) -> usize {
        let methods = methods.iter().filter_map(|method| Method::from_bytes(method.as_bytes()).ok());
        let this = shape(path);
        let counts = |template: &str| !contract.has_path(template) || template == this;
        let of = |method| self.own.of_templates(&method, Spellings::one(path), &[], counts).count();
        methods.map(of).max().unwrap_or_default()
    }

    /// All rules about owners, and what traffic says of them; and what is proposed.
    pub fn objects(&self, contract: Option<&Contract>) -> Vec<Told> {
        let own = self.own.all().map(|rule| Told {
            rule: rule.place().to_owned(),
            toml: String::new(),
            mode: rule.mode.as_str().to_owned(),
            counted: rule.counted(),
        });
        let has = |evidence: &Arc<_>| self.own.all().any(|rule| Arc::ptr_eq(&rule.evidence, evidence));
        let proposed = contract.into_iter().flat_map(|contract| {
            let owners = contract.proposals().len();
            let functions = contract.functions().iter().enumerate().filter_map(move |(number, function)| {
                let rule = (owners + number + 1).to_string();
                let toml = function.without(|path, method| self.says_who(path, method))?.to_toml();
                Some(Told { rule, toml, mode: PROPOSED.to_owned(), counted: Vec::new() })
            });
            self.proposed.told(contract, &has).into_iter().chain(functions)
        });
        own.chain(proposed).collect()
    }

    /// Whether the configuration says who may call this.
    fn says_who(&self, one: &FunctionPath, method: &str) -> bool {
        let rules = |method| self.allow.of(&method, Spellings::one(&one.path), &one.tags).next().is_some();
        Method::from_bytes(method.as_bytes()).is_ok_and(rules)
    }

    /// The files that conditions depend on.
    pub fn files(&self) -> &[Arc<ConditionFile>] {
        &self.files
    }

    /// Judges a request. Nothing, and nothing is allocated, for nearly all. `is_anonymous`: it has no
    /// credential by which someone could be known.
    pub(crate) fn judge(&self, call: &Call, query: Option<&str>, is_anonymous: bool) -> Judged {
        let mut judged = Judged::default();
        if !(self.deny.is_empty() && self.allow.is_empty()) {
            let tags = tags(call);
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
    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.who.iter().chain(&self.unless)
    }

    /// The attributes that it is about.
    fn attributes(&self) -> impl Iterator<Item = &str> {
        self.conditions().flat_map(Condition::attributes)
    }

    fn asks_about(&self, call: &Call) -> bool {
        self.conditions().any(|condition| condition.asks_about(call))
    }

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
