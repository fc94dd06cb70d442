//! Keys that were in use before those of now. What they have signed is accepted for a while.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use mantlet_controls::config::Secret;

/// The keys of every place, for as long as we run. A clone shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Retired(Arc<Mutex<HashMap<String, History>>>);

#[derive(Debug)]
struct History {
    now: Secret<Vec<u8>>,
    /// Each with the time at which another one took its place.
    before: Vec<(Secret<Vec<u8>>, Instant)>,
}

impl Retired {
    /// What was here before this, and not longer ago than that. The latest first.
    pub(super) fn before(&self, place: &str, now: &[u8], overlap: Duration) -> Vec<Secret<Vec<u8>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let history = all
            .entry(place.to_owned())
            .or_insert_with(|| History { now: Secret::new(now.to_vec()), before: Vec::new() });
        if history.now.expose() != now {
            let former = std::mem::replace(&mut history.now, Secret::new(now.to_vec()));
            history.before.insert(0, (former, Instant::now()));
        }
        history.before.retain(|(secret, since)| secret.expose() != now && since.elapsed() < overlap);
        history.before.iter().map(|(secret, _)| secret.clone()).collect()
    }

    /// How long it takes until one of them is no longer accepted.
    pub(crate) fn ends_in(&self, overlap: Duration) -> Option<Duration> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ages = all.values().flat_map(|history| &history.before).map(|(_, since)| since.elapsed());
        ages.max().map(|age| overlap.saturating_sub(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_key_is_known_for_as_long_as_it_overlaps() {
        let retired = Retired::default();
        let hour = Duration::from_hours(1);
        let before = |place: &str, now: &[u8], overlap| -> Vec<Vec<u8>> {
            retired.before(place, now, overlap).iter().map(|secret| secret.expose().clone()).collect()
        };
        assert!(before("a", b"1", hour).is_empty());
        assert_eq!(retired.ends_in(hour), None);
        assert_eq!(before("a", b"2", hour), [b"1"]);
        assert_eq!(before("a", b"3", hour), [b"2", b"1"]);
        assert!(retired.ends_in(hour).is_some_and(|rest| rest <= hour && !rest.is_zero()));
        assert!(before("b", b"3", hour).is_empty());
        // One that is back is not a former one.
        assert_eq!(before("a", b"1", hour), [b"3", b"2"]);
        assert!(before("a", b"1", Duration::ZERO).is_empty());
        assert_eq!(retired.ends_in(hour), None);
    }
}
