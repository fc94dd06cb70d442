//! Compares the gate's verdict on input with the app's response: whether both agree.
//!
//! Proof comes from code that can be read; agreement comes from traffic. It is counted for each
//! operation whose input is only reported, or whose verdict waits because the app may refuse first:
//!
//! - *agreed*: both accept, or the app's 422 names the same places and types;
//! - *different*: the app's 422 names other ones;
//! - *missed*: the gate has found nothing, and the app says 422;
//! - *contradicted*: the gate has found something, and the app responds as if nothing were wrong;
//! - *refused first*: the app says 401, 403, 404 or 429 to input that the gate found invalid, or
//!   refuses in any way if it is known that something may refuse. That proves only that something
//!   comes first.
//!
//! Input on which both have always agreed, and often, can be enforced by one line
//! (`unproven-input`).

use std::{
    collections::BTreeSet,
    sync::{
        PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use http::StatusCode;
use mantlet_contract::fault::{Fault, Loc};
use serde::{Deserialize, Serialize};

use super::{Rules, UnprovenInput};
pub use crate::operation::Contradiction;
use crate::{
    operation::{Contract, Matched, address, place},
    refusal::remedy,
};

/// How often both must have agreed before enforcing an operation is suggested.
const OFTEN: u64 = 20;
/// Places that are recorded of a contradiction.
const MAX_TOLD: usize = 5;

/// The gate's findings on a request that the app handles.
#[derive(Debug, Default)]
pub(crate) enum Judged {
    /// The app's verdict is not asked for.
    #[default]
    Unasked,
    /// Nothing.
    Valid,
    /// These faults; the app may find more.
    Invalid { faults: Box<[Fault]>, in_part: bool },
}

/// The counts of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seen {
    /// Its methods; none means all.
    pub methods: Vec<String>,
    /// Its path, as the app has it.
    pub path: String,
    /// Its input is only reported, because the code before it is not proven.
    pub unproven: bool,
    /// Code that may refuse a request before its input is validated, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses_first: Option<String>,
    /// Both have accepted it.
    pub valid: u64,
    /// Both have refused it, in the same places.
    pub invalid: u64,
    /// Both have refused it, in different places.
    pub different: u64,
    /// Only the app has refused it.
    pub missed: u64,
    /// Only the gate has refused it.
    pub contradicted: u64,
    /// The app refused first, and the gate found the input invalid.
    pub refused_first: u64,
    /// The last contradicted request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Contradiction>,
}

impl Seen {
    /// Whether anything was counted.
    pub const fn is_something(&self) -> bool {
        self.valid + self.invalid + self.different + self.missed + self.contradicted + self.refused_first > 0
    }

    /// Whether both have always agreed, often, and also on invalid input: then it can be enforced.
    pub const fn is_offered(&self) -> bool {
        self.unproven
            && self.invalid > 0
            && self.valid + self.invalid >= OFTEN
            && self.different == 0
            && self.contradicted == 0
            && self.refused_first == 0
    }

    /// The lines that enforce it.
    pub fn lines(&self) -> String {
        let methods: Vec<_> = self.methods.iter().map(|method| format!("\"{method}\"")).collect();
        let methods =
            if methods.is_empty() { String::new() } else { format!("methods = [{}]\n", methods.join(", ")) };
        let path = remedy::quoted(&self.path);
        format!("[[route]]\npath = {path}\n{methods}contract.unproven-input = \"enforce\"")
    }
}

/// The meaning of the app's response for the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Nothing,
    Valid,
    Invalid,
    Different,
    Missed,
    Contradicted,
    RefusedFirst,
}

/// Facts about a route's own responses.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    /// It reports invalid input in words of its own.
    own_words: bool,
    /// Something may refuse a request before validation, with any status.
    may_refuse: bool,
}

impl Judged {
    /// Whether the body of the response has to be read.
    pub(crate) fn asks_for(&self, status: StatusCode) -> bool {
        status == StatusCode::UNPROCESSABLE_ENTITY && !matches!(self, Self::Unasked)
    }

    /// Whether the app has also refused invalid input.
    pub(crate) fn is_confirmed(&self, status: StatusCode) -> bool {
        status == StatusCode::UNPROCESSABLE_ENTITY && matches!(self, Self::Invalid { .. })
    }

    fn meaning(&self, status: StatusCode, body: Option<&[u8]>, route: Facts) -> Meaning {
        let said = body.and_then(faults_in);
        match self {
            Self::Valid if status == StatusCode::UNPROCESSABLE_ENTITY => {
                if said.is_some() {
                    Meaning::Missed
                } else {
                    Meaning::Nothing
                }
            }
            Self::Valid if status.is_success() => Meaning::Valid,
            Self::Unasked | Self::Valid => Meaning::Nothing,
            Self::Invalid { faults, in_part } => match (status.as_u16(), said) {
                (422, Some(said)) => {
                    let ours = faults.iter().map(|fault| (fault.kind.to_string(), fault.loc.clone()));
                    let ours: BTreeSet<_> = ours.map(|(kind, loc)| (kind, shown(&loc))).collect();
                    if said == ours || (*in_part && said.is_superset(&ours)) {
                        Meaning::Invalid
                    } else {
                        Meaning::Different
                    }
                }
                (401 | 403 | 404 | 429, _) => Meaning::RefusedFirst,
                (300..=421 | 423..=499, _) if route.may_refuse => Meaning::RefusedFirst,
                // A refusal in the app's own words.
                (400..=499, None) if route.own_words => Meaning::Invalid,
                (422 | 500..=599, _) => Meaning::Nothing,
                _ => Meaning::Contradicted,
            },
        }
    }
}

