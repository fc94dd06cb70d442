//! How many requests are let in at once while no limit is known: a few more than the app has
//! carried so far.
//!
//! A burst reaches the app before its first response shows how much it can carry. So the app first
//! gets a bounded number of requests at once. Each response that is not late lets in one more than
//! has left, which doubles the number in the time of a request (TCP's slow start, RFC 5681 section
//! 3.1). For a while, the number that it has carried is let in at once; if it is not used, it falls
//! again (as RFC 7661 does for TCP).
//!
//! Other adaptive limits refuse requests beyond the number, and their users complain about start-up
//! bursts. Here such requests only wait, for moments: if no response comes, because the app itself
//! waits for something else, the number doubles by the clock. From the first to the last place this
//! takes a fraction of `queue-timeout`, so that no request is refused for it.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// Requests at once with which it begins: the threads that Starlette has for handlers that are not
/// async (`AnyIO`'s default).
pub(super) const FIRST: usize = 40;
/// How long to wait without a response before twice as many are let in: at most this, or this part
/// of a request's patience.
const STEP: Duration = Duration::from_millis(400);
const OF_PATIENCE: u32 = 10;
/// A bound that was not half used for so long is halved.
const STALE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Opening {
    bound: AtomicUsize,
    /// When the bound was last half used, and when that many last had a response or a higher bound;
    /// nanoseconds.
    used: AtomicU64,
    moved: AtomicU64,
    step: Duration,
}

impl Opening {
    /// For requests that wait for so long at most.
    pub(super) fn within(patience: Duration) -> Self {
        let step = (patience / OF_PATIENCE).clamp(Duration::from_millis(1), STEP);
        let none = || AtomicU64::new(0);
        Self { bound: AtomicUsize::new(FIRST), used: none(), moved: none(), step }
    }

    /// How many may be with the app.
    pub(super) fn bound(&self) -> usize {
        self.bound.load(Relaxed)
    }

    /// How often waiting requests must check.
    pub(super) const fn step(&self) -> Duration {
        self.step
    }

    /// A response has come while so many were with the app.
    pub(super) fn answered(&self, at_work: usize, is_late: bool, now: u64) {
        if at_work >= self.bound() / 2 {
            self.used.store(now, Relaxed);
            self.moved.store(now, Relaxed);
            if !is_late {
                self.bound.fetch_add(1, Relaxed);
            }
        }
    }

    /// The first request waits: from now on responses are watched.
    pub(super) fn begin_to_look(&self, now: Duration) {
        self.moved.store(nanos(now), Relaxed);
    }

    /// Requests wait: if no response has come for a while, more are let in.
    pub(super) fn look(&self, now: Duration) {
        let now = nanos(now);
        let moved = self.moved.load(Relaxed);
        if now.saturating_sub(moved) >= nanos(self.step)
            && self.moved.compare_exchange(moved, now, Relaxed, Relaxed).is_ok()
        {
            self.used.store(now, Relaxed);
            let bound = self.bound();
            self.bound.store(bound.saturating_mul(2), Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn put(&self, bound: usize) {
        self.bound.store(bound, Relaxed);
    }

    /// Falls by half for each period in which it was not used.
    pub(super) fn narrow(&self, now: Duration) {
        let now = nanos(now);
        let times = now.saturating_sub(self.used.load(Relaxed)) / nanos(STALE);
        if times > 0 {
            self.used.store(now, Relaxed);
            let halved = u32::try_from(times).ok().and_then(|times| self.bound().checked_shr(times));
            self.bound.store(halved.unwrap_or(0).max(FIRST), Relaxed);
        }
    }

    pub(super) fn close(&self) {
        self.bound.store(FIRST, Relaxed);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
