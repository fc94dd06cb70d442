//! Sessions that are followed, for what was opened in them and is open for long.

use std::fmt::Debug;

/// Whether a session goes on.
pub trait Followed: Debug + Send + Sync {
    /// Whether it has ended. It is asked again and again, and never waits.
    fn has_ended(&self) -> bool;
}
