//! The verdict against a request.

use std::time::Duration;

use http::HeaderValue;
use mantlet_contract::fault::Fault;

use crate::{Reason, cors};

/// A request is not let through: the reason, and what the reason alone does not say.
///
/// [`crate::response`] turns it into an answer; nothing else knows statuses or texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The cause.
    pub reason: Reason,
    /// When it is worth trying again, for reasons that pass (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// Methods that would be allowed (`Allow`).
    pub allow: Option<HeaderValue>,
    /// What is wrong with the input, in FastAPI's words; stands for the reason's own text.
    pub faults: Vec<Fault>,
    /// What the app's own CORS answers say to the page that asked.
    pub(crate) cors: Option<Box<cors::Own>>,
}

impl Refusal {
    /// A refusal that can be tried again after `delay`.
    pub const fn retry(reason: Reason, delay: Duration) -> Self {
        Self { reason, retry_after: Some(delay), allow: None, faults: Vec::new(), cors: None }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, retry_after: None, allow: None, faults: Vec::new(), cors: None }
    }
}
