//! Remembers the app's own CORS decisions, by the question.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, Request, header};
use mantlet_controls::{Call, call::request_id::X_REQUEST_ID, cors::Own};

/// The number of remembered results. A client can cause any number of questions; when the memory is
/// full, it is cleared.
const MAX_ANSWERS: usize = 4096;
/// Longest origin that is remembered, in bytes. A host name has at most 253.
const MAX_ORIGIN: usize = 512;
/// How long a result counts. The app may be deployed again with other settings.
const LIFETIME: Duration = Duration::from_mins(1);

/// Identifies a question, by two hashes that a client cannot foresee.
pub(crate) type Key = (u64, u64);

/// Read only for requests that would otherwise be refused, so a lock does no harm. Results learned
/// in passing do not wait for it.
#[derive(Debug, Default)]
pub(crate) struct SharedOrigins {
    answers: Mutex<HashMap<Key, (Own, Instant)>>,
    hashers: (RandomState, RandomState),
}

impl SharedOrigins {
    fn key_of(&self, write: impl Fn(&mut dyn Hasher)) -> Key {
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            write(&mut hasher);
            hasher.finish()
        };
        (hash(&self.hashers.0), hash(&self.hashers.1))
    }

    /// The key of a preflight: everything that the app can see in it, except the request id.
    pub(crate) fn key_of_preflight(&self, preflight: &Request<()>) -> Key {
        self.key_of(|mut hasher| {
            preflight.uri().hash(&mut hasher);
            for (name, value) in preflight.headers() {
                if name != X_REQUEST_ID {
                    (name.as_str(), value.as_bytes()).hash(&mut hasher);
                }
            }
        })
    }

    /// The key of a page's request: its client, its method, and its operation, or its path if the
    /// operation is not known.
    pub(crate) fn key_of_place(&self, call: &Call) -> Option<Key> {
        let origin = call.origin.as_ref().filter(|origin| origin.len() <= MAX_ORIGIN)?;
        let place = match &call.operation {
            Some(matched) => matched.route.path.as_str(),
            None => call.path.as_str(),
        };
        let (scheme, host) = (call.client.scheme.as_str(), call.host.asked());
        Some(self.key_of(|mut hasher| {
            (origin.as_bytes(), scheme, host, call.method.as_str(), place).hash(&mut hasher);
        }))
    }

    pub(crate) fn recall(&self, key: Key) -> Option<Own> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(&key).filter(|(_, since)| since.elapsed() < LIFETIME).map(|(own, _)| own.clone())
    }

    /// Remembers what a response says, unless it is known already. No request waits for it.
    pub(crate) fn learn(&self, key: Key, headers: &HeaderMap) {
        let Ok(mut answers) = self.answers.try_lock() else { return };
        if answers.get(&key).is_some_and(|(_, since)| since.elapsed() < LIFETIME / 2) {
            return;
        }
        if headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_some_and(|value| value.len() <= MAX_ORIGIN) {
            put(&mut answers, key, Own::of(headers));
        }
    }

    pub(crate) fn remember(&self, key: Key, own: Own) {
        if own.allow_origin.as_ref().is_none_or(|value| value.len() <= MAX_ORIGIN) {
            put(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner), key, own);
        }
    }
}

fn put(answers: &mut HashMap<Key, (Own, Instant)>, key: Key, own: Own) {
    if answers.len() >= MAX_ANSWERS {
        answers.clear();
    }
    answers.insert(key, (own, Instant::now()));
}
