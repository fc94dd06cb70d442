//! Whether to use the store: after a failure it is left alone for a while, longer each time.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Milliseconds of the first pause, and of the longest.
const PAUSES: (u64, u64) = (250, 5_000);

#[derive(Debug)]
pub(super) struct Circuit {
    start: Instant,
    /// When it may be tried again, in milliseconds since the start; 0 while it works.
    until: AtomicU64,
    pause: AtomicU64,
    /// When it last recovered.
    back: AtomicU64,
    /// How often it has failed. A connection that is older than the last failure may be broken.
    failures: AtomicU64,
}

/// A request to the store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    /// How often the store had failed when the request was made.
    pub(super) failures: u64,
    /// Whether it tests if the store has recovered.
    finds_out: bool,
}

impl Circuit {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            until: AtomicU64::new(0),
            pause: AtomicU64::new(PAUSES.0),
            back: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// How often it has failed.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// Whether it has not failed for this long.
    pub(super) fn was_well_for(&self, time: Duration) -> bool {
        let (back, time) = (self.back.load(Relaxed), u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self.until.load(Relaxed) == 0 && (back == 0 || self.now().saturating_sub(back) >= time)
    }

    /// Whether to use the store. After a pause one request tests it, and the others continue
    /// without it.
    pub(super) fn question(&self) -> Option<Question> {
        self.question_at(self.now())
    }

    fn question_at(&self, now: u64) -> Option<Question> {
        let question = Question { failures: self.failures(), finds_out: false };
        match self.until.load(Relaxed) {
            0 => Some(question),
            until if now < until => None,
            until => {
                // If its client leaves, it never reports: after a while another request tests the
                // store.
                let is_ours = self.until.compare_exchange(until, now + PAUSES.0, Relaxed, Relaxed).is_ok();
                is_ours.then_some(Question { finds_out: true, ..question })
            }
        }
    }

    /// The store failed. Returns whether to report it: many requests fail at once, and only the
    /// first is reported.
    pub(super) fn failed(&self, question: Question) -> bool {
        self.failed_at(question, self.now())
    }

    fn failed_at(&self, question: Question, now: u64) -> bool {
        let pause = match self.pause.load(Relaxed) {
            // Frequent failures keep their pause: a cluster may have lost one of its nodes.
            pause if now.saturating_sub(self.back.load(Relaxed)) <= PAUSES.1 => pause,
            pause if question.finds_out => pause,
            _ => PAUSES.0,
        };
        if question.finds_out {
            self.until.store(now + pause, Relaxed);
        } else if question.failures != self.failures()
            || self.until.compare_exchange(0, now + pause, Relaxed, Relaxed).is_err()
        {
            // The request may be older than the last failure, and the store may have recovered
            // since.
            return false;
        }
        self.pause.store((pause * 2).min(PAUSES.1), Relaxed);
        self.failures.fetch_add(1, Relaxed);
        !question.finds_out
    }

    /// The store responded. Returns whether to report it. Only the request that tests it counts,
    /// because other responses may have been on their way when it failed.
    pub(super) fn answered(&self, question: Question) -> bool {
        self.answered_at(question, self.now())
    }

    fn answered_at(&self, question: Question, now: u64) -> bool {
        if !question.finds_out {
            return false;
        }
        self.back.store(now, Relaxed);
        self.until.swap(0, Relaxed) != 0
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_is_asked_by_one_request_after_each_pause() {
        let circuit = Circuit::new();
        let mut now = 0;
        assert!(circuit.failed_at(circuit.question_at(now).unwrap(), now), "it is news");
        for pause in [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000] {
            assert!(circuit.question_at(now + pause - 1).is_none());
            now += pause;
            let question = circuit.question_at(now).unwrap();
            assert!(circuit.question_at(now).is_none(), "one finds out");
            assert!(!circuit.failed_at(question, now), "it is news once");
        }
        now += 5_000;
        let question = circuit.question_at(now).unwrap();
        // It never reported: its client left.
        now += 250;
        assert!(circuit.answered_at(circuit.question_at(now).unwrap(), now));
        assert!(!circuit.answered_at(question, now));
        // Lost again at once, it is left alone as long as before.
        assert!(circuit.failed_at(circuit.question_at(now).unwrap(), now));
        assert!(circuit.question_at(now + 4_999).is_none());
        now += 5_000;
        assert!(circuit.answered_at(circuit.question_at(now).unwrap(), now));
        now += 5_001;
        assert!(circuit.failed_at(circuit.question_at(now).unwrap(), now));
        assert!(circuit.question_at(now + 250).is_some(), "the pauses begin anew");
    }

    #[test]
    fn who_asked_before_a_failure_tells_nothing_new() {
        let circuit = Circuit::new();
        let [first, late, later] = [circuit.question_at(0).unwrap(); 3];
        assert!(circuit.failed_at(first, 50));
        assert!(!circuit.failed_at(late, 50), "all of them fail at once");
        assert!(!circuit.answered_at(late, 50));
        assert!(circuit.question_at(299).is_none(), "which makes the pause no longer");
        assert!(circuit.answered_at(circuit.question_at(300).unwrap(), 300));
        assert!(!circuit.failed_at(later, 301), "by now it is back");
        assert!(circuit.question_at(301).is_some());
    }
}
