//! What is known of the app's own tokens: its key, and what the app does with tokens that are not good.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering::Relaxed},
    },
};

use arc_swap::{ArcSwapOption, Guard};

use super::trial::Pinned;
use crate::{identity::Epoch, refusal::Words};

/// Kinds of security requirements of one app that are told apart.
const MOST_KINDS: usize = 256;
/// How often a key is looked for among the candidates of one start of the app, beside at its logins.
const MOST_SEARCHES: u32 = 16;
/// How often the app is asked whether it refuses a forged token, for one kind of requirement.
const MOST_QUESTIONS: u8 = 5;

/// It outlives the policy; a clone shares it.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pinned: ArcSwapOption<Pinned>,
    epoch: Epoch,
    searches: Mutex<Searches>,
    agreements: RwLock<HashMap<u64, Arc<Agreement>>>,
}

#[derive(Debug, Default)]
struct Searches {
    generation: u64,
    count: u32,
}

impl Memory {
    /// The number of what is known now. It changes with every key.
    pub(super) fn epoch(&self) -> u64 {
        self.0.epoch.number()
    }

    pub(super) fn pinned(&self) -> Guard<Option<Arc<Pinned>>> {
        self.0.pinned.load()
    }

    /// Pins a key. What was known of the app's answers was about another one.
    pub(super) fn pin(&self, pinned: Option<Pinned>) {
        self.0.pinned.store(pinned.map(Arc::new));
        self.0.agreements.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.0.epoch.end();
    }

    /// Whether it is worth to look for a key once more, with the candidates of this start of the app.
    pub(super) fn may_search(&self, generation: u64) -> bool {
        let mut searches = self.0.searches.lock().unwrap_or_else(PoisonError::into_inner);
        if searches.generation != generation {
            *searches = Searches { generation, count: 0 };
        }
        searches.count += 1;
        searches.count <= MOST_SEARCHES
    }

    /// What the app does with tokens where operations ask in this way.
    pub(super) fn agreement(&self, kind: u64) -> Option<Arc<Agreement>> {
        if let Some(known) = self.0.agreements.read().unwrap_or_else(PoisonError::into_inner).get(&kind) {
            return Some(Arc::clone(known));
        }
        let mut all = self.0.agreements.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_KINDS {
            return None;
        }
        Some(Arc::clone(all.entry(kind).or_default()))
    }
}

/// The app's answers to tokens that the gate takes for bad.
#[derive(Debug)]
pub(super) struct Agreement {
    forged: AtomicU8,
    asked: AtomicU8,
    is_asking: AtomicBool,
    of_forged: ArcSwapOption<Words>,
    /// Seconds after its end for which the app has refused a token, at least; and accepted one, at most.
    refused_from: AtomicI64,
    accepted_to: AtomicI64,
    first_of_expired: Mutex<Option<Box<[u8]>>>,
    of_expired: ArcSwapOption<Words>,
}

impl Default for Agreement {
    fn default() -> Self {
        Self {
            forged: AtomicU8::default(),
            asked: AtomicU8::default(),
            is_asking: AtomicBool::default(),
            of_forged: ArcSwapOption::default(),
            refused_from: AtomicI64::new(i64::MAX),
            accepted_to: AtomicI64::new(i64::MIN),
            first_of_expired: Mutex::default(),
            of_expired: ArcSwapOption::default(),
        }
    }
}

const REFUSED: u8 = 1;
const ACCEPTED: u8 = 2;

impl Agreement {
    /// Whether the app is to be asked what it does with a forged token. One request asks.
    pub(super) fn begin_to_ask(&self) -> bool {
        self.forged.load(Relaxed) == 0
            && self.asked.load(Relaxed) < MOST_QUESTIONS
            && !self.is_asking.swap(true, Relaxed)
    }

    /// The app's answer: it refuses forged tokens in these words.
    pub(super) fn refuses_forged(&self, words: Words) {
        self.of_forged.store(Some(Arc::new(words)));
        // An acceptance that was seen meanwhile counts more.
        let _ = self.forged.compare_exchange(0, REFUSED, Relaxed, Relaxed);
        self.is_asking.store(false, Relaxed);
    }

    /// The app has accepted a token that it should not have. Whether that is new.
    pub(super) fn accepts_forged(&self) -> bool {
        self.is_asking.store(false, Relaxed);
        self.forged.swap(ACCEPTED, Relaxed) != ACCEPTED
    }

    /// No answer shows anything.
    pub(super) fn is_unclear(&self) {
        self.asked.fetch_add(1, Relaxed);
        self.is_asking.store(false, Relaxed);
    }

    /// The app's words for a forged token, if it refuses each.
    pub(super) fn words_of_forged(&self) -> Option<Arc<Words>> {
        (self.forged.load(Relaxed) == REFUSED).then(|| self.of_forged.load_full()).flatten()
    }

    /// The app has accepted a token that has expired so long ago. Whether that contradicts what was known.
    pub(super) fn accepts_expired(&self, age: i64) -> bool {
        self.accepted_to.fetch_max(age, Relaxed);
        self.refused_from.load(Relaxed) <= age
    }

    /// The app has refused a token that has expired so long ago.
    pub(super) fn refuses_expired(&self, age: i64, words: impl Fn([&[u8]; 2]) -> Words, body: &[u8]) {
        let mut first = self.first_of_expired.lock().unwrap_or_else(PoisonError::into_inner);
        match &*first {
            None => *first = Some(body.into()),
            Some(known) => {
                self.of_expired.store(Some(Arc::new(words([known, body]))));
                self.refused_from.fetch_min(age, Relaxed);
            }
        }
    }

    /// The app's words for a token that has expired so long ago, if it refuses each.
    pub(super) fn words_of_expired(&self, age: i64) -> Option<Arc<Words>> {
        let is_refused = age >= self.refused_from.load(Relaxed) && age > self.accepted_to.load(Relaxed);
        is_refused.then(|| self.of_expired.load_full()).flatten()
    }

    /// Whether its words for such a token are still to be learned.
    pub(super) fn asks_about_expired(&self, age: i64) -> bool {
        age < self.refused_from.load(Relaxed)
    }
}
