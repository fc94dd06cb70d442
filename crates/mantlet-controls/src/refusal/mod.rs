//! The verdict against a request.

pub mod remedy;
pub mod response;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use mantlet_contract::fault::Fault;

use crate::{Mode, Reason};

/// A request is not let through: the reason, and what the reason alone does not say.
///
/// [`response`] turns it into a response; nothing else knows statuses or texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The cause.
    pub reason: Reason,
    /// What the client is told instead, where the cause would betray something.
    pub seems: Option<Reason>,
    /// Headers that its response needs beside those of the reason: `Retry-After`, `Allow`, the client's limits, the app's CORS.
    pub headers: Option<Box<HeaderMap>>,
    /// What is wrong with the input, in FastAPI's words; stands for the reason's own text.
    pub faults: Vec<Fault>,
    /// It is left to the app, which may refuse the request in another way before.
    pub is_left: bool,
    /// A record of a moment ago says the same.
    pub repeated: bool,
    /// What it is about, where the reason does not say it: the name of a rule.
    pub subject: Option<Arc<str>>,
    /// Some of the hash of what that rule counts by, if that is not an address.
    pub key: Option<[u8; 4]>,
    /// The line of configuration that changes it, where the reason and the operation alone do not say it.
    pub remedy: Option<Box<str>>,
}

impl Refusal {
    /// What the client is told.
    pub fn told(&self) -> Reason {
        self.seems.unwrap_or(self.reason)
    }

    /// A refusal that can be tried again after `delay`: in whole seconds, rounded up, for asking to come back early would only be refused again.
    pub fn retry(reason: Reason, delay: Duration) -> Self {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let mut refusal = Self::from(reason);
        refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        refusal
    }

    /// A refusal about something that the reason does not say.
    pub fn about(reason: Reason, subject: impl Into<Arc<str>>) -> Self {
        Self { subject: Some(subject.into()), ..reason.into() }
    }

    /// The headers that its response needs.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers.get_or_insert_default()
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            seems: None,
            headers: None,
            faults: Vec::new(),
            is_left: false,
            repeated: false,
            subject: None,
            key: None,
            remedy: None,
        }
    }
}

/// What a control has against a request, each in the mode in which it counts. Empty, and without an allocation, for nearly all.
pub type Faults = Vec<(Mode, Refusal)>;

/// Whether one of them ends the request.
pub(crate) fn refuses(faults: &[(Mode, Refusal)]) -> bool {
    faults.iter().any(|(mode, _)| *mode == Mode::Enforce)
}
