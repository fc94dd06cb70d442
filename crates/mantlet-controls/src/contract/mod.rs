//! Is the request for an operation of the app, and is it valid for it?
//!
//! Defends against everything that the app's authors did not mean to offer: forgotten routes,
//! methods, parameters and fields. The [`Contract`] says what the app accepts, and this control
//! compares requests with it.
//!
//! A request passes if
//! 1. there is no contract, or
//! 2. a route of the contract has its path and method, or a mounted foreign app answers it, or the
//!    app's router would redirect it, or unknown routes are tolerated;
//! 3. that route is in the app's document, or hidden routes and documentation pages are tolerated.
//!
//! A tolerated and reported request is recorded once for each route, because a second record would
//! say nothing new.
//!
//! **Only proven input is enforced.** The app's own code runs before FastAPI validates: middleware,
//! route classes, dependencies. If such code is not known to leave a request unchanged, the input
//! below it is only reported (`rewrites`). If it may read the body's bytes or undeclared names,
//! nothing is cut out (`reads-request`).
//!
//! **The app's order is kept.** An operation's contract says what may refuse before FastAPI
//! validates: `refuses-first`, code around it, and `guards`, its dependencies, each with the range
//! of inputs that it and those below it take. If one of them may refuse, the verdict waits and the
//! app gets the request.
//!
//! **Agreement** ([`agreement`]): a verdict that was not carried out is compared with the app's
//! response. For that, `responses` reads only the body of a 422. The counters belong to the
//! contract, one set for an operation.
//!
//! To mind in deployment: an app that adds routes while it runs has more routes than its contract.
//! In `compatible` posture they pass.
//!
//! ```
//! use mantlet_controls::{Context, Section, config::Posture, contract::Config};
//!
//! let config = Config { file: "contract.json".into(), posture: Posture::Strict, ..Config::default() };
//! assert!(config.check(&Context::default()).is_ok());
//! let mistakes = Config { openapi: "openapi.json".into(), ..config }.check(&Context::default()).unwrap_err();
//! assert_eq!(mistakes[0].key, "openapi");
//! ```

pub mod agreement;
mod config;
mod input;
mod overview;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use mantlet_contract::routes::{Found, HttpRoute, Roots, Start, Veil, Visibility, Wanted};

pub use config::{Config, InputOrder, MissingContentType, RouteConfig, Trust, Unknown, UnprovenInput};
pub use overview::Standing;

use self::agreement::Judged;

use crate::{
    Call, Mode, Reason, Refusal,
    audit::{FirstTime, Record, Sink},
    call::Place,
    config::{Posture, Tolerance},
    message::budget::Budget,
    operation::{Contract, ContractHandle, Matched, State},
    refusal::{Faults, remedy},
};

/// When to try again while the app is starting.
const RETRY_AWAITED: Duration = Duration::from_secs(2);
/// Routes that are reported, each once. A client can make up any number of unknown ones.
pub(crate) const MAX_REPORTED: usize = 256;
/// Places in operations with invalid input, each recorded once with its fault.
const MAX_PLACES: usize = 4096;

/// The settings of a route: each key of the section, or the default of the posture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the line of the section that has its name")]
pub struct Rules {
    pub mode: Mode,
    pub posture: Posture,
    pub trust: Trust,
    pub unknown_routes: Tolerance,
    pub hidden_routes: Tolerance,
    pub docs: Tolerance,
    pub unproven_input: UnprovenInput,
    pub input_order: InputOrder,
    pub unknown_fields: Unknown,
    pub unknown_query: Tolerance,
    pub ambiguous_json: Tolerance,
    pub missing_content_type: MissingContentType,
}

/// Settings that are the same for every route, and the contract in force.
#[derive(Debug)]
pub struct Policy {
    pub(crate) mode: Mode,
    judged_size: usize,
    slot: ContractHandle,
    /// Memory held by bodies that are being judged.
    budget: Budget,
    /// Of routes, whose number is fixed.
    reported: FirstTime,
    /// Of what clients make up.
    made_up: FirstTime,
    /// Of places of input.
    places: FirstTime,
}

impl Default for Policy {
    fn default() -> Self {
        // As a configuration without a mistake would have it.
        Self {
            mode: Mode::Enforce,
            judged_size: Config::default().judged_size.bytes(),
            slot: ContractHandle::default(),
            budget: Budget::default(),
            reported: FirstTime::up_to(usize::MAX),
            made_up: FirstTime::up_to(MAX_REPORTED),
            places: FirstTime::up_to(MAX_PLACES),
        }
    }
}

/// The findings of the stop `route`.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The route, if it is known.
    pub(crate) route: Option<Matched>,
    /// Cookies that the app's operations declare as security, in strict posture.
    pub(crate) session_cookies: Option<Arc<[String]>>,
    /// The refusal, if there is one.
    pub(crate) faults: Faults,
}

