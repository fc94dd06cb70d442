//! What goes wrong.

/// Why no mail can be sent with what the operator has written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It may succeed later.
    #[error("{0}")]
    ForNow(String),
    /// It will never succeed.
    #[error("{0}")]
    ForGood(String),
}
