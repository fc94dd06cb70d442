//! Rows 35 to 45: a path has one reading, or it is refused. Never a way round a policy.

use serde_json::Value;

use crate::kit::{Answer, App, Stand, marker};

/// Each of these targets is refused and reaches nobody.
fn check(targets: &[&str], code: &str) {
    let mut stand = Stand::new();
    for target in targets {
        stand.refuse_path(target, code);
    }
    stand.nothing_else_reached_the_app();
}

#[test]
fn row_35_dot_segments() {
    check(
        &["/a/../admin", "/../admin", "/a/./admin", "/./admin", "/admin/..", "/admin/.", "/.."],
        "path-dot-segment",
    );
}

#[test]
fn row_36_encoded_dot_segments() {
    let targets = [
        "/a/%2e%2e%2fadmin",
        "/a/%2e%2e/admin",
        "/a/.%2E/admin",
        "/a%2f..%2fadmin",
        "/%2e/admin",
        "/a/%2e%2E",
    ];
    check(&targets, "path-dot-segment");
}

#[test]
fn row_37_encoded_twice() {
    let targets = ["/a/%252e%252e/admin", "/a%252fadmin", "/%25252e", "/a%255cb", "/a%2500", "/%252e"];
    check(&targets, "path-double-encoded");
}

#[test]
fn row_38_empty_first_segment() {
    check(&["//admin", "///admin", "/%2fadmin", "//", "//evil.example/%2e"], "path-empty-segment");
}

#[test]
fn row_39_path_parameter() {
    check(&["/admin;x", "/admin;jsessionid=1", "/;/admin", "/a;/../admin", "/admin;"], "path-parameter");
}

/// Letter case and a trailing slash are part of the path, to Mantlet as to the app.
#[test]
fn row_40_another_letter_case_and_a_trailing_slash_are_other_paths() {
    let stand = Stand::new();
    let ask = |path: &str| -> Answer { stand.connect().get(path) };
    assert_eq!(ask("/admin").record()["handler"], "admin", "the handler is there");
    for path in ["/ADMIN", "/Admin", "/admin/", "/admi%4E", "/admin%2F"] {
        let answer = ask(path);
        match answer.status {
            // The app's own redirect to its own spelling, which is then a request of its own.
            307 => assert_eq!(answer.header("location"), Some("http://localhost/admin"), "{path}"),
            _ => assert_eq!(answer.record()["handler"], "any", "{path}"),
        }
    }
}

/// What is an encoded spelling of the same path is the same path to all: what is judged is what is sent.
#[test]
fn row_40_an_encoded_spelling_is_the_same_path() {
    let stand = Stand::new();
    let record = stand.connect().get("/%61dm%69n?next=%61").record();
    assert_eq!((&record["handler"], &record["raw_path"]), (&"admin".into(), &"/admin".into()));
    assert_eq!(record["query_string"], "next=%61", "a query is not ours to change");
}

#[test]
fn row_41_overlong_or_broken_utf_8() {
    let targets = [
        "/%c0%ae%c0%ae/admin",
        "/%c0%af",
        "/%e0%80%af",
        "/%f0%80%80%af",
        "/%c1%9c",
        "/%ff",
        "/%80",
        "/%ed%a0%80",
        "/%c3",
        "/%",
        "/%4",
        "/%zz",
        "/%u002e",
    ];
    check(&targets, "path-encoding");
}

#[test]
fn row_42_encoded_nul_and_controls() {
    check(
        &["/%00", "/admin%00", "/a%00.png", "/a%0d%0aX:%20y", "/a%0a", "/%7f", "/%09"],
        "path-control-character",
    );
}

#[test]
fn row_43_backslash() {
    check(&["/a\\admin", "/\\admin", "/..\\admin", "/%5cadmin", "/a/..%5Cadmin"], "path-backslash");
}

#[test]
fn row_44_full_width_and_other_look_alikes() {
    let targets = [
        "/%ef%bc%8e%ef%bc%8e/admin",
        "/a/%ef%bc%8e./admin",
        "/a%ef%bc%8fadmin",
        "/a%ef%bc%bcadmin",
        "/%e2%80%a5/admin",
        "/a%e2%88%95admin",
        "/a%e2%81%84admin",
    ];
    check(&targets, "path-lookalike");
}

/// Not even encoded: a target is ASCII (RFC 3986).
#[test]
fn row_44_unencoded_unicode() {
    let mut stand = Stand::new();
    for path in ["/\u{ff0e}\u{ff0e}/admin", "/caf\u{e9}", "/\u{2215}admin"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stand.refuse(request.as_bytes(), 400, "target-malformed");
    }
    stand.nothing_else_reached_the_app();
}

/// Letters that only look unusual are letters.
#[test]
fn row_44_other_unicode_passes() {
    let stand = Stand::new();
    let path = marker();
    for (sent, path) in [
        (format!("{path}/caf%c3%a9"), format!("{path}/caf\u{e9}")),
        (format!("{path}/%EF%BC%A1"), format!("{path}/\u{ff21}")),
        (format!("{path}/%E6%97%A5%E6%9C%AC"), format!("{path}/\u{65e5}\u{672c}")),
        (format!("{path}/wait%E2%80%A6"), format!("{path}/wait\u{2026}")),
        (format!("{path}/a%20b%3Bc"), format!("{path}/a b;c")),
    ] {
        assert_eq!(stand.connect().get(&sent).record()["path"], path.as_str(), "{sent}");
    }
}

#[test]
fn row_45_method_override_is_ignored() {
    let stand = Stand::with(
        "[client]\ndrop = [\"x-http-method\", \"x-http-method-override\", \"x-method-override\"]",
    );
    let path = marker();
    let request = format!(
        "POST {path}?_method=DELETE HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\
         X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\nX-Method-Override: DELETE\r\n\r\n"
    );
    stand.connect().ask(request).record();
    let records = App::shared().records(&path);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["method"], "POST");
    let headers = records[0]["headers"].to_string();
    assert!(!headers.contains("method") && !headers.contains("DELETE"), "{headers}");
}

/// Report mode lets pass what it would have refused, says so, and sends what the client sent.
#[test]
fn in_report_mode_a_refused_path_passes_and_is_recorded() {
    let stand = Stand::with("[path]\nmode = \"report\"");
    let path = marker();
    let answer = stand.connect().get(&format!("{path};x"));
    assert_eq!(answer.record()["path"], format!("{path};x"));
    let records = stand.gateway.audit(1);
    let told =
        ["security_event", "action", "reason", "mode", "path", "status"].map(|key| records[0][key].clone());
    let path = format!("{path};x");
    let expected = ["request-would-be-refused", "pass", "path-parameter", "report", &path].map(Value::from);
    assert_eq!(told[..5], expected);
    assert_eq!((&told[5], &records[0]["request_id"]), (&Value::Null, &answer.request_id().into()));
}
