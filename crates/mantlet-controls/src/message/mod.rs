//! Requests and responses as HTTP has them: bodies, and what headers say.

pub mod authority;
pub(crate) mod budget;
pub(crate) mod cookie;
pub(crate) mod digests;
mod findings;
pub(crate) mod foreign;
pub(crate) mod media_type;
pub(crate) mod origin;
pub(crate) mod percent;
pub(crate) mod query;
mod request_body;
mod response_body;
mod rewritten;
pub(crate) mod vary;

#[cfg(test)]
pub(crate) use findings::Finding;
pub(crate) use findings::Findings;
pub(crate) use request_body::Observer;
pub use request_body::RequestBody;
pub use response_body::ResponseBody;
pub(crate) use rewritten::{Rewrite, Rewritten};

use http::{HeaderMap, header};

/// Whether a browser will show the response to a person as a page.
pub(crate) fn is_navigation(headers: &HeaderMap) -> bool {
    match headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        // Over plain HTTP browsers do not say so.
        None => headers.get_all(header::ACCEPT).iter().any(|accept| {
            memchr::memmem::find(&accept.as_bytes().to_ascii_lowercase(), b"text/html").is_some()
        }),
    }
}

/// Whether a target is a path of this site in every browser's reading: they read `//host`, and `/\host` alike, as the address of
/// another one.
pub fn is_of_this_site(target: &str) -> bool {
    target.starts_with('/') && !target.starts_with("//") && !target.contains('\\')
}

/// The method of the request that the wire puts in the place of one it could not accept. A client that sends it is refused.
pub const REFUSED_METHOD: &str = "MANTLET-REFUSED";
