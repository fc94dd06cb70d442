//! The load report: what is known of an app, where the app decides, what is enforced and what is
//! only recorded.

mod brief;
mod full;
mod objects;

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
};

use mantlet_contract::{
    callbacks::{self, Callback},
    model::{self, Note, Route, Router, Shape, ShapeId, Source},
    objects::Place,
    routes::Visibility,
};
use mantlet_controls::{client::is_forgeable, contract::Rules, operation::Contract};

use crate::say::amount;

/// Headers that are named.
const REMOVED: usize = 5;

/// What a person wants to know of a contract.
#[derive(Debug)]
pub(crate) struct Report {
    /// The app, or the document.
    name: String,
    /// Where the contract was read.
    from: String,
    is_claim: bool,
    operations: usize,
    hidden: Vec<String>,
    web_sockets: usize,
    foreign: usize,
    is_complete: bool,
    /// Operations that code of the app may reach before what came is validated.
    rewritten: usize,
    /// Those, and those in whose place something else may answer.
    unproven: usize,
    /// Operations in whose place something else may answer, and what: only its code knows.
    unsure: BTreeMap<String, usize>,
    /// Operations whose 422 is the app's own.
    own_words: usize,
    /// Operations whose invalid input waits for what may refuse a request before; one of those that
    /// may.
    waiting: usize,
    /// What it is that may refuse, and before how many operations.
    guarded: BTreeMap<String, usize>,
    /// Operations whose input is only reported, and on which the app has agreed often.
    offered: usize,
    /// Operations of whose good answers something is known.
    described: usize,
    /// Headers that the app reads, and that clients may not send.
    removed: Vec<String>,
    /// Operations to which pages of other sites may send their users on purpose.
    callbacks: Vec<Callback>,
    notes: Vec<Note>,
    /// Whose its objects are.
    objects: mantlet_contract::objects::Found,
    /// How many rules check whose object an operation shows.
    rules_of: fn(&Place) -> usize,
}

impl Report {
    pub(crate) fn new(
        name: impl Into<String>,
        from: impl Into<String>,
        model: &model::Contract,
        contract: &Contract,
        left: Vec<Note>,
    ) -> Self {
        let mut report = Self {
            name: name.into(),
            from: from.into(),
            is_claim: model.source == Source::Document,
            operations: 0,
            hidden: Vec::new(),
            web_sockets: 0,
            foreign: 0,
            is_complete: model.router.complete,
            rewritten: 0,
            unproven: 0,
            unsure: BTreeMap::new(),
            own_words: 0,
            waiting: 0,
            guarded: BTreeMap::new(),
            offered: 0,
            described: 0,
            removed: Vec::new(),
            callbacks: callbacks::find(model),
            notes: model.notes.iter().cloned().chain(left).collect(),
            objects: mantlet_contract::objects::Found::default(),
            rules_of: |_| 0,
        };
        report.count_others(&model.router);
        let mut known = HashSet::new();
        for route in contract.routes().http() {
            let Some(operation) = &route.operation else { continue };
            // A document's operations are known below the prefix of each server, too.
            if report.is_claim && !known.insert((&operation.id, &route.methods)) {
                continue;
            }
            report.operations += 1;
            let headers = operation.header_names().map(str::to_ascii_lowercase);
            report.removed.extend(headers.filter(|name| is_forgeable(name)));
            report.rewritten += usize::from(route.rewrites);
            if let Some(why) = &route.unsure {
                *report.unsure.entry((**why).to_owned()).or_default() += 1;
            }
            let is_left = route.rewrites || route.unsure.is_some();
            report.unproven += usize::from(is_left);
            report.own_words += usize::from(!is_left && route.answers_invalid);
            let guards = operation.guards.iter().map(|guard| &guard.why);
            let first: Vec<_> = route.refuses_first.iter().chain(guards).collect();
            let is_enforced = !is_left && !route.answers_invalid && !operation.inputs.is_empty();
            report.waiting += usize::from(is_enforced && !first.is_empty());
            for why in first {
                *report.guarded.entry(why.clone()).or_default() += 1;
            }
            if route.visibility == Visibility::Hidden {
                report.hidden.push(format!("{} {}", route.methods.join(","), route.path));
            }
            let is_good = |status: Option<u16>| status.is_none_or(|status| (200..300).contains(&status));
            let mut answers = operation.responses.iter();
            report.described += usize::from(
                answers.any(|response| is_good(response.status) && says_something(model, response.shape)),
            );
        }
        report.removed.sort_unstable();
        report.removed.dedup();
        report
    }

    /// With what the app has agreed to in an earlier life of the gate.
    pub(crate) fn with_agreement(
        mut self,
        contract: &Contract,
        rules_of: impl Fn(&str, &str) -> Rules,
    ) -> Self {
        self.offered = contract.agreement(rules_of).iter().filter(|seen| seen.is_offered()).count();
        self
    }

    /// With whose its objects are, and how many rules check that.
    pub(crate) fn with_objects(mut self, model: &model::Contract, rules_of: fn(&Place) -> usize) -> Self {
        self.objects = mantlet_contract::objects::find(model);
        self.rules_of = rules_of;
        self
    }

    fn count_others(&mut self, router: &Router) {
        for route in &router.routes {
            match route {
                Route::WebSocket { .. } => self.web_sockets += 1,
                Route::Mount { router: Some(router), .. } | Route::Host { router: Some(router), .. } => {
                    self.count_others(router);
                }
                Route::Mount { router: None, .. } | Route::Host { router: None, .. } => self.foreign += 1,
                Route::Http { .. } | Route::Opaque { .. } => {}
            }
        }
    }

    /// What the app reads and does not get from clients, if there is such a thing.
    fn removed(&self) -> String {
        if self.removed.is_empty() {
            return String::new();
        }
        let names: Vec<_> = self.removed.iter().take(REMOVED).map(|name| format!("`{name}`")).collect();
        let more = self.removed.len().saturating_sub(REMOVED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!(
            "\nheaders: the app reads {}{more}, which only proxies in `client.trusted` may send; `client.keep` allows clients to send them",
            names.join(", ")
        )
    }

    fn head(&self) -> String {
        let mut text =
            format!("the contract of {}, {}: {}", self.name, self.from, amount(self.operations, "operation"));
        if !self.hidden.is_empty() {
            let _ = write!(text, " ({} not in its document)", self.hidden.len());
        }
        for (number, one, more) in [
            (self.web_sockets, "WebSocket", "WebSockets"),
            (self.foreign, "mount of another kind of app", "mounts of another kind of app"),
        ] {
            if number > 0 {
                let _ = write!(text, ", {number} {}", if number == 1 { one } else { more });
            }
        }
        text
    }

    fn answers(&self) -> String {
        format!("responses: described for {} of {}", self.described, self.operations)
    }

    /// Reasons with their places, the most frequent first.
    fn reasons(&self) -> Vec<(&str, Vec<&str>)> {
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for Note { at, why } in &self.notes {
            reasons.entry(why).or_default().push(at);
        }
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, places)| std::cmp::Reverse(places.len()));
        reasons
    }
}

/// Whether a shape tells more of an answer than that there is one.
fn says_something(model: &model::Contract, shape: Option<ShapeId>) -> bool {
    let shape = shape.and_then(|shape| usize::try_from(shape.0).ok().and_then(|at| model.shapes.get(at)));
    shape.is_some_and(|shape| !matches!(shape, Shape::Any | Shape::Opaque { .. }))
}

#[cfg(test)]
mod tests;
