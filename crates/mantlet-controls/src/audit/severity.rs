//! How bad the event of a record is.

/// From what is only told to what a person should look at, by the number that OCSF has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing was wrong.
    Informational = 1,
    /// Something was reported and not refused.
    Low = 2,
    /// Something was refused.
    Medium = 3,
    /// Records were lost, a client was banned, or the app has accepted a bad token.
    High = 4,
}

impl Severity {
    /// That of a record with this event, this action and perhaps an outcome.
    pub fn of(event: &str, action: Option<&str>, has_outcome: bool) -> Self {
        match event {
            "records-lost"
            | "records-unshipped"
            | "log-recovered"
            | "client-banned"
            | "token-verdict-contradicted" => Self::High,
            "request-refused" | "login-failed" | "object-denied" | "connection-refused" => Self::Medium,
            _ if event.contains("would-be") => Self::Low,
            // What was only reported has no outcome.
            _ if action == Some("pass") && !has_outcome => Self::Low,
            _ => Self::Informational,
        }
    }
}
