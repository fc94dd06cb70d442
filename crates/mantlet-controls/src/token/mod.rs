//! Tokens and keys: facts that several controls need. No request, no configuration.

mod candidate;

pub use self::candidate::{Candidate, Candidates};
