//! The compiled contract: a lookup costs the length of the path, whatever the number of operations.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use mantlet_contract::{
    Shapes,
    compile::compile,
    json::Limits,
    model::{self, Location, Note, Operation, SecurityScheme},
    objects::{self, FunctionProposal, KindNumber, Kinds, Proposal},
    places::places,
    routes::{HttpRoute, Roots, Routes},
    sensitive::{self, Evidence, SensitiveRoute, SessionRole, SessionRoute},
};

use crate::config::template::shape;

use super::{
    place,
    security::{QueryToken, Security},
    tally::Tally,
};

/// The contract, ready for lookups.
#[derive(Debug)]
pub struct Contract {
    pub(crate) routes: Routes,
    /// Paths below which the app answers as well: its root path, the prefixes of a document's servers.
    pub(crate) roots: Roots,
    pub(crate) shapes: Shapes,
    /// The minor version of the app's Python 3, whose words differ.
    pub(crate) python: u8,
    /// Identifies the contract.
    pub(crate) identity: u64,
    /// It was read from the app; else it is a claim, and only reported unless documents are trusted.
    pub(crate) exact: bool,
    /// Cookies that operations declare as security.
    pub(crate) session_cookies: Arc<[String]>,
    /// Sensitive operations, by their paths.
    pub(crate) sensitive: HashMap<String, Vec<SensitiveRoute>>,
    /// Operations that do something to sessions, by their paths.
    pub(crate) session_roles: HashMap<String, Vec<SessionRoute>>,
    /// Routes whose path is that of one of these, by their places in memory: all others need not look there.
    sensitive_routes: HashSet<usize>,
    /// The operation that tells a caller about itself, if there is one that needs nothing but a
    /// credential: its path.
    me: Option<(Box<str>, Security)>,
    /// Where operations say that tokens come from, each with a slash in front.
    pub(crate) token_paths: Vec<Box<str>>,
    /// No code of the app names DPoP: it does not read proofs.
    without_dpop: bool,
    /// A WSGI app is mounted, to which `x_user` and `x-user` are one header.
    pub(crate) folds_headers: bool,
    /// Words that the app's authors wrote: only those are recorded of a place.
    pub(crate) declared: HashSet<Box<str>>,
    /// How the app responded to judged input that was passed on, for each route by its place in
    /// memory, which is fixed for the life of this contract.
    pub(crate) tallies: HashMap<usize, Tally>,
    /// How routes ask for credentials, by the same places.
    pub(crate) security: HashMap<usize, Security>,
    /// Parameters of queries in which routes take tokens, by the same places.
    pub(crate) query_tokens: HashMap<usize, QueryToken>,
    /// Rules about owners that its tables propose.
    proposals: Vec<Proposal>,
    functions: Vec<FunctionProposal>,
    /// Parameters that say which object is meant, by operation.
    ids: HashMap<usize, Box<[IdParameter]>>,
    /// Of which kinds the app's ids are.
    pub(crate) kinds: Kinds,
    /// The shapes of its paths.
    paths: HashSet<Box<str>>,
    /// Every name that a field or a parameter has anywhere: these are the app's own words.
    pub(crate) names: HashSet<Box<str>>,
    /// For the names of a field of a model that has several (its own, aliases): all of them.
    spellings: HashMap<Box<str>, Vec<Box<str>>>,
}

/// A parameter of a path that says which object is meant.
#[derive(Debug)]
pub(crate) struct IdParameter {
    pub(crate) name: Box<str>,
    /// Of which kinds the object may be.
    pub(crate) kinds: Box<[KindNumber]>,
}

