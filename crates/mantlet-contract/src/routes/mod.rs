//! Which route a request is for: Starlette's order and rules, without trying every route.
//!
//! The first route that matches path and method wins, in the order of the app; if none does, the first that matches the
//! path alone answers 405; if none does and a slash more or less would help, the router redirects. A mount that matches is final.
//!
//! Templates stand in a tree of segments. A lookup walks the path once and collects the few routes that could match; only those are
//! tried. It costs the length of the path, not the number of routes.

mod root;
mod template;
mod tree;

use std::{ops::Range, sync::Arc};

pub use self::{
    root::{Roots, Start},
    template::{Convertor, TemplateError},
};
use self::{template::Template, tree::Tree};
use crate::model::{self, Operation};

/// A router, compiled.
#[derive(Debug)]
pub struct Routes {
    /// In the app's order.
    entries: Vec<Route>,
    tree: Tree,
    /// Indices of routes that may match anything.
    opaque: Vec<u32>,
    redirect_slashes: bool,
    complete: bool,
    /// Of the app itself.
    roots: Roots,
}

/// Where a router stands.
#[derive(Debug, Default)]
struct Below {
    /// What it is mounted below.
    path: String,
    /// Bytes of that which the outermost mount stands for.
    mount: Option<usize>,
    /// Of a document's servers.
    prefixes: Roots,
    /// Statuses that error handlers around it may answer with.
    handled: Vec<u16>,
}

#[derive(Debug)]
struct Route {
    template: Option<Template>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Http(Arc<HttpRoute>),
    WebSocket,
    Mount(Option<Box<Routes>>),
    Opaque,
}

/// A route that answers HTTP.
#[derive(Debug)]
pub struct HttpRoute {
    /// As the app has it, with what it is mounted below.
    pub path: String,
    /// Bytes of that before what settings are about: the prefix of a document's server.
    own_at: usize,
    /// Bytes of that which a mount stands for, if it is below one.
    mount: Option<usize>,
    /// In capitals, sorted; none means every method.
    pub methods: Vec<String>,
    /// Whom it is shown to.
    pub visibility: Visibility,
    /// What it accepts, if that is known.
    pub operation: Option<Operation>,
    /// The app answers what does not validate in words of its own.
    pub answers_invalid: bool,
    /// Code of the app may change a request before it is validated.
    pub rewrites: bool,
    /// What may refuse a request before its body is read, if anything.
    pub refuses_first: Option<String>,
    /// Statuses from 500 on that error handlers around it may answer with.
    pub handles: Box<[u16]>,
}

/// Whom a route is shown to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// It is in the document.
    Public,
    /// It is not.
    Hidden,
    /// It is the document itself, or a page of the documentation.
    Docs,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Found<'r> {
    /// This route answers.
    Http {
        /// The route.
        route: &'r Arc<HttpRoute>,
        /// Path parameters; those of mounts come first.
        parameters: Vec<Parameter<'r>>,
    },
    /// A WebSocket opens.
    WebSocket,
    /// The router answers 405; these methods are allowed, by whichever of its routes.
    MethodNotAllowed(Vec<&'r str>),
    /// Something answers that is kept from clients, or would say that it is there.
    Veiled {
        /// What it is.
        route: &'r Arc<HttpRoute>,
        /// Methods by which something else answers that path: without what is veiled, the router would answer 405.
        allowed: Vec<&'r str>,
    },
    /// The router redirects to the path with another slash.
    Redirect,
    /// Something whose paths are its own business answers.
    Opaque,
    /// No route; whether really nothing can answer.
    None {
        /// Nothing outside the contract can answer either.
        certain: bool,
    },
}

/// A path parameter of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter<'r> {
    /// Its name.
    pub name: &'r str,
    /// What becomes of its value.
    pub convertor: Convertor,
    /// Where in the path that was asked for its value stands.
    pub place: Range<usize>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'r> {
    /// An HTTP request with this method.
    Http(&'r str),
    /// A WebSocket.
    WebSocket,
}

