//! A record as a person reads it: one line.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

/// A record.
pub(super) struct Line<'r>(pub(super) &'r Value);

impl Line<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

/// `2026-11-30 16:46:58  request-refused  400 path-dot-segment  GET /x  user alice  from 203.0.113.7  [id]  #4711`: last the number by which
/// it is proven.
pub(super) fn line_of(record: &Line<'_>) -> String {
    let mut parts = vec![time_of(record)];
    let event = record.text("security_event").unwrap_or("?");
    parts.push(format!(
        "{:<24}",
        safe(record.text("event").filter(|_| event == "app-event").unwrap_or(event))
    ));
    let status = record.0.get("status").and_then(Value::as_u64).map(|status| status.to_string());
    let reason = record.text("reason").filter(|reason| *reason != event);
    let verdict: Vec<String> =
        [status, reason.map(safe), record.text("outcome").map(safe)].into_iter().flatten().collect();
    parts.push(verdict.join(" "));
    match (record.text("method"), record.text("path")) {
        (Some(method), Some(path)) => parts.push(format!("{} {}", safe(method), safe(path))),
        (Some(one), None) | (None, Some(one)) => parts.push(safe(one)),
        (None, None) => {}
    }
    for (label, name) in [
        ("", "object"),
        ("", "subject"),
        ("user ", "user"),
        ("account ", "account"),
        ("from ", "client_ip"),
        ("session ", "session"),
    ] {
        parts.extend(record.text(name).map(|value| format!("{label}{}", safe(value))));
    }
    if let Some(count) = record.0.get("count").and_then(Value::as_u64) {
        parts.push(format!("{count} records"));
    }
    if let Some(size) = record.0.get("size").and_then(Value::as_u64) {
        parts.push(format!("{size} records"));
    }
    parts.extend(record.0.get("data").filter(|data| !data.is_null()).map(|data| safe(&data.to_string())));
    parts.extend(record.text("request_id").map(|id| format!("[{}]", safe(id))));
    parts.extend(record.0.get("seq").and_then(Value::as_u64).map(|seq| format!("#{seq}")));
    parts.retain(|part| !part.trim().is_empty());
    parts.join("  ").trim_end().to_owned()
}

/// In the time zone of this machine, to the second.
fn time_of(record: &Line<'_>) -> String {
    let time = record.text("time").and_then(|time| time.parse::<Timestamp>().ok());
    time.map_or_else(
        || "-".repeat(19),
        |time| TimeZone::system().to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// What a client has written cannot move the cursor.
pub(super) fn safe(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() || is_format(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}

/// Characters that change the direction of what follows, or are not seen.
const fn is_format(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_one_line_that_moves_no_cursor() {
        let record = json!({
            "seq": 4, "prev": "x", "time": "2026-11-30T16:46:58.9Z", "security_event": "request-refused",
            "status": 400, "reason": "path-dot-segment", "method": "GET", "path": "/\u{1b}[2J\n\u{202e}x",
            "client_ip": "203.0.113.7", "user": "alice", "request_id": "r-1", "mode": "enforce",
        });
        let line = line_of(&Line(&record));
        assert!(line.ends_with(
            "request-refused           400 path-dot-segment  GET /\\u{1b}[2J\\n\\u{202e}x  user alice  from 203.0.113.7  [r-1]  #4"
        ), "{line}");
        assert_eq!(line_of(&Line(&json!({}))), "-------------------  ?");
    }
}
