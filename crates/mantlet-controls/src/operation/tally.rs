//! How often the app has agreed with the gate about the input of an operation.

use std::sync::{Mutex, atomic::AtomicU64};

use serde::{Deserialize, Serialize};

/// The app's responses to judged input of one operation.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) valid: AtomicU64,
    pub(crate) invalid: AtomicU64,
    pub(crate) different: AtomicU64,
    pub(crate) missed: AtomicU64,
    pub(crate) contradicted: AtomicU64,
    pub(crate) refused_first: AtomicU64,
    pub(crate) last: Mutex<Option<Contradiction>>,
}

/// The last request of an operation that was contradicted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// Its id.
    pub request_id: String,
    /// The app's status.
    pub status: u16,
    /// The gate's findings.
    pub found: Vec<String>,
}
