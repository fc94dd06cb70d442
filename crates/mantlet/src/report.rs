//! The load report: what is known of an app, where the app decides, what is enforced and what is only recorded.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
};

use http::Method;
use mantlet_contract::{
    callbacks::{self, Callback},
    model::{self, Note, Route, Router, Shape, ShapeId, Source},
    routes::Visibility,
};
use mantlet_controls::{
    Mode,
    client::is_forgeable,
    config::{Posture, Tolerance},
    contract::{InputOrder, Rules, Trust, UnprovenInput},
    operation::Contract,
    refusal::remedy,
    route::{RoutePolicy, Routes},
};

/// Reasons that are named at start.
const REASONS: usize = 3;
/// Operations that look like callbacks that are named at start.
const CALLBACKS: usize = 5;

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
    /// Operations whose invalid input waits for what may refuse a request before; one of those that may.
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

    /// In a few lines, with what it leads to.
    pub(crate) fn brief(&self, routes: &Routes) -> String {
        let mut text = self.head();
        let _ = write!(text, "\n{}", self.consequence(routes.fallback()));
        self.name_callbacks(routes, &mut text);
        text.push_str(&self.removed());
        text.push_str(&self.unsure(&routes.fallback().rules));
        let reasons = self.reasons();
        if !reasons.is_empty() {
            let _ = write!(text, "\nthe app decides at {}: ", amount(self.notes.len(), "place"));
            let named: Vec<_> = reasons
                .iter()
                .take(REASONS)
                .map(|(why, places)| match places.len() {
                    1 => (*why).to_owned(),
                    number => format!("{why} ({number})"),
                })
                .collect();
            text.push_str(&named.join("; "));
            if reasons.len() > REASONS {
                let _ = write!(text, "; and {}", amount(reasons.len() - REASONS, "other reason"));
            }
            let document = if self.is_claim { " --openapi" } else { "" };
            let them = if self.notes.len() == 1 { "it" } else { "them" };
            let _ = write!(text, " (`mantlet contract{document}` names {them})");
        }
        text
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

    /// What may answer in place of operations, and the line that refuses input there nevertheless.
    fn unsure(&self, rules: &Rules) -> String {
        let mut text = String::new();
        for (why, number) in self.unsure.iter().take(REASONS) {
            let _ = write!(
                text,
                "\nroutes: {why} may answer in place of {}: limits apply there as usual, and invalid input is reported, not refused",
                amount(*number, "operation")
            );
        }
        if self.unsure.len() > REASONS {
            let _ = write!(text, "\nroutes: and {}", amount(self.unsure.len() - REASONS, "other route"));
        }
        if !self.unsure.is_empty() && rules.unproven_input == UnprovenInput::Report {
            text.push_str("; `contract.unproven-input = \"enforce\"` refuses it");
        }
        text
    }

    /// Those at which the protection against forged requests would stand in the way, and the line that lets them pass.
    fn name_callbacks(&self, routes: &Routes, text: &mut String) {
        let refused = |callback: &&Callback| {
            routes.of(&Method::POST, mantlet_controls::call::Spellings::one(&callback.path)).csrf
                == Mode::Enforce
        };
        let refused: Vec<_> = self.callbacks.iter().filter(refused).collect();
        let Some(first) = refused.first() else { return };
        let looks = if refused.len() == 1 {
            "1 operation looks"
        } else {
            &format!("{} operations look", refused.len())
        };
        let named = refused
            .iter()
            .take(CALLBACKS)
            .map(|callback| format!("POST {} ({})", callback.path, callback.why));
        let named = named.collect::<Vec<_>>().join("; ");
        let more = if refused.len() > CALLBACKS { "; …" } else { "" };
        let _ = write!(
            text,
            "\n{looks} like a callback that a page of another site sends: {named}{more}\n  a browser with any cookie gets 403 `csrf-cross-site` there, unless the page's origin is in `csrf.trusted-origins`, or the route has `csrf.mode = \"off\"`: {}",
            remedy::of_route(&first.path, "POST", "csrf.mode = \"off\"")
        );
    }

    /// With every place.
    pub(crate) fn full(&self) -> String {
        let mut text = self.head();
        text.push_str(match (self.is_complete, self.is_claim) {
            (true, false) => "\npaths: all are known",
            (true, true) => "\npaths: all are known, if the document is true",
            (false, _) => "\npaths: not all are known, so unknown ones are left to the app",
        });
        let _ = write!(text, "\n{}", self.answers());
        text.push_str(&self.removed());
        for (why, number) in &self.unsure {
            let _ = write!(text, "\n{why} may answer in place of {}", amount(*number, "operation"));
        }
        if !self.guarded.is_empty() {
            text.push_str("\nmay refuse before input is validated:");
            for (why, number) in &self.guarded {
                let _ = write!(text, "\n  {why}: {}", amount(*number, "operation"));
            }
        }
        if !self.hidden.is_empty() {
            text.push_str("\nnot in its document:");
            for place in &self.hidden {
                let _ = write!(text, "\n  {place}");
            }
        }
        if self.notes.is_empty() {
            text.push_str("\nno place is known where only the app can decide");
            return text;
        }
        let _ = write!(text, "\n{} where the app decides:", amount(self.notes.len(), "place"));
        for (why, places) in self.reasons() {
            let _ = write!(text, "\n  {why}");
            for place in places {
                let _ = write!(text, "\n    {place}");
            }
        }
        text
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

    /// What is enforced, what is only recorded, and why.
    fn consequence(&self, policy: &RoutePolicy) -> String {
        let rules = &policy.rules;
        let is_trusted = rules.trust == Trust::Document;
        let answers = self.answers();
        if rules.mode == Mode::Off {
            return "nothing is checked against it: `mode = \"off\"` under `[contract]`".to_owned();
        }
        if self.is_claim && !is_trusted {
            return format!(
                "reported, not enforced: a document is a claim; `--trust-document`, or `trust = \"document\"` under `[contract]`, enforces it\n{answers}"
            );
        }
        let trusted = match (self.is_claim, rules.posture) {
            (false, _) => "",
            (true, Posture::Strict) => "the document is trusted, because the posture is strict\n",
            (true, Posture::Compatible) => {
                "the document is trusted, as `--trust-document` or `trust = \"document\"` says\n"
            }
        };
        let is_reported = rules.unproven_input == UnprovenInput::Report;
        let rewritten = if is_reported { self.rewritten } else { 0 };
        let unsure = if is_reported { self.unproven - self.rewritten } else { 0 };
        let mut free = self.operations - rewritten - unsure;
        let mut only = Vec::new();
        if unsure > 0 {
            only.push(format!("{unsure} (another route may answer in their place)"));
        }
        if rewritten > 0 {
            only.push(format!("{rewritten} (code before them is not proven to leave requests as they are)"));
        }
        if self.own_words > 0 && rules.posture == Posture::Compatible {
            free -= self.own_words;
            only.push(format!("{} (the app rewrites validation errors)", self.own_words));
        }
        let input = match policy.input {
            _ if self.operations == 0 => "there is none to judge".to_owned(),
            Mode::Enforce if only.is_empty() => "enforced".to_owned(),
            // Where nothing is left, nothing is enforced.
            Mode::Enforce if free == 0 => format!("only reported for {}", only.join(" and ")),
            Mode::Enforce => format!("enforced for {free}, only reported for {}", only.join(" and ")),
            Mode::Report => "reported".to_owned(),
            Mode::Off => "not judged".to_owned(),
        };
        let said = |tolerance: Tolerance| match tolerance {
            Tolerance::Reject if rules.mode == Mode::Enforce => "refused",
            Tolerance::Reject | Tolerance::Report => "reported",
            Tolerance::Allow => "let through",
        };
        let unknown = if self.is_complete {
            said(rules.unknown_routes)
        } else {
            "left to the app, because other code may answer them"
        };
        let mut text = format!("{trusted}input: {input}");
        if policy.input == Mode::Enforce {
            text.push_str(&self.left_to_the_app(rules, !only.is_empty()));
        }
        let _ = write!(text, "\nunknown paths and methods: {unknown}");
        if !self.hidden.is_empty() {
            let _ = write!(text, "; hidden routes: {}", said(rules.hidden_routes));
        }
        if self.operations > 0 {
            let _ = write!(text, "\n{answers}");
        }
        text
    }

    /// What waits for the app, what is lost where input is only reported, and what could be enforced.
    fn left_to_the_app(&self, rules: &Rules, only_reported: bool) -> String {
        let mut text = String::new();
        let most = self.guarded.iter().max_by_key(|(_, number)| **number).map(|(why, _)| why);
        if let Some(first) = most.filter(|_| self.waiting > 0 && rules.input_order == InputOrder::AsApp) {
            let _ = write!(
                text,
                "\nleft to the app for {}, where something may refuse first: {first}",
                amount(self.waiting, "operation")
            );
        }
        if only_reported && !self.is_claim {
            text.push_str(
                "\nFastAPI still validates input that is only reported; if it were enforced, invalid requests would not reach the app, and fields that its models ignore would be cut out",
            );
        }
        if self.offered > 0 {
            let they = if self.offered == 1 { "has" } else { "have" };
            let _ = write!(
                text,
                "\n{} {they} always agreed with the app: `mantlet contract --agreement` prints the lines that enforce that",
                amount(self.offered, "operation"),
            );
        }
        text
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

pub(crate) fn amount(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}"),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
