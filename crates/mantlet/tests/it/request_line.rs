//! Rows 21 to 34: the request line, the Host and the headers, in both directions.

use serde_json::Value;

use crate::kit::{Answer, Client, Setup, Stand, Upstream, marker};

/// Each of these requests is refused and reaches nobody.
fn check(requests: &[impl AsRef<[u8]>], status: u16, code: &str) {
    let mut stand = Stand::new();
    for request in requests {
        stand.refuse(request.as_ref(), status, code);
    }
    stand.nothing_else_reached_the_app();
}

/// A GET with these header lines, a Host not among them unless it is one.
fn get(headers: &str) -> String {
    format!("GET {} HTTP/1.1\r\n{headers}\r\n\r\n", marker())
}

/// What the app gets as the values of a header.
fn values<'a>(record: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = record["headers"].as_array().expect("headers");
    let named = headers.iter().filter(|pair| pair[0] == name);
    named.map(|pair| pair[1].as_str().expect("a value")).collect()
}

#[test]
fn row_21_no_host() {
    check(&[get("Accept: */*"), format!("GET {} HTTP/1.1\r\n\r\n", marker())], 400, "host-missing");
}

#[test]
fn row_22_two_hosts() {
    let requests = ["Host: localhost\r\nHost: localhost", "Host: localhost\r\nAccept: */*\r\nhost: other"];
    check(&requests.map(get), 400, "host-repeated");
}

#[test]
fn row_23_host_with_userinfo_path_comma_or_nothing() {
    let hosts = [
        "user@localhost",
        "user:secret@localhost",
        "localhost/admin",
        "localhost?admin",
        "localhost, other",
        "localhost other",
        "http://localhost",
        "",
        ":80",
        "localhost:80:80",
        "localhost:65536",
        "localhost:-1",
        "[::1",
        "[localhost]",
        "caf\u{e9}",
        "local%68ost",
    ];
    check(&hosts.map(|host| get(&format!("Host: {host}"))), 400, "host-malformed");
}

