//! How strict the defaults are, and how unknown things are treated.

use serde::{Deserialize, Serialize};

use super::Mode;

/// How strictly the contract is read where it leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Posture {
    /// Everything that well-behaved clients did before still works.
    #[default]
    Compatible,
    /// Only what the contract declares is accepted.
    Strict,
}

impl Posture {
    /// The mode for what is suspected, and not known: it is recorded, and in strict posture refused.
    pub(crate) const fn of_suspicion(self) -> Mode {
        match self {
            Self::Compatible => Mode::Report,
            Self::Strict => Mode::Enforce,
        }
    }
}

/// The treatment of things that the contract does not declare.
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
