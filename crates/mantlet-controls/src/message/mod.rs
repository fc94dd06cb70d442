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

/// The method of the request that the wire puts in the place of one it could not accept. A client that sends it is refused.
pub const REFUSED_METHOD: &str = "MANTLET-REFUSED";
