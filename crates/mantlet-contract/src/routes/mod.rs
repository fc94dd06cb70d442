//! Which route a request is for: Starlette's order and rules, without trying every route.
//!
//! The first route that matches path and method wins, in the order of the app; if none does, the first that matches the
//! path alone answers 405; if none does and a slash more or less would help, the router redirects. A mount that matches is final.
//!
//! Templates stand in a tree of segments. A lookup walks the path once and collects the few routes that could match; only those are
//! tried. It costs the length of the path, not the number of routes.

mod template;
mod tree;

use std::{ops::Range, sync::Arc};

pub use self::template::{Convertor, TemplateError};
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
    /// Of the app itself; empty for none.
    root_path: String,
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
    /// The router answers 405; these methods are allowed.
    MethodNotAllowed(&'r [String]),
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
        let routes = Self::below("", router, &[], &mut errors);
        (routes, errors)
    }

    /// Has paths that begin with this one routed without it, as `FastAPI(root_path=…)` does.
    #[must_use]
    pub fn with_root_path(mut self, root_path: Option<&str>) -> Self {
        root_path.unwrap_or_default().clone_into(&mut self.root_path);
        self
    }

    fn below(prefix: &str, router: &model::Router, handled: &[u16], errors: &mut Vec<TemplateError>) -> Self {
        // What an app's own handlers do not take is raised on to those around it.
        let handled = [handled, &router.handles].concat();
        let (mut routes, mut tree, mut opaque) = (Vec::new(), Tree::default(), Vec::new());
        for route in &router.routes {
            let index = u32::try_from(routes.len()).unwrap_or(u32::MAX);
            let (path, kind) = match route {
                model::Route::Http { path, methods, hidden, docs, operation } => {
                    let mut methods = methods.clone();
                    methods.sort_unstable();
                    let route = HttpRoute {
                        path: format!("{prefix}{path}"),
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
                        handles: handled.as_slice().into(),
                    };
                    (Some(path.clone()), Kind::Http(Arc::new(route)))
                }
                model::Route::WebSocket { path } => (Some(path.clone()), Kind::WebSocket),
                model::Route::Mount { path, router } => {
                    let inner = router.as_ref().map(|router| {
                        Box::new(Self::below(&format!("{prefix}{path}"), router, &handled, errors))
                    });
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
        Self { entries: routes, tree, opaque, redirect_slashes, complete, root_path: String::new() }
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
        let below = path
            .strip_prefix(self.root_path.as_str())
            .filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let base = below.map_or(0, |_| self.root_path.len());
        self.find_from(wanted, path, base, Vec::new())
    }

    /// `base` is where this router's part of the path begins.
    fn find_from<'r>(
        &'r self,
        wanted: Wanted<'_>,
        path: &str,
        base: usize,
        outer: Vec<Parameter<'r>>,
    ) -> Found<'r> {
        let own = path.get(base..).unwrap_or_default();
        let mut candidates = Vec::new();
        self.tree.collect(own, &mut candidates);
        candidates.extend_from_slice(&self.opaque);
        candidates.sort_unstable();
        let mut partial: Option<&Arc<HttpRoute>> = None;
        for index in candidates {
            let Some(route) = self.entries.get(index as usize) else { continue };
            let values = match route.fit(wanted, own) {
                Fit::None => continue,
                Fit::Partial => {
                    if let (None, Kind::Http(http)) = (partial, &route.kind) {
                        partial = Some(http);
                    }
                    continue;
                }
                Fit::Full(values) => values,
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
                    // The mount's own parameter is what its router goes on with, from the slash before it.
                    let rest = values.last().map_or(own.len(), |place| place.start.saturating_sub(1));
                    let mut outer = named(outer);
                    outer.pop();
                    inner.find_from(wanted, path, base + rest, outer)
                }
            };
        }
        if let Some(http) = partial.filter(|_| self.complete) {
            return Found::MethodNotAllowed(&http.methods);
        }
        if self.redirects(wanted, own) { Found::Redirect } else { Found::None { certain: self.complete } }
    }

    fn redirects(&self, wanted: Wanted<'_>, path: &str) -> bool {
        if !self.redirect_slashes || path == "/" || wanted == Wanted::WebSocket {
            return false;
        }
        let other = match path.strip_suffix('/') {
            Some(_) => path.trim_end_matches('/').to_owned(),
            None => format!("{path}/"),
        };
        let mut candidates = Vec::new();
        self.tree.collect(&other, &mut candidates);
        let fits = |index: u32| {
            let route = self.entries.get(index as usize);
            route.is_some_and(|route| !matches!(route.fit(wanted, &other), Fit::None))
        };
        candidates.into_iter().any(fits)
    }
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
    fn allows(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|allowed| allowed == method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_path_is_routed_away() {
        let router = serde_json::json!({
            "routes": [{"kind": "http", "path": "/items/{x}", "methods": ["GET"], "hidden": false}],
            "redirect-slashes": false, "complete": true,
        });
        let (routes, _) = Routes::compile(&serde_json::from_value(router).unwrap());
        let routes = routes.with_root_path(Some("/api"));
        let value = |path: &'static str| match routes.find(Wanted::Http("GET"), path) {
            Found::Http { parameters, .. } => Some(&path[parameters[0].place.clone()]),
            _ => None,
        };
        assert_eq!(value("/api/items/7"), Some("7"));
        assert_eq!(value("/items/8"), Some("8"));
        assert_eq!((value("/apitems/7"), value("/api")), (None, None));
    }
}