impl Contract {
    /// Compiles a contract. Parts that are not understood are left to the app, and reported.
    pub fn compile(model: &model::Contract) -> (Self, Vec<Note>) {
        let prefixes = Roots::new(model.prefixes.iter().map(String::as_str));
        let (routes, errors) = Routes::compile_below(&prefixes, &model.router);
        let routes = routes.with_root_path(model.root_path.as_deref());
        let roots = Roots::new(model.root_path.iter().chain(&model.prefixes).map(String::as_str));
        let (shapes, left) = compile(&model.shapes);
        let mut notes: Vec<_> = errors
            .into_iter()
            .map(|error| Note {
                at: error.template,
                why: format!("it is not a path template: {}", error.why),
            })
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
        let mut sensitive: HashMap<String, Vec<SensitiveRoute>> = HashMap::new();
        for found in sensitive::find(model) {
            sensitive.entry(found.path.clone()).or_default().push(found);
        }
        let mut session_roles: HashMap<String, Vec<SessionRoute>> = HashMap::new();
        let mut me: Option<String> = None;
        for found in sensitive::session_routes(model) {
            let is_it =
                found.role == SessionRole::Me && found.evidence == Evidence::Known && found.host.is_none();
            if is_it && me.is_none() {
                me = Some(found.path.clone());
            }
            session_roles.entry(found.path.clone()).or_default().push(found);
        }
        let is_sensitive = |route: &&Arc<HttpRoute>| {
            let mut roles = session_roles.get(&route.path).into_iter().flatten();
            sensitive.contains_key(&route.path) || roles.any(|found| found.role != SessionRole::Me)
        };
        let sensitive_routes = routes.http().filter(is_sensitive).map(address).collect();
        let mut token_paths: Vec<_> = routes.operations().flat_map(token_paths_of).collect();
        token_paths.sort_unstable();
        token_paths.dedup();
        let session_cookies = session_cookies.into();
        // A mounted app is named by its class: `WSGIMiddleware`, `WsgiToAsgi`.
        let folds_headers = model.notes.iter().any(|note| note.why.to_ascii_lowercase().contains("wsgi"));
        let declared = place::declared(&model.shapes, routes.operations());
        let tallies = routes.http().map(|route| (address(route), Tally::default())).collect();
        let security_of = |route: &Arc<HttpRoute>| {
            route.operation.as_ref().and_then(Security::of).map(|security| (address(route), security))
        };
        let security: HashMap<_, _> = routes.http().filter_map(security_of).collect();
        let me = me.and_then(|path| me_of(&path, &routes, &security));
        let query_token_of = |route: &Arc<HttpRoute>| {
            let found = route.operation.as_ref().and_then(|own| QueryToken::of(&route.path, own));
            found.map(|token| (address(route), token))
        };
        let query_tokens = routes.http().filter_map(query_token_of).collect();
        let (ids, kinds) = ids_of(model, &routes);
        let names = names_of(model, &routes);
        let paths = routes.http().map(|route| shape(route.own_path()).into()).collect();
        let objects::Found { tables, functions, .. } = objects::find(model);
        let proposals = tables.into_iter().flat_map(|table| table.proposals).collect();
        let found = Self {
            routes,
            roots,
            shapes,
            python,
            identity: 0,
            exact,
            session_cookies,
            sensitive,
            session_roles,
            sensitive_routes,
            me,
            token_paths,
            without_dpop: exact && !model.names_dpop,
            folds_headers,
            declared,
            tallies,
            security,
            query_tokens,
            proposals,
            functions,
            ids,
            kinds,
            paths,
            names,
            spellings: spellings_of(model),
        };
        (found, notes)
    }

    /// Sets its identity.
    #[must_use]
    pub fn identified(self, identity: u64) -> Self {
        Self { identity, ..self }
    }

    /// Identifies the contract.
    pub const fn identity(&self) -> u64 {
        self.identity
    }

    /// Whether a field or a parameter has this name anywhere.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Names that mean the same field as this one in some model, this one among them. None if it has one name.
    pub(crate) fn spellings(&self, name: &str) -> Option<&[Box<str>]> {
        self.spellings.get(name).map(Vec::as_slice)
    }

    /// Whether an operation of this route's path is sensitive or changes sessions.
    pub(crate) fn is_sensitive(&self, route: &Arc<HttpRoute>) -> bool {
        self.sensitive_routes.contains(&address(route))
    }

    /// The operation that tells a caller about itself, if there is one that needs nothing but a credential: its path.
    pub(crate) fn me(&self) -> Option<(&str, &Security)> {
        self.me.as_ref().map(|(path, security)| (&**path, security))
    }

    /// Whether the app's code was seen, and nothing in it names DPoP.
    pub(crate) const fn is_without_dpop(&self) -> bool {
        self.without_dpop
    }

    /// Rules about owners that its tables propose.
    pub fn proposals(&self) -> &[Proposal] {
        &self.proposals
    }

    /// Rules about who may call what seems to be for administrators.
    pub fn functions(&self) -> &[FunctionProposal] {
        &self.functions
    }

