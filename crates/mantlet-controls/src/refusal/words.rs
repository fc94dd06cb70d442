//! An app's own words for a refusal.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// Longest body that is repeated, in bytes. An error of an API is short.
pub const LONGEST: usize = 4 << 10;

/// The answer of the app to a request of this kind. Clients of the app know it: a refusal by the gate in its place says the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    /// Its status.
    pub status: StatusCode,
    /// Its headers that do not differ from time to time.
    pub headers: HeaderMap,
    /// Its body, if it does not differ either. `Content-Type` is among the headers.
    pub body: Option<Bytes>,
}

/// One answer of the app.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Headers of an answer that are not repeated: they are about one message, one client or one page, or the
/// gate writes them.
fn is_of_one(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION
            | header::CONTENT_LENGTH
            | header::CONTENT_ENCODING
            | header::TRANSFER_ENCODING
            | header::DATE
            | header::SERVER
            | header::SET_COOKIE
            | header::ETAG
            | header::LAST_MODIFIED
            | header::RETRY_AFTER
            | header::LOCATION
            | header::CACHE_CONTROL
    ) || name.as_str().starts_with("access-control-")
        || name.as_str() == "x-request-id"
        || name.as_str() == "x-powered-by"
}

impl Words {
    /// The words of two answers to the same kind of request. None if their statuses differ; what else differs is left out.
    pub fn of(first: &Said, second: &Said) -> Option<Self> {
        if first.status != second.status {
            return None;
        }
        let mut headers = HeaderMap::new();
        for name in first.headers.keys().filter(|name| !is_of_one(name)) {
            let values =
                |said: &Said| said.headers.get_all(name).iter().cloned().collect::<Vec<HeaderValue>>();
            let own = values(first);
            if own == values(second) {
                headers.extend(own.into_iter().map(|value| (name.clone(), value)));
            }
        }
        let is_plain = !first.headers.contains_key(header::CONTENT_ENCODING);
        let is_repeated = first.body == second.body
            && first.body.len() <= LONGEST
            && is_plain
            && headers.contains_key(header::CONTENT_TYPE) != first.body.is_empty();
        let body = is_repeated.then(|| first.body.clone());
        Some(Self { status: first.status, headers, body })
    }
}