/// What is kept from clients, as if it were not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Veil {
    /// What is not in the document.
    pub hidden: bool,
    /// The document, and pages of documentation.
    pub docs: bool,
    /// Nothing is refused for its method: then the router's own 405 may name what is kept.
    pub leaves_methods: bool,
}

impl Veil {
    const fn covers(self, route: &HttpRoute) -> bool {
        match route.visibility {
            Visibility::Public => false,
            Visibility::Hidden => self.hidden,
            Visibility::Docs => self.docs,
        }
    }
}

enum Fit {
    None,
    /// The path fits, the method does not.
    Partial,
    Full(Vec<Range<usize>>),
}

impl Routes {
    /// Compiles a router; templates that cannot be read are routes that may match anything, and are told.
    pub fn compile(router: &model::Router) -> (Self, Vec<TemplateError>) {
        let mut errors = Vec::new();
        let routes = Self::below(&Below::default(), router, &mut errors);
        (routes, errors)
    }

    /// Compiles the router of a document, whose paths are there with these prefixes of its servers and without.
    pub fn compile_below(prefixes: &Roots, router: &model::Router) -> (Self, Vec<TemplateError>) {
        let mut errors = Vec::new();
        let below = Below { prefixes: prefixes.clone(), ..Below::default() };
        let routes = Self::below(&below, router, &mut errors);
        (routes, errors)
    }

    /// Has paths that begin with this one routed without it, as `FastAPI(root_path=…)` does.
    #[must_use]
    pub fn with_root_path(mut self, root_path: Option<&str>) -> Self {
        self.roots = Roots::new(root_path);
        self
    }

    /// The root path of the app.
    pub const fn roots(&self) -> &Roots {
        &self.roots
    }

    fn below(below: &Below, router: &model::Router, errors: &mut Vec<TemplateError>) -> Self {
        let Below { path: prefix, mount, prefixes, handled } = below;
        // What an app's own handlers do not take is raised on to those around it.
        let handled = [handled.as_slice(), &router.handles].concat();
        let (mut routes, mut tree, mut opaque) = (Vec::new(), Tree::default(), Vec::new());
        for route in &router.routes {
            let index = u32::try_from(routes.len()).unwrap_or(u32::MAX);
            let (path, kind) = match route {
                model::Route::Http { path, methods, hidden, docs, operation } => {
                    let mut methods = methods.clone();
                    methods.sort_unstable();
                    let whole = format!("{prefix}{path}");
                    let route = HttpRoute {
                        own_at: prefixes.start_in(&whole).at,
                        mount: *mount,
                        path: whole,
                        methods,
                        visibility: match (*docs, *hidden) {
                            (true, _) => Visibility::Docs,
                            (false, true) => Visibility::Hidden,
                            (false, false) => Visibility::Public,
                        },
                        operation: operation.as_deref().cloned(),
                        answers_invalid: router.answers_invalid,
                        rewrites: router.rewrites
                            || operation.as_ref().is_some_and(|operation| operation.rewrites),
                        refuses_first: router
                            .refuses_first
                            .as_ref()
                            .or_else(|| operation.as_ref()?.refuses_first.as_ref())
                            .cloned(),
                        handles: handled.as_slice().into(),
                    };
                    (Some(path.clone()), Kind::Http(Arc::new(route)))
                }
                model::Route::WebSocket { path } => (Some(path.clone()), Kind::WebSocket),
                model::Route::Mount { path, router } => {
                    let whole = format!("{prefix}{path}");
                    let mount = Some(mount.unwrap_or(whole.len()));
                    let below =
                        Below { path: whole, mount, prefixes: prefixes.clone(), handled: handled.clone() };
                    let inner = router.as_ref().map(|router| Box::new(Self::below(&below, router, errors)));
                    (Some(format!("{path}/{{path:path}}")), Kind::Mount(inner))
                }
                model::Route::Opaque { .. } => (None, Kind::Opaque),
            };
            let compiled = path.as_deref().map(Template::compile);
            match (compiled, path) {
                (Some(Ok(template)), Some(path)) => {
                    tree.insert(&path, index);
                    routes.push(Route { template: Some(template), kind });
                }
                (compiled, _) => {
                    errors.extend(compiled.and_then(Result::err));
                    opaque.push(index);
                    routes.push(Route { template: None, kind: Kind::Opaque });
                }
            }
        }
        let (redirect_slashes, complete) = (router.redirect_slashes, router.complete);
        Self { entries: routes, tree, opaque, redirect_slashes, complete, roots: Roots::default() }
    }

