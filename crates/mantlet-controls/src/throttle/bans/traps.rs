//! A path that no client of the app asks for leads straight to a ban.
//!
//! A request springs a trap if
//! 1. its path is one of the configuration;
//! 2. the contract, where it is known, has no operation there but one that takes every path;
//! 3. the address may be banned at all, as for too many refusals;
//! 4. no page may have led a browser to it: it has no `Sec-Fetch-Site`, `Origin` or `Referer`, and over plain
//!    HTTP, where browsers do not send the first, no `Accept-Language`;
//! 5. no proxy that the configuration does not name has sent it: it has no `Forwarded`, `X-Forwarded-For` or
//!    `Via`, or its peer is trusted.
//!
//! So a link or a picture on any page, also on one of the app's own, has no visitor banned, and a scanner
//! has no CDN banned. One that writes such headers itself is not banned by a trap; its refusals count as
//! all do.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Serialize};

use super::{Bans, after};
use crate::{
    Call, Mode, Reason, Refusal, Scheme,
    audit::Record,
    config::{Context, Mistake, units::Span},
    operation::ContractHandle,
    selection::{Selection, Target},
    throttle::{self, Memory, Policy},
};

/// The lines that lift a trap, and put one in force.
pub(super) const REMEDY: &str = "throttle.trap.mode = \"report\"";
const ENFORCING: &str = "throttle.trap.mode = \"enforce\"";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What browsers, search engines and other clients of good will ask for by themselves.
const USUAL: [&str; 6] = [
    "/favicon.ico",
    "/robots.txt",
    "/sitemap.xml",
    "/apple-touch-icon.png",
    "/apple-touch-icon-precomposed.png",
    "/.well-known",
];

/// The `[throttle.trap]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Path templates that no client of the app asks for. Default none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// What to do about a request for one of them. Default `enforce`.
    pub mode: Mode,
    /// How long the first ban lasts; each further one within a day of the last is twice as long, up to a day. Default 1 h.
    #[serde(rename = "for")]
    pub duration: Span,
}

impl Default for Config {
    fn default() -> Self {
        let super::Config { duration, .. } = super::Config::default();
        Self { paths: Vec::new(), mode: Mode::Enforce, duration }
    }
}

/// The traps, and the bans to which they lead.
#[derive(Debug)]
pub(in crate::throttle) struct Traps {
    pub(in crate::throttle) bans: Bans,
    paths: Selection<Arc<str>>,
}

