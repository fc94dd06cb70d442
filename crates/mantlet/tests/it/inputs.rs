//! Input that the app would refuse is refused before it costs the app anything, in the app's own words; what it would accept
//! passes.

use serde_json::{Value, json};

use crate::kit::{Answer, Client, Gateway, Setup};

const STRICT: &str = "[contract]\nposture = \"strict\"\n";

fn ask(gateway: &Gateway, method: &str, target: &str, lines: &str, body: &str) -> Answer {
    let length = body.len();
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {length}\r\n\r\n");
    Client::connect(gateway.addr()).ask(head + body)
}

fn post(gateway: &Gateway, target: &str, body: &str) -> Answer {
    ask(gateway, "POST", target, "Content-Type: application/json\r\n", body)
}

/// What is wrong, as `(type, loc)`.
fn faults(answer: &Answer) -> Vec<(String, Value)> {
    let body = answer.json();
    let faults = body["detail"].as_array().unwrap_or_else(|| panic!("no faults: {body}"));
    faults.iter().map(|fault| (fault["type"].as_str().unwrap().to_owned(), fault["loc"].clone())).collect()
}

const ORDER: &str =
    r#"{"customer": "Ann", "lines": [{"sku": "ABC-1", "quantity": "2"}], "due": "2026-11-24"}"#;

#[test]
fn what_the_app_would_refuse_is_refused_in_its_words() {
    let gateway = Setup::run("careful:app").start();
    let refused = |answer: Answer, expected: Value| {
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (422, Some("input-invalid")),
            "{answer:?}"
        );
        assert_eq!(json!(faults(&answer)), expected);
        assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"), "the input is not echoed");
        gateway.audit_of(answer.request_id());
    };
    let body = r#"{"customer": "", "lines": [{"sku": "abc", "quantity": 0}, {"quantity": "hunter2"}], "due": "soon"}"#;
    refused(
        post(&gateway, "/orders", body),
        json!([
            ["string_too_short", ["body", "customer"]],
            ["string_pattern_mismatch", ["body", "lines", 0, "sku"]],
            ["greater_than", ["body", "lines", 0, "quantity"]],
            ["missing", ["body", "lines", 1, "sku"]],
            ["int_parsing", ["body", "lines", 1, "quantity"]],
            ["date_from_datetime_parsing", ["body", "due"]],
        ]),
    );
    refused(post(&gateway, "/orders", "{\"customer\": "), json!([["json_invalid", ["body", 13]]]));
    refused(post(&gateway, "/orders", ""), json!([["missing", ["body"]]]));
    refused(
        post(&gateway, "/closed", r#"{"name": "a", "x": 1}"#),
        json!([["extra_forbidden", ["body", "x"]]]),
    );
    refused(
        ask(
            &gateway,
            "GET",
            "/search?page=0&order=size&tag=a&tag=b&tag=c&tag=d",
            "X-Tenant: far too long\r\n",
            "",
        ),
        json!([
            ["greater_than_equal", ["query", "page"]],
            ["literal_error", ["query", "order"]],
            ["too_long", ["query", "tag"]],
            ["string_too_long", ["header", "x-tenant"]],
        ]),
    );
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    refused(
        ask(&gateway, "POST", "/contact", form, "age=old"),
        json!([["missing", ["body", "subject"]], ["int_parsing", ["body", "age"]]]),
    );
    refused(ask(&gateway, "GET", "/internal/x", "", ""), json!([["int_parsing", ["path", "number"]]]));
    let problem = "Content-Type: application/json\r\nAccept: application/problem+json\r\n";
    let answer = ask(&gateway, "POST", "/closed", problem, "{}");
    assert_eq!(answer.json()["errors"][0]["type"], "missing", "{answer:?}");
}

