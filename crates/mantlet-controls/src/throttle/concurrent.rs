//! Counts the requests of each client that the app works on.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use crate::throttle::{Key, Policy, Refusal};
use crate::{Call, Mode, Reason, refusal::Faults};

/// Counters in a row. A client has one in each of two rows and counts as the smaller says: only a
/// client that shares both with other present clients counts as more than it is.
const COUNTERS: usize = 1 << 14;

/// The clients with requests in hand, in a fixed amount of memory (128 KiB) and without a lock.
#[derive(Debug)]
pub(super) struct Concurrent {
    rows: [Box<[AtomicU32]>; 2],
    seed: RandomState,
}

impl Default for Concurrent {
    fn default() -> Self {
        let row = || (0..COUNTERS).map(|_| AtomicU32::new(0)).collect();
        Self { rows: [row(), row()], seed: RandomState::new() }
    }
}

/// A request that is there, until this is dropped.
#[derive(Debug)]
pub struct InFlightGuard {
    of: Arc<Concurrent>,
    places: [usize; 2],
}

impl Concurrent {
    /// One more request of this client, if it has fewer than `most`.
    fn enter(self: &Arc<Self>, client: Key, most: u32) -> Option<InFlightGuard> {
        let hash = self.seed.hash_one(client);
        let place = |bits: u64| usize::try_from(bits).unwrap_or_default() % COUNTERS;
        // Counted first, so that two threads cannot both take the last place; the drop takes it back.
        let presence = InFlightGuard { of: Arc::clone(self), places: [place(hash), place(hash >> 32)] };
        let least = presence.counters().map(|counter| counter.fetch_add(1, Relaxed)).min();
        least.is_none_or(|there| there < most).then_some(presence)
    }
}

impl InFlightGuard {
    fn counters(&self) -> impl Iterator<Item = &AtomicU32> {
        self.of.rows.iter().zip(self.places).filter_map(|(row, place)| row.get(place))
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        for counter in self.counters() {
            counter.fetch_sub(1, Relaxed);
        }
    }
}

impl Policy {
    /// Counts a request for as long as the app has it in hand.
    pub(crate) fn enter(&self, call: &Call) -> (Option<InFlightGuard>, Faults) {
        let Some(most) = self.concurrent else { return (None, Faults::new()) };
        let Some(address) = call.client.address.filter(|_| self.mode != Mode::Off && !self.is_exempt(call))
        else {
            return (None, Faults::new());
        };
        let key = self.group(address);
        let Some(presence) = self.presences.enter(key, most) else {
            let repeated = !self.is_news("concurrent", key);
            let subject = Some("concurrent".into());
            let remedy = (self.mode == Mode::Enforce).then(|| "throttle.concurrent = 0".into());
            let refusal =
                Refusal { repeated, subject, remedy, ..Refusal::retry(Reason::RateLimited, super::CLOSED) };
            return (None, vec![(self.mode, refusal)]);
        };
        (Some(presence), Faults::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_so_many_places_and_gets_them_back() {
        let concurrent = Arc::<Concurrent>::default();
        let (a, b) = ([1; 16], [2; 16]);
        let of_a: Vec<_> = std::iter::from_fn(|| concurrent.enter(a, 3)).take(10).collect();
        assert_eq!(of_a.len(), 3);
        assert!(concurrent.enter(b, 3).is_some());
        drop(of_a);
        assert!(concurrent.enter(a, 3).is_some());
    }

    #[test]
    fn hardly_anybody_counts_for_others() {
        let concurrent = Arc::<Concurrent>::default();
        let client = |number: u32| u128::from(number).to_be_bytes();
        let there: Vec<_> = (0..1_000).map(|number| concurrent.enter(client(number), 100)).collect();
        let wrong = (0..1_000).filter(|number| concurrent.enter(client(*number), 2).is_none()).count();
        assert!(wrong < 30, "{wrong} of {} count as two", there.len());
    }
}