/// A place, in the form for comparison.
fn shown(loc: &[Loc]) -> String {
    serde_json::to_string(loc).unwrap_or_default()
}

/// The types and places in FastAPI's response to invalid input; none for another response.
fn faults_in(body: &[u8]) -> Option<BTreeSet<(String, String)>> {
    #[derive(Deserialize)]
    struct Said {
        detail: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        r#type: String,
        loc: Vec<serde_json::Value>,
    }
    let said: Said = serde_json::from_slice(body).ok()?;
    let faults = said.detail.into_iter().map(|one| Some((one.r#type, serde_json::to_string(&one.loc).ok()?)));
    faults.collect()
}

impl Matched {
    /// Whether the app's response is needed: it is if the verdict is not carried out at once.
    pub(super) fn is_observed(&self, reported: bool) -> bool {
        reported || self.may_refuse()
    }

    /// Whether something may refuse a request before its input is validated.
    fn may_refuse(&self) -> bool {
        let operation = self.route.operation.as_ref();
        self.route.refuses_first.is_some() || operation.is_some_and(|one| !one.guards.is_empty())
    }

    /// Learns the app's response, with its body if that was needed. Returns the gate's findings if
    /// the app contradicts them for the first time.
    pub(crate) fn answered(
        &self,
        judged: &Judged,
        status: StatusCode,
        body: Option<&[u8]>,
        request_id: &str,
    ) -> Option<String> {
        let tally = self.contract.tallies.get(&address(&self.route))?;
        let facts = Facts { own_words: self.route.answers_invalid, may_refuse: self.may_refuse() };
        let counter = match judged.meaning(status, body, facts) {
            Meaning::Nothing => return None,
            Meaning::Valid => &tally.valid,
            Meaning::Invalid => &tally.invalid,
            Meaning::Different => &tally.different,
            Meaning::Missed => &tally.missed,
            Meaning::RefusedFirst => &tally.refused_first,
            Meaning::Contradicted => &tally.contradicted,
        };
        let before = counter.fetch_add(1, Ordering::Relaxed);
        let Judged::Invalid { faults, .. } = judged else { return None };
        if !std::ptr::eq(counter, &raw const tally.contradicted) {
            return None;
        }
        let found: Vec<_> =
            faults.iter().take(MAX_TOLD).map(|fault| place::told(fault, &self.contract.declared)).collect();
        let told = found.join("; ");
        let last = Contradiction { request_id: request_id.to_owned(), status: status.as_u16(), found };
        *tally.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        (before == 0).then_some(told)
    }
}

impl Contract {
    /// Restores the counts of an earlier run of the gate with the same contract.
    pub fn remember(&self, all: &[Seen]) {
        for route in self.routes.http() {
            let known = all.iter().find(|seen| seen.path == route.path && seen.methods == route.methods);
            let (Some(seen), Some(tally)) = (known, self.tallies.get(&address(route))) else { continue };
            for (counter, count) in [
                (&tally.valid, seen.valid),
                (&tally.invalid, seen.invalid),
                (&tally.different, seen.different),
                (&tally.missed, seen.missed),
                (&tally.contradicted, seen.contradicted),
                (&tally.refused_first, seen.refused_first),
            ] {
                counter.fetch_add(count, Ordering::Relaxed);
            }
            tally.last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&seen.last);
        }
    }

    /// The counts of each operation whose verdicts are not all carried out at once.
    pub fn agreement(&self, rules_of: impl Fn(&str, &str) -> Rules) -> Vec<Seen> {
        let routes = self.routes.http().filter_map(|route| {
            let operation = route.operation.as_ref()?;
            let tally = self.tallies.get(&address(route))?;
            let method = route.methods.first().map_or("GET", String::as_str);
            let rules = rules_of(method, &route.path);
            let proven =
                rules.unproven_input == UnprovenInput::Enforce || !(route.rewrites || route.unsure.is_some());
            let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            let guard = operation.guards.first().map(|guard| &guard.why);
            let seen = Seen {
                methods: route.methods.clone(),
                path: route.path.clone(),
                unproven: !proven || !self.counts(&rules),
                refuses_first: route.refuses_first.as_ref().or(guard).cloned(),
                valid: count(&tally.valid),
                invalid: count(&tally.invalid),
                different: count(&tally.different),
                missed: count(&tally.missed),
                contradicted: count(&tally.contradicted),
                refused_first: count(&tally.refused_first),
                last: tally.last.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            };
            (seen.unproven || seen.refuses_first.is_some()).then_some(seen)
        });
        let mut all: Vec<_> = routes.collect();
        all.sort_by(|one, other| (&one.path, &one.methods).cmp(&(&other.path, &other.methods)));
        all
    }
}

#[cfg(test)]
#[path = "agreement_tests.rs"]
mod tests;
