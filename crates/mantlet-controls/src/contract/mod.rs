//! Is the request for an operation of the app, and does it fit what the app accepts?
//!
//! Defends against everything that the app's authors did not mean to offer: forgotten routes, methods, parameters and fields.
//! The [`Contract`] says what the app accepts; this control holds requests against it.
//!
//! A request passes if
//! 1. there is no contract, or
//! 2. a route of the contract has its path and method, or something whose paths are its own business answers it (a mounted foreign
//!    app), or the app's router would redirect it; or unknown routes are tolerated;
//! 3. that route is in the app's document, or hidden routes and documentation pages are tolerated.
//!
//! What is tolerated and reported is recorded once for each route: the record would say nothing more the second time.
//!
//! To mind in deployment: an app that makes routes while it runs has more routes than its contract. In `compatible` posture they
//! pass.

mod config;
mod input;
mod slot;

use std::{ops::Range, sync::Arc, time::Duration};

use http::{HeaderValue, Method};
use mantlet_contract::{
    Shapes,
    compile::compile,
    json::Limits,
    model::{self, Location, Operation, SecurityScheme},
    routes::{Convertor, Found, HttpRoute, Routes, TemplateError, Visibility, Wanted},
};

pub use config::{Config, Posture, Tolerance, Unknown};
pub use slot::Slot;

use self::slot::State;

use crate::{Mode, Reason, Refusal, news::News};

/// When to try again while the app is starting.
const RETRY_AWAITED: Duration = Duration::from_secs(2);
/// Routes that are reported, each once. A client can make up any number of unknown ones.
pub(super) const MAX_REPORTED: usize = 256;

/// What the app accepts, ready to be asked.
#[derive(Debug)]
pub struct Contract {
    routes: Routes,
    shapes: Shapes,
    /// The minor version of the app's Python 3, whose words differ.
    python: u8,
    /// It is exact; else it is a claim, and only reported.
    exact: bool,
    /// Cookies that operations declare as security.
    session_cookies: Arc<[String]>,
}

impl Contract {
    /// Compiles a contract. Templates that cannot be read may match anything, and are told.
    pub fn compile(model: &model::Contract) -> (Self, Vec<TemplateError>) {
        let (routes, errors) = Routes::compile(&model.router);
        let routes = routes.with_root_path(model.root_path.as_deref());
        let (shapes, _) = compile(&model.shapes);
        let mut session_cookies: Vec<_> =
            routes.operations().flat_map(cookies_of).map(str::to_owned).collect();
        session_cookies.sort_unstable();
        session_cookies.dedup();
        let version =
            model.made_with.get("python").and_then(|version| version.split('.').nth(1)?.parse().ok());
        let python = version.unwrap_or(Limits::default().python);
        let exact = model.source == model::Source::Inspector;
        (Self { routes, shapes, python, exact, session_cookies: session_cookies.into() }, errors)
    }
}

/// Cookies by which an operation knows who is calling.
fn cookies_of(operation: &Operation) -> impl Iterator<Item = &str> {
    operation.security.iter().flatten().filter_map(|requirement| match &requirement.scheme {
        SecurityScheme::ApiKey { location: Location::Cookie, name } => Some(name.as_str()),
        _ => None,
    })
}

/// The checked `[contract]` section, and where the contract in force is.
#[derive(Debug)]
pub struct Policy {
    pub(crate) mode: Mode,
    posture: Posture,
    unknown_routes: Tolerance,
    hidden_routes: Tolerance,
    docs: Tolerance,
    unknown_fields: Unknown,
    unknown_query: Tolerance,
    ambiguous_json: Tolerance,
    judged_size: usize,
    slot: Slot,
    reported: News,
}

impl Default for Policy {
    fn default() -> Self {
        Config::default().check(Slot::default(), false)
    }
}

/// The route of a request.
#[derive(Debug, Clone)]
pub struct Matched {
    pub(crate) contract: Arc<Contract>,
    /// The route.
    pub route: Arc<HttpRoute>,
    /// Path parameters: names, what becomes of their values, and where in the path those stand.
    pub(crate) parameters: Vec<(String, Convertor, Range<usize>)>,
}

/// What the stop `route` found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The route, if it is known.
    pub(crate) route: Option<Matched>,
    /// Cookies that the app's operations declare as security, in strict posture.
    pub(crate) session_cookies: Option<Arc<[String]>>,
    /// What is wrong with that, and what is to be done about it.
    pub(crate) fault: Option<(Mode, Refusal)>,
}

/// Whether a route declares a cookie as security.
pub(crate) fn declares_cookies(route: &HttpRoute) -> bool {
    route.operation.as_ref().is_some_and(|operation| cookies_of(operation).next().is_some())
}

impl Policy {
    /// Finds the route of a request.
    pub(crate) fn route(&self, method: &Method, websocket: bool, path: &str) -> Verdict {
        if self.mode == Mode::Off {
            return Verdict::default();
        }
        let state = self.slot.load();
        let contract = match &**state {
            State::Unknown => return Verdict::default(),
            State::Awaited => {
                let refusal = Refusal::retry(Reason::AppUnavailable, RETRY_AWAITED);
                return Verdict { fault: Some((Mode::Enforce, refusal)), ..Verdict::default() };
            }
            State::Known(contract) => contract,
        };
        let wanted = if websocket { Wanted::WebSocket } else { Wanted::Http(method.as_str()) };
        let (route, fault) = match contract.routes.find(wanted, path) {
            Found::Http { route, parameters } => {
                let tolerance = match route.visibility {
                    Visibility::Docs => self.docs,
                    Visibility::Hidden => self.hidden_routes,
                    Visibility::Public => Tolerance::Allow,
                };
                let parameters = parameters.into_iter();
                let matched = Matched {
                    contract: Arc::clone(contract),
                    route: Arc::clone(route),
                    parameters: parameters
                        .map(|found| (found.name.to_owned(), found.convertor, found.place))
                        .collect(),
                };
                (Some(matched), Some((tolerance, Reason::RouteHidden.into(), route.path.as_str())))
            }
            Found::MethodNotAllowed(allow) => {
                let allow = HeaderValue::try_from(allow.join(", ")).ok();
                let refusal = Refusal { allow, ..Reason::RouteMethodUnknown.into() };
                (None, Some((self.unknown_routes, refusal, path)))
            }
            Found::None { certain: true } => {
                (None, Some((self.unknown_routes, Reason::RouteUnknown.into(), path)))
            }
            Found::None { certain: false } | Found::WebSocket | Found::Redirect | Found::Opaque => {
                (None, None)
            }
        };
        let fault = fault.and_then(|(tolerance, refusal, subject)| {
            let mode = match tolerance {
                Tolerance::Reject if contract.exact => self.mode,
                Tolerance::Reject | Tolerance::Report => Mode::Report,
                Tolerance::Allow => return None,
            };
            (mode != Mode::Report || self.reported.is_new(subject)).then_some((mode, refusal))
        });
        // In `compatible` posture nothing may break, and front ends that know of no token would.
        let session_cookies = match self.posture {
            Posture::Strict => Some(Arc::clone(&contract.session_cookies)),
            Posture::Compatible => None,
        };
        Verdict { route, session_cookies, fault }
    }
}
