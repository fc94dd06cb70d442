//! Whose the app's objects are, and the rules that follow from it.
//!
//! The inspector reads tables, foreign keys and models ([`crate::model::Objects`]); here is what that leads
//! to: for each table a sentence, and proposals of `[[authorization.own]]`. A proposal is made only
//! where it is clear whose the objects are, and only for operations that ask who is calling and are not
//! meant for administrators. Nothing here is enforced.

mod caller;
mod functions;
mod kinds;
mod owned;
mod proposal;
mod proposing;
mod readers;
mod requests;
mod text;
mod words;

use std::collections::BTreeSet;

use self::{
    caller::Caller,
    proposing::{Proposed, Proposing},
    words::{is_for_administrators, is_id, is_no_id},
};
pub use self::{
    functions::{FunctionPath, FunctionProposal},
    kinds::{Kind, KindNumber, Kinds, Meaning},
    proposal::Proposal,
};
use crate::model::{
    Contract, Location, Operation, Owner, Route, Router, Shape, ShapeId, Shown, ShownObjects,
};

/// What is known of an app's objects.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Tables whose objects operations show or name.
    pub tables: Vec<OwnedTable>,
    /// Why the table of users is not known.
    pub unknown: Option<String>,
    /// Operations with an id in their path that ask who is calling.
    pub with_id: Vec<Place>,
    /// Rules about who may call operations that seem to be for administrators.
    pub functions: Vec<FunctionProposal>,
}

/// A table whose objects operations show or name.
#[derive(Debug, Clone)]
pub struct OwnedTable {
    /// Its name.
    pub name: String,
    /// Whose its objects are, in words: ``are owned by `users.id` through `user_id` ``.
    pub owned: String,
    /// Operations that show its objects, or take their keys.
    pub shown: Vec<Place>,
    /// Rules that are proposed.
    pub proposals: Vec<Proposal>,
    /// What no rule is proposed for, and why.
    pub left: Vec<String>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Its path, with what it is mounted below.
    pub path: String,
    /// Its methods.
    pub methods: Vec<String>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.methods.join(","), self.path)
    }
}

/// Finds out what is known of an app's objects.
pub fn find(contract: &Contract) -> Found {
    let mut all = Vec::new();
    operations("", &contract.router, &mut all);
    let has_id = |one: &&Located<'_>| !id_parameters(&one.path, one.operation, &contract.shapes).is_empty();
    let with_id = all.iter().filter(has_id);
    let with_id: BTreeSet<_> = with_id.map(Located::place).collect();
    let mut found = Found { with_id: with_id.into_iter().collect(), ..Found::default() };
    let Some(objects) = &contract.objects else { return found };
    found.unknown.clone_from(&objects.unknown);
    let Some(user) = &objects.user else { return found };
    let caller = Caller::of(contract, user, &all);
    found.functions = functions::find(&caller, &all);
    let mut proposed = Proposing::new(objects, user, &caller, &all, &contract.shapes).all();
    for table in &objects.tables {
        let shown: Vec<_> = all.iter().filter(|one| one.is_about(&table.name)).map(Located::place).collect();
        if matches!(table.owner, Owner::None | Owner::Join) || shown.is_empty() {
            continue;
        }
        let Proposed { proposals, left } = proposed.remove(table.name.as_str()).unwrap_or_default();
        found.tables.push(OwnedTable {
            name: table.name.clone(),
            owned: text::owned(table),
            shown,
            proposals,
            left,
        });
    }
    found
}

/// The parameters of a path that say which object is meant, if the operation asks who is calling.
pub fn id_parameters<'o>(path: &'o str, operation: &'o Operation, shapes: &[Shape]) -> Vec<&'o str> {
    let keys = operation.objects.as_deref().map(|facts| facts.parameters.as_slice()).unwrap_or_default();
    let one = Located { path: path.to_owned(), methods: &[], operation };
    if !one.is_secured() {
        return Vec::new();
    }
    let is_key = |name: &str| keys.iter().any(|key| key.name == name);
    parameters(path)
        .filter(|name| {
            is_key(name) || is_id(name) || (one.is_number_or_uuid(shapes, name) && !is_no_id(name))
        })
        .collect()
}

/// Names of the parameters of a path.
fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|inside| inside.split([':', '}']).next())
}

