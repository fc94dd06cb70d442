//! What the operator is told of mails.

use mantlet_mail::Outcome;

/// What went wrong; empty if a mail was sent.
pub(super) fn text(outcome: &Outcome) -> String {
    match outcome {
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
    }
}
