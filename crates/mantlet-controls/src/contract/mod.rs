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
//!
//! ```
//! use mantlet_controls::{Context, Section, contract::Config, posture::Posture};
//!
//! let config = Config { file: "contract.json".into(), posture: Posture::Strict, ..Config::default() };
//! assert!(config.check(&Context::default()).is_ok());
//! let mistakes = Config { openapi: "openapi.json".into(), ..config }.check(&Context::default()).unwrap_err();
//! assert_eq!(mistakes[0].key, "openapi");
//! ```

pub mod agreement;
mod config;
mod input;
mod place;
mod promise;
mod slot;

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use http::{HeaderValue, Method, StatusCode};
use mantlet_contract::{
    Shapes,
    compile::compile,
    flows::{self, Flow, Found as Sensitive},
    json::Limits,
    model::{self, Location, Note, Operation, SecurityScheme},
    places::places,
    routes::{Convertor, Found, HttpRoute, Roots, Routes, Start, Veil, Visibility, Wanted},
};

pub use config::{Config, InputOrder, MissingContentType, RouteConfig, Trust, Unknown, UnprovenInput};
pub(crate) use promise::Promised;
pub use slot::Slot;

use self::{
    agreement::{Judged, Tally},
    slot::State,
};

use crate::{
    Call, Mode, Reason, Refusal,
    audit::{Record, Sink},
    budget::Budget,
    news::News,
    path::Place,
    posture::{Posture, Tolerance},
    remedy,
};

/// When to try again while the app is starting.
const RETRY_AWAITED: Duration = Duration::from_secs(2);
/// Routes that are reported, each once. A client can make up any number of unknown ones.
pub(crate) const MAX_REPORTED: usize = 256;
/// Places of operations at which input was found invalid, each once with what is wrong.
const MAX_PLACES: usize = 4096;

/// What the app accepts, ready to be asked.
#[derive(Debug)]
pub struct Contract {
    routes: Routes,
    /// Paths below which the app answers as well: its root path, the prefixes of a document's servers.
    roots: Roots,
    shapes: Shapes,
    /// The minor version of the app's Python 3, whose words differ.
    python: u8,
    /// What it is known again by.
    identity: u64,
    /// It was read from the app; else it is a claim, and only reported unless documents are trusted.
    exact: bool,
    /// Cookies that operations declare as security.
    session_cookies: Arc<[String]>,
    /// Sensitive operations, by their paths.
    flows: HashMap<String, Vec<Sensitive>>,
    /// Where operations say that tokens come from, each with a slash in front.
    token_paths: Vec<Box<str>>,
    /// A WSGI app is mounted, to which `x_user` and `x-user` are one header.
    folds_headers: bool,
    /// Words that the app's authors wrote: only those are told of a place.
    declared: HashSet<Box<str>>,
    /// What the app said to what was judged and left to it, of each route by its place in memory, which it keeps as long as this contract.
    tallies: HashMap<usize, Tally>,
    /// Every name that a field or a parameter has anywhere: these are the app's own words.
    names: HashSet<Box<str>>,
}

impl Contract {
    /// Compiles a contract. What is not understood is left to the app, and told.
    pub fn compile(model: &model::Contract) -> (Self, Vec<Note>) {
        let prefixes = Roots::new(model.prefixes.iter().map(String::as_str));
        let (routes, errors) = Routes::compile_below(&prefixes, &model.router);
        let routes = routes.with_root_path(model.root_path.as_deref());
        let roots = Roots::new(model.root_path.iter().chain(&model.prefixes).map(String::as_str));
        let (shapes, left) = compile(&model.shapes);
        let mut notes: Vec<_> = errors
            .into_iter()
            .map(|error| Note { at: error.template, why: format!("it is no path template: {}", error.why) })
            .collect();
        if !left.is_empty() {
            let places = places(model);
            notes.extend(left.into_iter().map(|(shape, why)| {
                let place = places.get(shape).cloned().flatten();
                Note { at: place.unwrap_or_else(|| format!("shape {shape}")), why }
            }));
        }
        let mut session_cookies: Vec<_> =
            routes.operations().flat_map(cookies_of).map(str::to_owned).collect();
        session_cookies.sort_unstable();
        session_cookies.dedup();
        let version =
            model.made_with.get("python").and_then(|version| version.split('.').nth(1)?.parse().ok());
        let python = version.unwrap_or(Limits::default().python);
        let exact = model.source == model::Source::Inspector;
        let mut flows: HashMap<String, Vec<Sensitive>> = HashMap::new();
        for found in flows::find(model) {
            flows.entry(found.path.clone()).or_default().push(found);
        }
        let mut token_paths: Vec<_> = routes.operations().flat_map(token_paths_of).collect();
        token_paths.sort_unstable();
        token_paths.dedup();
        let session_cookies = session_cookies.into();
        // What is mounted is named by its class: `WSGIMiddleware`, `WsgiToAsgi`.
        let folds_headers = model.notes.iter().any(|note| note.why.to_ascii_lowercase().contains("wsgi"));
        let declared = place::declared(&model.shapes, routes.operations());
        let tallies = routes.http().map(|route| (address(route), Tally::default())).collect();
        let names = names_of(model, &routes);
        let found = Self {
            routes,
            roots,
            shapes,
            python,
            identity: 0,
            exact,
            session_cookies,
            flows,
            token_paths,
            folds_headers,
            declared,
            tallies,
            names,
        };
        (found, notes)
    }

