//! The verdict against a request.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use mantlet_contract::fault::Fault;

use crate::{Reason, cors, throttle::Standing};

/// A request is not let through: the reason, and what the reason alone does not say.
///
/// [`crate::response`] turns it into an answer; nothing else knows statuses or texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The cause.
    pub reason: Reason,
    /// What the client is told instead, where the cause would betray something.
    pub seems: Option<Reason>,
    /// When it is worth trying again, for reasons that pass (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// Methods that would be allowed (`Allow`).
    pub allow: Option<Box<HeaderValue>>,
    /// What is wrong with the input, in FastAPI's words; stands for the reason's own text.
    pub faults: Vec<Fault>,
    /// Where the client stands with a rule that is used up.
    pub limit: Option<Box<Standing>>,
    /// A record of a moment ago says the same.
    pub repeated: bool,
    /// What it is about, where the reason does not say it: the name of a rule.
    pub subject: Option<Arc<str>>,
    /// Some of the hash of what that rule counts by, where it is no address.
    pub key: Option<[u8; 4]>,
    /// The line of configuration that changes it, where the reason and the operation alone do not say it.
    pub remedy: Option<Box<str>>,
    /// What the app's own CORS answers say to the page that asked.
    pub(crate) cors: Option<Box<cors::Own>>,
}

impl Refusal {
    /// What the client is told.
    pub fn told(&self) -> Reason {
        self.seems.unwrap_or(self.reason)
    }

    /// A refusal that can be tried again after `delay`.
    pub fn retry(reason: Reason, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..reason.into() }
    }

    /// A refusal about something that the reason does not say.
    pub fn about(reason: Reason, subject: impl Into<Arc<str>>) -> Self {
        Self { subject: Some(subject.into()), ..reason.into() }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            seems: None,
            retry_after: None,
            allow: None,
            faults: Vec::new(),
            limit: None,
            repeated: false,
            subject: None,
            key: None,
            remedy: None,
            cors: None,
        }
    }
}
