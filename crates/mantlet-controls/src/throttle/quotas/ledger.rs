//! The counts on this machine.
//!
//! Each key belongs to one of many small lists, by a hash with a secret seed; a list has a lock of
//! its own and room for twice the keys that it should have to hold. In a full list, a new key
//! replaces the least important one: one whose windows are over, else one that the app has never
//! accepted, else the one with the lowest usage. So a client cannot make the gate forget its usage,
//! and no client is refused because others have filled the list.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    Limits, QuotaDecision, WindowUse,
    window::{Count, UnixSeconds, Window},
};
use crate::throttle::Key;

/// Keys that a list should have to hold, and for which it has room.
const USUAL: usize = 32;
const ROOM: usize = 2 * USUAL;

/// The usage of the keys of a quota.
#[derive(Debug)]
pub struct Ledger {
    lists: OnceLock<Box<[Mutex<List>]>>,
    count: usize,
    seed: RandomState,
    changed: AtomicBool,
}

#[derive(Debug, Default)]
struct List {
    entries: Vec<Entry>,
    /// Keys that were reported and have been removed.
    gone: Vec<Key>,
    /// Something of it is to be told.
    changed: bool,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    /// For each window of [`Window::ALL`].
    counts: [Count; 3],
    label: Option<Box<str>>,
    /// The app has responded with a status other than 401 and 403. Only such keys are kept
    /// permanently.
    accepted: bool,
    /// It has changed since it was reported.
    changed: bool,
    /// It was told.
    told: bool,
}

/// The usage of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaUse {
    /// The key.
    pub key: Key,
    /// The client or account, if that is not a secret.
    pub label: Option<Box<str>>,
    /// For each window of [`Window::ALL`]; nothing used in any of them stands for a key that is forgotten.
    pub counts: [Count; 3],
}

impl QuotaUse {
    const fn gone(key: Key) -> Self {
        Self { key, label: None, counts: [Count { from: 0, used: 0, warned: false }; 3] }
    }

    /// Whether nothing is used up.
    pub fn is_gone(&self) -> bool {
        self.counts.iter().all(|count| count.used == 0)
    }
}

impl Ledger {
    /// Room for so many keys and up to twice as many, which is taken as they come.
    pub(crate) fn with_room_for(keys: usize) -> Self {
        Self {
            lists: OnceLock::new(),
            count: keys.div_ceil(USUAL).max(1),
            seed: RandomState::new(),
            changed: AtomicBool::new(false),
        }
    }

    /// Counts a request of a key, if none of the windows is used up.
    pub(in crate::throttle) fn take(
        &self,
        key: Key,
        limits: &Limits,
        now: UnixSeconds,
        label: impl FnOnce() -> Option<Box<str>>,
    ) -> QuotaDecision {
        let Some(mut list) = self.list(key) else { return QuotaDecision::NOTHING };
        let entry = list.entry(key, now, label);
        let mut counted = QuotaDecision { passes: true, warns: false, windows: [None; 3] };
        let all = || Window::ALL.into_iter().zip(limits.of);
        for ((window, limit), count) in all().zip(&mut entry.counts) {
            if let Some(limit) = limit {
                count.roll(window.at(now));
                counted.passes &= count.used < limit;
            }
        }
        for (((window, limit), count), told) in all().zip(&mut entry.counts).zip(&mut counted.windows) {
            if limit.is_none() {
                continue;
            }
            if counted.passes {
                count.used += 1;
            }
            let rest = window.at(count.from).until.saturating_sub(now);
            *told = Some(WindowUse { from: count.from, rest, used: count.used });
        }
        if counted.passes && entry.accepted {
            entry.changed = true;
            self.note(&mut list);
        }
        counted
    }

    /// Takes back what was counted, in the windows that began at these moments.
    pub(in crate::throttle) fn give_back(&self, key: Key, windows: &[Option<UnixSeconds>; 3]) {
        let Some(mut list) = self.list(key) else { return };
        let Some(entry) = list.entries.iter_mut().find(|entry| entry.key == key) else { return };
        for (count, from) in entry.counts.iter_mut().zip(windows) {
            if *from == Some(count.from) {
                count.used = count.used.saturating_sub(1);
            }
        }
        if entry.counts.iter().all(|count| count.used == 0) {
            list.forget(key);
        } else {
            entry.changed = true;
        }
        self.note(&mut list);
    }

    /// The app has accepted a key. Whether that is worth a warning, the first in one of its windows.
    pub(in crate::throttle) fn accept(&self, key: Key, limits: &Limits) -> bool {
        let Some(mut list) = self.list(key) else { return false };
        let Some(entry) = list.entries.iter_mut().find(|entry| entry.key == key) else { return false };
        let mut warns = false;
        for (count, limit) in entry.counts.iter_mut().zip(limits.of) {
            if limit.is_some_and(|limit| count.used >= limits.warning_at(limit)) && !count.warned {
                (count.warned, warns) = (true, true);
            }
        }
        if warns || !entry.accepted {
            (entry.accepted, entry.changed) = (true, true);
            self.note(&mut list);
        }
        warns
    }

