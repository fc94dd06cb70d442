//! Headers that describe the very bytes of a body.

use http::{HeaderMap, HeaderName, header};

const DIGESTS: [HeaderName; 5] = [
    header::ETAG,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Removes what was said of other bytes.
pub(crate) fn forget(headers: &mut HeaderMap) {
    for name in &DIGESTS {
        headers.remove(name);
    }
}
