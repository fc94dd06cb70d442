//! Times as they are kept: milliseconds since 1970.

use std::time::Duration;

use jiff::Timestamp;

/// As a number for the database.
pub(crate) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// A number of the database as a time. One that no time has is 1970.
pub(crate) fn of_millis(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The time at the end of a span, as a number for the database.
pub(crate) fn after(now: Timestamp, span: Duration) -> i64 {
    millis(now).saturating_add(span_millis(span))
}

/// How long ago something was. A clock that was put back makes it no age at all, never a large one.
pub(crate) fn age(now: Timestamp, then: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis(now).saturating_sub(then)).unwrap_or(0))
}

pub(crate) fn span_millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