    /// Every route that answers HTTP, below mounts too.
    pub fn http(&self) -> impl Iterator<Item = &Arc<HttpRoute>> {
        let mut routers = vec![self];
        let mut found = Vec::new();
        while let Some(router) = routers.pop() {
            for entry in &router.entries {
                match &entry.kind {
                    Kind::Http(route) => found.push(route),
                    Kind::Mount(Some(inner)) => routers.push(inner),
                    Kind::WebSocket | Kind::Mount(None) | Kind::Opaque => {}
                }
            }
        }
        found.into_iter()
    }

    /// Every operation, below mounts too.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.http().filter_map(|route| route.operation.as_ref())
    }

    /// Whether nothing outside the routes can answer.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Finds the route for a path, decoded as ASGI's `path` is.
    pub fn find(&self, wanted: Wanted<'_>, path: &str) -> Found<'_> {
        self.find_from(wanted, path, self.roots.start_in(path), Veil::default())
    }

    /// The same for a path of which it is known where what is routed by begins; what is under the veil is found to be veiled.
    pub fn find_from(&self, wanted: Wanted<'_>, path: &str, start: Start, veil: Veil) -> Found<'_> {
        self.walk(&Asked { wanted, path, lacks_root: start.lacks_root, veil }, start.at, Vec::new())
    }

    /// `base` is where this router's part of the path begins.
    fn walk<'r>(&'r self, asked: &Asked<'_>, base: usize, outer: Vec<Parameter<'r>>) -> Found<'r> {
        let own = asked.path.get(base..).unwrap_or_default();
        let mut candidates = Vec::new();
        self.tree.collect(own, &mut candidates);
        candidates.extend_from_slice(&self.opaque);
        candidates.sort_unstable();
        let (mut allowed, mut veiled, mut is_shut) = (Vec::new(), None, false);
        for index in candidates {
            let Some(route) = self.entries.get(index as usize) else { continue };
            let values = match (route.fit(asked.wanted, own), &route.kind) {
                (Fit::None, _) => continue,
                (fit, Kind::Http(http)) if asked.veil.covers(http) => {
                    veiled.get_or_insert(http);
                    is_shut |= matches!(fit, Fit::Full(_));
                    continue;
                }
                (Fit::Partial, Kind::Http(http)) => {
                    allowed.extend(http.methods.iter().map(String::as_str));
                    continue;
                }
                (Fit::Partial, _) => continue,
                // The app would not come to it.
                (Fit::Full(_), _) if is_shut => continue,
                (Fit::Full(values), _) => values,
            };
            let named = |mut all: Vec<Parameter<'r>>| {
                let parameters = route.template.iter().flat_map(|template| &template.parameters);
                for ((name, convertor), place) in parameters.zip(&values) {
                    // An inner parameter takes an outer one's place.
                    all.retain(|known| known.name != name);
                    let place = place.start + base..place.end + base;
                    all.push(Parameter { name, convertor: *convertor, place });
                }
                all
            };
            return match &route.kind {
                Kind::Http(http) => Found::Http { route: http, parameters: named(outer) },
                Kind::WebSocket => Found::WebSocket,
                Kind::Opaque | Kind::Mount(None) => Found::Opaque,
                Kind::Mount(Some(inner)) => {
                    // The mount's own parameter is what its router goes on with, from the slash before it. The mount adds its path to the root
                    // path, and where that does not stand, what is mounted sees all of it.
                    let rest = values.last().map_or(own.len(), |place| place.start.saturating_sub(1));
                    let mut outer = named(outer);
                    outer.pop();
                    inner.walk(asked, if asked.lacks_root { 0 } else { base + rest }, outer)
                }
            };
        }
        allowed.sort_unstable();
        allowed.dedup();
        let veiled = veiled.or_else(|| self.veiled_with_another_slash(asked, own));
        let is_told = |_: &&Arc<HttpRoute>| {
            is_shut || allowed.is_empty() || !self.complete || asked.veil.leaves_methods
        };
        if let Some(route) = veiled.filter(is_told) {
            if !self.complete {
                allowed.clear();
            }
            return Found::Veiled { route, allowed };
        }
        if !allowed.is_empty() && self.complete {
            return Found::MethodNotAllowed(allowed);
        }
        if self.with_another_slash(asked, own).any(|_| true) {
            Found::Redirect
        } else {
            Found::None { certain: self.complete }
        }
    }

    /// Routes to which the router would redirect.
    fn with_another_slash(&self, asked: &Asked<'_>, path: &str) -> impl Iterator<Item = &Route> {
        let other = match path.strip_suffix('/') {
            _ if !self.redirect_slashes || path == "/" || asked.wanted == Wanted::WebSocket => None,
            Some(_) => Some(path.trim_end_matches('/').to_owned()),
            None => Some(format!("{path}/")),
        };
        let mut candidates = Vec::new();
        if let Some(other) = &other {
            self.tree.collect(other, &mut candidates);
        }
        let wanted = asked.wanted;
        candidates.into_iter().filter_map(move |index| {
            let route = self.entries.get(index as usize)?;
            (!matches!(route.fit(wanted, other.as_deref()?), Fit::None)).then_some(route)
        })
    }

    /// The route that a redirect would betray, if it is nothing but that.
    fn veiled_with_another_slash(&self, asked: &Asked<'_>, path: &str) -> Option<&Arc<HttpRoute>> {
        if !(asked.veil.hidden || asked.veil.docs) {
            return None;
        }
        let mut found = None;
        for route in self.with_another_slash(asked, path) {
            match &route.kind {
                Kind::Http(http) if asked.veil.covers(http) => {
                    found.get_or_insert(http);
                }
                _ => return None,
            }
        }
        found
    }
}

