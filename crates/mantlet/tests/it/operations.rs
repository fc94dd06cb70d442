//! Requests for what the app offers, and for what it does not: by the contract that `run` reads from the app.

use crate::kit::{Client, Setup};

/// Method, target, status and reason in strict posture, status in compatible posture.
const CASES: [(&str, &str, u16, &str, u16); 9] = [
    ("GET", "/items/7", 200, "", 200),
    ("GET", "/items/7/", 307, "", 307),
    ("GET", "/static/swagger-ui.css", 200, "", 200),
    ("GET", "/static/nothing", 404, "", 404),
    ("GET", "/docs", 404, "route-hidden", 200),
    ("GET", "/openapi.json", 404, "route-hidden", 200),
    ("GET", "/.env", 404, "route-unknown", 404),
    ("DELETE", "/items/7", 405, "route-method-unknown", 405),
    ("GET", "/items", 405, "route-method-unknown", 405),
];

fn status_and_reason(client: &mut Client, method: &str, target: &str) -> (u16, String) {
    let answer = client.ask(format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn strict_refuses_without_the_app_what_no_route_has() {
    let gateway = Setup::run("docs_offline:app").config("[contract]\nposture = \"strict\"\n").start();
    let mut client = Client::connect(gateway.addr());
    for (method, target, status, reason, _) in CASES {
        let (found, code) = status_and_reason(&mut client, method, target);
        // What is hidden is not told from what is not there.
        let told = if reason == "route-hidden" { "route-unknown" } else { reason };
        assert_eq!((found, code.as_str()), (status, told), "{method} {target}");
    }
    let answer = client.ask("DELETE /items/7 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(answer.header("allow"), Some("GET"));
    let records = gateway.end().audit;
    let reasons: Vec<_> = records.iter().filter_map(|record| record["reason"].as_str()).collect();
    let mut expected: Vec<_> =
        CASES.map(|case| case.3).into_iter().filter(|reason| !reason.is_empty()).collect();
    expected.push("route-method-unknown");
    assert_eq!(reasons, expected);
}

#[test]
fn compatible_lets_the_app_answer_and_records_each_once() {
    let gateway = Setup::run("docs_offline:app").start();
    let mut client = Client::connect(gateway.addr());
    for _ in 0..2 {
        for (method, target, _, _, status) in CASES {
            let (found, code) = status_and_reason(&mut client, method, target);
            assert_eq!((found, code.as_str()), (status, ""), "{method} {target}");
        }
    }
    let records = gateway.end().audit;
    let seen: Vec<_> =
        records.iter().map(|record| (record["action"].as_str(), record["path"].as_str())).collect();
    assert_eq!(seen, ["/docs", "/.env", "/items/7", "/items"].map(|route| (Some("pass"), Some(route))));
}