/// The remedy for a route that is not in the document.
fn remedy_of(route: &HttpRoute, method: &Method, what: &str) -> Option<Box<str>> {
    let key = if route.visibility == Visibility::Docs { "docs" } else { "hidden-routes" };
    (route.visibility != Visibility::Public)
        .then(|| remedy::of_route(route.own_path(), method.as_str(), &format!("contract.{key} = \"{what}\"")))
}

/// The refusal of a path that has only these methods, or none.
fn absent(allowed: &[&str]) -> (Reason, Option<Box<HeaderMap>>) {
    if allowed.is_empty() {
        return (Reason::RouteUnknown, None);
    }
    let allow = HeaderValue::try_from(allowed.join(", ")).ok();
    (Reason::RouteMethodUnknown, allow.map(|allow| Box::new(HeaderMap::from_iter([(header::ALLOW, allow)]))))
}

/// Learns the app's response to judged input that was passed on, with its body if that was needed.
pub(crate) fn learn(
    call: &Call,
    judged: &Judged,
    audit: &impl Sink,
    status: StatusCode,
    body: Option<&[u8]>,
) {
    if matches!(judged, Judged::Unasked) {
        return;
    }
    let told = call
        .operation
        .as_ref()
        .and_then(|matched| matched.answered(judged, status, body, call.request_id.as_str()));
    if let Some(told) = told {
        audit.record(Record::of_contradicted(call, told));
    }
}

impl Contract {
    /// Whether this tolerance refuses requests.
    fn refuses(&self, rules: &Rules, tolerance: Tolerance) -> bool {
        tolerance == Tolerance::Reject && self.counts(rules) && rules.mode == Mode::Enforce
    }

    /// Operations that clients may not reach.
    fn veil(&self, rules: &Rules) -> Veil {
        Veil {
            hidden: self.refuses(rules, rules.hidden_routes),
            docs: self.refuses(rules, rules.docs),
            leaves_methods: !self.refuses(rules, rules.unknown_routes),
        }
    }

    /// Where its routes begin in the path of a place. Routes of a document have the prefixes of its
    /// servers.
    fn start_of(&self, place: &Place) -> Start {
        if self.exact { place.start() } else { Start::default() }
    }

    /// Whether the contract is exact; otherwise it is a claim.
    pub fn counts(&self, rules: &Rules) -> bool {
        self.exact || rules.trust == Trust::Document
    }
}

impl Policy {
    /// The contract in force, if one is known.
    pub fn in_force(&self) -> Option<Arc<Contract>> {
        self.slot.known()
    }

    /// Whether the app has the path of a request, and not for its method.
    pub(crate) fn lacks_method(&self, call: &Call) -> bool {
        let state = self.slot.load();
        let State::Known(contract) = &**state else { return false };
        let wanted = Wanted::Http(call.method.as_str());
        let (start, path) = (contract.start_of(&call.place), call.path.as_str());
        let found = contract.routes.find_from(wanted, call.host.sent(), path, start, Veil::default());
        contract.exact && !call.opens_websocket && matches!(found, Found::MethodNotAllowed(_))
    }

    /// Whether an operation of the app answers GET at a path that is sent to it; none if that is not
    /// known.
    pub(crate) fn reads(&self, call: &Call, path: &str) -> Option<bool> {
        let state = self.slot.load();
        let State::Known(contract) = &**state else { return None };
        if !contract.exact || path.contains('%') {
            return None;
        }
        let wanted = Wanted::Http(Method::GET.as_str());
        let start = contract.start_of(&call.place);
        match contract.routes.find_from(wanted, call.host.sent(), path, start, Veil::default()) {
            Found::Http { route, .. } => Some(route.operation.is_some()),
            Found::Opaque => None,
            _ => Some(false),
        }
    }

    /// Whether the app has an operation with a name for this path, or may have one that is not known yet.
    pub(crate) fn may_name(&self, path: &str) -> bool {
        match &**self.slot.load() {
            State::Known(contract) => contract.routes().named_by(path).is_some(),
            State::Awaited => true,
            State::Unknown => false,
        }
    }

    /// Whether something in the app takes `x_user` and `x-user` for one header.
    pub(crate) fn folds_headers(&self) -> bool {
        matches!(&**self.slot.load(), State::Known(contract) if contract.folds_headers)
    }

    /// The place of a path in the app. Root paths in the configuration replace those of the
    /// contract.
    pub(crate) fn place_of(&self, path: &str, roots: Option<&Roots>) -> Place {
        match (roots, &**self.slot.load()) {
            (Some(roots), _) => Place::of(path, roots),
            (None, State::Known(contract)) => Place::of(path, &contract.roots),
            (None, State::Unknown | State::Awaited) => Place::default(),
        }
    }

