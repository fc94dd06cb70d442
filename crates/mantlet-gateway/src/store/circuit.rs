//! Whether a store is asked at all: one that has failed is left alone for a while, longer each time.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

/// Milliseconds of the first pause, and of the longest.
const PAUSES: (u64, u64) = (250, 5_000);

#[derive(Debug)]
pub(super) struct Circuit {
    start: Instant,
    /// Until when it is left alone, in milliseconds since the start; 0 while it answers.
    until: AtomicU64,
    pause: AtomicU64,
}

impl Circuit {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), until: AtomicU64::new(0), pause: AtomicU64::new(PAUSES.0) }
    }

    /// Whether to ask. After a pause one request finds out, and the others wait for what it finds.
    pub(super) fn may_ask(&self) -> bool {
        self.may_ask_at(self.now())
    }

    fn may_ask_at(&self, now: u64) -> bool {
        let until = self.until.load(Relaxed);
        until == 0
            || now >= until && self.until.compare_exchange(until, now + PAUSES.0, Relaxed, Relaxed).is_ok()
    }

    /// It has not answered; whether that is news.
    pub(super) fn failed(&self) -> bool {
        self.failed_at(self.now())
    }

    fn failed_at(&self, now: u64) -> bool {
        let before = self.until.load(Relaxed);
        if before > now + PAUSES.0 {
            // Somebody else has just said so.
            return false;
        }
        let pause = self.pause.load(Relaxed);
        self.pause.store((pause * 2).min(PAUSES.1), Relaxed);
        self.until.swap(now + pause, Relaxed) == 0
    }

    /// It has answered; whether that is news.
    pub(super) fn answered(&self) -> bool {
        if self.until.load(Relaxed) == 0 {
            return false;
        }
        self.pause.store(PAUSES.0, Relaxed);
        self.until.swap(0, Relaxed) != 0
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::Circuit;

    #[test]
    fn a_store_that_fails_is_asked_by_one_request_after_each_pause() {
        let circuit = Circuit::new();
        assert!(circuit.may_ask_at(0));
        assert!(circuit.failed_at(0));
        assert!(!circuit.failed_at(1), "it is news once");
        assert!(!circuit.may_ask_at(100));
        assert!(circuit.may_ask_at(2_000));
        assert!(!circuit.may_ask_at(2_000), "one finds out");
        assert!(circuit.answered());
        assert!(!circuit.answered());
        assert!(circuit.may_ask_at(2_001));
    }
}
