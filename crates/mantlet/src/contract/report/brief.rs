//! The report at start: a few lines, with what the contract leads to.

use std::fmt::Write as _;

use http::Method;
use mantlet_contract::callbacks::Callback;
use mantlet_controls::{
    Mode,
    call::Spellings,
    config::{Posture, Tolerance},
    contract::{InputOrder, Rules, Trust, UnprovenInput},
    refusal::remedy,
    route::{RoutePolicy, Routes},
};

use super::Report;
use crate::say::amount;

/// Reasons that are named at start.
const REASONS: usize = 3;
/// Operations that look like callbacks that are named at start.
const CALLBACKS: usize = 5;

impl Report {
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

    /// Those at which the protection against forged requests would stand in the way, and the line
    /// that lets them pass.
    fn name_callbacks(&self, routes: &Routes, text: &mut String) {
        let refused = |callback: &&Callback| {
            routes.of(&Method::POST, Spellings::one(&callback.path)).csrf == Mode::Enforce
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

    /// What waits for the app, what is lost where input is only reported, and what could be
    /// enforced.
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
}
