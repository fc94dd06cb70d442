//! Durations, as counts for each bound.

use crate::text;

/// The upper bounds in seconds, as the gate has them: those of OpenTelemetry's conventions for HTTP.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// How many took no longer than each bound and longer than the one before; the last took longer than all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Latency(pub(crate) [u64; BOUNDS.len() + 1]);

/// What a share of the requests took at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum UpTo {
    /// So many seconds.
    Bound(f64),
    /// More than the last bound.
    More,
}

impl UpTo {
    pub(crate) fn told(self) -> String {
        match self {
            Self::Bound(seconds) => format!("≤ {}", text::bound(seconds)),
            Self::More => "> 10 s".to_owned(),
        }
    }
}

impl Latency {
    pub(crate) const BOUNDS: [f64; 14] = BOUNDS;

    /// Adds a cumulative count, as a histogram has it: so many took no longer than this bound.
    pub(crate) fn add_up_to(&mut self, bound: f64, cumulative: u64, before: u64) {
        let place = BOUNDS.iter().position(|own| (own - bound).abs() < 1e-9).unwrap_or(BOUNDS.len());
        if let Some(count) = self.0.get_mut(place) {
            *count += cumulative.saturating_sub(before);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += other;
        }
    }

    /// Whether counting has begun anew since.
    pub(crate) fn is_less(&self, before: &Self) -> bool {
        self.0.iter().zip(before.0).any(|(now, before)| *now < before)
    }

    /// What has come since; all of it, if counting has begun anew.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut since = *self;
        if !self.is_less(before) {
            for (now, before) in since.0.iter_mut().zip(before.0) {
                *now -= before;
            }
        }
        since
    }

    pub(crate) fn all(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The bound that this many of a thousand requests kept; none without requests.
    pub(crate) fn percentile(&self, permille: u64) -> Option<UpTo> {
        self.place_of(permille).map(|place| BOUNDS.get(place).map_or(UpTo::More, |bound| UpTo::Bound(*bound)))
    }

    /// The number of that bound; one more than the last if it was not kept.
    pub(crate) fn place_of(&self, permille: u64) -> Option<usize> {
        let all = self.all();
        let wanted = (all * permille).div_ceil(1_000).max(1);
        let mut sum = 0;
        for (place, count) in self.0.iter().enumerate() {
            sum += count;
            if all > 0 && sum >= wanted {
                return Some(place);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{
        UpTo::{Bound, More},
        *,
    };

    #[test]
    fn a_percentile_is_the_bound_of_its_bucket() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile(500), None);
        latency.0[0] = 98;
        latency.0[6] = 1;
        latency.0[14] = 1;
        let found = [500, 950, 980, 990, 1_000].map(|permille| latency.percentile(permille).unwrap());
        assert_eq!(found, [Bound(0.005), Bound(0.005), Bound(0.005), Bound(0.25), More]);
    }

    #[test]
    fn a_restart_of_the_gate_counts_anew() {
        let (mut before, mut now) = (Latency::default(), Latency::default());
        (before.0[0], now.0[0]) = (10, 14);
        assert_eq!(now.since(&before).all(), 4);
        now.0[0] = 3;
        assert_eq!(now.since(&before).all(), 3);
    }
}