impl Config {
    /// Checks the section; none if it has no trap.
    pub(in crate::throttle) fn check(
        &self,
        throttle: &throttle::Config,
        memory: &Memory,
        context: &Context,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Traps> {
        let contract = context.deployment.kept.get::<ContractHandle>().known();
        let mut paths = Selection::default();
        for (index, path) in self.paths.iter().enumerate() {
            let mut add = |message: String, help: &str| {
                mistakes.push(Mistake::new(format!("trap.paths[{index}]"), message).help(help));
            };
            let target = Target { paths: std::slice::from_ref(path), methods: Vec::new(), tags: &[] };
            if let Err(message) = paths.add(path.as_str().into(), &target) {
                add(message, "write `/wp-login.php` or `/.git/{rest:path}`");
            } else if is_asked_for_by_itself(path) {
                add(format!("clients ask for `{path}` by themselves"), "name a path that none of them needs");
            } else if let Some(route) = contract.as_ref().and_then(|known| known.routes().named_by(path)) {
                let message = format!("`{path}` is an operation of the app: `{route}`");
                add(message, "name a path that no client of the app asks for");
            }
        }
        if self.paths.is_empty() {
            return None;
        }
        let terms = super::Config { mode: self.mode, duration: self.duration, ..super::Config::default() };
        let bans = terms.check_as("trap", throttle, memory, context.report_only, mistakes)?;
        Some(Traps { bans, paths })
    }
}

/// A trap that a request has sprung.
#[derive(Debug)]
pub(crate) struct Sprung {
    /// The record of the ban.
    pub(crate) record: Record,
    /// The refusal of the request, if the ban is in force.
    pub(crate) refusal: Option<Refusal>,
}

impl Policy {
    /// Bans the address of a request that has sprung a trap. `is_named`: whether the contract has an
    /// operation at its path, or may have.
    pub(crate) fn sprung(
        &self,
        call: &Call,
        headers: &HeaderMap,
        is_named: impl FnOnce() -> bool,
    ) -> Option<Sprung> {
        let Traps { bans, paths } = self.traps.as_ref()?;
        let trap = paths.of(&call.method, call.spellings(), &[]).next()?;
        if may_be_of_others(call, headers) || is_named() {
            return None;
        }
        let why = || format!("trap {trap}");
        let left = bans.begin_at_once(call.client.address?, why)?;
        let is_enforced = bans.mode == Mode::Enforce;
        let remedy = if is_enforced { REMEDY } else { ENFORCING };
        let refusal = Refusal { remedy: Some(remedy.into()), ..Refusal::retry(Reason::ClientBanned, left) };
        let until = after(call.clock.time(), left);
        let record = Record::of_ban(call, bans.mode, why(), until, refusal.remedy.clone());
        Some(Sprung { record, refusal: is_enforced.then_some(refusal) })
    }
}

/// Whether a page may have led a browser to this, or an unknown proxy has sent it.
fn may_be_of_others(call: &Call, headers: &HeaderMap) -> bool {
    let has = |names: &[HeaderName]| names.iter().any(|name| headers.contains_key(name));
    let is_led = has(&[SEC_FETCH_SITE, header::ORIGIN, header::REFERER])
        || (call.client.scheme == Scheme::Http && has(&[header::ACCEPT_LANGUAGE]));
    is_led || (!call.client.peer_trusted && has(&[header::FORWARDED, X_FORWARDED_FOR, header::VIA]))
}

/// Whether clients of good will ask for a path without being told to.
fn is_asked_for_by_itself(template: &str) -> bool {
    let has_own_words = template.split('/').any(|part| !part.is_empty() && !part.starts_with('{'));
    let is_below = |usual: &str| {
        template.strip_prefix(usual).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    !has_own_words || USUAL.iter().any(|usual| is_below(usual))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::{
        Arrival, Peer, Policy as WholePolicy, Section, WireVerdict, call::CanonicalPath, pipeline::open,
    };

    /// Whether a request with these headers, from the Internet, springs a trap.
    fn springs(scheme: Scheme, target: &str, headers: &[&'static str], is_named: bool) -> bool {
        let trap = Config { paths: vec!["/.env".into(), "/.git/{rest:path}".into()], ..Config::default() };
        let policy =
            throttle::Config { trap, ..throttle::Config::default() }.check(&Context::default()).unwrap();
        let mut request = Request::builder().uri(target);
        for name in headers {
            request = request.header(*name, "x");
        }
        let request = request.body(()).unwrap();
        let peer = Peer::Ip("203.0.113.1:4711".parse().unwrap());
        let arrival = Arrival { peer, scheme, wire: WireVerdict::Unread, certificate: None };
        let whole = WholePolicy::default();
        let mut call = open(&whole, &arrival, &request);
        call.path = CanonicalPath::unjudged(request.uri(), &whole.path);
        let sprung = policy.sprung(&call, request.headers(), || is_named);
        let refusal = sprung.map(|sprung| {
            assert_eq!(sprung.record.security_event, "client-banned");
            sprung.refusal.unwrap()
        });
        assert_eq!(
            policy.banned(&call, request.headers(), &crate::config::Networks::default()).is_err(),
            refusal.is_some()
        );
        refusal.is_some()
    }

    #[test]
    fn only_what_no_one_else_may_have_caused_springs_a_trap() {
        use Scheme::{Http, Https};
        for (scheme, target, headers, is_named, expected) in [
            (Https, "/.env", &[][..], false, true),
            (Http, "/.env?x", &[], false, true),
            (Http, "/.git/a/b", &["user-agent", "cookie", "authorization"], false, true),
            (Https, "/.env", &["accept-language"], false, true),
            (Http, "/.env", &["accept-language"], false, false),
            (Https, "/.env", &["sec-fetch-site"], false, false),
            (Https, "/.env", &["origin"], false, false),
            (Https, "/.env", &["referer"], false, false),
            (Https, "/.env", &["x-forwarded-for"], false, false),
            (Https, "/.env", &["forwarded"], false, false),
            (Https, "/.env", &["via"], false, false),
            (Https, "/.env", &[], true, false),
            (Https, "/.envs", &[], false, false),
            (Https, "/", &[], false, false),
        ] {
            assert_eq!(springs(scheme, target, headers, is_named), expected, "{target} {headers:?}");
        }
    }
}
