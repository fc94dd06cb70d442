//! What the operator is told of mails.

use std::sync::{Mutex, PoisonError};

use mantlet_mail::Outcome;

use crate::say::say;

/// What was told last: the same is not told again.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<String>);

impl Told {
    /// Tells what went wrong. What was sent is not told.
    pub(super) fn tell(&self, outcome: &Outcome) {
        let text = match outcome {
            Outcome::Sent { .. } => String::new(),
            Outcome::Deferred { kind, wait, reason, .. } => {
                format!(
                    "a mail (`{}`) was not sent: {reason}\nit is tried again in {} s",
                    kind.name(),
                    wait.as_secs()
                )
            }
            Outcome::GivenUp { kind, reason, .. } => {
                format!("a mail (`{}`) is given up: {reason}", kind.name())
            }
            Outcome::Unreadable(fault) => {
                format!("mails cannot be read from the database: {fault}\ntrying again")
            }
        };
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != text {
            if !text.is_empty() {
                say(&text);
            }
            *told = text;
        }
    }
}
