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

mod configuration;
mod contract;
mod facts;
mod secret;
mod settings;
mod wrap;

pub mod baseline;
pub mod client;
pub mod exchange;
pub mod explain;
pub mod finding;
pub mod formats;
pub mod live;
pub mod project;
pub mod proposal;
pub mod review;
pub mod rule;

pub use facts::{AppFacts, Gate};
pub use finding::{Evidence, Finding, Fix, Place};
pub use review::Review;
use review::Row;
pub use rule::{Level, Owasp, Practice, Rule};

/// Reviews an app by its contract, without a request: what it accepts and promises, how it is set up, what
/// its code does, and what the gate in front of it closes.
pub fn of_app(facts: AppFacts<'_>) -> Review {
    let app = facts::App::of(facts);
    let mut review = Review::default();
    review.operations_known(app.operations.iter().map(facts::Located::name));
    contract::review(&app, &mut review);
    settings::review(&app, &mut review);
    configuration::review(&app, &mut review);
    if !app.asks_who_calls() {
        for row in [Owasp::Api1, Owasp::Api2, Owasp::Api5] {
            review.not_judged(Row::Owasp(row), "no operation asks for a credential that is known to be one");
        }
    }
    review
}

#[cfg(test)]
mod rooms_tests;
