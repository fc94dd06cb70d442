//! When a certificate is renewed, and how long a failure makes us wait.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    time::{Duration, SystemTime},
};

use super::state::Fetched;

/// The first pause after the server could not be reached; doubles. Costs nobody anything.
const UNREACHED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_hours(1));
/// The first pause after it said no; doubles. Let's Encrypt allows five failed validations of a name in an hour
/// (<https://letsencrypt.org/docs/rate-limits/>): with this one there are four in the first hour and fewer later.
const REFUSED: (Duration, Duration) = (Duration::from_mins(5), Duration::from_hours(12));
/// A new certificate is never renewed sooner, whatever its dates and the server say: five for the same names in a week is
/// all that Let's Encrypt gives. Short-lived ones after a sixth of their life.
const NOT_SOONER: Duration = Duration::from_hours(24);

/// How long to wait after so many failures in a row. At random a little longer, so that many gates do not come at once.
pub(super) fn pause(count: u32, refused: bool, asked_for: Option<Duration>) -> Duration {
    let (first, longest) = if refused { REFUSED } else { UNREACHED };
    let doubled = first.saturating_mul(1 << count.saturating_sub(1).min(16)).min(longest);
    doubled.max(asked_for.unwrap_or_default()).mul_f64(1.0 + random() / 4.0)
}

/// When two thirds of its life are over, or when the server suggests.
pub(super) fn renewal(certificate: &Fetched, suggested: Option<SystemTime>) -> SystemTime {
    let life = certificate.not_after.duration_since(certificate.not_before).unwrap_or_default();
    // What a server suggests may be too late for a certificate that lives for hours.
    let latest = certificate.not_before + life.mul_f64(0.9);
    let due = suggested.map_or_else(|| certificate.not_before + life.mul_f64(2.0 / 3.0), |at| at.min(latest));
    due.max(certificate.obtained + NOT_SOONER.min(life / 6))
}

/// A moment at random within a window that the server suggests (RFC 9773 section 4.2).
pub(super) fn moment(start: SystemTime, end: SystemTime) -> SystemTime {
    start + end.duration_since(start).unwrap_or_default().mul_f64(random())
}

/// From 0 up to 1.
fn random() -> f64 {
    // Keyed at random, and enough for this.
    let number = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or_default();
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}
