//! Who is calling: request ids, forwarding headers, the PROXY protocol, unix sockets.

use serde_json::Value;

use crate::kit::{Answer, App, Client, Setup, Stand, marker};

/// A GET with these header lines, each with its CR LF.
fn get(headers: &str) -> String {
    format!("GET {} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n", marker())
}

/// What the app gets as the only value of a header.
fn value<'a>(record: &'a Value, name: &str) -> Option<&'a str> {
    let mut named = record["headers"].as_array().expect("headers").iter().filter(|pair| pair[0] == name);
    let value = named.next().map(|pair| pair[1].as_str().expect("a value"));
    assert!(named.next().is_none(), "{name} arrives once: {record}");
    value
}

/// The id in the answer, which must be the one that the app was told.
fn request_id(answer: &Answer) -> String {
    let id = answer.request_id();
    assert_eq!(value(&answer.record(), "x-request-id"), Some(id));
    id.to_owned()
}

const TRUSTING: &str = "[client]\ntrusted = [\"127.0.0.1\", \"10.0.0.0/8\"]\n";

#[test]
fn a_request_id_is_made_unless_a_trusted_peer_sends_one() {
    let untrusting = Stand::new();
    for sent in ["", "X-Request-ID: chosen-by-the-client\r\n"] {
        let id = request_id(&untrusting.connect().ask(get(sent)));
        assert_eq!((id.len(), &id[14..15]), (36, "7"), "a version 7 UUID: {id}");
    }

    let trusting = Stand::with(TRUSTING);
    let ask = |sent: &str| request_id(&trusting.connect().ask(get(sent)));
    assert_eq!(ask("X-Request-ID: 4711/a-b_c.d\r\n"), "4711/a-b_c.d");
    let long = "x".repeat(129);
    for bad in ["", "two words", "\"quoted\"", "{\"json\":1}", "caf\u{e9}", &long, "a\r\nX-Request-ID: b"] {
        let id = ask(&format!("X-Request-ID: {bad}\r\n"));
        assert_eq!((id.len(), &id[14..15]), (36, "7"), "not taken over: {bad:?}");
    }
}

/// What the app is told about the client, and what the audit record says.
fn check(stand: &Stand, headers: &str, address: Option<&str>, scheme: &str) {
    let record = stand.connect().ask(get(headers)).record();
    assert_eq!(value(&record, "x-forwarded-for"), address, "{headers:?}");
    assert_eq!(value(&record, "x-forwarded-proto"), Some(scheme), "{headers:?}");
    assert_eq!(value(&record, "forwarded"), None, "{headers:?}");
    assert_eq!(record["scheme"], scheme, "{headers:?}");
    if let Some(address) = address {
        assert_eq!(record["client"][0], address, "{headers:?}");
    }

    let refused = stand.connect().ask(format!("GET /a/../b HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
    let recorded = stand.gateway.audit_of(refused.request_id());
    assert_eq!(recorded["client_ip"], address.map_or(Value::Null, Value::from), "{headers:?}");
}

#[test]
fn x_forwarded_for_counts_from_trusted_peers_and_right_to_left() {
    let untrusting = Stand::new();
    check(&untrusting, "", Some("127.0.0.1"), "http");
    check(
        &untrusting,
        "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n",
        Some("127.0.0.1"),
        "http",
    );

    let stand = Stand::with(TRUSTING);
    check(&stand, "", Some("127.0.0.1"), "http");
    check(
        &stand,
        "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n",
        Some("203.0.113.7"),
        "https",
    );
    check(&stand, "X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.1.2.3\r\n", Some("203.0.113.7"), "http");
    check(
        &stand,
        "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.7\r\n",
        Some("203.0.113.7"),
        "http",
    );
    check(&stand, "X-Forwarded-For: 2001:db8::1\r\n", Some("2001:db8::1"), "http");
    check(&stand, "X-Forwarded-For: 6.6.6.6, unknown, 10.1.2.3\r\n", Some("10.1.2.3"), "http");
    check(&stand, "X-Forwarded-For: nonsense\r\nX-Forwarded-Proto: gopher\r\n", Some("127.0.0.1"), "http");
    check(&stand, "Forwarded: for=6.6.6.6;proto=https\r\n", Some("127.0.0.1"), "http");
}

#[test]
fn forwarded_counts_if_it_is_what_trusted_peers_write() {
    let stand = Stand::with(&format!("{TRUSTING}header = \"forwarded\""));
    check(&stand, "Forwarded: for=203.0.113.7;proto=https\r\n", Some("203.0.113.7"), "https");
    check(&stand, "Forwarded: for=6.6.6.6, for=203.0.113.7, for=10.1.2.3\r\n", Some("203.0.113.7"), "http");
    check(&stand, "Forwarded: For=\"[2001:db8::1]:4711\"; Proto=http\r\n", Some("2001:db8::1"), "http");
    check(&stand, "Forwarded: for=_hidden;proto=https\r\n", Some("127.0.0.1"), "https");
    check(&stand, "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n", Some("127.0.0.1"), "http");
}

/// Version 2: signature, version and command, family and protocol, length, addresses and ports.
fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[0x20 | command, family], &length, rest].concat()
}

