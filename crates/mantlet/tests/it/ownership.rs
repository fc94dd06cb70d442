//! Objects belong to callers: `[[authorization.own]]`.

use serde_json::{Value, json};

use crate::{
    identity::{Running, Subject},
    kit::{Answer, Client},
};

const OWNED: Subject = Subject {
    name: "owned.py",
    entry: "owned:app",
    prepare: |_| (),
    entrance: Vec::new,
    carried: "Authorization: Bearer {token}",
    guarded: "/users/me",
    key: b"the-owl-of-the-keep-counts-all-the-mice",
    traffic: Vec::new,
    stopped: 0,
    recorded: &[],
};

fn log_in(running: &Running, name: &str) -> String {
    running.token(&format!("username={name}&password=lantern"))
}

/// A request, with a body of JSON if there is one.
fn ask(running: &Running, method: &str, target: &str, token: &str, lines: &str, body: &str) -> Answer {
    let token = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let of_body = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
    };
    let host = running.addr();
    let mut client = Client::connect(host);
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{token}{lines}{of_body}\r\n{body}"));
    if method == "HEAD" { client.answer_to_head() } else { client.answer() }
}

fn get(running: &Running, target: &str, token: &str) -> Answer {
    ask(running, "GET", target, token, "", "")
}

fn statuses(running: &Running, token: &str, asked: &[(&str, &str, &str)]) -> Vec<u16> {
    asked.iter().map(|(method, target, body)| ask(running, method, target, token, "", body).status).collect()
}

const ORDERS: &str = r#"
[[authorization.own]]
paths = ["/orders/{order_id}"]
owner = "response:/user_id"
equals = "principal:id"
unless = ["principal:is_admin"]

[[authorization.own]]
paths = ["/orders/{order_id}/{rest:path}"]
owner = "response:/user_id"
equals = "principal:id"
read = "/orders/{order_id}"

[[authorization.own]]
paths = ["/orders"]
methods = ["GET"]
items = "/data"
owner = "item:/user_id"
equals = "principal:id"
unless = ["principal:is_admin"]
count = "/count"

[[authorization.own]]
paths = ["/orders"]
methods = ["POST"]
owner = "body:/user_id"
equals = "principal:id"
nulls = "pass"

[[authorization.own]]
paths = ["/lines/{line_id}"]
owner = "response:/user_id"
equals = "principal:id"
read = "/orders/{response:/order_id}"

[[authorization.own]]
paths = ["/batch"]
owner = "response:/user_id"
equals = "principal:id"
read = "/orders/{query:ids}"

[[authorization.own]]
paths = ["/batch/remove"]
owner = "response:/user_id"
equals = "principal:id"
read = "/orders/{body:}"

[[authorization.own]]
paths = ["/orgs/{order_id}"]
owner = "response:/org"
equals = "in principal:orgs"
nulls = "pass"

[[authorization.own]]
paths = ["/search/{order_id}"]
owner = "response:/user_id"
equals = "principal:id"
writes = "answer"

[[authorization.own]]
paths = ["/forms/{order_id}/{form}"]
owner = "response:/user_id"
equals = "principal:id"
"#;

