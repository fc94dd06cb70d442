//! What the app has said about origins: whether its own CORS answers share credentials with them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue};
use mantlet_controls::cors::Own;

/// Origins remembered. An attacker can name any number; when there are too many, the memory starts anew.
const MAX_ORIGINS: usize = 1024;
/// How long an answer counts. The app may be deployed anew with other words.
const LIFETIME: Duration = Duration::from_mins(1);

/// Asked only about requests that would be refused otherwise, so a lock does no harm; what is learned in passing does not wait for it.
#[derive(Debug, Default)]
pub(crate) struct SharedOrigins(Mutex<Answers>);

type Answers = HashMap<HeaderValue, (Own, Instant)>;

impl SharedOrigins {
    pub(crate) fn recall(&self, origin: &HeaderValue) -> Option<Own> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(origin).filter(|(_, since)| since.elapsed() < LIFETIME).map(|(own, _)| own.clone())
    }

    /// Remembers what an answer says to an origin, unless that is known. Nobody waits for it.
    pub(crate) fn learn(&self, origin: &HeaderValue, headers: &HeaderMap) {
        let Ok(mut answers) = self.0.try_lock() else { return };
        if answers.get(origin).is_some_and(|(_, since)| since.elapsed() < LIFETIME / 2) {
            return;
        }
        put(&mut answers, origin, Own::of(headers));
    }

    pub(crate) fn remember(&self, origin: &HeaderValue, own: Own) {
        put(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), origin, own);
    }
}

fn put(answers: &mut Answers, origin: &HeaderValue, own: Own) {
    if answers.len() >= MAX_ORIGINS {
        answers.clear();
    }
    answers.insert(origin.clone(), (own, Instant::now()));
}
