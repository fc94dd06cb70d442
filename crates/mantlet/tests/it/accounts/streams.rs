//! What is open for long ends with the session in which it was opened.

use serde_json::json;

use super::site::{PASSWORD, Site, bearer, session};
use crate::kit::{
    Client,
    websocket::{CLOSE, FINAL, TEXT, WebSocket, handshake},
};

/// A WebSocket that is opened with these lines in its head.
fn open(site: &Site, lines: &str) -> WebSocket {
    let mut client = Client::connect(site.gate.addr());
    client.send(handshake("/ws").replacen("\r\n\r\n", &format!("\r\n{lines}\r\n"), 1));
    WebSocket::accepted(client)
}

/// Server-sent events, of which the first has come.
fn listen(site: &Site, lines: &str) -> Client {
    let mut client = Client::connect(site.gate.addr());
    client.send(format!("GET /sse?n=100000&interval=0.05 HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"));
    assert_eq!(client.head().status, 200);
    assert!(client.chunk().is_some());
    client
}

fn expect_end(mut socket: WebSocket) {
    let (first, payload) = socket.next();
    let told = [&1008_u16.to_be_bytes()[..], b"session ended"].concat();
    assert_eq!((first, payload), (FINAL | CLOSE, told));
    socket.client.expect_closed();
}

#[test]
fn a_logout_ends_what_is_open_in_its_session_and_nothing_else() {
    let site = Site::start("");
    site.register("ada@example.com");
    site.register("ben@example.com");
    let (own, other) = (session(&site.cookie("ada@example.com")), session(&site.cookie("ada@example.com")));
    let stranger = session(&site.cookie("ben@example.com"));
    let socket = open(&site, &own);
    let mut events = listen(&site, &own);
    let (mut in_other, mut of_stranger) = (open(&site, &other), open(&site, &stranger));
    let answer = site.post_json("/auth/api/logout", &json!({}), &own);
    assert_eq!(answer.status, 204, "{answer:?}");
    expect_end(socket);
    while events.chunk().is_some() {}
    for socket in [&mut in_other, &mut of_stranger] {
        socket.echo(TEXT, b"still here");
    }
    let ended = site.gate.audit(2);
    assert!(ended.iter().all(|record| record["security_event"] == "stream-ended"), "{ended:#?}");
    assert!(ended.iter().all(|record| record["reason"] == "session-ended"), "{ended:#?}");
}

#[test]
fn a_new_password_ends_what_is_open_elsewhere_whatever_has_opened_it() {
    let site = Site::start("");
    site.register("ada@example.com");
    let cookie = session(&site.cookie("ada@example.com"));
    let elsewhere = open(&site, &session(&site.cookie("ada@example.com")));
    let program = open(&site, &bearer(&site.tokens("ada@example.com").access));
    let body = json!({ "current_password": PASSWORD, "new_password": "another long pass phrase" });
    let answer = site.post_json("/auth/api/password", &body, &cookie);
    assert_eq!(answer.status, 204, "{answer:?}");
    expect_end(elsewhere);
    expect_end(program);
}
