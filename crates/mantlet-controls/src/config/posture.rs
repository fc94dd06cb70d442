//! How strict the defaults are, and what becomes of what is only suspected.

use serde::{Deserialize, Serialize};

/// How strictly the contract is read where it leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Posture {
    /// Nothing that a well-behaved client did before stops working.
    #[default]
    Compatible,
    /// Only what the contract says.
    Strict,
}

/// What becomes of what the contract does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tolerance {
    /// It is refused.
    Reject,
    /// It passes, and the first time is recorded.
    Report,
    /// It passes.
    Allow,
}
