//! The arithmetic of a rate: the generic cell rate algorithm (ITU-T I.371), which remembers one moment for each key.
//!
//! At that moment the usage of the key has gone back to zero: each request moves it on by the time
//! that the rate gives to one. A request passes while it is not further ahead than the burst
//! allows.

use std::time::Duration;

/// A moment, in nanoseconds since the table was made: wall clocks jump.
pub(crate) type Moment = u64;

/// So many requests in so much time, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds for each request.
    interval: u64,
    /// How far ahead a key may be, in nanoseconds.
    ahead: u64,
    /// Requests that pass at once.
    burst: u32,
    /// Requests in `period`.
    count: u32,
    period: Duration,
}

/// The decision of a rate about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it passes, and if not, when another one would.
    pub wait: Option<Duration>,
    /// Requests that would pass right now.
    pub remaining: u32,
    /// Time until all of the burst is there again.
    pub reset: Duration,
}

impl Decision {
    /// Not counted.
    pub(in crate::throttle) const PASS: Self =
        Self { wait: None, remaining: u32::MAX, reset: Duration::ZERO };

    /// It does not pass before so much time has passed.
    pub(in crate::throttle) const fn wait(span: Duration) -> Self {
        Self { wait: Some(span), remaining: 0, reset: span }
    }
}

impl Rate {
    /// At least one request, and a period of at most 400 days; none if it is outside of what can be counted.
    pub fn new(count: u32, period: Duration, burst: u32) -> Option<Self> {
        const LONGEST: Duration = Duration::from_hours(400 * 24);
        if count == 0 || burst == 0 || period.is_zero() || period > LONGEST {
            return None;
        }
        let interval = u64::try_from(period.as_nanos()).ok()? / u64::from(count);
        let ahead = interval.checked_mul(u64::from(burst)).filter(|ahead| *ahead <= u64::MAX / 4)?;
        (interval > 0).then_some(Self { interval, ahead, burst, count, period })
    }

    /// Requests that pass at once.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// Requests in a period.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The period.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// The moment of a key after another request. If that does not pass, it is unchanged, or put right and to be kept.
    pub(crate) fn next(&self, before: Moment, now: Moment) -> Result<Moment, Moment> {
        // Further ahead than it can be: the rate was another one before a reload. Kept, or it would be found again and again.
        let before = before.min(now + self.ahead);
        let after = before.max(now) + self.interval;
        if after - now <= self.ahead { Ok(after) } else { Err(before) }
    }

    /// The moment of a key without its last request.
    pub(crate) const fn before(&self, moment: Moment) -> Moment {
        moment.saturating_sub(self.interval)
    }

    /// Nanoseconds that the rate gives to each request, and how far ahead a key may be.
    pub const fn spans(&self) -> (u64, u64) {
        (self.interval, self.ahead)
    }

    /// The decision of another counter about a key that is so far ahead.
    pub fn decided(&self, passes: bool, ahead: Duration) -> Decision {
        let ahead = u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX / 2);
        self.tell(if passes { Ok(ahead) } else { Err(ahead) }, 0)
    }

    /// The standing of a key at its moment.
    pub(crate) fn tell(&self, outcome: Result<Moment, Moment>, now: Moment) -> Decision {
        let (Ok(moment) | Err(moment)) = outcome;
        let ahead = moment.saturating_sub(now);
        let remaining = self.ahead.saturating_sub(ahead) / self.interval;
        let wait = outcome
            .is_err()
            .then(|| Duration::from_nanos((ahead + self.interval).saturating_sub(self.ahead)));
        let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
        Decision { wait, remaining, reset: Duration::from_nanos(ahead) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Requests that pass when they come so often, for so long.
    fn admitted(rate: Rate, a_second: u64, seconds: u64) -> u64 {
        let mut moment = 0;
        (0..a_second * seconds)
            .filter(|number| {
                let outcome = rate.next(moment, number * SECOND / a_second);
                moment = outcome.unwrap_or_else(|moment| moment);
                outcome.is_ok()
            })
            .count() as u64
    }

    #[test]
    fn as_many_pass_as_the_rule_says() {
        let rate = Rate::new(100, Duration::from_secs(1), 20).unwrap();
        // What the burst gives at once, and what the rate gives meanwhile.
        assert_eq!(admitted(rate, 200, 10), 20 + 100 * 10 - 1);
        assert_eq!(admitted(rate, 100, 10), 1_000);
        assert_eq!(admitted(rate, 50, 10), 500);
    }

    #[test]
    fn waiting_as_long_as_told_is_enough() {
        let rate = Rate::new(5, Duration::from_mins(15), 5).unwrap();
        let mut moment = 0;
        for left in [4, 3, 2, 1, 0] {
            let outcome = rate.next(moment, SECOND);
            moment = outcome.unwrap();
            assert_eq!(rate.tell(outcome, SECOND).remaining, left);
        }
        let refused = rate.next(moment, SECOND);
        let wait = rate.tell(refused, SECOND).wait.unwrap();
        assert_eq!(wait, Duration::from_mins(3));
        let later = SECOND + u64::try_from(wait.as_nanos()).unwrap();
        rate.next(moment, later - 1).unwrap_err();
        rate.next(moment, later).unwrap();
    }

    #[test]
    fn a_rate_that_is_raised_frees_whoever_had_used_up_the_lower_one() {
        let (low, high) = (
            Rate::new(5, Duration::from_hours(1), 5).unwrap(),
            Rate::new(100, Duration::from_secs(1), 100).unwrap(),
        );
        let mut moment = 0;
        while let Ok(after) = low.next(moment, SECOND) {
            moment = after;
        }
        let refused = high.next(moment, SECOND);
        let moment = refused.unwrap_err();
        assert_eq!(high.tell(refused, SECOND).wait, Some(Duration::from_millis(10)));
        high.next(moment, SECOND + 10_000_000).unwrap();
    }

    #[test]
    fn what_cannot_be_counted_is_no_rate() {
        let minute = Duration::from_mins(1);
        for (count, period, burst) in [
            (0, minute, 1),
            (1, minute, 0),
            (1, Duration::ZERO, 1),
            (1, minute * 600_000, 1),
            (u32::MAX, Duration::from_secs(1), 1),
        ] {
            assert_eq!(Rate::new(count, period, burst), None, "{count} {period:?} {burst}");
        }
    }
}
