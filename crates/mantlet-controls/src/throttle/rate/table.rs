//! A table of values for keys, in a fixed amount of memory and without a lock.
//!
//! A table has buckets of eight slots; a key belongs to one bucket, by a hash with a secret seed. A
//! new key replaces the least important one in its bucket: one whose usage has gone back to zero,
//! or else the one with the lowest usage. So a client is forgotten only for clients with higher
//! usage, and cannot cause that itself: it does not know which clients share its bucket.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use crate::{
    config::Clock,
    throttle::rate::{Decision, Moment, Rate},
};

/// Keys in a bucket.
const SLOTS: usize = 8;

/// Values of keys: moments, or anything that a larger number makes more worth remembering.
#[derive(Debug)]
pub struct Table {
    /// Buckets one after the other: the hashes of their keys, 0 for none, then the values.
    cells: OnceLock<Box<[AtomicU64]>>,
    buckets: usize,
    seed: RandomState,
    clock: Clock,
    start: Instant,
}

/// Where a key's value is kept.
struct ContractHandle<'t> {
    key: &'t AtomicU64,
    value: &'t AtomicU64,
}

impl Table {
    /// Room for so many keys, rounded up to a power of two: 16 bytes each, which are taken with the first key.
    pub fn with_room_for(keys: usize, clock: Clock) -> Self {
        let buckets = keys.div_ceil(SLOTS).max(1).next_power_of_two();
        Self { cells: OnceLock::new(), buckets, seed: RandomState::new(), clock, start: clock.instant() }
    }

    /// The hash of a key.
    pub fn key(&self, key: impl Hash) -> u64 {
        self.seed.hash_one(key).max(1)
    }

    /// Counts a request of a key, if the rate lets it pass.
    pub fn take(&self, key: u64, rate: &Rate) -> Decision {
        self.take_at(key, rate, self.now())
    }

    /// Whether the rate would let another request of a key pass now.
    pub(in crate::throttle) fn would_pass(&self, key: u64, rate: &Rate) -> bool {
        rate.next(self.value(key), self.now()).is_ok()
    }

    /// Takes back what was counted.
    pub fn give_back(&self, key: u64, rate: &Rate) {
        // A key that was forgotten meanwhile does not replace another one.
        if let Some(slot) = self.known_slot(key) {
            let _ = slot.value.fetch_update(Relaxed, Relaxed, |moment| Some(rate.before(moment)));
        }
    }

