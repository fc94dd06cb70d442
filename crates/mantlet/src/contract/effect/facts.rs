//! What is known of an app, as far as settings are about it.

use std::{collections::HashSet, sync::Arc};

use mantlet_contract::{
    model::{self, BodyKind, Operation, Route, Router, SecurityScheme},
    routes::{HttpRoute, Roots, Routes},
    sensitive::{self, Place, SensitiveRoute},
};

/// What is known of an app, as far as settings are about it.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(super) routes: Vec<Fact>,
    /// Below these anything may be.
    pub(super) foreign: Vec<String>,
    /// Nothing else can answer.
    pub(super) is_whole: bool,
    pub(super) roots: Roots,
    pub(super) root_path: Option<String>,
    pub(super) sensitive: Vec<SensitiveRoute>,
    pub(super) operations: usize,
    /// Operations whose input is only reported, whatever the posture.
    pub(super) rewritten: usize,
}

/// One route.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Fact {
    pub(super) path: String,
    /// None means all.
    pub(super) methods: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) takes: HashSet<String>,
    /// Not all that it takes is known.
    pub(super) may_take_more: bool,
    pub(super) headers: HashSet<String>,
    pub(super) has_key: bool,
    pub(super) takes_form: bool,
    pub(super) is_operation: bool,
}

impl Facts {
    pub(crate) fn of(model: &model::Contract, routes: &Routes) -> Self {
        let of_route = |route: &Arc<HttpRoute>| {
            let operation = route.operation.as_ref();
            let (places, is_whole) =
                operation.map_or((Vec::new(), false), |one| sensitive::places(model, one));
            Fact {
                path: route.own_path().to_owned(),
                methods: route.methods.clone(),
                tags: operation.map(|one| one.tags.clone()).unwrap_or_default(),
                takes: places.iter().map(Place::to_string).collect(),
                may_take_more: !is_whole,
                headers: operation
                    .map(|one| one.header_names().map(str::to_ascii_lowercase).collect())
                    .unwrap_or_default(),
                has_key: operation.is_some_and(has_key),
                takes_form: operation
                    .is_none_or(|one| !matches!(one.body, BodyKind::None | BodyKind::Json { .. })),
                is_operation: operation.is_some(),
            }
        };
        let mut facts = Self {
            routes: routes.http().map(of_route).collect(),
            foreign: Vec::new(),
            is_whole: model.router.complete,
            roots: Roots::new(model.root_path.iter().chain(&model.prefixes).map(String::as_str)),
            root_path: model.root_path.clone(),
            sensitive: sensitive::find(model),
            operations: routes.operations().count(),
            rewritten: routes
                .http()
                .filter(|route| route.operation.is_some() && (route.rewrites || route.unsure.is_some()))
                .count(),
        };
        facts.others("", &model.router);
        facts
    }

    /// Adds the WebSockets, the mounts of unknown apps and the other routes that are not HTTP.
    fn others(&mut self, below: &str, router: &Router) {
        for route in &router.routes {
            match route {
                Route::Mount { path, router: Some(router) } => self.others(&format!("{below}{path}"), router),
                Route::Host { router: Some(router), .. } => self.others(below, router),
                Route::Mount { path, router: None } | Route::WebSocket { path } => {
                    self.foreign.push(format!("{below}{path}"));
                }
                Route::Opaque { path: Some(path), .. } => self.foreign.push(format!("{below}{path}")),
                Route::Opaque { path: None, .. } | Route::Host { router: None, .. } => {
                    self.foreign.push(below.to_owned());
                }
                Route::Http { .. } => {}
            }
        }
    }

    /// The routes that a template of the configuration is about; none if that is not known. It may
    /// begin with one of these root paths.
    pub(super) fn about(&self, template: &str, roots: &Roots) -> Option<Vec<&Fact>> {
        let own = template.get(roots.start_in(template).at..).unwrap_or(template);
        let found: Vec<_> = self.routes.iter().filter(|fact| may_meet(own, &fact.path)).collect();
        let may_be_foreign = || {
            self.foreign.iter().any(|mount| may_meet(own, &format!("{mount}/{{rest:path}}")) || own == mount)
        };
        (!found.is_empty() || !may_be_foreign()).then_some(found)
    }
}

impl Fact {
    pub(super) fn has(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|own| own.eq_ignore_ascii_case(method))
    }
}

/// Whether it declares a credential that can be counted by.
fn has_key(operation: &Operation) -> bool {
    operation.security.iter().flatten().any(|requirement| {
        matches!(
            requirement.scheme,
            SecurityScheme::ApiKey { .. } | SecurityScheme::Bearer { .. } | SecurityScheme::Basic
        )
    })
}

/// Whether two templates may match the same path.
fn may_meet(one: &str, other: &str) -> bool {
    let (mut ours, mut theirs) = (one.split('/'), other.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(part), _) | (_, Some(part)) if part.contains(":path}") => return true,
            (Some(ours), Some(theirs)) if ours == theirs || ours.contains('{') || theirs.contains('{') => {}
            _ => return false,
        }
    }
}
