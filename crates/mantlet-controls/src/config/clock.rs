//! The time, handed in.

use std::time::Instant;

use jiff::Timestamp;

/// The clock of the controls. They read no other.
///
/// A clock is two plain functions, so it is copied and called without a price. What has to move in
/// a test is behind them: a static, a thread's own value, or the paused clock of a runtime.
///
/// ```
/// use std::{
///     sync::{LazyLock, atomic::{AtomicU64, Ordering::Relaxed}},
///     time::{Duration, Instant},
/// };
///
/// use jiff::Timestamp;
/// use mantlet_controls::{Clock, Deployment};
///
/// static PASSED: AtomicU64 = AtomicU64::new(0);
/// static START: LazyLock<Instant> = LazyLock::new(Instant::now);
///
/// fn passed() -> Duration {
///     Duration::from_secs(PASSED.load(Relaxed))
/// }
///
/// let clock = Clock::new(|| Timestamp::UNIX_EPOCH + passed(), || *START + passed());
/// let deployment = Deployment { clock, ..Deployment::default() };
/// PASSED.store(60, Relaxed);
/// assert_eq!(deployment.clock.time().to_string(), "1970-01-01T00:01:00Z");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    time: fn() -> Timestamp,
    instant: fn() -> Instant,
}

impl Clock {
    /// The clocks of the system.
    pub const fn system() -> Self {
        Self { time: Timestamp::now, instant: Instant::now }
    }

    /// A clock of two functions: the time of the calendar, and one that never goes back.
    pub const fn new(time: fn() -> Timestamp, instant: fn() -> Instant) -> Self {
        Self { time, instant }
    }

    /// The time of the calendar: for records, request ids, tokens, cookies and the windows of
    /// quotas. It may be set back.
    pub fn time(self) -> Timestamp {
        (self.time)()
    }

    /// The time that has passed: for rates, bans, delays and usage. It never goes back.
    pub fn instant(self) -> Instant {
        (self.instant)()
    }
}

impl Default for Clock {
    /// The clocks of the system.
    fn default() -> Self {
        Self::system()
    }
}
