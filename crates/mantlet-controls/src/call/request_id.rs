//! `X-Request-ID`: one id for a request in the response, the app's log and the audit record.

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use uuid::{NoContext, Uuid};

use crate::config::Clock;

/// The header that carries the id, to the app and back to the client.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is accepted from a trusted peer, in bytes.
const MAX_LENGTH: usize = 128;

/// A request id: a `UUIDv7` (RFC 9562), or what a trusted peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Taken from a trusted peer if it sent exactly one that looks like an id, else made.
    pub fn of(headers: &HeaderMap, peer_trusted: bool, clock: Clock) -> Self {
        if peer_trusted {
            let mut sent = headers.get_all(&X_REQUEST_ID).into_iter();
            if let (Some(id), None) = (sent.next(), sent.next())
                && is_id(id.as_bytes())
            {
                return Self(id.clone());
            }
        }
        Self::new(clock.time())
    }

    /// A new id. Those of one millisecond have no order: a counter would be a lock for all threads.
    pub fn new(time: Timestamp) -> Self {
        let seconds = u64::try_from(time.as_second()).unwrap_or_default();
        let nanos = u32::try_from(time.subsec_nanosecond()).unwrap_or_default();
        let id = Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanos));
        let mut buffer = Uuid::encode_buffer();
        let text = id.hyphenated().encode_lower(&mut buffer);
        // Hexadecimal digits and hyphens are always a header value.
        Self(HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("")))
    }

    /// As a header value; cloning it is cheap.
    pub const fn header(&self) -> &HeaderValue {
        &self.0
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Ids end up in logs and in JSON: no spaces, quotes or control characters.
fn is_id(bytes: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_peer_names_the_request() {
        let check = |values: &[&str], trusted: bool, kept: bool| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(X_REQUEST_ID, value.parse().unwrap());
            }
            let id = RequestId::of(&headers, trusted, Clock::system());
            assert_eq!(values.contains(&id.as_str()), kept, "{values:?} trusted={trusted}");
            if !kept {
                assert_eq!(id.as_str().as_bytes()[14], b'7', "not a UUIDv7: {}", id.as_str());
            }
        };
        check(&["abc-123"], true, true);
        check(&["abc-123"], false, false);
        check(&["abc", "def"], true, false);
        check(&["with space"], true, false);
        check(&["\"quoted\""], true, false);
        check(&["x".repeat(129).as_str()], true, false);
        check(&[], true, false);
    }
}
