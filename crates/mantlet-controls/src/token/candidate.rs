//! Secrets of the app, one of which may be the key that it signs its tokens with.

use std::sync::{Arc, Mutex, PoisonError};

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
pub struct Candidates(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    generation: u64,
    all: Arc<[Candidate]>,
    is_complete: bool,
}

impl Candidates {
    /// Replaces them: the app has started, for the first time or again. `is_complete` if every place in its
    /// code that verifies a token is known, and the key there is one of those that say so.
    pub fn put(&self, all: Vec<Candidate>, is_complete: bool) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.generation += 1;
        held.all = all.into();
        held.is_complete = is_complete;
    }

    /// The candidates, and a number that another start of the app changes.
    pub fn get(&self) -> (u64, Arc<[Candidate]>) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (held.generation, Arc::clone(&held.all))
    }

    /// Whether the app verifies tokens with no other key than those that say so.
    pub fn is_complete(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_complete
    }
}