#[test]
fn row_24_absolute_form_and_host_disagree() {
    let path = marker();
    let targets =
        ["http://other", "http://localhost:81", "https://localhost.other", "http://other.localhost:80"];
    let requests = targets.map(|host| format!("GET {host}{path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    check(&requests, 400, "host-mismatch");
    let hidden = format!("GET http://other@localhost{path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    check(&[hidden], 400, "host-malformed");
}

#[test]
fn row_25_control_characters_in_a_value() {
    let requests: Vec<_> = (0..0x20_u8)
        .chain([0x7f])
        .filter(|byte| !matches!(byte, b'\t' | b'\n' | b'\r'))
        .map(|byte| get(&format!("Host: localhost\r\nX-Value: a{}b", char::from(byte))))
        .collect();
    assert_eq!(requests.len(), 30);
    check(&requests, 400, "header-malformed");
}

#[test]
fn row_26_one_header_of_64_kb() {
    let long = "a".repeat(64 << 10);
    let requests = [format!("X-Long: {long}"), format!("{long}: x")];
    check(&requests.map(|line| get(&format!("Host: localhost\r\n{line}"))), 431, "head-too-large");
}

#[test]
fn row_27_a_thousand_headers() {
    let many = "X: y\r\n".repeat(1000);
    check(&[get(&format!("{many}Host: localhost"))], 431, "header-count-exceeded");
}

#[test]
fn row_28_a_target_of_100_kb() {
    let long = "a".repeat(100 << 10);
    let rest = "HTTP/1.1\r\nHost: localhost\r\n\r\n";
    check(&[format!("GET /{long} {rest}"), format!("GET /?{long} {rest}")], 414, "target-too-long");
}

#[test]
fn row_29_connect_and_trace() {
    let path = marker();
    let requests = [
        "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n".to_owned(),
        format!("CONNECT {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("TRACE {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        // What the wire itself says to the pipeline is nothing that a client may say.
        format!("MANTLET-REFUSED {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ];
    let mut stand = Stand::new();
    for request in &requests {
        let answer = stand.refuse(request.as_bytes(), 405, "method-forbidden");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    stand.nothing_else_reached_the_app();
}

#[test]
fn row_30_http_2_preface_where_only_http_1_is_spoken() {
    let mut stand = Stand::with("http2 = false");
    stand.refuse(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "request-line-malformed");
    stand.refuse(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 400, "request-line-malformed");
    stand.nothing_else_reached_the_app();
}

#[test]
fn row_31_connection_cannot_strip_what_decides() {
    let stand = Stand::new();
    let answer = stand.connect().ask(get(
        "Host: localhost\r\nAuthorization: Bearer a\r\nCookie: b=c\r\nX-Mine: d\r\nX-CSRF-Token: e\r\n\
         Sec-Fetch-Site: same-origin\r\nConnection: Authorization, X-Request-ID, Cookie, X-Forwarded-For, sec-fetch-site\r\n\
         Connection: x-forwarded-proto, x-forwarded-port, host, x-mine, X-CSRF-Token, accept-encoding, close",
    ));
    let record = answer.record();
    assert_eq!(values(&record, "authorization"), ["Bearer a"]);
    assert_eq!(values(&record, "cookie"), ["b=c"]);
    assert_eq!(values(&record, "x-csrf-token"), ["e"]);
    assert_eq!(values(&record, "host"), ["localhost"]);
    assert_eq!(values(&record, "x-request-id"), [answer.request_id()]);
    assert_eq!(values(&record, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(values(&record, "x-forwarded-proto"), ["http"]);
    assert_eq!(values(&record, "x-forwarded-port"), ["80"]);
    assert_eq!(values(&record, "sec-fetch-site"), ["same-origin"]);
    assert!(values(&record, "x-mine").is_empty(), "a header of the client's own it may name: {record}");
    assert!(values(&record, "connection").is_empty(), "{record}");
}

/// Headers by which proxies tell an app who is calling, and what they say is a lie.
const FORGED: [&str; 18] = [
    "Forwarded: for=6.6.6.6;proto=https;host=evil",
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-For: 7.7.7.7",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil",
    "X-Forwarded-Port: 443",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-User: admin",
    "X-Real-IP: 6.6.6.6",
    "True-Client-IP: 6.6.6.6",
    "CF-Connecting-IP: 6.6.6.6",
    "Remote-User: admin",
    "X-Remote-User: admin",
    "X-Auth-Request-User: admin",
    "X-Original-URL: /admin",
    "X-Rewrite-URL: /admin",
    "Tailscale-User-Login: admin",
    "Proxy: http://evil",
];

#[test]
fn row_32_forged_forwarding_and_identity_headers_are_dropped() {
    let stand = Stand::new();
    let forged = FORGED.join("\r\n");
    let record = stand.connect().ask(get(&format!("Host: localhost\r\nAccept: */*\r\n{forged}"))).record();
    let headers = record["headers"].as_array().expect("headers");
    let names: Vec<_> = headers.iter().map(|pair| pair[0].as_str().unwrap()).collect();
    let ours = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-request-id"];
    assert_eq!(names, [&["host", "accept"][..], &ours].concat());
    assert_eq!(values(&record, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(values(&record, "x-forwarded-port"), ["80"]);
    assert_eq!(values(&record, "x-forwarded-proto"), ["http"]);
    assert_eq!(record["client"][0], "127.0.0.1", "what the app takes for the client's address");
}

/// A proxy that hands `Connection` on has its own words taken away by nobody.
#[test]
fn row_31_nor_what_a_trusted_peer_says() {
    let stand = Stand::with("[client]\ntrusted = [\"127.0.0.1\"]\ndrop = [\"x-tenant\"]");
    let record = stand
        .connect()
        .ask(get(
            "Host: localhost\r\nX-Forwarded-User: alice\r\nRemote-User: alice\r\nX-Tenant: a\r\nX-Mine: b\r\n\
             Connection: x-forwarded-user, remote-user, x-tenant, x-mine",
        ))
        .record();
    for name in ["x-forwarded-user", "remote-user", "x-tenant"] {
        assert_eq!(values(&record, name).len(), 1, "{name}: {record}");
    }
    assert!(values(&record, "x-mine").is_empty());
    let removed = &stand.gateway.audit(1)[0];
    assert_eq!(
        (&removed["reason"], &removed["subject"]),
        (&"header-removed".into(), &"<6 characters, a356ada4>".into())
    );
    assert_eq!((&removed["security_event"], &removed["status"]), (&"request-changed".into(), &Value::Null));
}

#[test]
fn row_32_a_trusted_peer_may_say_more() {
    let stand = Stand::with("[client]\ntrusted = [\"127.0.0.1\"]");
    let headers = "Host: localhost\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\
                   X-Forwarded-Host: shop.example\r\nX-Forwarded-User: alice";
    let record = stand.connect().ask(get(headers)).record();
    assert_eq!(values(&record, "x-forwarded-for"), ["203.0.113.7"]);
    assert_eq!(values(&record, "x-forwarded-proto"), ["https"]);
    assert_eq!(values(&record, "x-forwarded-host"), ["shop.example"]);
    assert_eq!(values(&record, "x-forwarded-user"), ["alice"]);
}

#[test]
fn row_33_underscore_names_are_dropped() {
    let stand = Stand::new();
    let headers = "Host: localhost\r\nx_user: admin\r\nx-user: alice\r\nX_Forwarded_For: 6.6.6.6\r\nA_: b";
    let record = stand.connect().ask(get(headers)).record();
    assert_eq!(values(&record, "x-user"), ["alice"]);
    assert!(!record["headers"].to_string().contains('_'), "{}", record["headers"]);
}

/// The answer to a request whose app writes this line among its headers, and the reasons in the audit file.
fn answer_with(line: &str) -> (Answer, Vec<String>) {
    let upstream = Upstream::answering(format!("HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 2\r\n\r\nok"));
    let gateway = Setup::serve(&upstream.url()).start();
    // Whoever reads this answer fails at a bare CR, a bare LF, and a line that is no header.
    let answer = Client::connect(gateway.addr()).get("/");
    let end = gateway.end();
    let reasons = end.audit.iter().map(|record| record["reason"].as_str().unwrap().to_owned());
    (answer, reasons.collect())
}

/// An app that lets a client write into its headers does not let it write an answer.
#[test]
fn row_34_cr_lf_and_nul_of_the_app_are_never_emitted() {
    for line in [
        "X-Value: a\rSet-Cookie: evil=1",
        "X-Value: a\r\r\nSet-Cookie: evil=1",
        "X-Value: a\0evil",
        "X-Value: a\r\n\tfolded",
        "X\r-Value: a",
        "X-Value : a",
        "evil",
    ] {
        let (answer, reasons) = answer_with(line);
        assert_eq!((answer.status, answer.code().as_str()), (502, "app-invalid-response"), "{line:?}");
        assert!(answer.header("set-cookie").is_none(), "{line:?}");
        assert_eq!(reasons, ["app-invalid-response"], "{line:?}");
    }
}

/// A bare LF from the app ends a line, as for browsers; it reaches the client as CR LF.
#[test]
fn row_34_a_bare_lf_of_the_app_is_never_emitted() {
    let (answer, _) = answer_with("X-Value: a\nX-Next: b");
    assert_eq!((answer.header("x-value"), answer.header("x-next")), (Some("a"), Some("b")));
}
