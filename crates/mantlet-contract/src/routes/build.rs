//! Compiles a router of the contract.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    HttpRoute, Kind, Roots, Route, Routes, TemplateError, Visibility, host::HostTemplate, template::Template,
    tree::Tree,
};
use crate::model;

/// Where a router stands.
#[derive(Debug, Default)]
struct Below {
    /// What it is mounted below.
    path: String,
    /// The host that it is for.
    host: Option<Arc<str>>,
    /// What may answer in its place.
    unsure: Option<Arc<str>>,
    /// Bytes of that which the outermost mount stands for.
    mount: Option<usize>,
    /// Of a document's servers.
    prefixes: Roots,
    /// Statuses that error handlers around it may answer with.
    handled: Vec<u16>,
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

    fn below(below: &Below, router: &model::Router, errors: &mut Vec<TemplateError>) -> Self {
        // What an app's own handlers do not take is raised on to those around it.
        let handled = [below.handled.as_slice(), &router.handles].concat();
        let (mut entries, mut tree) = (Vec::new(), Tree::default());
        let (mut anywhere, mut hosts) = (Vec::new(), HashMap::<Box<str>, Vec<u32>>::new());
        // What may answer any request in place of what follows, and what may for a path.
        let (mut unsure, mut unsure_at) = (below.unsure.clone(), HashMap::<String, Arc<str>>::new());
        let inside = |path: String, host: Option<&str>, mount, unsure: &Option<Arc<str>>| Below {
            path,
            host: host.map(Into::into).or_else(|| below.host.clone()),
            mount,
            unsure: unsure.clone(),
            prefixes: below.prefixes.clone(),
            handled: handled.clone(),
        };
        let mut opaque = Vec::new();
        for route in &router.routes {
            let index = u32::try_from(entries.len()).unwrap_or(u32::MAX);
            let mut own = &BTreeMap::new();
            let (path, kind) = match route {
                model::Route::Http { path, methods, hidden, docs, convertors, operation } => {
                    own = convertors;
                    let mut methods = methods.clone();
                    methods.sort_unstable();
                    let whole = format!("{}{path}", below.path);
                    let route = HttpRoute {
                        own_at: below.prefixes.start_in(&whole).at,
                        mount: below.mount,
                        host: below.host.clone(),
                        unsure: unsure.as_ref().or_else(|| unsure_at.get(path)).cloned(),
                        path: whole,
                        methods,
                        visibility: Visibility::of(*docs, *hidden),
                        operation: operation.as_deref().cloned(),
                        answers_invalid: router.answers_invalid,
                        answers_unsayable: router.answers_unsayable,
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
                    let whole = format!("{}{path}", below.path);
                    let mount = Some(below.mount.unwrap_or(whole.len()));
                    let path = format!("{path}/{{path:path}}");
                    opaque.extend(router.is_none().then(|| format!("{whole}/{{path:path}}").into()));
                    let unsure = unsure.clone().or_else(|| unsure_at.get(&path).cloned());
                    let below = inside(whole, None, mount, &unsure);
                    let inner = router.as_ref().map(|router| Box::new(Self::below(&below, router, errors)));
                    (Some(path), Kind::Mount(inner))
                }
                model::Route::Host { host, router } => match HostTemplate::compile(host) {
                    Ok(template) => {
                        let below = inside(below.path.clone(), Some(host), below.mount, &unsure);
                        let inner =
                            router.as_ref().map(|router| Box::new(Self::below(&below, router, errors)));
                        (None, Kind::Host(template, inner))
                    }
                    Err(error) => {
                        errors.push(error);
                        (None, Kind::Opaque(Vec::new()))
                    }
                },
                model::Route::Opaque { why, path, methods } => {
                    let why = || why.as_str().into();
                    match path {
                        Some(path) => {
                            opaque.push(format!("{}{path}", below.path).into());
                            unsure_at.entry(path.clone()).or_insert_with(why);
                        }
                        None => _ = unsure.get_or_insert_with(why),
                    }
                    (path.clone(), Kind::Opaque(methods.clone()))
                }
            };
            let template = path.as_deref().map(|path| Template::compile(path, own)).transpose();
            match (template, path) {
                (Ok(Some(template)), Some(path)) => {
                    tree.insert(&path, index);
                    entries.push(Route { template: Some(template), kind });
                    continue;
                }
                (Ok(_), _) => entries.push(Route { template: None, kind }),
                (Err(error), _) => {
                    unsure.get_or_insert_with(|| error.to_string().into());
                    errors.push(error);
                    entries.push(Route { template: None, kind: Kind::Opaque(Vec::new()) });
                }
            }
            match entries.last().and_then(Route::looked_up) {
                Some(host) => hosts.entry(host.into()).or_default().push(index),
                None => anywhere.push(index),
            }
        }
        let (redirect_slashes, complete) = (router.redirect_slashes, router.complete);
        Self { entries, tree, anywhere, hosts, redirect_slashes, complete, opaque, roots: Roots::default() }
    }
}

impl Route {
    /// The host by which it is looked up, if it is for one alone.
    fn looked_up(&self) -> Option<String> {
        match &self.kind {
            Kind::Host(template, _) => template.looked_up(),
            _ => None,
        }
    }
}