    /// Restores a key from elsewhere.
    pub fn restore(&self, holder: QuotaUse) {
        let Some(mut list) = self.list(holder.key) else { return };
        if holder.is_gone() {
            return list.forget(holder.key);
        }
        let entry = list.entry(holder.key, 0, || holder.label);
        (entry.counts, entry.accepted, entry.told) = (holder.counts, true, true);
    }

    /// Forgets a key; whether it was known.
    pub fn reset(&self, key: Key) -> bool {
        let Some(mut list) = self.list(key) else { return false };
        let known = list.entries.len();
        list.forget(key);
        self.note(&mut list);
        list.entries.len() < known
    }

    /// Changes of accepted keys since the last call.
    pub fn changes(&self) -> Vec<QuotaUse> {
        let mut changes = Vec::new();
        if !self.changed.swap(false, Relaxed) {
            return changes;
        }
        self.each(|list| {
            if !std::mem::take(&mut list.changed) {
                return;
            }
            changes.extend(list.gone.drain(..).map(QuotaUse::gone));
            for entry in list.entries.iter_mut().filter(|entry| entry.accepted && entry.changed) {
                (entry.changed, entry.told) = (false, true);
                changes.push(entry.holder());
            }
        });
        changes
    }

    /// All accepted keys; what is over is forgotten.
    pub fn everything(&self, now: UnixSeconds) -> Vec<QuotaUse> {
        let mut all = Vec::new();
        self.each(|list| {
            list.gone.clear();
            list.changed = false;
            list.entries.retain(|entry| !entry.is_over(now));
            for entry in list.entries.iter_mut().filter(|entry| entry.accepted) {
                (entry.changed, entry.told) = (false, true);
                all.push(entry.holder());
            }
        });
        all
    }

    /// The present usage of accepted keys, in windows that are not over.
    pub fn holders(&self, now: UnixSeconds) -> Vec<QuotaUse> {
        let mut all = Vec::new();
        self.each(|list| {
            let accepted = list.entries.iter().filter(|entry| entry.accepted);
            all.extend(accepted.map(|entry| entry.holder().at(now)).filter(|holder| !holder.is_gone()));
        });
        all
    }

    /// The present usage of a key.
    pub fn holder(&self, key: Key, now: UnixSeconds) -> Option<QuotaUse> {
        let list = self.list(key)?;
        let entry = list.entries.iter().find(|entry| entry.key == key)?;
        Some(entry.holder().at(now)).filter(|holder| !holder.is_gone())
    }

    fn note(&self, list: &mut List) {
        list.changed = true;
        self.changed.store(true, Relaxed);
    }

    fn each(&self, mut look: impl FnMut(&mut List)) {
        for list in self.lists.get().into_iter().flatten() {
            look(&mut list.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn list(&self, key: Key) -> Option<MutexGuard<'_, List>> {
        let lists = self.lists.get_or_init(|| (0..self.count).map(|_| Mutex::default()).collect());
        let number = usize::try_from(self.seed.hash_one(key) >> 1).unwrap_or_default() % lists.len();
        lists.get(number).map(|list| list.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl QuotaUse {
    /// Without windows that are over.
    #[must_use]
    pub fn at(mut self, now: UnixSeconds) -> Self {
        for (window, count) in Window::ALL.into_iter().zip(&mut self.counts) {
            count.roll(window.at(now));
        }
        self
    }
}

impl Entry {
    fn holder(&self) -> QuotaUse {
        QuotaUse { key: self.key, label: self.label.clone(), counts: self.counts }
    }

    fn is_over(&self, now: UnixSeconds) -> bool {
        Window::ALL.into_iter().zip(&self.counts).all(|(window, count)| count.is_over(window, now))
    }

    /// The larger, the more important the key.
    fn weight(&self, now: UnixSeconds) -> (bool, bool, u32) {
        (
            !self.is_over(now),
            self.accepted,
            self.counts.iter().map(|count| count.used).max().unwrap_or_default(),
        )
    }
}

impl List {
    /// The entry of a key, which it may have taken from another.
    fn entry(&mut self, key: Key, now: UnixSeconds, label: impl FnOnce() -> Option<Box<str>>) -> &mut Entry {
        let known = self.entries.iter().position(|entry| entry.key == key);
        let place = known.unwrap_or_else(|| {
            if self.entries.len() >= ROOM
                && let Some(least) =
                    self.entries.iter().min_by_key(|entry| entry.weight(now)).map(|entry| entry.key)
            {
                self.forget(least);
            }
            let counts = [Count::default(); 3];
            let entry = Entry { key, counts, label: label(), accepted: false, changed: false, told: false };
            self.entries.push(entry);
            self.entries.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it was found there, or put there")]
        &mut self.entries[place]
    }

    fn forget(&mut self, key: Key) {
        if let Some(place) = self.entries.iter().position(|entry| entry.key == key)
            && self.entries.swap_remove(place).told
        {
            self.gone.push(key);
        }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
