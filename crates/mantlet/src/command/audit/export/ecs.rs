//! The Elastic Common Schema, version 8.17.

use serde_json::{Value, json};

use super::event::{Event, Kind};

const VERSION: &str = "8.17.0";
/// Fields that have a place of their own.
const KNOWN: [&str; 11] = [
    "time",
    "security_event",
    "seq",
    "client_ip",
    "user",
    "method",
    "path",
    "operation",
    "request_id",
    "status",
    "reason",
];

pub(super) fn line_of(event: &Event<'_>) -> Value {
    let (category, kind): (&[&str], &[&str]) = match event.kind {
        Kind::Login => (&["authentication"], &["start"]),
        Kind::Logout => (&["authentication"], &["end"]),
        Kind::Session => (&["session"], &["info"]),
        Kind::Account => (&["iam"], &["user", "change"]),
        Kind::Lifecycle => (&["configuration"], &["info"]),
        Kind::Request if event.has_succeeded() == Some(false) => (&["web", "api"], &["access", "denied"]),
        Kind::Request => (&["web", "api"], &["access"]),
    };
    let outcome = match event.has_succeeded() {
        Some(true) => "success",
        Some(false) => "failure",
        None => "unknown",
    };
    let severity = event.severity as u8;
    without_nulls(json!({
        "@timestamp": event.text("time"),
        "ecs": { "version": VERSION },
        "event": {
            "kind": "event", "category": category, "type": kind, "outcome": outcome, "severity": severity,
            "action": event.name(), "reason": event.text("reason"), "module": "mantlet", "dataset": "mantlet.audit",
            "sequence": event.number("seq"),
        },
        "source": { "ip": event.text("client_ip") },
        "client": { "ip": event.text("client_ip") },
        "user": { "name": event.text("user").or(event.text("account")) },
        "http": {
            "request": { "method": event.text("method"), "id": event.text("request_id") },
            "response": { "status_code": event.number("status") },
        },
        "url": { "path": event.text("path") },
        "observer": { "type": "waf", "vendor": "Mantlet", "product": "Mantlet", "version": env!("CARGO_PKG_VERSION") },
        "mantlet": Value::Object(event.others(&KNOWN)),
    }))
}

/// Fields that say nothing are left out, with the objects that hold nothing else.
fn without_nulls(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let fields = fields.into_iter().map(|(name, value)| (name, without_nulls(value)));
    let says = |value: &Value| !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty());
    Value::Object(fields.filter(|(_, value)| says(value)).collect())
}
