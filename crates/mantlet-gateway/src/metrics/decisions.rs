//! Counts decisions by code and outcome, whether they are recorded or only counted.

use std::{
    array,
    collections::HashMap,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use mantlet_controls::Reason;

/// As labels say it, in the order of the counters.
const OUTCOMES: [&str; 3] = ["refused", "reported", "changed"];

/// The place of each code.
static PLACES: LazyLock<HashMap<&str, usize>> =
    LazyLock::new(|| Reason::ALL.iter().enumerate().map(|(place, reason)| (reason.code(), place)).collect());

/// How often was decided what.
#[derive(Debug)]
pub(crate) struct Decisions(Vec<[AtomicU64; 3]>);

impl Default for Decisions {
    fn default() -> Self {
        Self(Reason::ALL.iter().map(|_| array::from_fn(|_| AtomicU64::new(0))).collect())
    }
}

impl Decisions {
    /// Counts an event of a record with this code, if it is a decision about a request.
    pub(crate) fn count(&self, event: &str, code: &str) {
        let Some(outcome) = outcome(event) else { return };
        let counts = PLACES.get(code).and_then(|place| self.0.get(*place));
        if let Some(count) = counts.and_then(|counts| counts.get(outcome)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Code, outcome and count of the decisions that there were.
    pub(crate) fn read(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        Reason::ALL.iter().zip(&self.0).flat_map(|(reason, counts)| {
            let counts = OUTCOMES.iter().zip(counts).map(|(outcome, count)| (*outcome, count.load(Relaxed)));
            counts.filter(|(_, count)| *count > 0).map(|(outcome, count)| (reason.code(), outcome, count))
        })
    }
}

/// The outcome that an event stands for. Others are not decisions about a request: a session that has
/// ended, an act of the operator, a store that has failed.
fn outcome(event: &str) -> Option<usize> {
    match event {
        "request-refused" | "connection-refused" | "stream-ended" => Some(0),
        "request-would-be-refused"
        | "request-would-be-changed"
        | "response-would-be-changed"
        | "stream-would-be-ended"
        | "request-left-to-app" => Some(1),
        "request-changed" | "response-changed" => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_counted_by_code_and_outcome() {
        let decisions = Decisions::default();
        for (event, code) in [
            ("request-refused", "rate-limited"),
            ("request-refused", "rate-limited"),
            ("request-would-be-refused", "rate-limited"),
            ("response-changed", "app-error-hidden"),
            ("session-ended", "rate-limited"),
            ("request-refused", "made-up"),
        ] {
            decisions.count(event, code);
        }
        let mut read: Vec<_> = decisions.read().collect();
        read.sort_unstable();
        assert_eq!(
            read,
            [
                ("app-error-hidden", "changed", 1),
                ("rate-limited", "refused", 2),
                ("rate-limited", "reported", 1)
            ]
        );
    }
}
