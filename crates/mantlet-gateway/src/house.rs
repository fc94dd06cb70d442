//! Accounts beside the app: what answers requests that are for them.
//!
//! It answers in this process and never on a thread of the gate: hashing a password takes as long as hundreds of requests.

use std::{fmt::Debug, net::IpAddr, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use mantlet_controls::accounts::{Event, Policy};

/// Bytes that the body of a request for the accounts may have.
pub const LONGEST_REQUEST: usize = 64 << 10;
/// How long an answer is waited for: passwords are hashed in turn.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the longest document of an app to which the login is added.
pub(crate) const LONGEST_DOCUMENT: u64 = 8 << 20;

/// A request for the accounts. The pipeline has judged it.
#[derive(Debug)]
pub struct Asked {
    /// The request with its whole body.
    pub request: Request<Bytes>,
    /// The client.
    pub client: Option<IpAddr>,
    /// Where the site is for the client: scheme and host, as far as that is known.
    pub origin: String,
}

/// The answer to it.
#[derive(Debug)]
pub struct Answer {
    /// For the client.
    pub response: Response<Bytes>,
    /// For the audit log.
    pub event: Option<Event>,
}

/// What answers requests for the accounts. Which these are, `Callers::owns` says.
pub trait House: Debug + Send + Sync {
    /// Answers a request. It is answered although its client may leave.
    fn answer(&self, asked: Asked) -> BoxFuture<'static, Answer>;

    /// The app's OpenAPI document with the login in it, which the operations need that are not public.
    fn describe(&self, document: &Bytes, public: &Policy) -> Bytes;
}
