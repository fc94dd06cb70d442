//! The review of an app, behind `mantlet check`.
//!
//! A *rule* says what is weak, how bad that is and which row of the OWASP API Security Top 10 it belongs
//! to. A *reviewer* is a function of facts (a contract, a configuration, files, answers of a running
//! app). It writes what it found, and what it looked at, into a [`Review`]. *Formats* print a review. The
//! three know nothing of each other.
//!
//! - A row that nothing was looked at for is not passed: it says why it could not be judged.
//! - Findings are sorted and hold no time, so that the same app gives the same bytes.
//! - No rule knows an app by its names. What only a word suggests is `low` at most.

pub mod client;
pub mod exchange;
pub mod finding;
pub mod live;
pub mod proposal;
pub mod review;
pub mod rule;

pub use finding::{Evidence, Finding, Fix, Place};
pub use review::Review;
pub use rule::{Level, Owasp, Practice, Rule};