#[test]
fn an_object_of_another_caller_looks_like_one_that_does_not_exist() {
    let running = Running::start(&OWNED, ORDERS);
    let (ann, bob, eve) = (log_in(&running, "ann"), log_in(&running, "bob"), log_in(&running, "eve"));
    let own = get(&running, "/orders/2", &bob);
    assert_eq!((own.status, &own.json()["text"]), (200, &json!("fern of bob")));
    assert_eq!(get(&running, "/orders/2", &eve).status, 200, "an administrator");
    assert_eq!(get(&running, "/orders/2", "").status, 401, "the app says it itself");

    // Before the app has said what it says where there is nothing, and after it.
    for _ in 0..2 {
        let (foreign, absent) = (get(&running, "/orders/2", &ann), get(&running, "/orders/77", &ann));
        assert_eq!((foreign.status, absent.status), (404, 404));
        assert_eq!(absent.json(), json!({"detail": "No order 77"}));
        assert_eq!(foreign.json(), json!({"detail": "No order 2"}));
        assert_eq!(names(&foreign), names(&absent));
        assert_eq!(foreign.header("x-served-by"), Some("mouse"));
        assert_eq!(foreign.header("set-cookie"), None);
        assert_eq!(absent.header("x-process-time"), None, "how long it took is not told");
    }
    let nobodys = get(&running, "/orders/3", &ann);
    assert_eq!(nobodys.status, 404, "its owner is null");
    // However the id is written.
    for spelling in ["+2", "002", "2.0", "%32", "2?a=1"] {
        let foreign = get(&running, &format!("/orders/{spelling}"), &ann);
        let absent = get(&running, &format!("/orders/{}", spelling.replace('2', "7")), &ann);
        assert_eq!((foreign.status, absent.status), (404, 404), "{spelling}");
        assert_eq!(text(&foreign).replace('2', "7"), text(&absent), "{spelling}");
        assert_eq!(names(&foreign), names(&absent), "{spelling}");
    }

    let records = running.gateway.end().audit;
    let of = |reason: &str| records.iter().filter(|record| record["reason"] == reason).collect::<Vec<_>>();
    let foreign = of("object-foreign");
    assert_eq!(foreign.len(), 7, "{records:#?}");
    assert_eq!(foreign[0]["subject"], "authorization.own[0]");
    assert_eq!(foreign[0]["remedy"], "mode = \"report\" # in authorization.own[0]");
    assert_eq!((&foreign[0]["user"], &foreign[0]["status"]), (&json!("ann"), &json!(404)));
    let unclear = of("object-owner-unclear");
    assert_eq!(unclear.len(), 1, "{records:#?}");
    assert_eq!(unclear[0]["subject"], "authorization.own[0]: the owner is null");
    assert_eq!(unclear[0]["remedy"], "nulls = \"pass\" # in authorization.own[0]");
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// The names of an answer's headers, in their order.
fn names(answer: &Answer) -> Vec<String> {
    let mut names: Vec<String> = answer.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_writes_is_refused_before_the_app_sees_it() {
    let running = Running::start(&OWNED, ORDERS);
    let (ann, bob) = (log_in(&running, "ann"), log_in(&running, "bob"));
    let new = r#"{"text": "nettle"}"#;
    let asked = [
        ("PUT", "/orders/2", new),
        ("DELETE", "/orders/2", ""),
        ("HEAD", "/orders/2", ""),
        ("POST", "/orders/2/cancel", ""),
        ("GET", "/orders/2/label", ""),
        ("PATCH", "/lines/6", ""),
        ("GET", "/lines/6", ""),
        ("GET", "/batch?ids=1&ids=2", ""),
        ("POST", "/batch/remove", "[1, 2]"),
        ("POST", "/search/2", ""),
        // An operation for all kinds takes it.
        ("DELETE", "/lines/6", ""),
    ];
    assert_eq!(statuses(&running, &ann, &asked), [404; 11]);
    let is_seen = |answer: &Answer| text(answer).contains("fern");
    for (method, target, body) in asked {
        assert!(!is_seen(&ask(&running, method, target, &ann, "", body)), "{method} {target}");
    }
    let still = get(&running, "/orders/2", &bob);
    assert_eq!(still.json()["text"], "fern of bob");

    // The owner is not disturbed, and what does not exist is the app's to refuse.
    let own = [
        ("PUT", "/orders/2", r#"{"text": "fern of bob"}"#),
        ("HEAD", "/orders/2", ""),
        ("POST", "/orders/2/cancel", ""),
        ("GET", "/orders/2/label", ""),
        ("GET", "/lines/6", ""),
        ("GET", "/batch?ids=2", ""),
        ("POST", "/batch/remove", "[2]"),
        ("POST", "/search/2", ""),
        ("DELETE", "/lines/6", ""),
        ("PUT", "/orders/2", "{}"),
        ("PATCH", "/orders/2", ""),
        ("DELETE", "/orders/2", ""),
        ("DELETE", "/orders/2", ""),
    ];
    assert_eq!(
        statuses(&running, &bob, &own),
        [200, 200, 200, 200, 200, 200, 200, 200, 200, 422, 405, 204, 404]
    );
    assert_eq!(statuses(&running, "", &[("DELETE", "/orders/1", ""), ("PUT", "/orders/1", new)]), [401, 401]);
    let foreign = ask(&running, "PATCH", "/orders/1", &bob, "", "");
    assert_eq!(foreign.status, 405, "the same for every object");
}

#[test]
fn lists_lose_what_is_not_the_callers() {
    let running = Running::start(&OWNED, ORDERS);
    let (ann, eve) = (log_in(&running, "ann"), log_in(&running, "eve"));
    let list = get(&running, "/orders", &ann).json();
    assert_eq!(list["count"], 1);
    assert_eq!(list["data"], json!([{"id": 1, "user_id": 1, "org": 10, "text": "moss of ann"}]));
    assert_eq!(get(&running, "/orders", &eve).json()["count"], 3);
    let created = |body: &str| ask(&running, "POST", "/orders", &ann, "", body).status;
    assert_eq!(created(r#"{"text": "a", "user_id": 1}"#), 201);
    assert_eq!(created(r#"{"text": "a"}"#), 201);
    assert_eq!(created(r#"{"text": "a", "user_id": null}"#), 201);
    assert_eq!(created(r#"{"text": "a", "userId": 1}"#), 201);
    assert_eq!(created(r#"{"text": "a", "user_id": 2}"#), 404);
    assert_eq!(created(r#"{"text": "a", "userId": 2}"#), 404);
    assert_eq!(created(r#"{"text": "a", "user_id": 1, "userId": 2}"#), 404);
    assert_eq!(created(r#"{"text": "a", "user_id": 2, "userId": 1}"#), 404);
    let records = running.gateway.end().audit;
    let changed = records.iter().find(|record| record["action"] == "strip").expect("a record");
    assert_eq!(changed["subject"], "authorization.own[2]: 2 of 3 items");
    assert_eq!(changed["reason"], "object-foreign");
}

#[test]
fn attributes_come_from_the_app_and_are_asked_for_once() {
    let running = Running::start(&OWNED, ORDERS);
    let (ann, bob) = (log_in(&running, "ann"), log_in(&running, "bob"));
    let asked = || get(&running, "/asked", "").json()["me"].as_u64().unwrap();
    let before = asked();
    assert_eq!(get(&running, "/orgs/2", &bob).status, 200);
    for _ in 0..5 {
        assert_eq!(get(&running, "/orgs/1", &bob).status, 404);
    }
    assert_eq!(get(&running, "/orgs/3", &bob).status, 200, "`nulls` lets it pass");
    assert_eq!(asked(), before + 1, "one answer counts for all of them");
    assert_eq!(get(&running, "/orgs/1", &ann).status, 200);
    assert_eq!(asked(), before + 2, "another caller is asked for");
    // What changes callers makes everything asked again.
    assert_eq!(ask(&running, "PATCH", "/users/me", &bob, "", "[10]").status, 200);
    assert_eq!((get(&running, "/orgs/1", &bob).status, get(&running, "/orgs/2", &bob).status), (200, 404));
    // What a client says of itself counts nothing.
    let lines = "X-Mantlet-Principal: {\"id\":2}\r\nCookie: id=2; orgs=20\r\n";
    assert_eq!(ask(&running, "GET", "/orders/2?id=2&user_id=2", &ann, lines, "").status, 404);
}

#[test]
fn an_answer_in_which_no_owner_is_seen_is_not_released() {
    let running = Running::start(&OWNED, ORDERS);
    let (ann, bob) = (log_in(&running, "ann"), log_in(&running, "bob"));
    let of = |token: &str| {
        ["gzip", "stream", "text", "here", "csv", "lines", "fields", "double", "large", "elsewhere"].map(
            |form| {
                let lines = "Accept-Encoding: gzip\r\n";
                let answer = ask(&running, "GET", &format!("/forms/2/{form}"), token, lines, "");
                assert!(token == bob || !text(&answer).contains("fern"), "{form}");
                assert!(token == bob || !format!("{:?}", answer.headers).contains("fern"), "{form}");
                answer.status
            },
        )
    };
    assert_eq!(of(&bob), [200, 200, 200, 307, 404, 404, 404, 404, 404, 404]);
    assert_eq!(of(&ann), [404, 404, 404, 307, 404, 404, 404, 404, 404, 404]);

    // What a cache or a part would hide.
    let asked = |token: &str, lines: &str| ask(&running, "GET", "/orders/2", token, lines, "").status;
    assert_eq!(asked(&bob, "If-None-Match: \"2\"\r\n"), 200);
    assert_eq!(asked(&ann, "If-None-Match: \"2\"\r\n"), 404);
    assert_eq!(asked(&ann, "Range: bytes=0-3\r\nIf-Range: \"2\"\r\n"), 404);
    assert_eq!(asked(&bob, "Range: bytes=0-3\r\n"), 200);

    let records = running.gateway.end().audit;
    let whys: Vec<&Value> = records
        .iter()
        .filter(|record| record["reason"] == "object-owner-unclear" && record["user"] == "bob")
        .map(|record| &record["subject"])
        .collect();
    let place = "authorization.own[9]: ";
    let expected = [
        "the answer is not JSON",
        "the answer is not JSON",
        "the owner is not in the answer",
        "the owner is not in the answer",
        "the answer is too large",
        "the answer leads elsewhere",
    ];
    assert_eq!(whys, expected.map(|why| format!("{place}{why}")).iter().collect::<Vec<_>>());
}

#[test]
fn a_rule_that_reports_changes_nothing() {
    let config = ORDERS.replace("[[authorization.own]]\n", "[[authorization.own]]\nmode = \"report\"\n");
    let running = Running::start(&OWNED, &config);
    let ann = log_in(&running, "ann");
    let asked = [
        ("GET", "/orders/2", ""),
        ("HEAD", "/orders/2", ""),
        ("PUT", "/orders/2", r#"{"text": "fern of bob"}"#),
        ("GET", "/orders", ""),
        ("POST", "/search/2", ""),
        ("GET", "/lines/6", ""),
        ("GET", "/forms/2/csv", ""),
        ("GET", "/forms/2/large", ""),
        ("GET", "/orders/77", ""),
    ];
    assert_eq!(statuses(&running, &ann, &asked), [200, 200, 200, 200, 200, 200, 200, 200, 404]);
    assert_eq!(get(&running, "/orders", &ann).json()["count"], 3);
    let known = ask(&running, "GET", "/orders/1", &ann, "If-None-Match: \"1\"\r\n", "");
    assert_eq!(known.status, 304, "what a client knows already is asked for as before");
    let absent = get(&running, "/orders/77", &ann);
    assert_eq!((absent.status, absent.header("x-process-time")), (404, Some("0.001")));
    assert_eq!(ask(&running, "DELETE", "/orders/2", &ann, "", "").status, 204);
    let records = running.gateway.end().audit;
    let told: Vec<_> = records
        .iter()
        .filter(|record| record["reason"].as_str().is_some_and(|reason| reason.starts_with("object-")))
        .map(|record| (record["action"].as_str().unwrap(), record["path"].as_str().unwrap()))
        .collect();
    let expected = [
        "/orders/2",
        "/orders/2",
        "/orders/2",
        "/orders",
        "/search/2",
        "/lines/6",
        "/forms/2/csv",
        "/forms/2/large",
        "/orders",
        "/orders/2",
    ];
    assert_eq!(told, expected.map(|path| ("pass", path)), "{records:#?}");
    let line = records.iter().find(|record| record["reason"] == "object-foreign").unwrap();
    assert_eq!(line["remedy"], "mode = \"enforce\" # in authorization.own[0]");
}
