//! Bodies that do not say what they are, or say something else.

use serde_json::{Value, json};

use crate::kit::{Client, Gateway, Setup};

/// The status, the code if the answer is Mantlet's own, and the type of the first fault.
fn post(gateway: &Gateway, target: &str, content_type: Option<&str>) -> (u16, Value, Value) {
    let body = r#"{"name": "a"}"#;
    let line = content_type.map(|value| format!("Content-Type: {value}\r\n")).unwrap_or_default();
    let head =
        format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{line}Content-Length: {}\r\n\r\n", body.len());
    let answer = Client::connect(gateway.addr()).ask(head + body);
    let said = answer.json();
    (answer.status, said["code"].clone(), said["detail"][0]["type"].clone())
}

#[test]
fn row_50_a_missing_or_wrong_content_type() {
    let passes = (200, Value::Null, Value::Null);
    let by_app = (422, Value::Null, json!("model_attributes_type"));
    let by_us = (422, json!("input-invalid"), json!("model_attributes_type"));
    let json = Some("application/json");
    let wrong = Some("text/plain");

    let start = |config: &str| Setup::run("content_types:app").config(config).start();
    let compatible = start("[contract]\ninput = \"report\"\n");
    let enforced = start("[contract]\ninput = \"enforce\"\n");
    let strict = start(
        "[contract]\nposture = \"strict\"\n\
         [[route]]\npath = \"/lenient/webhook\"\ncontract.missing-content-type = \"as-app\"\n",
    );
    for (target, content_type, [at_compatible, at_enforced, at_strict]) in [
        ("/items", json, [&passes, &passes, &passes]),
        ("/items", Some("application/vnd.shop+json; charset=utf-8"), [&passes, &passes, &passes]),
        ("/items", None, [&by_app, &by_us, &by_us]),
        ("/items", wrong, [&by_app, &by_us, &by_us]),
        // As the app has it, unless the posture is strict.
        ("/lenient/items", None, [&passes, &passes, &by_us]),
        ("/lenient/webhook", None, [&passes, &passes, &passes]),
        ("/lenient/items", wrong, [&by_app, &by_us, &by_us]),
        ("/lenient/items", json, [&passes, &passes, &passes]),
    ] {
        let shown = format!("{target} {content_type:?}");
        assert_eq!(post(&compatible, target, content_type), *at_compatible, "compatible: {shown}");
        assert_eq!(post(&enforced, target, content_type), *at_enforced, "enforced: {shown}");
        assert_eq!(post(&strict, target, content_type), *at_strict, "strict: {shown}");
    }
}

#[test]
fn lines_of_a_route_take_the_place_of_the_sections() {
    let gateway = Setup::run("careful:app")
        .config(
            "[contract]\nposture = \"strict\"\n\
             [[route]]\npath = \"/search\"\ncontract.unknown-query = \"allow\"\n\
             [[route]]\npath = \"/orders\"\ncontract.unknown-fields = \"strip\"\n\
             [[route]]\npath = \"/closed\"\nmethods = [\"POST\"]\ncontract.input = \"report\"\n\
             [[route]]\npath = \"/internal/{number}\"\ncontract.hidden-routes = \"allow\"\n\
             [[route]]\npath = \"/open\"\ncontract.ambiguous-json = \"allow\"\n\
             [[route]]\npath = \"/docs\"\ncontract.docs = \"allow\"\n\
             [[route]]\npath = \"/uploads/{path:path}\"\ncontract.unknown-routes = \"report\"\n",
        )
        .start();
    let ask = |method: &str, target: &str, body: &str| {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = Client::connect(gateway.addr()).ask(head + body);
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        (answer.status, said["code"].as_str().map(str::to_owned))
    };
    let order = r#"{"customer": "Ann", "lines": [{"sku": "ABC-1", "quantity": 2}], "is_admin": true}"#;
    for (method, target, body, status, code) in [
        ("GET", "/search?utm=1", "", 200, None),
        ("GET", "/internal/7?utm=1", "", 422, Some("input-unknown")),
        ("POST", "/orders", order, 200, None),
        ("POST", "/closed", "{}", 422, None),
        ("POST", "/open", r#"{"name": "a", "name": "b"}"#, 200, None),
        ("POST", "/orders", r#"{"customer": "a", "customer": "b"}"#, 422, Some("input-invalid")),
        ("GET", "/docs", "", 200, None),
        ("GET", "/redoc", "", 404, Some("route-unknown")),
        ("PUT", "/uploads/a/b", "", 404, None),
        ("PUT", "/upload", "", 404, Some("route-unknown")),
    ] {
        assert_eq!(ask(method, target, body), (status, code.map(str::to_owned)), "{method} {target}");
    }
}
