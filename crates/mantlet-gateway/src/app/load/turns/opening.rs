//! How wide the door stands while no limit is known: a few more than the app was seen to carry.
//!
//! A burst is with the app before its first answer says how much it can carry. So the first
//! requests that an app is given at once are a bounded number, and each answer that is not late
//! lets one more in than has left, which doubles the number in the time of a request (TCP's slow
//! start, RFC 5681 section 3.1). What it carries goes on to be let in at once for a while; where
//! that is not made use of, the number falls again (RFC 7661 says the same of TCP).
//!
//! Others that adapt their limits refuse what is beyond, and start-up bursts are what their users
//! complain of. Here it waits, and only for moments: where no answer comes, as of an app that
//! itself waits for something else, nothing is known that speaks against more, and the number
//! doubles by the clock. From the first to the last place that takes a fraction of `queue-timeout`,
//! so that none is refused for it.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// Requests at once with which it begins: the threads that Starlette has for handlers that are not
/// async (`AnyIO`'s default).
pub(super) const FIRST: usize = 40;
/// How long no answer comes before twice as many are let in, at most; and what part of a request's
/// patience that is.
const STEP: Duration = Duration::from_millis(400);
const OF_PATIENCE: u32 = 10;
/// What was not half used for so long is halved.
const STALE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Opening {
    bound: AtomicUsize,
    /// When the bound was last half used, and when that many last had an answer or a wider bound;
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

    /// How often those who wait have to look.
    pub(super) const fn step(&self) -> Duration {
        self.step
    }

    /// An answer has come while so many were with the app.
    pub(super) fn answered(&self, at_work: usize, is_late: bool, now: u64) {
        if at_work >= self.bound() / 2 {
            self.used.store(now, Relaxed);
            self.moved.store(now, Relaxed);
            if !is_late {
                self.bound.fetch_add(1, Relaxed);
            }
        }
    }

    /// The first waits: from now on it is looked whether answers come.
    pub(super) fn begin_to_look(&self, now: Duration) {
        self.moved.store(nanos(now), Relaxed);
    }

    /// Some wait: if nothing has come for a while, more are let in.
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

    /// Falls by half for each time that it was not made use of.
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