/// A request, as far as routes are concerned.
struct Asked<'a> {
    wanted: Wanted<'a>,
    path: &'a str,
    lacks_root: bool,
    veil: Veil,
}

impl Route {
    fn fit(&self, wanted: Wanted<'_>, path: &str) -> Fit {
        let fits_kind = match (&self.kind, wanted) {
            (Kind::Http(_), Wanted::WebSocket) | (Kind::WebSocket, Wanted::Http(_)) => false,
            (Kind::Http(_) | Kind::WebSocket | Kind::Mount(_) | Kind::Opaque, _) => true,
        };
        if !fits_kind {
            return Fit::None;
        }
        let Some(template) = &self.template else { return Fit::Full(Vec::new()) };
        let Some(values) = template.matches(path) else { return Fit::None };
        match (&self.kind, wanted) {
            (Kind::Http(http), Wanted::Http(method)) if !http.allows(method) => Fit::Partial,
            _ => Fit::Full(values),
        }
    }
}

impl HttpRoute {
    /// The path by which settings name it: of a document's, without the prefix of a server.
    pub fn own_path(&self) -> &str {
        self.path.get(self.own_at..).unwrap_or(&self.path)
    }

    /// What it is mounted below, if it is: the outermost mount. No document names what is below one.
    pub fn mount(&self) -> Option<&str> {
        self.path.get(..self.mount?)
    }

    fn allows(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|allowed| allowed == method)
    }
}

#[cfg(test)]
mod tests;
