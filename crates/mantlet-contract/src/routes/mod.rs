//! Which route a request is for: Starlette's order and rules, without trying every route.
//!
//! The first route that matches path and method wins, in the order of the app; if none does, the first that matches the
//! path alone answers 405; if none does and a slash more or less would help, the router redirects. A mount that matches is final.
//!
//! Templates stand in a tree of segments. A lookup walks the path once and collects the few routes that could match; only those are
//! tried. It costs the length of the path, not the number of routes.
//!
//! A route whose own code says what it takes may answer in place of what follows. What follows is found nevertheless, and said to be
//! unsure: what only protects still does so, and nothing is refused for it.

mod build;
mod find;
mod host;
mod root;
mod template;
mod tree;

use std::{collections::HashMap, ops::Range, sync::Arc};

use self::{host::HostTemplate, template::Template, tree::Tree};
pub use self::{
    root::{Roots, Start},
    template::{Convertor, TemplateError},
};
use crate::model::Operation;

/// A router, compiled.
#[derive(Debug)]
pub struct Routes {
    /// In the app's order.
    entries: Vec<Route>,
    tree: Tree,
    /// Indices of routes that may match any path.
    anywhere: Vec<u32>,
    /// Indices of routers for one host, by that.
    hosts: HashMap<Box<str>, Vec<u32>>,
    redirect_slashes: bool,
    complete: bool,
    /// Templates of what answers by itself, such as a mounted WSGI app: with what they are mounted below.
    opaque: Vec<Box<str>>,
    /// Of the app itself.
    roots: Roots,
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
    Host(HostTemplate, Option<Box<Routes>>),
    /// It may answer requests with these methods, or any, in place of what follows.
    Opaque(Vec<String>),
}

/// A route that answers HTTP.
#[derive(Debug)]
pub struct HttpRoute {
    /// As the app has it, with what it is mounted below.
    pub path: String,
    /// The host that it is there for, as the app has it; none if it is there for any.
    pub host: Option<Arc<str>>,
    /// What may answer in its place, whatever the request, if anything.
    pub unsure: Option<Arc<str>>,
    /// Bytes of that before what settings are about: the prefix of a document's server.
    own_at: usize,
    /// Bytes of that which a mount stands for, if it is below one.
    mount: Option<usize>,
    /// In capitals, sorted; none means every method.
    pub methods: Vec<String>,
    /// Where it is shown.
    pub visibility: Visibility,
    /// What it accepts, if that is known.
    pub operation: Option<Operation>,
    /// The app answers what does not validate in words of its own.
    pub answers_invalid: bool,
    /// It does so where FastAPI's 422 would repeat what JSON cannot say.
    pub answers_unsayable: bool,
    /// Code of the app may change a request before it is validated.
    pub rewrites: bool,
    /// What may refuse a request before its body is read, if anything.
    pub refuses_first: Option<String>,
    /// Statuses from 500 on that error handlers around it may answer with.
    pub handles: Box<[u16]>,
}

/// Where a route is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// It is in the document.
    Public,
    /// It is not.
    Hidden,
    /// It is the document itself, or a page of the documentation.
    Docs,
}

impl Visibility {
    const fn of(is_docs: bool, is_hidden: bool) -> Self {
        match (is_docs, is_hidden) {
            (true, _) => Self::Docs,
            (false, true) => Self::Hidden,
            (false, false) => Self::Public,
        }
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Found<'r> {
    /// This route answers.
    Http {
        /// The route.
        route: &'r Arc<HttpRoute>,
        /// Path parameters; those of mounts come first. One of a host has no place in the path, and is of a kind that is not judged.
        parameters: Vec<Parameter<'r>>,
        /// Something that comes before it may answer instead: only that code knows.
        unsure: bool,
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
    /// Something whose paths are its own business answers, or may.
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

impl Routes {
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

    /// This router, and those below mounts.
    fn routers(&self) -> impl Iterator<Item = &Self> {
        let mut left = vec![self];
        std::iter::from_fn(move || {
            let router = left.pop()?;
            left.extend(router.entries.iter().filter_map(|entry| match &entry.kind {
                Kind::Mount(Some(inner)) | Kind::Host(_, Some(inner)) => Some(&**inner),
                _ => None,
            }));
            Some(router)
        })
    }

    /// Every route that answers HTTP, below mounts too.
    pub fn http(&self) -> impl Iterator<Item = &Arc<HttpRoute>> {
        self.routers().flat_map(|router| &router.entries).filter_map(|entry| match &entry.kind {
            Kind::Http(route) => Some(route),
            _ => None,
        })
    }

    fn opaque(&self) -> impl Iterator<Item = &str> {
        self.routers().flat_map(|router| &router.opaque).map(|template| &**template)
    }

    /// Every operation, below mounts too.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.http().filter_map(|route| route.operation.as_ref())
    }

    /// The route that has a name for this path, or for one that this template matches: its own template.
    /// One that begins with a parameter for all that follows takes every path, and names none.
    pub fn named_by(&self, path: &str) -> Option<&str> {
        let names = |route: &&Arc<HttpRoute>| is_named_by(route.own_path(), path);
        if let Some(route) = self.http().find(names) {
            return Some(route.own_path());
        }
        if let Some(opaque) = self.opaque().find(|template| is_named_by(template, path)) {
            return Some(opaque);
        }
        let is_websocket = matches!(self.find(Wanted::WebSocket, path), Found::WebSocket);
        is_websocket.then_some("a WebSocket")
    }

    /// Whether nothing outside the routes can answer.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }
}

/// Whether a route with this template has a name for paths that another matches, with or without a slash
/// at the end.
pub fn is_named_by(route: &str, path: &str) -> bool {
    let parts =
        |path: &str| -> Vec<String> { path.trim_matches('/').split('/').map(str::to_owned).collect() };
    let is_tail = |part: &str| part.starts_with('{') && part.ends_with(":path}");
    let (ours, theirs) = (parts(route), parts(path));
    if ours.first().is_some_and(|first| is_tail(first)) {
        return false;
    }
    let (mut ours, mut theirs) = (ours.iter(), theirs.iter());
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(part), _) | (_, Some(part)) if is_tail(part) => return true,
            (Some(ours), Some(theirs)) if ours == theirs || ours.contains('{') || theirs.contains('{') => {}
            _ => return false,
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
}

#[cfg(test)]
mod tests;
