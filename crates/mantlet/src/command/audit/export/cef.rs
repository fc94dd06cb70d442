//! The Common Event Format of `ArcSight`, version 0.

use std::fmt::Write as _;

use mantlet_controls::audit::Severity;

use super::event::Event;

pub(super) fn line_of(event: &Event<'_>) -> String {
    let severity = match event.severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
    };
    let mut line = format!(
        "CEF:0|Mantlet|Mantlet|{}|{}|{}|{severity}|",
        env!("CARGO_PKG_VERSION"),
        in_header(event.name()),
        in_header(event.text("reason").unwrap_or(event.name())),
    );
    let outcome =
        event.has_succeeded().map(|succeeded| if succeeded { "success" } else { "failure" }.to_owned());
    let labelled = |name: &'static str, label: &'static str, value: Option<String>| {
        value.into_iter().flat_map(move |value| [(name, value), (label, String::new())])
    };
    let text = |name: &str| event.text(name).map(str::to_owned);
    let plain = [
        ("rt", event.time.map(|time| time.as_millisecond().to_string())),
        ("src", text("client_ip").filter(|address| !address.contains(':'))),
        ("c6a2", text("client_ip").filter(|address| address.contains(':'))),
        ("suser", text("user").or(text("account"))),
        ("requestMethod", text("method")),
        ("request", text("path")),
        ("act", text("action")),
        ("outcome", outcome),
        ("reason", text("reason")),
        ("externalId", event.number("seq").map(|seq| seq.to_string())),
        ("cn1", event.number("status").map(|status| status.to_string())),
    ];
    let mut pairs: Vec<(&str, String)> =
        plain.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    pairs.extend(event.number("status").map(|_| ("cn1Label", "status".to_owned())));
    for (name, label, field, said) in [
        ("cs1", "cs1Label", "request_id", "requestId"),
        ("cs2", "cs2Label", "operation", "operation"),
        ("cs3", "cs3Label", "subject", "subject"),
        ("cs4", "cs4Label", "session", "session"),
        ("cs5", "cs5Label", "object", "object"),
    ] {
        pairs.extend(
            labelled(name, label, text(field))
                .map(|(name, value)| (name, if name == label { said.to_owned() } else { value })),
        );
    }
    for (place, (name, value)) in pairs.iter().enumerate() {
        let space = if place == 0 { "" } else { " " };
        // Writing to a text cannot fail.
        let _ = write!(line, "{space}{name}={}", in_extension(value));
    }
    line
}

/// `|` and `\` end or escape parts of the header; a line end would end the event.
fn in_header(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('|', "\\|");
    escaped.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn in_extension(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('=', "\\=").replace('\r', "\\r").replace('\n', "\\n");
    escaped.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_client_writes_ends_no_field() {
        let record = json!({
            "seq": 7, "time": "2026-11-30T16:46:58Z", "security_event": "request-refused", "action": "refuse",
            "reason": "path-dot-segment", "status": 400, "client_ip": "2001:db8::1",
            "path": "/a=b|c\\d\nCEF:0|x suser=root", "method": "GET", "request_id": "r-1",
        });
        assert_eq!(
            line_of(&Event::of(&record)),
            format!(
                "CEF:0|Mantlet|Mantlet|{}|request-refused|path-dot-segment|5|rt=1796057218000 c6a2=2001:db8::1 \
                 requestMethod=GET request=/a\\=b|c\\\\d\\nCEF:0|x suser\\=root act=refuse outcome=failure \
                 reason=path-dot-segment externalId=7 cn1=400 cn1Label=status cs1=r-1 cs1Label=requestId",
                env!("CARGO_PKG_VERSION")
            )
        );
    }
}
