//! The query of a request, as it is written.

use std::fmt::Write as _;

use http::{Request, Uri, uri::PathAndQuery};
use zeroize::Zeroizing;

/// Gives a request another query; none is left if it is empty. False if it cannot be one: then the request
/// is as it was.
pub(crate) fn set<B>(request: &mut Request<B>, query: &[u8]) -> bool {
    let path = request.uri().path().as_bytes();
    let target = if query.is_empty() { path.to_vec() } else { [path, b"?", query].concat() };
    let mut parts = request.uri().clone().into_parts();
    let Ok(target) = PathAndQuery::try_from(target) else { return false };
    parts.path_and_query = Some(target);
    let uri = Uri::from_parts(parts);
    uri.map(|uri| *request.uri_mut() = uri).is_ok()
}

/// Writes a text with percent-encoding (RFC 3986 section 2.1), except for unreserved characters. It may be
/// a secret.
pub(crate) fn escaped(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(3 * text.len()));
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            // Writing to a text cannot fail.
            other => drop(write!(out, "%{other:02X}")),
        }
    }
    out
}