const PROXY: &str = "[client]\nproxy-protocol = true\n";

#[test]
fn the_proxy_protocol_names_the_client() {
    let stand = Stand::with(PROXY);
    let check = |header: &[u8], address: &str| {
        let mut client = stand.connect();
        // It may come in pieces, and together with the first request.
        client.send(&header[..5]);
        client.send([&header[5..], get("X-Forwarded-For: 6.6.6.6\r\n").as_bytes()].concat());
        for _ in 0..2 {
            let record = client.answer().record();
            assert_eq!(value(&record, "x-forwarded-for"), Some(address), "{header:?}");
            assert_eq!(record["client"][0], address, "{header:?}");
            client.send(get(""));
        }
    };
    check(b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n", "203.0.113.7");
    check(b"PROXY TCP6 2001:db8::1 ::1 4711 443\r\n", "2001:db8::1");
    check(b"PROXY UNKNOWN\r\n", "127.0.0.1");
    let (source, target) = ([203, 0, 113, 7], [10, 0, 0, 1]);
    let addresses = [&source[..], &target, &4711_u16.to_be_bytes(), &443_u16.to_be_bytes()].concat();
    check(&version_2(1, 0x11, &addresses), "203.0.113.7");
    check(&version_2(0, 0x00, &[]), "127.0.0.1");
    // Extensions after the addresses are read and left alone.
    check(&version_2(1, 0x11, &[&addresses[..], &[0x04, 0, 3, 1, 2, 3]].concat()), "203.0.113.7");
}

#[test]
fn without_a_proxy_header_the_connection_is_closed_and_recorded() {
    let stand = Stand::with(PROXY);
    let connections: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 99999 443\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PROXY TCP4 not-an-address 10.0.0.1 1 443\r\n",
        b"PROXY \nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
    ];
    for bytes in connections {
        let mut client = stand.connect();
        client.send(bytes);
        assert!(client.is_cut_off(), "{bytes:?}");
    }
    let records = stand.gateway.end().audit;
    assert_eq!(records.len(), connections.len());
    for record in &records {
        assert_eq!(
            (&record["security_event"], &record["reason"]),
            (&"connection-refused".into(), &"proxy-header-malformed".into())
        );
        assert_eq!(record["client_ip"], "127.0.0.1");
    }
    assert!(stand.tap.seen().is_empty());
}

/// The folder's permissions decided who may connect: such a peer is trusted.
#[test]
fn on_a_unix_socket_the_peer_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let listen = format!("unix:{}", path.display());
    let app = format!("unix:{}", App::shared().socket().display());
    let gateway = Setup::serve(&app).listen(&listen).start();
    assert!(gateway.stderr().contains(&format!("ready behind {listen}")), "{}", gateway.stderr());

    let connect = || Client::connect_unix(path.to_str().unwrap());
    let record = connect().ask(get("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n")).record();
    assert_eq!(value(&record, "x-forwarded-for"), Some("203.0.113.7"));
    assert_eq!(record["scheme"], "https");

    let record = connect().ask(get("")).record();
    assert_eq!(value(&record, "x-forwarded-for"), None, "nobody is named");

    let refused = connect().ask("GET /a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(refused.code(), "path-dot-segment");
    assert_eq!(gateway.end().audit[0]["client_ip"], Value::Null);
}
