//! What is not looked into passes as it comes: streams, ranges, what is too large.

use super::{get, text};
use crate::kit::{Client, Setup};

#[test]
fn streams_and_ranges_pass_as_they_come() {
    let gateway = Setup::run("leaky:app").start();
    let answer = get(&gateway, "/chunked");
    assert_eq!((answer.header("transfer-encoding"), text(&answer)), (Some("chunked"), r#"{"password":"a"}"#));
    let partial = get(&gateway, "/partial");
    assert!(partial.status == 206 && text(&partial).contains("hashed_password"));
    // The first event is there while the next is an hour away.
    let mut client = Client::connect(gateway.addr());
    client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().unwrap(), b"data: {\"password\": \"a\"}\n\n");
    drop(client);
    assert!(gateway.end().audit.is_empty());
}

#[test]
fn what_is_too_large_passes_and_is_told_once() {
    let gateway = Setup::run("leaky:app").start();
    for _ in 0..2 {
        let answer = get(&gateway, "/large");
        assert!(text(&answer).contains("is_admin") && answer.body.len() > 2_000_000);
    }
    let records = gateway.end().audit;
    let reasons: Vec<_> = records.iter().map(|record| record["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["response-not-judged"]);
    let gateway = Setup::run("leaky:app").config("[responses]\njudged-size = \"4 MiB\"\n").start();
    assert!(!text(&get(&gateway, "/large")).contains("filler"));
}

#[test]
fn the_answer_to_head_promises_no_length_that_a_get_would_not_have() {
    let gateway = Setup::run("leaky:app").start();
    let mut client = Client::connect(gateway.addr());
    client.send("HEAD /bypassed HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = client.answer_to_head();
    assert_eq!((answer.status, answer.header("content-length")), (200, None), "{answer:?}");
    assert_eq!(client.get("/honest").status, 200, "the connection goes on");
}
