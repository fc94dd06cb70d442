//! What a record is about, in no format yet.

use jiff::Timestamp;
use mantlet_controls::audit::Severity;
use serde_json::Value;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Login,
    Logout,
    /// A session, a token or a key was taken back or given.
    Session,
    /// An account was made or changed.
    Account,
    /// The gate or its configuration started, stopped or changed.
    Lifecycle,
    /// Anything about a request.
    Request,
}

/// A record, read.
pub(super) struct Event<'r> {
    record: &'r Value,
    pub(super) kind: Kind,
    pub(super) severity: Severity,
    pub(super) time: Option<Timestamp>,
}

impl<'r> Event<'r> {
    pub(super) fn of(record: &'r Value) -> Self {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let event = text("security_event").unwrap_or_default();
        let kind = match event {
            "logout" => Kind::Logout,
            "session-ended" | "token-refreshed" | "api-key-created" | "api-key-revoked" => Kind::Session,
            "records-lost" | "records-unshipped" | "operator-acted" => Kind::Lifecycle,
            _ if event.starts_with("login-") => Kind::Login,
            _ if event.starts_with("password-") || event.starts_with("account-") => Kind::Account,
            _ if ["gate-", "app-restarted", "configuration-", "log-"]
                .iter()
                .any(|start| event.starts_with(start)) =>
            {
                Kind::Lifecycle
            }
            _ => Kind::Request,
        };
        let severity = Severity::of(event, text("action"), text("outcome").is_some());
        let time = text("time").and_then(|time| time.parse().ok());
        Self { record, kind, severity, time }
    }

    pub(super) fn text(&self, name: &str) -> Option<&'r str> {
        self.record.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.record.get(name).and_then(Value::as_u64)
    }

    pub(super) fn name(&self) -> &'r str {
        self.text("security_event").unwrap_or("unknown")
    }

    /// Whether what was tried has come to pass; none if that is not known.
    pub(super) fn has_succeeded(&self) -> Option<bool> {
        match (self.text("outcome"), self.text("action")) {
            (Some("failure" | "denied"), _) | (None, Some("refuse" | "ban" | "end")) => Some(false),
            (Some("success"), _) | (None, Some("pass")) => Some(true),
            _ => None,
        }
    }

    /// The record's other fields, which a format has no word for.
    pub(super) fn others(&self, known: &[&str]) -> serde_json::Map<String, Value> {
        let fields = self.record.as_object().into_iter().flatten();
        let others = fields.filter(|(name, value)| !known.contains(&name.as_str()) && !value.is_null());
        // What an app has said in an error may hold anything: it stays where it is.
        others
            .filter(|(name, _)| *name != "original")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}
