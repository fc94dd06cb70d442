//! From what was asked to a limit that lets it pass.

use std::time::Duration;

use mantlet_controls::throttle::RateText;

/// A minute and an hour, in seconds.
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
/// Fewer of these in a unit of time are said in a longer one.
const FEW: u64 = 5;
/// People mistype: fewer failures are no limit.
const FEWEST_FAILURES: u64 = 5;
/// Parts of a window, of which the busiest is known.
const PARTS: u64 = 60;

/// A rate, and what passes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) rate: RateText,
    pub(super) burst: u32,
}

/// A limit for those who ask so much in a window, and so much in its busiest part. `period` is that
/// of the rule.
///
/// A client at that speed is done after `requests / peak` parts. What the rate does not give
/// back meanwhile, the burst has to hold.
pub(super) fn of_requests(requests: u64, peak: u64, window: u64, period: u64) -> Limit {
    let (requests, peak, window) = (requests.max(1), peak.max(1), window.max(1));
    let most = with_room(requests);
    let unit = match period {
        MINUTE..=HOUR => period,
        ..MINUTE if most >= FEW * window => 1,
        _ => window,
    };
    let count = sensible(most.saturating_mul(unit).div_ceil(window));
    let given_back = requests.saturating_mul(count).saturating_mul(window) / PARTS / unit / peak;
    let needed = requests.saturating_sub(given_back).max(peak.min(requests));
    limit(count, unit, sensible(with_room(needed)))
}

/// A limit for those who fail so often in a window.
pub(super) fn of_failures(failures: u64, window: u64) -> Limit {
    let count = sensible(with_room(failures).max(FEWEST_FAILURES));
    limit(count, window.max(1), count)
}

fn limit(count: u64, unit: u64, burst: u64) -> Limit {
    let fitting = |number| u32::try_from(number).unwrap_or(u32::MAX);
    Limit { rate: RateText::new(fitting(count), Duration::from_secs(unit)), burst: fitting(burst) }
}

/// Half as much again.
const fn with_room(number: u64) -> u64 {
    number.saturating_add(number.div_ceil(2))
}

/// The next number that a person would choose.
fn sensible(number: u64) -> u64 {
    const STEPS: [u64; 11] = [10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100];
    if number <= 10 {
        return number;
    }
    let mut scale: u64 = 1;
    while number.div_ceil(scale) > 100 {
        scale = scale.saturating_mul(10);
    }
    STEPS.into_iter().map(|step| step.saturating_mul(scale)).find(|step| *step >= number).unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(limit: Limit) -> String {
        format!("{}, {}", limit.rate, limit.burst)
    }

    #[test]
    fn limits_are_what_a_person_would_write() {
        // Requests and the busiest part; the window and the rule's period.
        for (requests, peak, window, period, expected) in [
            // All at once: what the window allows.
            (40, 40, 60, 1, "60/m, 60"),
            (40, 40, 60, 60, "60/m, 60"),
            // Steadily: no burst to speak of.
            (600, 10, 60, 1, "15/s, 15"),
            (600, 10, 60, 60, "1000/m, 15"),
            // Pages of 40 things each.
            (200, 40, 60, 1, "5/s, 300"),
            (3, 1, 900, 900, "5/15m, 5"),
            (100, 20, 3_600, 3_600, "150/h, 150"),
            (100, 20, 3_600, 86_400, "150/h, 150"),
            (0, 0, 60, 1, "2/m, 2"),
            (u64::MAX, u64::MAX, 60, 1, "4294967295/s, 4294967295"),
        ] {
            assert_eq!(shown(of_requests(requests, peak, window, period)), expected, "{requests} {peak}");
        }
        assert_eq!(
            [0, 3, 9].map(|failures| shown(of_failures(failures, 900))),
            ["5/15m, 5", "5/15m, 5", "15/15m, 15"]
        );
        assert_eq!(
            [0, 1, 10, 11, 13, 61, 100, 101, 999, 1_001].map(sensible),
            [0, 1, 10, 12, 15, 80, 100, 120, 1_000, 1_200]
        );
    }

    #[test]
    fn a_client_that_asks_no_more_than_was_seen_is_let_through() {
        // A window's requests in all speeds up to that of the busiest part, one window after the
        // other.
        for (requests, peak) in [(1, 1), (7, 3), (40, 40), (90, 30), (600, 10), (2_000, 400)] {
            let Limit { rate, burst } = of_requests(requests, peak, MINUTE, 1);
            let a_second = f64::from(rate.count()) / rate.period().as_secs_f64();
            for speed in requests.div_ceil(MINUTE)..=peak {
                let (mut used, mut last) = (0.0_f64, 0);
                for number in 0..3 * requests {
                    let second = number / requests * MINUTE + number % requests / speed;
                    let passed = f64::from(u32::try_from(second - last).unwrap());
                    (used, last) = ((used - passed * a_second).max(0.0) + 1.0, second);
                    assert!(
                        used <= f64::from(burst),
                        "{requests} {peak}: request {number} at {speed} a second"
                    );
                }
            }
        }
    }
}
