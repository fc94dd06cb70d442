//! When to renew a certificate, and how long to wait after a failure.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    time::{Duration, SystemTime},
};

use super::state::Fetched;

/// The first pause after the server could not be reached. It doubles each time; such attempts count
/// against no limit.
const UNREACHED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_hours(1));
/// The first pause after the server refused. It doubles each time. Let's Encrypt allows five failed
/// validations of a name in an hour (<https://letsencrypt.org/docs/rate-limits/>): with this pause
/// there are four in the first hour and fewer later.
const REFUSED: (Duration, Duration) = (Duration::from_mins(5), Duration::from_hours(12));
/// A new certificate is never renewed sooner, whatever its dates and the server say: Let's Encrypt
/// issues at most five for the same names in a week. Short-lived ones may be renewed after a sixth
/// of their life.
const NOT_SOONER: Duration = Duration::from_hours(24);

/// How long to wait after that many failures in a row. A random part is added, so that many gates
/// do not come at once.
pub(super) fn pause(count: u32, refused: bool, asked_for: Option<Duration>) -> Duration {
    let (first, longest) = if refused { REFUSED } else { UNREACHED };
    let doubled = first.saturating_mul(1 << count.saturating_sub(1).min(16)).min(longest);
    doubled.max(asked_for.unwrap_or_default()).mul_f64(1.0 + random() / 4.0)
}

/// When two thirds of its life are over, or when the server suggests.
pub(super) fn renewal(certificate: &Fetched, suggested: Option<SystemTime>) -> SystemTime {
    let life = certificate.not_after.duration_since(certificate.not_before).unwrap_or_default();
    // The server's suggestion may be too late for a certificate that is valid for hours.
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::UNIX_EPOCH};

    use rustls::{crypto::aws_lc_rs, pki_types::PrivateKeyDer, sign::CertifiedKey};

    use super::*;
    use crate::tls::certificates::Certificate;

    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn living(seconds: u64, obtained: u64) -> Fetched {
        let key = rcgen::KeyPair::generate().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).unwrap();
        let key = Arc::new(CertifiedKey::new(Vec::new(), key));
        let certificate = Certificate { key, names: Vec::new() };
        Fetched { certificate, not_before: at(0), not_after: at(seconds), obtained: at(obtained) }
    }

    #[test]
    fn renewed_when_two_thirds_are_over_or_when_the_server_suggests() {
        let check = |life, obtained, suggested: Option<u64>, expected| {
            let due = renewal(&living(life, obtained), suggested.map(at));
            assert_eq!(due, at(expected), "{life} {obtained} {suggested:?}");
        };
        check(90 * DAY, HOUR, None, 60 * DAY);
        check(90 * DAY, HOUR, Some(50 * DAY), 50 * DAY);
        // It is revoked soon: renewed now, but never twice in a day.
        check(90 * DAY, HOUR, Some(0), HOUR + DAY);
        check(90 * DAY, 10 * DAY, Some(0), 11 * DAY);
        // A window that ends after the certificate.
        check(20, 0, Some(DAY), 18);
        // Dates that make no sense, as a wrong clock finds them.
        check(12, 100, None, 102);
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_are_never_shorter_than_demanded() {
        let check = |count, refused, demanded: Option<u64>, least: u64| {
            let pause = pause(count, refused, demanded.map(Duration::from_secs));
            let least = Duration::from_secs(least);
            assert!(
                pause >= least && pause < least.mul_f64(1.251),
                "{count} {refused} {demanded:?}: {pause:?}"
            );
        };
        for (count, unreached, refused) in [(1, 5, 300), (2, 10, 600), (5, 80, 4800), (30, 3600, 12 * HOUR)] {
            check(count, false, None, unreached);
            check(count, true, None, refused);
        }
        check(1, true, Some(DAY), DAY);
        check(1, true, Some(1), 300);
    }

    #[test]
    fn a_moment_lies_in_its_window() {
        for _ in 0..100 {
            let moment = moment(at(10), at(20));
            assert!(moment >= at(10) && moment < at(20), "{moment:?}");
        }
        assert_eq!(moment(at(20), at(10)), at(20));
    }
}
