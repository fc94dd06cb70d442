//! Calendar windows of UTC, and their usage.

use std::time::Duration;

use jiff::{Timestamp, tz::Offset};
use serde::{Deserialize, Serialize};

const HOUR: UnixSeconds = 3_600;
const DAY: UnixSeconds = 24 * HOUR;

/// Seconds since 1970, by the wall clock: a window is a matter of the calendar.
pub type UnixSeconds = u64;

/// The windows of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// It begins with each hour.
    Hour,
    /// It begins at midnight, UTC.
    Day,
    /// It begins with the first day of a month.
    Month,
}

/// A window's first second, and the first one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarWindow {
    /// Its first second.
    pub from: UnixSeconds,
    /// The first one after it.
    pub until: UnixSeconds,
}

impl Window {
    /// All of them, the shortest first. Lists of three have this order.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The window of a moment.
    pub fn at(self, now: UnixSeconds) -> CalendarWindow {
        let midnight = now - now % DAY;
        match self {
            Self::Hour => CalendarWindow { from: now - now % HOUR, until: now - now % HOUR + HOUR },
            Self::Day => CalendarWindow { from: midnight, until: midnight + DAY },
            Self::Month => {
                let date = Offset::UTC.to_datetime(moment(now)).date();
                let (day, days) = (date.day().unsigned_abs(), date.days_in_month().unsigned_abs());
                let from = midnight.saturating_sub(UnixSeconds::from(day - 1) * DAY);
                CalendarWindow { from, until: from + UnixSeconds::from(days) * DAY }
            }
        }
    }
}

impl CalendarWindow {
    /// How long it is.
    pub const fn length(self) -> Duration {
        Duration::from_secs(self.until - self.from)
    }
}

/// A moment as people write it.
pub fn moment(second: UnixSeconds) -> Timestamp {
    i64::try_from(second)
        .ok()
        .and_then(|second| Timestamp::from_second(second).ok())
        .unwrap_or(Timestamp::MAX)
}

/// The second of a time.
pub(crate) fn second_of(time: Timestamp) -> UnixSeconds {
    u64::try_from(time.as_second()).unwrap_or_default()
}

/// The usage of the window that began at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    /// When the window began.
    pub from: UnixSeconds,
    /// Requests in it.
    pub used: u32,
    /// It has been warned of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warned: bool,
}

impl Count {
    /// Goes on to the present window, if a later one than that which is counted has begun.
    ///
    /// Clocks are set. One that was ahead and is set back has begun the next window early: that
    /// goes on, and does not begin a second time. One that was further ahead than that was wrong,
    /// and no client should have to wait for its window: the usage counts in the present window.
    pub(in crate::throttle) fn roll(&mut self, present: CalendarWindow) {
        if self.from < present.from {
            *self = Self { from: present.from, ..Self::default() };
        } else if self.from > present.until {
            self.from = present.from;
        }
    }

    /// Whether its window has been over for as long as it was. Until then the clock may be set back to it.
    pub(in crate::throttle) fn is_over(&self, window: Window, now: UnixSeconds) -> bool {
        let CalendarWindow { from, until } = window.at(self.from);
        now >= until + (until - from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(text: &str) -> UnixSeconds {
        u64::try_from(text.parse::<Timestamp>().unwrap().as_second()).unwrap()
    }

    #[test]
    fn windows_are_those_of_the_calendar_in_utc() {
        for (window, now, from, until) in [
            (Window::Hour, "2026-11-24T15:59:59Z", "2026-11-24T15:00:00Z", "2026-11-24T16:00:00Z"),
            (Window::Day, "2026-12-31T23:59:59Z", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"),
            (Window::Month, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            (Window::Month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Window::Month, "2100-02-28T23:59:59Z", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z"),
            (Window::Month, "2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ] {
            let expected = CalendarWindow { from: second(from), until: second(until) };
            assert_eq!(window.at(second(now)), expected, "{window:?} {now}");
        }
    }

    #[test]
    fn row_78_a_clock_that_is_set_neither_gives_a_window_back_nor_begins_one_twice() {
        let at = |text: &str| Window::Hour.at(second(text));
        let mut count = Count { from: at("2026-11-24T15:30:00Z").from, used: 5, warned: true };
        let used_up = count;
        // Set back by an hour: what is used up stays so, until that window is really over.
        count.roll(at("2026-11-24T14:30:00Z"));
        assert_eq!(count, used_up);
        count.roll(at("2026-11-24T15:59:00Z"));
        assert_eq!(count, used_up);
        // Set ahead by an hour: the next window begins, and when the clock is right again it does not begin a second time.
        count.roll(at("2026-11-24T16:59:00Z"));
        assert_eq!((count.used, count.warned), (0, false));
        count.used = 3;
        count.roll(at("2026-11-24T15:59:00Z"));
        count.roll(at("2026-11-24T16:01:00Z"));
        assert_eq!(count.used, 3);
        // A clock that was years ahead locks no client out for years, and forgets nothing.
        count.roll(at("2036-01-01T00:00:00Z"));
        count.used = 2;
        count.roll(at("2026-11-24T16:02:00Z"));
        assert_eq!(count, Count { from: at("2026-11-24T16:00:00Z").from, used: 2, warned: false });
    }
}
