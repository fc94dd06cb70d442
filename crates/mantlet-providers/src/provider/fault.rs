//! Why a provider says nothing that is believed.

use mantlet_controls::token::TokenFault;

/// The provider does not respond, or with nothing that is understood. The text is for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Away(pub(crate) String);

/// Why a token of the provider is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unbelieved {
    /// Its keys cannot be had.
    Away(Away),
    /// It is not good.
    Bad(String),
}

impl From<Away> for Unbelieved {
    fn from(away: Away) -> Self {
        Self::Away(away)
    }
}

impl From<TokenFault> for Unbelieved {
    fn from(fault: TokenFault) -> Self {
        Self::Bad(fault.to_string())
    }
}