impl Found {
    /// Whether a rule is proposed for an operation.
    pub fn is_proposed(&self, place: &Place) -> bool {
        let mut all = self.tables.iter().flat_map(|table| &table.proposals);
        all.any(|proposal| proposal.is_for(place))
    }
}

/// An operation and its place.
struct Located<'c> {
    path: String,
    methods: &'c [String],
    operation: &'c Operation,
}

fn operations<'c>(below: &str, router: &'c Router, all: &mut Vec<Located<'c>>) {
    for route in &router.routes {
        match route {
            Route::Http { path, methods, operation: Some(operation), .. } => {
                all.push(Located { path: format!("{below}{path}"), methods, operation });
            }
            Route::Mount { path, router: Some(router) } => {
                operations(&format!("{below}{path}"), router, all);
            }
            Route::Host { router: Some(router), .. } => operations(below, router, all),
            _ => {}
        }
    }
}

impl<'c> Located<'c> {
    fn place(&self) -> Place {
        Place { path: self.path.clone(), methods: self.methods.to_vec() }
    }

    fn facts(&self) -> Option<&'c ShownObjects> {
        self.operation.objects.as_deref()
    }

    fn shows(&self) -> Option<&'c Shown> {
        self.facts()?.shows.as_ref()
    }

    fn is_get(&self) -> bool {
        self.methods.iter().any(|method| method == "GET")
    }

    fn is_post(&self) -> bool {
        self.methods.iter().all(|method| method == "POST")
    }

    fn is_delete(&self) -> bool {
        self.methods.iter().all(|method| method == "DELETE")
    }

    /// Whether it changes or removes what is at its path.
    fn is_change(&self) -> bool {
        self.methods.iter().all(|method| matches!(method.as_str(), "PUT" | "PATCH" | "DELETE"))
    }

    /// Whether it only asks for something.
    fn is_read(&self) -> bool {
        self.methods.iter().all(|method| matches!(method.as_str(), "GET" | "HEAD"))
    }

    /// Whether it finds out who is calling.
    fn is_secured(&self) -> bool {
        !self.operation.security.is_empty() || self.facts().is_some_and(|facts| facts.caller)
    }

    /// Whether its path, its tags or a dependency say that it is meant for administrators.
    fn is_for_administrators(&self) -> bool {
        let mut fixed = self.path.split('/').filter(|segment| !segment.contains('{'));
        fixed.any(is_for_administrators)
            || self.operation.tags.iter().any(|tag| is_for_administrators(tag))
            || self.is_behind_administrators()
    }

    /// Whether a dependency says so: then the app itself sees to it.
    fn is_behind_administrators(&self) -> bool {
        let behind = self.facts().map(|facts| facts.behind.as_slice()).unwrap_or_default();
        behind.iter().any(|name| is_for_administrators(name))
    }

    /// Whether any user may call it.
    fn is_open(&self) -> bool {
        self.is_secured() && !self.is_for_administrators()
    }

    /// Whether it shows objects of a table, or takes their keys.
    fn is_about(&self, table: &str) -> bool {
        self.shows().is_some_and(|shown| shown.table == table) || self.key_of(table).is_some()
    }

    /// The parameter of its path that is the key of an object of a table, and the column.
    fn key_of(&self, table: &str) -> Option<(&'c str, &'c str)> {
        let found = self.facts()?.parameters.iter().rfind(|one| one.table == table)?;
        Some((&found.name, &found.field))
    }

    /// Names of the parameters of its path.
    fn parameters(&self) -> impl Iterator<Item = &str> {
        parameters(&self.path)
    }

    fn is_number_or_uuid(&self, shapes: &[Shape], name: &str) -> bool {
        let mut inputs = self.operation.inputs.iter().filter(|input| input.location == Location::Path);
        inputs.any(|input| {
            input.take.names().any(|one| one == name)
                && shape(shapes, input.shape)
                    .is_some_and(|shape| matches!(shape, Shape::Int { .. } | Shape::Uuid { .. }))
        })
    }
}

fn shape(shapes: &[Shape], id: ShapeId) -> Option<&Shape> {
    shapes.get(usize::try_from(id.0).ok()?)
}

#[cfg(test)]
mod tests;
