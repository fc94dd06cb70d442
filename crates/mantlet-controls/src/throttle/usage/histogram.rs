//! How many have done something how often, in buckets that widen with the count.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Buckets are known by the largest count that they hold: one for each count up to 8, then four in each doubling. So there are at most
/// some hundreds, and what is read from them is at most a quarter too large.
///
/// As JSON it is a list of `[largest count, how many]`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<u64, u64>);

impl Histogram {
    /// One more that has done it so often.
    pub fn add(&mut self, count: u64) {
        *self.0.entry(bound(count)).or_default() += 1;
    }

    /// All that another one has counted.
    pub fn merge(&mut self, other: &Self) {
        for (bound, number) in &other.0 {
            let known = self.0.entry(*bound).or_default();
            *known = known.saturating_add(*number);
        }
    }

    /// How many have been counted.
    pub fn total(&self) -> u64 {
        self.0.values().fold(0, |sum, number| sum.saturating_add(*number))
    }

    /// The count that so many thousandths do not exceed; 0 if nothing was counted.
    pub fn percentile(&self, thousandths: u32) -> u64 {
        let rank = (u128::from(self.total()) * u128::from(thousandths)).div_ceil(1_000);
        let mut below = 0;
        for (bound, number) in &self.0 {
            below += u128::from(*number);
            if below >= rank {
                return *bound;
            }
        }
        0
    }
}

/// The largest count of the bucket that a count is in.
const fn bound(count: u64) -> u64 {
    if count <= 8 {
        return count;
    }
    let width = 1 << ((count - 1).ilog2() - 2);
    count.next_multiple_of(width)
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let buckets = Vec::<(u64, u64)>::deserialize(deserializer)?;
        Ok(Self(buckets.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow() {
        let bounds: Vec<_> = (0..=40).map(bound).collect();
        assert_eq!(bounds[..9], [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(
            [9, 10, 11, 16, 17, 20, 21, 32, 33, 40].map(|at: usize| bounds[at]),
            [10, 10, 12, 16, 20, 20, 24, 32, 40, 40]
        );
        let all: std::collections::BTreeSet<_> = (0..1 << 20).map(bound).collect();
        assert_eq!(all.len(), 9 + 4 * 17);
        assert!((1..1 << 20).all(|count| bound(count) >= count && bound(count) * 4 <= count * 5 + 3));
    }

    #[test]
    fn percentiles_are_those_of_the_data_within_a_bucket() {
        // Numbers without a pattern, most of them small: xorshift, raised to a power.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for count in [1, 2, 10, 999, 1_000, 20_000] {
            let mut exact: Vec<u64> = Vec::new();
            let (mut first, mut second) = (Histogram::default(), Histogram::default());
            for number in 0..count {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let value = 1 << (state % 17);
                let value = value + (state >> 32) % value;
                exact.push(value);
                (if number % 3 == 0 { &mut first } else { &mut second }).add(value);
            }
            exact.sort_unstable();
            first.merge(&second);
            assert_eq!(first.total(), count);
            for thousandths in [1, 500, 900, 990, 999, 1_000] {
                let rank = (count * u64::from(thousandths)).div_ceil(1_000);
                let value = exact[usize::try_from(rank).unwrap() - 1];
                assert_eq!(first.percentile(thousandths), bound(value), "{thousandths} of {count}");
            }
        }
        assert_eq!(Histogram::default().percentile(999), 0);
    }

    #[test]
    fn it_reads_back_as_written() {
        let mut histogram = Histogram::default();
        for count in [0, 3, 3, 9, 1_000] {
            histogram.add(count);
        }
        let text = serde_json::to_string(&histogram).unwrap();
        assert_eq!(text, "[[0,1],[3,2],[10,1],[1024,1]]");
        assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), histogram);
    }
}
