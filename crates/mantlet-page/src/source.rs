//! Where the facts come from, and who carries out acts.

use std::future::Future;

use http::Method;
use serde_json::Value;

/// A running gate and its audit log. An error is a sentence that says what to do.
pub trait Source: Send + Sync + 'static {
    /// Asks the gate for a path of these segments, with a query of these parameters.
    fn ask(
        &self,
        method: Method,
        segments: &[&str],
        parameters: &[(&str, &str)],
    ) -> impl Future<Output = Result<Value, String>> + Send;

    /// The last records of the log, the oldest first, of which those that came since the last question are new:
    /// hands each of these over once.
    fn new_records(&self) -> impl Future<Output = Result<Vec<Value>, String>> + Send;

    /// The last records that fit, the newest first.
    fn search(&self, search: Search) -> impl Future<Output = Result<Vec<Value>, String>> + Send;

    /// Whether the log is as it was written.
    fn verify(&self) -> impl Future<Output = Result<Verified, String>> + Send;

    /// A record, and what proves that it is in the log.
    fn record(&self, seq: u64) -> impl Future<Output = Result<Proven, String>> + Send;
}

/// Which records are asked for; an empty text asks for nothing.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the option of `mantlet audit search` that has its name")]
pub struct Search {
    pub user: String,
    pub ip: String,
    pub code: String,
    pub event: String,
    pub object: String,
    pub operation: String,
    pub request: String,
    pub session: String,
    pub since: String,
    pub until: String,
    /// How many records at most.
    pub most: usize,
}

/// A record with its proof.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The record.
    pub record: Value,
    /// The proof as text; or why there is none.
    pub proof: Result<String, String>,
}

/// What the verification of a log has found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// The name of the log.
    pub log: String,
    /// The first fault, if there is one.
    pub fault: Option<Tampering>,
    /// Its files.
    pub files: u64,
    /// Records that are as they were written.
    pub records: u64,
    /// Seals that are good.
    pub seals: u64,
    /// How many records the last of them covers, and when it was made.
    pub sealed: u64,
    /// When the last seal was made, RFC 3339.
    pub sealed_at: Option<String>,
}

/// The first fault of a log.
#[derive(Debug, Clone)]
pub struct Tampering {
    /// What is wrong.
    pub what: String,
    /// The file and the line, if they are known.
    pub place: Option<String>,
}
