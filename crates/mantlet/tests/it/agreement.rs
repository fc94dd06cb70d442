//! What the app says of input that was left to it: counted, told, and offered as lines that enforce it.

use serde_json::json;

use crate::kit::{Answer, Client, Gateway, Setup};

const GOOD: &str = r#"{"amount": 5, "to": "bob"}"#;

fn post(gateway: &Gateway, target: &str, body: &str) -> Answer {
    let length = body.len();
    Client::connect(gateway.addr()).ask(format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

/// The row of an operation, without its width.
fn row(said: &str, operation: &str) -> String {
    let line = said.lines().find(|line| line.starts_with(operation));
    line.unwrap_or_else(|| panic!("no {operation} in {said}"))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn what_the_app_agrees_to_often_is_offered_and_then_enforced() {
    let state = tempfile::tempdir().unwrap();
    let gateway = Setup::run("doors:app").state(state.path()).start();
    let nothing = gateway.tell(&["contract", "--agreement"]);
    assert!(nothing.stderr.contains("no requests yet"), "{}", nothing.stderr);
    for _ in 0..19 {
        assert_eq!(post(&gateway, "/in/odd/open/pay", GOOD).status, 200);
    }
    let said = gateway.tell(&["contract", "--agreement"]).stdout;
    assert_eq!(row(&said, "POST /in/odd/open/pay"), "POST /in/odd/open/pay 19 0 0 0 0 0");
    assert!(!said.contains("[[route]]"), "{said}");
    let answer = post(&gateway, "/in/odd/open/pay", r#"{"amount": 0, "sk_live_4eC39HqLyjWDarjt": 1}"#);
    assert_eq!(answer.status, 422);
    assert!(answer.json().get("code").is_none(), "the app's own: {answer:?}");
    // It may refuse first, and did: that cannot be enforced.
    assert_eq!(post(&gateway, "/in/odd/bearer/pay", "{}").status, 401);
    let said = gateway.tell(&["contract", "--agreement"]).stdout;
    assert_eq!(row(&said, "POST /in/odd/open/pay"), "POST /in/odd/open/pay 20 1 0 0 0 0");
    assert_eq!(row(&said, "POST /in/odd/bearer/pay"), "POST /in/odd/bearer/pay 0 0 0 0 0 1");
    let lines = said.split("and never contradicted\n").nth(1).unwrap_or_else(|| panic!("no lines: {said}"));
    let expected =
        "[[route]]\npath = \"/in/odd/open/pay\"\nmethods = [\"POST\"]\ncontract.unproven-input = \"enforce\"";
    assert_eq!(lines.trim_end(), expected);
    drop(gateway.end());

    // The next one knows and says so; told to, it enforces it, and has nothing more to say.
    let agreed = "1 operation has always agreed with the app";
    let gateway = Setup::run("doors:app").state(state.path()).start();
    assert!(gateway.stderr().contains(agreed), "{}", gateway.stderr());
    drop(gateway.end());
    let gateway = Setup::run("doors:app").state(state.path()).config(lines).start();
    assert!(!gateway.stderr().contains(agreed), "{}", gateway.stderr());
    let answer = post(&gateway, "/in/odd/open/pay", r#"{"amount": 0, "to": "bob"}"#);
    assert_eq!((answer.status, answer.code().as_str()), (422, "input-invalid"));
    assert_eq!(post(&gateway, "/in/odd/open/pay", GOOD).status, 200);
    assert_eq!(post(&gateway, "/in/odd/page/pay", "{}").json().get("code"), None, "others as before");
}

#[test]
fn what_the_app_accepts_all_the_same_is_told_with_its_request() {
    let gateway = Setup::run("doors:app").start();
    let answer = post(&gateway, "/in/mends/tenant/pay", GOOD);
    assert_eq!(answer.status, 200);
    let said = gateway.tell(&["contract", "--agreement"]).stdout;
    let expected = format!(
        "POST /in/mends/tenant/pay 0 0 0 0 1 0 {}: 200 to missing header.x-tenant",
        answer.request_id()
    );
    assert_eq!(row(&said, "POST /in/mends/tenant/pay"), expected);
    for _ in 0..30 {
        assert_eq!(post(&gateway, "/in/mends/tenant/pay", GOOD).status, 200);
    }
    assert!(!gateway.tell(&["contract", "--agreement"]).stdout.contains("[[route]]"));
    let told: Vec<_> = gateway
        .end()
        .audit
        .iter()
        .map(|record| ["security_event", "reason", "subject"].map(|name| record[name].clone()))
        .collect();
    let expected = json!([
        ["request-would-be-refused", "input-invalid", "missing header.x-tenant"],
        ["contract-contradicted", "input-invalid", "missing header.x-tenant"],
    ]);
    assert_eq!(json!(told), expected, "each once");
}

#[test]
fn invalid_input_is_told_once_for_a_place_in_the_words_of_the_app() {
    let gateway = Setup::run("doors:app").start();
    for _ in 0..3 {
        post(&gateway, "/in/odd/open/pay", r#"{"amount": "sk_live_1", "sk_live_2": 1}"#);
        post(&gateway, "/in/odd/open/pay", r#"{"amount": {"sk_live_3": 1}}"#);
        post(&gateway, "/in/odd/open/pay", r#"{"amount": "sk_live_1"#);
    }
    let records = gateway.end().audit;
    let told: Vec<_> = records.iter().map(|record| &record["subject"]).collect();
    let expected =
        json!(["int_parsing body.amount; missing body.to", "int_type body.amount", "json_invalid body.*",]);
    assert_eq!(json!(told), expected);
    assert!(!json!(records).to_string().contains("sk_live"), "{records:?}");
    let remedy = "route = [{ path = \"/in/odd/open/pay\", methods = [\"POST\"], contract.unproven-input = \"enforce\" }]";
    assert!(records.iter().all(|record| record["remedy"] == remedy), "{records:?}");
}