    /// With what it is known again by.
    #[must_use]
    pub fn identified(self, identity: u64) -> Self {
        Self { identity, ..self }
    }

    /// What it is known again by.
    pub const fn identity(&self) -> u64 {
        self.identity
    }

    /// Whether a field or a parameter has this name anywhere.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Its routes.
    pub const fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Whether what is not tolerated is refused.
    fn refuses(&self, rules: &Rules, tolerance: Tolerance) -> bool {
        tolerance == Tolerance::Reject && self.counts(rules) && rules.mode == Mode::Enforce
    }

    /// What is kept from clients.
    fn veil(&self, rules: &Rules) -> Veil {
        Veil {
            hidden: self.refuses(rules, rules.hidden_routes),
            docs: self.refuses(rules, rules.docs),
            leaves_methods: !self.refuses(rules, rules.unknown_routes),
        }
    }

    /// Where its routes begin in a path that goes to a place. Those of a document have the prefixes of its servers.
    fn start_of(&self, place: &Place) -> Start {
        if self.exact { place.start() } else { Start::default() }
    }

    /// Whether what it says counts; otherwise it is a claim.
    pub fn counts(&self, rules: &Rules) -> bool {
        self.exact || rules.trust == Trust::Document
    }
}

fn address(route: &Arc<HttpRoute>) -> usize {
    Arc::as_ptr(route).addr()
}

/// All names of fields and parameters.
fn names_of(model: &model::Contract, routes: &Routes) -> HashSet<Box<str>> {
    let mut names: HashSet<Box<str>> = HashSet::new();
    for shape in &model.shapes {
        let model::Shape::Object(object) = shape else { continue };
        for field in &object.fields {
            names.insert(field.name.as_str().into());
            for step in field.lookup.iter().flatten() {
                if let model::PathItem::Key(key) = step {
                    names.insert(key.as_str().into());
                }
            }
        }
    }
    for input in routes.operations().flat_map(|operation| &operation.inputs) {
        names.extend(input.take.names().map(Into::into));
    }
    names
}

/// Cookies by which an operation knows who is calling.
fn cookies_of(operation: &Operation) -> impl Iterator<Item = &str> {
    operation.security.iter().flatten().filter_map(|requirement| match &requirement.scheme {
        SecurityScheme::ApiKey { location: Location::Cookie, name } => Some(name.as_str()),
        _ => None,
    })
}

/// Where an operation says that its tokens come from.
fn token_paths_of(operation: &Operation) -> impl Iterator<Item = Box<str>> {
    let urls = operation.security.iter().flatten().filter_map(|requirement| match &requirement.scheme {
        SecurityScheme::Bearer { token_url } => token_url.as_deref(),
        _ => None,
    });
    urls.filter_map(|url| flows::path_of(url).map(Into::into))
}

/// What holds for a route: each line of the section, and what the posture says where the section does not.
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

/// What is the same for every route, and where the contract in force is.
#[derive(Debug)]
pub struct Policy {
    pub(crate) mode: Mode,
    judged_size: usize,
    slot: Slot,
    /// What bodies that are being judged hold.
    budget: Budget,
    /// Of routes; there are only so many.
    reported: News,
    /// Of what clients make up.
    made_up: News,
    /// Of places of input.
    places: News,
}

impl Default for Policy {
    fn default() -> Self {
        // As a configuration without a mistake would have it.
        Self {
            mode: Mode::Enforce,
            judged_size: Config::default().judged_size.bytes(),
            slot: Slot::default(),
            budget: Budget::default(),
            reported: News::up_to(usize::MAX),
            made_up: News::up_to(MAX_REPORTED),
            places: News::up_to(MAX_PLACES),
        }
    }
}

/// The route of a request.
#[derive(Debug, Clone)]
pub struct Matched {
    pub(crate) contract: Arc<Contract>,
    /// The route.
    pub route: Arc<HttpRoute>,
    /// Something that comes before it may answer instead: nothing is refused or changed for what is known of it, and what only protects stays.
    pub(crate) unsure: bool,
    /// Path parameters: names, what becomes of their values, and where in the path those stand.
    pub(crate) parameters: Vec<(String, Convertor, Range<usize>)>,
}