    /// The refusal of a request for something that does not exist, or that clients may not reach.
    pub(crate) fn absent(
        &self,
        host: Option<&str>,
        path: &str,
        place: &Place,
        rules: &Rules,
    ) -> Option<Refusal> {
        let state = self.slot.load();
        let State::Known(contract) = &**state else { return None };
        let refuses_unknown = contract.refuses(rules, rules.unknown_routes);
        let wanted = Wanted::Http(Method::OPTIONS.as_str());
        let (start, veil) = (contract.start_of(place), contract.veil(rules));
        match contract.routes.find_from(wanted, host, path, start, veil) {
            Found::Veiled { allowed, .. } if allowed.is_empty() => {
                Some(Refusal { seems: Some(Reason::RouteUnknown), ..Reason::RouteHidden.into() })
            }
            Found::None { certain: true } if refuses_unknown => Some(Reason::RouteUnknown.into()),
            _ => None,
        }
    }

    /// Finds the route of a request that goes to a host and to a path with its place.
    pub(crate) fn route(
        &self,
        method: &Method,
        websocket: bool,
        host: Option<&str>,
        (path, place): (&str, &Place),
        rules: &Rules,
    ) -> Verdict {
        if self.mode == Mode::Off && rules.mode == Mode::Off {
            return Verdict::default();
        }
        let state = self.slot.load();
        let contract = match &**state {
            State::Unknown => return Verdict::default(),
            State::Awaited => {
                let refusal = Refusal::retry(Reason::AppUnavailable, RETRY_AWAITED);
                return Verdict { faults: vec![(Mode::Enforce, refusal)], ..Verdict::default() };
            }
            State::Known(contract) => contract,
        };
        let wanted = if websocket { Wanted::WebSocket } else { Wanted::Http(method.as_str()) };
        let start = contract.start_of(place);
        let found = contract.routes.find_from(wanted, host, path, start, contract.veil(rules));
        let (route, fault) = match found {
            Found::Http { route, parameters, unsure } => {
                let tolerance = match route.visibility {
                    Visibility::Docs => rules.docs,
                    Visibility::Hidden => rules.hidden_routes,
                    Visibility::Public => Tolerance::Allow,
                };
                // A request that may be for something else is not refused.
                let tolerance = match tolerance {
                    Tolerance::Reject if unsure => Tolerance::Report,
                    tolerance => tolerance,
                };
                let parameters = parameters.into_iter();
                let matched = Matched {
                    contract: Arc::clone(contract),
                    route: Arc::clone(route),
                    unsure,
                    is_sensitive: contract.is_sensitive(route),
                    parameters: parameters
                        .map(|found| (found.name.to_owned(), found.convertor, found.place))
                        .collect(),
                };
                // No route of a mount is in a document: one record covers the whole mount.
                let subject = route.mount().or(route.host.as_deref()).unwrap_or(&route.path);
                (Some(matched), Some((tolerance, Reason::RouteHidden.into(), subject)))
            }
            Found::Veiled { route, allowed } => {
                let (reason, allow) = absent(&allowed);
                let remedy = remedy_of(route, method, "report");
                let mut refusal = Refusal { seems: Some(reason), remedy, ..Reason::RouteHidden.into() };
                refusal.headers = allow;
                (None, Some((Tolerance::Reject, refusal, route.path.as_str())))
            }
            // A document names neither; servers answer them by themselves. Nor does it name WebSockets.
            Found::MethodNotAllowed(_)
                if !contract.exact && matches!(*method, Method::HEAD | Method::OPTIONS) =>
            {
                (None, None)
            }
            Found::None { .. } if !contract.exact && websocket => (None, None),
            Found::MethodNotAllowed(allowed) => {
                let (_, allow) = absent(&allowed);
                let refusal = Refusal { headers: allow, ..Reason::RouteMethodUnknown.into() };
                (None, Some((rules.unknown_routes, refusal, path)))
            }
            Found::None { certain: true } => {
                (None, Some((rules.unknown_routes, Reason::RouteUnknown.into(), path)))
            }
            Found::None { certain: false } | Found::WebSocket | Found::Redirect | Found::Opaque => {
                (None, None)
            }
        };
        let fault =
            fault.filter(|_| rules.mode != Mode::Off).and_then(|(tolerance, mut refusal, subject)| {
                let mode = match tolerance {
                    Tolerance::Reject if contract.counts(rules) => rules.mode,
                    Tolerance::Reject | Tolerance::Report => Mode::Report,
                    Tolerance::Allow => return None,
                };
                let news = if route.is_some() { &self.reported } else { &self.made_up };
                let is_mount = route
                    .as_ref()
                    .is_some_and(|matched| matched.route.mount().is_some() || matched.route.host.is_some());
                let of_method = if is_mount { "" } else { method.as_str() };
                let is_news = || news.is_new(&format!("{} {of_method} {subject}", refusal.reason.code()));
                if mode == Mode::Report && !is_news() {
                    return None;
                }
                if let Some(matched) = &route {
                    refusal.remedy = remedy_of(&matched.route, method, "reject");
                }
                Some((mode, refusal))
            });
        // In `compatible` posture nothing may break, and front ends without a token would.
        let session_cookies = match rules.posture {
            Posture::Strict => Some(Arc::clone(&contract.session_cookies)),
            Posture::Compatible => None,
        };
        Verdict { route, session_cookies, faults: fault.into_iter().collect() }
    }
}
