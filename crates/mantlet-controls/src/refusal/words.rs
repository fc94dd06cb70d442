//! An app's own words for a refusal.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

/// Longest body that is repeated, in bytes. An error of an API is short.
pub const LONGEST: usize = 4 << 10;

/// The answer of the app to a request of this kind. Clients of the app know it: a refusal by the gate in its place says the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    /// Its status.
    pub status: StatusCode,
    /// Its `WWW-Authenticate`.
    pub challenge: Option<HeaderValue>,
    /// Its `Content-Type` and its body, if it does not differ from time to time.
    pub body: Option<(HeaderValue, Bytes)>,
}

/// One answer of the app.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Its status.
    pub status: StatusCode,
    /// Its `WWW-Authenticate`.
    pub challenge: Option<HeaderValue>,
    /// Its `Content-Type`.
    pub content_type: Option<HeaderValue>,
    /// Its body.
    pub body: Bytes,
}

impl Words {
    /// The words of two answers to the same kind of request. None if their statuses differ; a body that differs is left out.
    pub fn of(first: &Said, second: &Said) -> Option<Self> {
        let is_same = (&first.body, &first.content_type) == (&second.body, &second.content_type);
        let is_repeated = is_same && first.body.len() <= LONGEST;
        let body = first.content_type.clone().filter(|_| is_repeated).map(|kind| (kind, first.body.clone()));
        (first.status == second.status).then(|| Self {
            status: first.status,
            challenge: first.challenge.clone().filter(|_| first.challenge == second.challenge),
            body,
        })
    }
}