impl Matched {
    /// What is sensitive about the operation, if anything.
    pub(crate) fn flow(&self, method: &Method) -> Option<&Flow> {
        let found = self.contract.flows.get(&self.route.path)?;
        let of_method = |found: &&Sensitive| {
            found.host.as_deref() == self.route.host.as_deref()
                && found.methods.iter().any(|name| name == method.as_str())
        };
        found.iter().find(of_method).map(|found| &found.flow)
    }
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

/// The line that changes what becomes of a route that is in no document.
fn remedy_of(route: &HttpRoute, method: &Method, what: &str) -> Option<Box<str>> {
    let key = if route.visibility == Visibility::Docs { "docs" } else { "hidden-routes" };
    (route.visibility != Visibility::Public)
        .then(|| remedy::of_route(route.own_path(), method.as_str(), &format!("contract.{key} = \"{what}\"")))
}

/// What a client is told of a path that only these methods have, or none.
fn absent(allowed: &[&str]) -> (Reason, Option<Box<HeaderValue>>) {
    if allowed.is_empty() {
        return (Reason::RouteUnknown, None);
    }
    (Reason::RouteMethodUnknown, HeaderValue::try_from(allowed.join(", ")).ok().map(Box::new))
}

/// Whether a route declares a cookie as security.
pub(crate) fn declares_cookies(route: &HttpRoute) -> bool {
    route.operation.as_ref().is_some_and(|operation| cookies_of(operation).next().is_some())
}

/// Whether a route declares a header of this name, in lower case: as a parameter, or as what a key comes in.
pub(crate) fn declares_header(route: &HttpRoute, name: &str) -> bool {
    let is_it = |own: &str| own.eq_ignore_ascii_case(name);
    route.operation.as_ref().is_some_and(|operation| operation.header_names().any(is_it))
}

/// Learns what the app has answered to what was judged and left to it; with the body, if that was asked for.
pub(crate) fn learn(call: &Call, audit: &impl Sink, status: StatusCode, body: Option<&[u8]>) {
    if matches!(call.judged, Judged::Unasked) {
        return;
    }
    let told = call
        .operation
        .as_ref()
        .and_then(|matched| matched.answered(&call.judged, status, body, call.request_id.as_str()));
    if let Some(told) = told {
        audit.record(Record::of_contradicted(call, told));
    }
}

impl Policy {
    /// The contract in force, if one is known.
    pub fn in_force(&self) -> Option<Arc<Contract>> {
        self.slot.known()
    }

    /// Whether something in the app takes `x_user` and `x-user` for one header.
    pub(crate) fn folds_headers(&self) -> bool {
        matches!(&**self.slot.load(), State::Known(contract) if contract.folds_headers)
    }

    /// Where a path goes in the app. Root paths that the configuration names stand for those of the contract.
    pub(crate) fn place_of(&self, path: &str, roots: Option<&Roots>) -> Place {
        match (roots, &**self.slot.load()) {
            (Some(roots), _) => Place::of(path, roots),
            (None, State::Known(contract)) => Place::of(path, &contract.roots),
            (None, State::Unknown | State::Awaited) => Place::default(),
        }
    }

    /// What a client is told that may ask for something that is not there, or not for clients.
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
                return Verdict { fault: Some((Mode::Enforce, refusal)), ..Verdict::default() };
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
                // What may be something else is not refused.
                let tolerance = match tolerance {
                    Tolerance::Reject if unsure => Tolerance::Report,
                    tolerance => tolerance,
                };
                let parameters = parameters.into_iter();
                let matched = Matched {
                    contract: Arc::clone(contract),
                    route: Arc::clone(route),
                    unsure,
                    parameters: parameters
                        .map(|found| (found.name.to_owned(), found.convertor, found.place))
                        .collect(),
                };
                // What a mount holds is in no document: one record says so of all of it.
                let subject = route.mount().or(route.host.as_deref()).unwrap_or(&route.path);
                (Some(matched), Some((tolerance, Reason::RouteHidden.into(), subject)))
            }
            Found::Veiled { route, allowed } => {
                let (reason, allow) = absent(&allowed);
                let remedy = remedy_of(route, method, "report");
                let refusal = Refusal { seems: Some(reason), allow, remedy, ..Reason::RouteHidden.into() };
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
                let refusal = Refusal { allow, ..Reason::RouteMethodUnknown.into() };
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
        // In `compatible` posture nothing may break, and front ends that know of no token would.
        let session_cookies = match rules.posture {
            Posture::Strict => Some(Arc::clone(&contract.session_cookies)),
            Posture::Compatible => None,
        };
        Verdict { route, session_cookies, fault }
    }
}