    /// The present, in nanoseconds since the table was made.
    pub(in crate::throttle) fn now(&self) -> Moment {
        // In 584 years it would be too long.
        let passed = self.clock.instant().saturating_duration_since(self.start);
        u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX / 2)
    }

    fn take_at(&self, key: u64, rate: &Rate, now: Moment) -> Decision {
        let mut outcome = Err(0);
        self.change(key, |before| {
            outcome = rate.next(before, now);
            let (Ok(after) | Err(after)) = outcome;
            (after != before).then_some(after)
        });
        rate.tell(outcome, now)
    }

    /// Whether it never had a key.
    pub(in crate::throttle) fn is_unused(&self) -> bool {
        self.cells.get().is_none()
    }

    /// Forgets all keys.
    pub(in crate::throttle) fn clear(&self) {
        for cell in self.cells.get().into_iter().flatten() {
            cell.store(0, Relaxed);
        }
    }

    /// The value of a key; 0 if none is known.
    pub(in crate::throttle) fn value(&self, key: u64) -> u64 {
        self.known_slot(key).map_or(0, |slot| slot.value.load(Relaxed))
    }

    /// Changes the value of a key; 0 stands for none, and none leaves it as it is. May ask more than once.
    pub(in crate::throttle) fn change(&self, key: u64, change: impl FnMut(u64) -> Option<u64>) {
        let Some(slot) = self.slot(key) else { return };
        let _ = slot.value.fetch_update(Relaxed, Relaxed, change);
    }

    /// Forgets all keys, and tells their values.
    pub(in crate::throttle) fn empty(&self, mut tell: impl FnMut(u64)) {
        for bucket in self.cells.get().into_iter().flat_map(|cells| cells.chunks_exact(SLOTS * 2)) {
            let (keys, values) = bucket.split_at(SLOTS);
            for (key, value) in keys.iter().zip(values) {
                if key.load(Relaxed) != 0 {
                    key.store(0, Relaxed);
                    tell(value.swap(0, Relaxed));
                }
            }
        }
    }

    fn slots(&self, key: u64) -> impl Iterator<Item = ContractHandle<'_>> {
        // The number of buckets is a power of two.
        let bucket = usize::try_from(key >> 8).unwrap_or(usize::MAX) & (self.buckets - 1);
        let all = self.cells.get_or_init(|| bytemuck::zeroed_slice_box(self.buckets * SLOTS * 2));
        let cells = all.get(bucket * SLOTS * 2..).and_then(|rest| rest.first_chunk::<{ SLOTS * 2 }>());
        let (keys, values) = cells.map_or((&[][..], &[][..]), |cells| cells.split_at(SLOTS));
        keys.iter().zip(values).map(|(key, value)| ContractHandle { key, value })
    }

    /// The slot of a key that has one.
    fn known_slot(&self, key: u64) -> Option<ContractHandle<'_>> {
        self.slots(key).find(|slot| slot.key.load(Relaxed) == key)
    }

    /// The slot of a key, which it may have taken from another.
    fn slot(&self, key: u64) -> Option<ContractHandle<'_>> {
        loop {
            let mut least: Option<(u64, ContractHandle<'_>)> = None;
            for slot in self.slots(key) {
                if slot.key.load(Relaxed) == key {
                    return Some(slot);
                }
                let value = slot.value.load(Relaxed);
                if least.as_ref().is_none_or(|(least, _)| value < *least) {
                    least = Some((value, slot));
                }
            }
            let (_, slot) = least?;
            // Two keys that come at once may want the same slot: one of them looks again.
            let known = slot.key.load(Relaxed);
            if slot.key.compare_exchange(known, key, Relaxed, Relaxed).is_ok() {
                slot.value.store(0, Relaxed);
                return Some(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rate(count: u32, burst: u32) -> Rate {
        Rate::new(count, Duration::from_mins(1), burst).unwrap()
    }

    #[test]
    fn keys_have_rates_of_their_own() {
        let table = Table::with_room_for(100, Clock::system());
        let rate = rate(2, 2);
        let (a, b) = (table.key("a"), table.key("b"));
        assert_eq!([1, 0].map(|_| table.take_at(a, &rate, 1).remaining), [1, 0]);
        assert!(table.take_at(a, &rate, 1).wait.is_some());
        assert_eq!(table.take_at(b, &rate, 1).wait, None);
        table.give_back(a, &rate);
        assert_eq!(table.take_at(a, &rate, 1).wait, None);
        assert!(table.take_at(a, &rate, 1).wait.is_some());
    }

    #[test]
    fn a_sweep_of_addresses_neither_grows_the_table_nor_frees_who_is_refused() {
        let table = Table::with_room_for(4_096, Clock::system());
        let slow = rate(10, 10);
        let refused = table.key("attacker");
        while table.take_at(refused, &slow, 1).wait.is_none() {}
        for address in 0..1_000_000_u32 {
            table.take_at(table.key(address), &slow, 2);
        }
        assert!(table.take_at(refused, &slow, 3).wait.is_some());
        assert_eq!(table.cells.get().unwrap().len(), 2 * 4_096);
    }

    #[test]
    fn a_rate_that_is_raised_holds_for_whoever_was_refused_by_the_lower_one() {
        let table = Table::with_room_for(16, Clock::system());
        let (key, high) = (table.key("a"), rate(60_000, 10));
        while table.take_at(key, &rate(1, 5), 1).wait.is_none() {}
        assert!(table.take_at(key, &high, 1).wait.is_some());
        assert_eq!(table.take_at(key, &high, 1_000_001).wait, None, "a millisecond later there is one more");
    }

    #[test]
    fn threads_admit_no_more_together_than_the_rule_says() {
        let table = Table::with_room_for(16, Clock::system());
        let rate = rate(1, 1_000);
        let key = table.key("shared");
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| (0..1_000).filter(|_| table.take_at(key, &rate, 1).wait.is_none()).count())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 1_000);
    }
}
