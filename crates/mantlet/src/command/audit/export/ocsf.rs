//! The Open Cybersecurity Schema Framework, version 1.6.0.

use serde_json::{Map, Value, json};

use super::event::{Event, Kind};

const VERSION: &str = "1.6.0";
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
    "session",
];

/// Class, category and activity: <https://schema.ocsf.io/1.6.0/classes>.
const fn class_of(kind: Kind) -> (u64, u64, u64) {
    match kind {
        // Authentication: log on, log off.
        Kind::Login => (3002, 3, 1),
        Kind::Logout => (3002, 3, 2),
        // Authorize Session, Account Change, Application Lifecycle, API Activity: other.
        Kind::Session => (3003, 3, 99),
        Kind::Account => (3001, 3, 99),
        Kind::Lifecycle => (6002, 6, 99),
        Kind::Request => (6003, 6, 99),
    }
}

pub(super) fn line_of(event: &Event<'_>) -> Value {
    let (class, category, activity) = class_of(event.kind);
    let severity = event.severity as u8;
    let status = match event.has_succeeded() {
        Some(true) => 1,
        Some(false) => 2,
        None => 0,
    };
    let user = json!({ "name": event.text("user").or(event.text("account")).unwrap_or("unknown") });
    let mut line = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            line.insert(name.to_owned(), value);
        }
    };
    put("class_uid", class.into());
    put("category_uid", category.into());
    put("activity_id", activity.into());
    if activity == 99 {
        put("activity_name", event.name().into());
    }
    put("type_uid", (class * 100 + activity).into());
    put("severity_id", severity.into());
    put("status_id", status.into());
    put("time", event.time.map(jiff::Timestamp::as_millisecond).into());
    put("message", event.name().into());
    put("status_detail", event.text("reason").into());
    put("metadata", metadata(event));
    match event.kind {
        Kind::Lifecycle => put("app", json!({ "name": "Mantlet", "vendor_name": "Mantlet" })),
        Kind::Request => {
            put("actor", json!({ "user": user }));
            put(
                "api",
                json!({
                    "operation": operation(event),
                    "response": event.number("status").map(|code| json!({ "code": code })),
                }),
            );
        }
        _ => {
            put("user", user);
            put("session", event.text("session").map_or(Value::Null, |uid| json!({ "uid": uid })));
        }
    }
    let address = event.text("client_ip");
    if address.is_some() || event.kind == Kind::Request {
        put("src_endpoint", address.map_or_else(|| json!({ "name": "local" }), |ip| json!({ "ip": ip })));
    }
    if let Some(method) = event.text("method") {
        put(
            "http_request",
            json!({ "http_method": method, "url": { "path": event.text("path") }, "uid": event.text("request_id") }),
        );
    }
    put("unmapped", Value::Object(event.others(&KNOWN)));
    Value::Object(line)
}

fn metadata(event: &Event<'_>) -> Value {
    json!({
        "version": VERSION,
        "product": { "name": "Mantlet", "vendor_name": "Mantlet", "version": env!("CARGO_PKG_VERSION") },
        "uid": event.number("seq").map(|seq| seq.to_string()),
        "correlation_uid": event.text("request_id"),
        "event_code": event.name(),
    })
}

fn operation(event: &Event<'_>) -> String {
    match (event.text("method"), event.text("operation").or(event.text("path"))) {
        (Some(method), Some(path)) => format!("{method} {path}"),
        _ => event.name().to_owned(),
    }
}
