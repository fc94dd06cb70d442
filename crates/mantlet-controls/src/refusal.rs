//! The verdict against a request.

use std::time::Duration;

use http::HeaderValue;

use crate::Reason;

/// A request is not let through: the reason, and what the reason alone does not say.
///
/// [`crate::response`] turns it into an answer; nothing else knows statuses or texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The cause.
    pub reason: Reason,
    /// When it is worth trying again, for reasons that pass (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// Methods that would be allowed (`Allow`).
    pub allow: Option<HeaderValue>,
}

impl Refusal {
    /// A refusal that can be tried again after `delay`.
    pub const fn retry(reason: Reason, delay: Duration) -> Self {
        Self { reason, retry_after: Some(delay), allow: None }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, retry_after: None, allow: None }
    }
}
