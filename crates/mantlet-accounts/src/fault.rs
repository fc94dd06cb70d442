//! What goes wrong on our side. What the caller did wrong is an outcome, and not here.

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// All threads for passwords have work, and as much waits as may. Answer 503 with `Retry-After: 1`.
    #[error("too many passwords wait to be checked")]
    Busy,
    /// The database did not answer, or not as it must. Answer 503.
    #[error("the accounts database does not answer as it must: {0}")]
    Storage(#[from] sqlx::Error),
    /// The database was made by a newer Mantlet.
    #[error(
        "the accounts database has schema {found}, and this Mantlet knows schemas up to {known}: start the newer \
         Mantlet again, or restore the backup from before it was started"
    )]
    NewerSchema {
        /// What it has.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// The database or its folder cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// Something was sealed with a key that is not there.
    #[error(
        "the accounts database was made with another key than the one that is given (it asks for the key `{0}`): give \
         the key that belongs to it"
    )]
    NoKey(String),
    /// What is in the database was changed by other means than Mantlet.
    #[error("the accounts database holds something that Mantlet has not written: {0}")]
    Corrupt(&'static str),
    /// The operating system has no random bytes, or a library refused to work.
    #[error("{0} failed")]
    Failed(&'static str),
}
