//! An app's own words for a refusal.

use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

/// Longest body that is repeated, in bytes. An error of an API is short.
pub const LONGEST: usize = 4 << 10;

/// The answer of the app to a request of this kind. Clients of the app know it: a refusal by the gate in its place says the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    /// Its status.
    pub status: StatusCode,
    /// Its `WWW-Authenticate`.
    pub challenge: Option<HeaderValue>,
    /// Its body, if it is a JSON object that does not differ from time to time.
    pub body: Option<Map<String, Value>>,
}

impl Words {
    /// The words of two answers to the same kind of request. What differs between them is left out.
    pub fn of(status: StatusCode, challenge: Option<&HeaderValue>, bodies: [&[u8]; 2]) -> Self {
        let [first, second] = bodies.map(|body| {
            (body.len() <= LONGEST).then(|| serde_json::from_slice::<Map<String, Value>>(body).ok()).flatten()
        });
        let body = first.zip(second).filter(|(first, second)| first == second).map(|(first, _)| first);
        Self { status, challenge: challenge.cloned(), body }
    }
}
