//! The verdict against a request.

mod challenge;
pub mod remedy;
pub mod response;
pub mod stop;
mod words;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use mantlet_contract::fault::Fault;

pub use self::{
    challenge::{Challenge, Page},
    words::{LONGEST as LONGEST_WORDS, Said, Words},
};
use crate::{Mode, Reason};

/// A refused request: the reason, and details beyond it.
///
/// [`response`] turns it into a response; nothing else knows statuses or texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The cause.
    pub reason: Reason,
    /// The reason for the client, if the cause would reveal something.
    pub seems: Option<Reason>,
    /// Headers that its response needs beside those of the reason: `Retry-After`, `Allow`, the client's limits, the app's CORS.
    pub headers: Option<Box<HeaderMap>>,
    /// The faults of the input, in FastAPI's form; they replace the reason's own text.
    pub faults: Vec<Fault>,
    /// The app decides, because it may refuse the request first in another way.
    pub is_left: bool,
    /// A recent record says the same.
    pub repeated: bool,
    /// Details beyond the reason, such as the name of a rule.
    pub subject: Option<Arc<str>>,
    /// A part of the hash of that rule's key, if that is not an address.
    pub key: Option<[u8; 4]>,
    /// The line of configuration that changes it, if the reason and the operation alone do not
    /// determine it; empty if no line does.
    pub remedy: Option<Box<str>>,
    /// The app's own answer to a request of this kind, which its clients know.
    pub words: Option<Arc<Words>>,
    /// A puzzle whose answer lets the request pass.
    pub challenge: Option<Box<Challenge>>,
}

impl Refusal {
    /// The reason for the client.
    pub fn told(&self) -> Reason {
        self.seems.unwrap_or(self.reason)
    }

    /// A refusal that can be tried again after `delay`: in whole seconds, rounded up, because a
    /// client that comes back early would only be refused again.
    pub fn retry(reason: Reason, delay: Duration) -> Self {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let mut refusal = Self::from(reason);
        refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        refusal
    }

    /// A refusal with a subject.
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
            words: None,
            challenge: None,
        }
    }
}

/// The faults that a control finds in a request, each in its mode. Empty, and without an
/// allocation, for nearly all.
pub type Faults = Vec<(Mode, Refusal)>;

/// Whether one of them ends the request.
pub(crate) fn refuses(faults: &[(Mode, Refusal)]) -> bool {
    faults.iter().any(|(mode, _)| *mode == Mode::Enforce)
}
