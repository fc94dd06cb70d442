//! What is known of the app's own tokens: its key, and what the app does with tokens that are not good.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU8, Ordering::Relaxed},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};

use super::{guess::Guesses, handshake::Handshakes, trial::Pinned};
use crate::{
    identity::Epoch,
    refusal::{Said, Words},
};

/// Kinds of security requirements of one app that are told apart.
const MOST_KINDS: usize = 256;
/// How often a key is looked for among the candidates of one start of the app, beside at its logins.
const MOST_SEARCHES: u32 = 16;
/// How often the app is asked whether it refuses a forged token, for one kind of requirement.
const MOST_QUESTIONS: u8 = 5;

/// Seconds for which one request may ask.
const LONGEST: i64 = 5;

/// It outlives the policy; a clone shares it.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pinned: ArcSwapOption<Pinned>,
    epoch: Epoch,
    searches: Mutex<Searches>,
    guesses: Arc<Guesses>,
    agreements: ArcSwap<HashMap<u64, Arc<Agreement>>>,
    handshakes: Handshakes,
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
        self.0.agreements.store(Arc::default());
        self.0.handshakes.forget();
        self.0.epoch.end();
    }

    /// The app has handed out a token that the key does not verify: it has another one, too.
    pub(super) fn is_not_the_only_one(&self) {
        if let Some(pinned) = &*self.0.pinned.load()
            && pinned.is_only
        {
            let mut pinned = Pinned::clone(pinned);
            pinned.is_only = false;
            self.0.pinned.store(Some(Arc::new(pinned)));
            self.0.epoch.end();
        }
    }

    pub(super) fn guesses(&self) -> &Arc<Guesses> {
        &self.0.guesses
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

    /// What the app does with tokens in the handshakes of WebSockets.
    pub(super) fn handshakes(&self) -> &Handshakes {
        &self.0.handshakes
    }

    /// What the app does with tokens where operations ask in this way.
    pub(super) fn agreement(&self, kind: u64) -> Option<Arc<Agreement>> {
        let known = self.0.agreements.load();
        if let Some(known) = known.get(&kind) {
            return Some(Arc::clone(known));
        }
        if known.len() >= MOST_KINDS {
            return None;
        }
        self.0.agreements.rcu(|known| {
            let mut all = HashMap::clone(known);
            all.entry(kind).or_default();
            all
        });
        self.0.agreements.load().get(&kind).cloned()
    }
}

/// The app's answers to credentials that the gate takes for bad, where operations ask in one way.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    /// What the app does with a forged token.
    pub(super) forged: Treatment,
    /// What it does without any credential.
    pub(super) missing: Treatment,
    asked: AtomicU8,
    /// When a request began to ask, in seconds since 1970; 0 if none does. Its client may leave meanwhile.
    asking_since: AtomicI64,
    first_of_forged: Mutex<Option<Said>>,
}

/// What the app does with one kind of request.
#[derive(Debug, Default)]
pub(super) struct Treatment {
    known: AtomicU8,
    words: ArcSwapOption<Words>,
}

const REFUSED: u8 = 1;
const ACCEPTED: u8 = 2;

impl Treatment {
    /// It refuses it in these words. An acceptance that was seen counts more.
    pub(super) fn is_refused(&self, words: Words) {
        self.words.store(Some(Arc::new(words)));
        let _ = self.known.compare_exchange(0, REFUSED, Relaxed, Relaxed);
    }

    /// It has accepted it. Whether that is new.
    pub(super) fn is_accepted(&self) -> bool {
        self.known.swap(ACCEPTED, Relaxed) != ACCEPTED
    }

    /// The words, if it refuses each.
    pub(super) fn words(&self) -> Option<Arc<Words>> {
        (self.known.load(Relaxed) == REFUSED).then(|| self.words.load_full()).flatten()
    }

    /// Whether it was seen to accept one.
    pub(super) fn was_accepted(&self) -> bool {
        self.known.load(Relaxed) == ACCEPTED
    }
}

impl Agreement {
    /// Whether the app is to be asked what it does with a forged token. One request asks.
    pub(super) fn begin_to_ask(&self, now: i64) -> bool {
        let since = self.asking_since.load(Relaxed);
        self.is_open()
            && now >= since + LONGEST
            && self.asking_since.compare_exchange(since, now, Relaxed, Relaxed).is_ok()
    }

    /// Whether it is not known yet.
    pub(super) fn is_open(&self) -> bool {
        self.forged.known.load(Relaxed) == 0 && self.asked.load(Relaxed) < MOST_QUESTIONS
    }

    /// It was asked, or could not be.
    pub(super) fn has_asked(&self) {
        self.asked.fetch_add(1, Relaxed);
        self.asking_since.store(0, Relaxed);
    }

    /// It was not asked.
    pub(super) fn did_not_ask(&self) {
        self.asking_since.store(0, Relaxed);
    }

    /// The app has refused a forged token of a client. Its words are known from two such answers.
    pub(super) fn refuses_forged(&self, said: Said) {
        let mut first = self.first_of_forged.lock().unwrap_or_else(PoisonError::into_inner);
        match first.as_ref().and_then(|known| Words::of(known, &said)) {
            Some(words) => self.forged.is_refused(words),
            None => *first = Some(said),
        }
    }
}