#[test]
fn what_the_app_would_accept_passes() {
    let gateway = Setup::run("careful:app").start();
    let answer = post(&gateway, "/orders", ORDER);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["order"]["lines"][0]["quantity"], 2, "lax coercion");
    assert_eq!(answer.json()["length"], ORDER.len(), "the bytes are those that came");
    // A validator of the app's own runs before: `null` for a text.
    let null = ORDER.replace("\"due\"", "\"note\": null, \"due\"");
    assert_eq!(post(&gateway, "/orders", &null).status, 200);
    // The handler reads the request itself.
    let raw = ask(&gateway, "POST", "/raw?anything=goes", "", "not JSON at all");
    assert_eq!((raw.status, raw.json()["received"].as_str()), (200, Some("not JSON at all")));
    assert_eq!(ask(&gateway, "GET", "/search?page=%202&tag=a&tag=b", "", "").json()["page"], 2);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(ask(&gateway, "POST", "/contact", form, "subject=a+b&age=7").json()["subject"], "a b");
    // FastAPI takes no notice of a Content-Encoding.
    let encoded = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    assert_eq!(ask(&gateway, "POST", "/closed", encoded, r#"{"name": "a"}"#).status, 200);
    // The app asks for a key before it looks at the body; so its own answer is right.
    let keyed = post(&gateway, "/keyed", "{}");
    assert!(matches!(keyed.status, 401 | 403), "{keyed:?}");
    assert!(keyed.json().get("code").is_none(), "the app's own: {keyed:?}");
    let key = "Content-Type: application/json\r\nX-API-Key: k\r\n";
    assert_eq!(ask(&gateway, "POST", "/keyed", key, "{}").status, 422);
    assert_eq!(ask(&gateway, "POST", "/keyed", key, r#"{"name": "a"}"#).status, 200);
}

#[test]
fn row_53_unknown_fields_are_cut_out_or_refused() {
    let body = r#"{ "is_admin": true, "customer":"Ann" , "lines":[{"sku":"ABC-1","price":0,"quantity":1}],"x":{"a":[1]} }"#;
    let cut = r#"{ "customer":"Ann" , "lines":[{"sku":"ABC-1","quantity":1}] }"#;
    let gateway = Setup::run("careful:app").start();
    for _ in 0..2 {
        let answer = post(&gateway, "/orders", body);
        assert_eq!(
            (answer.status, answer.json()["length"].as_u64()),
            (200, Some(cut.len() as u64)),
            "{answer:?}"
        );
    }
    assert_eq!(post(&gateway, "/open", r#"{"name":"a","x":1}"#).json()["received"], r#"{"name":"a","x":1}"#);
    assert_eq!(ask(&gateway, "GET", "/search?utm_source=mail", "", "").status, 200);
    let records = gateway.end().audit;
    let reported: Vec<_> =
        records.iter().map(|record| ["path", "action", "subject"].map(|name| record[name].clone())).collect();
    let expected = [["/orders", "strip", "is_admin, price, x"], ["/search", "pass", "utm_source"]];
    assert_eq!(json!(reported), json!(expected));

    let gateway = Setup::run("careful:app").config(STRICT).start();
    let answer = post(&gateway, "/orders", body);
    assert_eq!((answer.status, answer.code().as_str()), (422, "input-unknown"));
    let expected = ["is_admin", "price", "x"].map(|name| json!(["extra_forbidden", ["body", name]]));
    assert_eq!(json!(faults(&answer)), json!(expected));
    let answer = ask(&gateway, "GET", "/search?utm_source=mail", "", "");
    assert_eq!(json!(faults(&answer)), json!([["extra_forbidden", ["query", "utm_source"]]]));
    assert_eq!(post(&gateway, "/open", r#"{"name":"a","x":1}"#).status, 200, "the model allows extras");
    assert_eq!(post(&gateway, "/orders", ORDER).status, 200);
}

#[test]
fn rows_46_to_49_json_with_more_than_one_reading() {
    let odd = [
        (r#"{"name": "a", "name": "b"}"#, "json-ambiguous"),
        ("\u{feff}{\"name\": \"a\"}", "json-ambiguous"),
        (r#"{"name": "\ud800"}"#, "json-ambiguous"),
    ];
    let (compatible, strict) =
        (Setup::run("careful:app").start(), Setup::run("careful:app").config(STRICT).start());
    for (body, code) in odd {
        let answer = post(&strict, "/open", body);
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{body}");
        let answer = post(&compatible, "/open", body);
        assert!(answer.json().get("code").is_none(), "left to the app: {answer:?}");
    }
    // No Python reads these.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for gateway in [&compatible, &strict] {
        let answer = post(gateway, "/open", &deep);
        assert_eq!((answer.status, answer.code().as_str()), (400, "json-too-deep"));
    }
    let answer = post(&strict, "/orders", &ORDER.replace("\"2\"", "NaN"));
    assert_eq!(
        json!(faults(&answer)),
        json!([["finite_number", ["body", "lines", 0, "quantity"]]]),
        "as Pydantic says it"
    );
}

#[test]
fn where_it_is_only_reported_the_app_answers_and_the_record_says_what_was_wrong() {
    let gateway = Setup::run("careful:app").config("[contract]\ninput = \"report\"\n").start();
    let answer = post(&gateway, "/closed", "{}");
    assert_eq!(answer.status, 422);
    assert!(answer.json().get("code").is_none(), "the app's own: {answer:?}");
    let body = r#"{"name":"a","x":1}"#;
    assert_eq!(post(&gateway, "/open", body).json()["received"], body);
    let record = gateway.audit_of(answer.request_id());
    assert_eq!((&record["action"], &record["reason"]), (&json!("pass"), &json!("input-invalid")));
    let order = ORDER.replace("\"due\"", "\"is_admin\": true, \"due\"");
    assert_eq!(post(&gateway, "/orders", &order).json()["length"], order.len(), "nothing is cut out");
}

#[test]
fn row_53_unknown_fields_of_forms_are_cut_out_or_refused() {
    let urlencoded = "Content-Type: application/x-www-form-urlencoded\r\n";
    let multipart = "Content-Type: multipart/form-data; boundary=sep\r\n";
    let part = |name: &str, value: &str| {
        format!("--sep\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let form = part("is_admin", "1") + &part("subject", "hi") + "--sep--\r\n";
    let gateway = Setup::run("careful:app").start();
    for (lines, body) in [(urlencoded, "subject=hi&is_admin=1"), (multipart, form.as_str())] {
        let answer = ask(&gateway, "POST", "/contact", lines, body);
        assert_eq!((answer.status, answer.json()["subject"].as_str()), (200, Some("hi")), "{answer:?}");
    }
    // The token against forged requests is none of the app's fields.
    assert_eq!(ask(&gateway, "POST", "/contact", urlencoded, "subject=a&csrf_token=x").status, 200);
    let told: Vec<_> = gateway
        .end()
        .audit
        .iter()
        .map(|record| ["path", "action", "reason"].map(|name| record[name].clone()))
        .collect();
    assert_eq!(json!(told), json!([["/contact", "strip", "input-unknown"]]), "once for a route");

    let gateway = Setup::run("careful:app").config(STRICT).start();
    for (lines, body) in [(urlencoded, "subject=hi&is_admin=1"), (multipart, form.as_str())] {
        let answer = ask(&gateway, "POST", "/contact", lines, body);
        assert_eq!((answer.status, answer.code().as_str()), (422, "input-unknown"), "{answer:?}");
        assert_eq!(json!(faults(&answer)), json!([["extra_forbidden", ["body", "is_admin"]]]));
    }
    assert_eq!(ask(&gateway, "POST", "/contact", urlencoded, "subject=a&csrf_token=x&age=7").status, 200);
}
