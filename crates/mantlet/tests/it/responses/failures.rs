//! What the app says when it fails stays inside; what it means to say passes.

use serde_json::json;

use super::{BY_NAME, STRICT, get, get_with, text};
use crate::kit::{Answer, Client, Gateway, Setup};

/// The plain error in the place of what the app said, which its record has.
fn is_hidden(gateway: &Gateway, answer: &Answer, status: u16, said: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, "app-error-hidden"), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["request_id"], answer.request_id());
    assert!(!text(answer).contains(said));
    let record = gateway.audit_of(answer.request_id());
    let seen = ["security_event", "action", "reason", "status"].map(|name| &record[name]);
    assert_eq!(json!(seen), json!(["response-changed", "replace", "app-error-hidden", status]));
    assert!(record["original"].as_str().unwrap().contains(said), "{record}");
}

#[test]
fn what_tells_of_the_apps_inside_is_hidden_and_what_its_code_wrote_passes() {
    let gateway = Setup::run("leaky:app").start();
    is_hidden(&gateway, &get(&gateway, "/boom"), 500, "Internal Server Error");
    is_hidden(&gateway, &get(&gateway, "/told-by-the-app"), 500, "KeyError: 'the inside'");
    for path in
        ["/down", "/down-html", "/down-declared", "/boom-declared", "/boom-json", "/told", "/told-in-text"]
    {
        let answer = get(&gateway, path);
        assert!(answer.status >= 400 && !text(&answer).contains("app-error-hidden"), "{path}: {answer:?}");
    }
    let answer = get(&gateway, "/boom-json");
    assert_eq!(answer.json(), json!({"error": {"message": "no", "type": "server_error"}}));
    let head = |gateway: &Gateway| {
        let mut client = Client::connect(gateway.addr());
        client.send("HEAD /boom HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.answer_to_head()
    };
    let (head, boom) = (head(&gateway), get(&gateway, "/boom"));
    for name in ["content-length", "content-type"] {
        assert_eq!(head.header(name), boom.header(name), "{name}");
    }
    assert_eq!(gateway.end().audit.len(), 4);

    // A handler of the app's own for what it does not expect.
    let gateway = Setup::run("leaky:handled").start();
    let answer = get(&gateway, "/boom");
    assert_eq!((answer.status, text(&answer)), (500, "Internal Server Error"));
    let strict = Setup::run("leaky:handled").config(STRICT).start();
    assert_eq!(text(&get(&strict, "/boom")), "Internal Server Error");
}

#[test]
fn failures_are_replaced_and_recorded() {
    let gateway = Setup::run("leaky:app").config(BY_NAME).start();
    is_hidden(&gateway, &get(&gateway, "/boom"), 500, "Internal Server Error");
    is_hidden(&gateway, &get(&gateway, "/down-html"), 502, "10.0.0.7");
    is_hidden(&gateway, &get(&gateway, "/told"), 400, "KeyError: 'the inside'");
    is_hidden(&gateway, &get(&gateway, "/told-in-text"), 404, "KeyError: 'the inside'");
    let problem = get_with(&gateway, "/boom", "Accept: application/problem+json\r\n");
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    assert_eq!((&problem.json()["status"], problem.code().as_str()), (&json!(500), "app-error-hidden"));
}

#[test]
fn a_debugging_page_never_leaves() {
    for config in ["", STRICT] {
        let gateway = Setup::run("leaky:debugging").config(config).start();
        is_hidden(&gateway, &get(&gateway, "/boom"), 500, "Traceback");
        let page = get_with(&gateway, "/boom", "Accept: text/html\r\n");
        is_hidden(&gateway, &page, 500, "KeyError");
    }
}

#[test]
fn an_answer_that_was_meant_passes() {
    let gateway = Setup::run("leaky:app").config(BY_NAME).start();
    let down = get(&gateway, "/down");
    assert_eq!((down.status, down.json()), (503, json!({"detail": {"status": "down"}})));
    assert_eq!(down.header("retry-after"), Some("7"));
    for (path, status, said) in [
        ("/down-declared", 503, json!({"status": "down"})),
        ("/boom-declared", 500, json!({"problem": "known"})),
        ("/not-found", 404, json!({"detail": "No such user"})),
    ] {
        let answer = get(&gateway, path);
        assert_eq!((answer.status, answer.json()), (status, said));
    }
    assert_eq!(gateway.end().audit, [json!(null); 0]);

    let strict = Setup::run("leaky:app").config(STRICT).start();
    let answer = get(&strict, "/down");
    is_hidden(&strict, &answer, 503, "down");
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(get(&strict, "/down-declared").json(), json!({"status": "down"}));
    assert_eq!(get(&strict, "/boom-declared").json(), json!({"problem": "known"}));
}

#[test]
fn errors_can_be_left_as_they_are() {
    let gateway = Setup::run("leaky:app").config("[responses]\nerrors = \"report\"\n").start();
    let answer = get(&gateway, "/boom");
    assert_eq!((answer.status, text(&answer)), (500, "Internal Server Error"));
    let record = gateway.audit_of(answer.request_id());
    assert_eq!((&record["action"], record.get("original")), (&json!("pass"), None));
}
