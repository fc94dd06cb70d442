//! Secrets of the app, one of which may be the key that it signs its tokens with.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::config::Secret;

/// A text or bytes of the app that may be a key.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Where it is, as the operator knows it: `SECRET_KEY in main`. Never the value.
    pub name: Arc<str>,
    /// Its name is one that keys have: `SECRET_KEY`, `jwt_secret`.
    pub is_named_like_a_key: bool,
    /// The app's own code verifies tokens with it.
    pub verifies: bool,
    /// The key.
    pub secret: Secret<Vec<u8>>,
}

/// The candidates of the app that runs. A clone shares them, and they outlive a policy.
#[derive(Debug, Clone, Default)]
pub struct Candidates(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Read for every request with a token, so beside the lock.
    generation: AtomicU64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: Arc<[Candidate]>,
    is_complete: bool,
}

impl Candidates {
    /// Replaces them: the app has started, for the first time or again. `is_complete` if every place in its
    /// code that verifies a token is known, and the key there is one of those that say so.
    pub fn put(&self, all: Vec<Candidate>, is_complete: bool) {
        let mut held = self.held();
        *held = Held { all: all.into(), is_complete };
        self.0.generation.fetch_add(1, Relaxed);
    }

    /// The candidates, and whether the app verifies tokens with no other key than those that say so.
    pub fn get(&self) -> (Arc<[Candidate]>, bool) {
        let held = self.held();
        (Arc::clone(&held.all), held.is_complete)
    }

    /// A number that another start of the app changes.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Relaxed)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
