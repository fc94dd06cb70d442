//! What is not looked into passes as it comes: streams, ranges, what is too large.

use super::{BY_NAME, HASH, STRICT, get, text};
use crate::kit::{Client, Setup};

#[test]
fn streams_and_ranges_pass_as_they_come() {
    let gateway = Setup::run("leaky:app").start();
    let answer = get(&gateway, "/chunked");
    assert_eq!((answer.header("transfer-encoding"), text(&answer)), (Some("chunked"), r#"{"password":"a"}"#));
    let partial = get(&gateway, "/partial");
    assert!(partial.status == 206 && text(&partial).contains("hashed_password"));
    // Of the same length, as everything that the head says.
    assert!(
        !text(&partial).contains(HASH) && text(&partial).contains(&"*".repeat(HASH.len())),
        "{partial:?}"
    );
    // The first event is there while the next is an hour away.
    let mut client = Client::connect(gateway.addr());
    client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().unwrap(), b"data: {\"password\": \"a\"}\n\n");
    drop(client);
    let reasons: Vec<_> = gateway.end().audit.iter().map(|record| record["subject"].clone()).collect();
    assert_eq!(reasons, ["of unknown length", "a part", "hashed_password"]);
}

#[test]
fn what_is_too_large_passes_and_is_told_once() {
    let gateway = Setup::run("leaky:app").start();
    for _ in 0..2 {
        let answer = get(&gateway, "/large");
        assert!(text(&answer).contains("is_admin") && answer.body.len() > 2_000_000);
        assert!(!text(&answer).contains(HASH), "what is surely a secret is found in a stream too");
    }
    let records = gateway.end().audit;
    let reasons: Vec<_> = records.iter().map(|record| record["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["response-not-judged", "response-field-sensitive"]);
    // In strict posture a client cannot ask for so much that nobody looks.
    let strict = Setup::run("leaky:app").config(STRICT).start();
    let answer = get(&strict, "/large");
    assert_eq!((answer.status, answer.code().as_str()), (500, "response-not-judged"));
    let config = "[responses]\njudged-size = \"4 MiB\"\nunknown-fields = \"strip\"\n";
    let gateway = Setup::run("leaky:app").config(config).start();
    assert!(!text(&get(&gateway, "/large")).contains("filler"));
}

#[test]
fn the_answer_to_head_promises_no_length_that_a_get_would_not_have() {
    let gateway = Setup::run("leaky:app").config(BY_NAME).start();
    let mut client = Client::connect(gateway.addr());
    client.send("HEAD /bypassed HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = client.answer_to_head();
    assert_eq!((answer.status, answer.header("content-length")), (200, None), "{answer:?}");
    assert_eq!(client.get("/honest").status, 200, "the connection goes on");
}
