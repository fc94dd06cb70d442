//! What becomes of invalid input, operation by operation, for the operator who looks at the contract.

use mantlet_contract::routes::{HttpRoute, Visibility};
use serde::Serialize;

use super::{InputOrder, Rules, UnprovenInput};
use crate::{Mode, config::Posture, operation::Contract};

/// An operation, and what becomes of its invalid input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its methods; none means all.
    pub methods: Vec<String>,
    /// Its path, as the app has it.
    pub path: String,
    /// It is not in the app's document.
    pub hidden: bool,
    /// `enforced`; `waits` for what may refuse first; `reported`; `opaque`: what it accepts is not known; `off`.
    pub input: &'static str,
    /// Why it is not simply enforced, if there is more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Contract {
    /// The operations by their paths, each with what becomes of its invalid input.
    pub fn overview(&self, rules_of: impl Fn(&str, &str) -> Rules) -> Vec<Standing> {
        let standing = |route: &HttpRoute| {
            let rules = rules_of(route.methods.first().map_or("GET", String::as_str), &route.path);
            let (input, why) = self.standing(route, &rules);
            let (methods, path) = (route.methods.clone(), route.path.clone());
            Standing { methods, path, hidden: route.visibility != Visibility::Public, input, why }
        };
        let mut all: Vec<_> = self.routes.http().map(|route| standing(route)).collect();
        all.sort_by(|one, other| (&one.path, &one.methods).cmp(&(&other.path, &other.methods)));
        all
    }

    fn standing(&self, route: &HttpRoute, rules: &Rules) -> (&'static str, Option<String>) {
        if rules.mode == Mode::Off {
            return ("off", None);
        }
        let Some(operation) = &route.operation else {
            return ("opaque", Some("the contract does not say what it accepts".to_owned()));
        };
        let reported = |why: &str| ("reported", Some(why.to_owned()));
        if rules.mode == Mode::Report {
            return reported("`contract.mode` is `report`");
        }
        if !self.counts(rules) {
            return reported("a document is a claim: `contract.trust = \"document\"` enforces it");
        }
        if rules.unproven_input == UnprovenInput::Report {
            if let Some(why) = &route.unsure {
                return reported(&format!("{why} may answer in its place"));
            }
            if route.rewrites {
                return reported("code of the app may change a request before it is validated");
            }
        }
        if route.answers_invalid && rules.posture == Posture::Compatible {
            return reported("the app answers invalid input in words of its own");
        }
        let guard = operation.guards.first().map(|guard| &guard.why);
        let first = route.refuses_first.as_ref().or(guard);
        match first.filter(|_| self.exact && rules.input_order == InputOrder::AsApp) {
            Some(why) => ("waits", Some(why.clone())),
            None => ("enforced", None),
        }
    }
}
