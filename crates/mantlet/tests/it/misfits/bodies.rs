//! Bodies and parameters.

use super::{Both, Case, JSON, Told};

/// What the handler reads by itself.
const fn raw(route: &'static str) -> Told {
    Told::Load(route, "the handler or a dependency reads the raw request")
}

#[test]
fn bodies_where_none_is_declared() {
    let (protobuf, stream) =
        ("Content-Type: application/x-protobuf\r\n", "Content-Type: application/octet-stream\r\n");
    let unread = Told::Audit("input-unknown", "body");
    Both::of("misfits.bodies:app").check(&[
        Case::new("DELETE", "/things/a", 200, unread).body(JSON, r#"{"reason": "old"}"#),
        Case::new("GET", "/things/a", 200, unread).body(JSON, r#"{"query": {"match": "all"}}"#),
        Case::new("POST", "/things/a", 200, unread).body("Content-Type: text/plain\r\n", "anything"),
        Case::new("DELETE", "/raw/a", 200, raw("DELETE /raw/{thing} body")).body(JSON, r#"["a", "b"]"#),
        Case::new("PUT", "/raw/a", 200, raw("PUT /raw/{thing} body")).body(protobuf, b"\x08\x96\x01\xff\x00"),
        Case::new("PUT", "/raw/a", 200, raw("PUT /raw/{thing} body")).body(stream, "\0\u{80}"),
        Case::new("POST", "/raw/a", 200, raw("POST /raw/{thing} body")).body(JSON, "{not JSON at all"),
        Case::new("POST", "/raw/a", 200, raw("POST /raw/{thing} body")).body("", "without a type"),
    ]);
}

#[test]
fn bodies_that_are_not_what_the_document_says() {
    let lambda = Told::Load("POST /notes body.text", "runs before");
    Both::of("misfits.bodies:app").check(&[
        Case::new("POST", "/by-hand", 200, raw("POST /by-hand body")).body(JSON, r#"{"tags": "red,blue"}"#),
        Case::new("POST", "/by-hand", 200, raw("POST /by-hand body"))
            .body(JSON, r#"{"tags": ["red", "blue"]}"#),
        Case::new("POST", "/object", 200, Told::Exact).body(JSON, "\"a text\""),
        Case::new("POST", "/object", 200, Told::Exact).body(JSON, "[1, 2.5, null]"),
        Case::new("POST", "/notes", 200, lambda).body(JSON, r#"{"text": null}"#),
        Case::new("POST", "/notes", 200, lambda).body(JSON, r#"{"text": 0}"#),
        Case::new("POST", "/timers", 200, Told::Exact).body(JSON, r#"{"length": 90}"#),
        Case::new("POST", "/timers", 200, Told::Exact).body(JSON, r#"{"length": 1.5}"#),
        Case::new("POST", "/timers", 200, Told::Exact).body(JSON, r#"{"length": "PT1M"}"#),
        Case::new("POST", "/timers", 200, Told::Exact).body(JSON, r#"{"length": "12:00:01"}"#),
    ]);
}

#[test]
fn names_that_nobody_declared() {
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    Both::of("misfits.bodies:app").check(&[
        Case::new("POST", "/timers", 200, Told::Audit("input-unknown", "color, is_admin"))
            .body(JSON, r#"{"color": "red", "length": 1, "is_admin": true}"#),
        Case::new("POST", "/forms", 200, Told::Exact).body(form, "name=a&csrf=b&name=c"),
        Case::new("GET", "/things/a?utm_source=mail", 200, Told::Audit("input-unknown", "utm_source")),
        Case::new("GET", "/search?q=a&q=b&tag=c&tag=d", 200, Told::Audit("input-unknown", "q")),
        Case::new("GET", "/search?tag=c&tag=d&tag=", 200, Told::Exact),
    ]);
}

#[test]
fn json_without_a_content_type() {
    let cases = [
        Case::new("POST", "/lenient/timers", 200, Told::Exact).body("", r#"{"length": 5}"#),
        Case::new("POST", "/lenient/timers", 200, Told::Exact)
            .body("", r#" {"length": "PT5S", "name": "x"}"#),
    ];
    Both::of("misfits.bodies:app").check(&cases);
}

#[test]
fn twenty_megabytes_of_json() {
    let row = format!("{:?}", "x".repeat(100));
    let body = format!(r#"{{"rows": [{}]}}"#, vec![row; 200_000].join(","));
    assert!(body.len() > 20_000_000);
    let case = Case {
        body: body.into_bytes().into(),
        ..Case::new("POST", "/rows", 200, Told::Exact).body(JSON, "")
    };
    let both = Both::of("misfits.bodies:app");
    assert_eq!(both.same(&case).json()["rows"], 200_000);
    both.check(&[]);
}