    /// The parameters of an operation's path that say which object is meant, if it asks who is calling.
    pub(crate) fn id_parameters(&self, route: &Arc<HttpRoute>) -> &[IdParameter] {
        self.ids.get(&address(route)).map(|ids| &**ids).unwrap_or_default()
    }

    /// Whether rules about owners are about this attribute of a caller.
    pub(crate) fn proposes_about(&self, name: &str) -> bool {
        let conditions = self.proposals.iter().flat_map(|one| one.roles.iter().chain([&one.equals]));
        let attributes = conditions.filter_map(|text| {
            let text = text.trim_start_matches("in ").strip_prefix("principal:")?;
            text.split([' ', '=', '.']).next()
        });
        attributes.into_iter().any(|own| own == name)
    }

    /// Whether a path of this shape is that of an operation.
    pub(crate) fn has_path(&self, shape: &str) -> bool {
        self.paths.contains(shape)
    }

    /// Its routes.
    pub const fn routes(&self) -> &Routes {
        &self.routes
    }
}

/// The operation of this path that tells a caller about itself, if it needs nothing but a credential.
fn me_of(path: &str, routes: &Routes, security: &HashMap<usize, Security>) -> Option<(Box<str>, Security)> {
    let found = routes.http().find(|route| {
        route.path == path && route.host.is_none() && route.methods.iter().any(|name| name == "GET")
    })?;
    let asks_for_more = found.operation.as_ref()?.inputs.iter().any(|input| input.required);
    let is_target = path.parse::<http::Uri>().is_ok();
    let security = security.get(&address(found)).filter(|_| is_target && !asks_for_more)?;
    Some((path.into(), security.clone()))
}

pub(crate) fn address(route: &Arc<HttpRoute>) -> usize {
    Arc::as_ptr(route).addr()
}

/// Parameters that are ids, by operation, and their kinds.
fn ids_of(model: &model::Contract, routes: &Routes) -> (HashMap<usize, Box<[IdParameter]>>, Kinds) {
    let (mut ids, mut kinds) = (HashMap::new(), Kinds::default());
    for route in routes.http() {
        kinds.add_path(&route.path);
        let Some(operation) = &route.operation else { continue };
        let names = objects::id_parameters(&route.path, operation, &model.shapes).into_iter();
        let of = |name: &str| IdParameter {
            name: name.into(),
            kinds: kinds.add_parameter(&route.path, name).into(),
        };
        let own: Box<[_]> = names.map(of).collect();
        if !own.is_empty() {
            ids.insert(address(route), own);
        }
    }
    (ids, kinds)
}

/// All fields of models.
fn fields_of(model: &model::Contract) -> impl Iterator<Item = &model::Field> {
    let objects = model.shapes.iter().filter_map(|shape| match shape {
        model::Shape::Object(object) => Some(object),
        _ => None,
    });
    objects.flat_map(|object| &object.fields)
}

/// All names of fields and parameters.
fn names_of(model: &model::Contract, routes: &Routes) -> HashSet<Box<str>> {
    let mut names: HashSet<Box<str>> = HashSet::new();
    for field in fields_of(model) {
        names.insert(field.name.as_str().into());
        for step in field.lookup.iter().flatten() {
            if let model::PathItem::Key(key) = step {
                names.insert(key.as_str().into());
            }
        }
    }
    for input in routes.operations().flat_map(|operation| &operation.inputs) {
        names.extend(input.take.names().map(Into::into));
    }
    names
}

/// The names of fields that have several.
fn spellings_of(model: &model::Contract) -> HashMap<Box<str>, Vec<Box<str>>> {
    let mut all: HashMap<Box<str>, Vec<Box<str>>> = HashMap::new();
    for field in fields_of(model) {
        let keys = field.lookup.iter().filter_map(|path| match path.as_slice() {
            [model::PathItem::Key(key)] => Some(key.as_str()),
            _ => None,
        });
        let mut names: Vec<&str> = keys.chain([field.name.as_str()]).collect();
        names.sort_unstable();
        names.dedup();
        for name in names.iter().filter(|_| names.len() > 1) {
            let known = all.entry((*name).into()).or_default();
            known.extend(names.iter().map(|name| Box::from(*name)));
            known.sort_unstable();
            known.dedup();
        }
    }
    all
}

/// Cookies that identify the caller of an operation.
pub(crate) fn cookies_of(operation: &Operation) -> impl Iterator<Item = &str> {
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
    urls.filter_map(|url| sensitive::path_of(url).map(Into::into))
}
