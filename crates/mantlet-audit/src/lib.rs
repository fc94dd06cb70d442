//! An audit log that shows when a line was changed, added or taken away.
//!
//! A log is lines of JSON in one file or several. Each line has a number (`seq`) and the beginning of the
//! hash of the line before it (`prev`), over the bytes as they were written. From time to time a *seal*
//! signs a Merkle root over all lines so far (RFC 6962). Each seal is signed with a key of its own, which
//! is forgotten once the next one is derived from it, so that an attacker who gets the key of today cannot
//! sign what was written yesterday.
//!
//! The crate knows bytes and reads files: no requests, no threads, no clock, and it writes nothing.

mod base64;
mod line;
mod seal;

pub mod chain;
pub mod files;
pub mod key;
pub mod note;
pub mod proof;
pub mod tree;
pub mod verify;

pub use chain::Chain;
pub use key::Key;
pub use line::{Link, link_of, read_seq};
pub use seal::{Seal, SealLine};
pub use tree::{Hash, Tree};

#[cfg(test)]
mod rooms_tests;
