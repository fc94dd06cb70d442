//! HTTP/2 with prior knowledge: the same requests, the same rules. The h2 crate judges frames; rows 69 and 70.

use std::process::Command;

use bytes::Bytes;
use http::{Method, Request, Version};
use serde_json::Value;

use crate::kit::{
    Setup, Stand, Upstream, eventually,
    http2::{
        DATA, END_HEADERS, END_STREAM, Fate, Frames, HEADERS, PROTOCOL_ERROR, ask, block, connect, get,
        header, json, talk,
    },
    marker, provided,
};

#[test]
fn get_and_post_and_a_large_answer() {
    let stand = Stand::new();
    talk(async {
        let sender = connect(stand.gateway.addr()).await;
        let path = marker();
        let answer = ask(&sender, get(&format!("{path}?a=b")), b"").await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
        assert_eq!(header(answer.headers(), "x-content-type-options"), "nosniff");
        let record = json(&answer);
        assert_eq!((&record["path"], &record["query_string"]), (&path.as_str().into(), &"a=b".into()));
        assert_eq!(record["http_version"], "1.1", "the app is asked in HTTP/1.1");
        let headers = record["headers"].as_array().unwrap();
        assert!(headers.contains(&serde_json::json!(["host", "localhost"])), "{record}");
        assert!(
            headers.contains(&serde_json::json!(["x-request-id", header(answer.headers(), "x-request-id")]))
        );

        let body = vec![b'b'; 300_000];
        let answer = ask(&sender, Request::post("http://localhost/count"), &body).await.unwrap();
        assert_eq!(json(&answer)["bytes"], 300_000);
        assert_eq!(ask(&sender, get("/bytes/3000000"), b"").await.unwrap().body().len(), 3_000_000);
    });
}

#[test]
fn split_cookies_arrive_as_one() {
    let stand = Stand::new();
    talk(async {
        let sender = connect(stand.gateway.addr()).await;
        let request = get(&marker()).header("cookie", "a=1").header("cookie", "b=2");
        let record = json(&ask(&sender, request, b"").await.unwrap());
        assert!(
            record["headers"].as_array().unwrap().contains(&serde_json::json!(["cookie", "a=1; b=2"])),
            "{record}"
        );
    });
}

#[test]
fn streams_do_not_wait_for_each_other() {
    let stand = Stand::new();
    talk(async {
        let sender = connect(stand.gateway.addr()).await;
        // One that never ends, and many that do.
        let hanging = tokio::spawn({
            let sender = sender.clone();
            async move { ask(&sender, get("/hang"), b"").await.is_ok() }
        });
        let paths: Vec<_> = (0..50).map(|_| marker()).collect();
        let asked = paths.iter().map(|path| {
            let (sender, path) = (sender.clone(), path.clone());
            tokio::spawn(async move { (json(&ask(&sender, get(&path), b"").await.unwrap()), path) })
        });
        for answer in asked.collect::<Vec<_>>() {
            let (record, path) = answer.await.unwrap();
            assert_eq!(record["path"], path.as_str());
        }
        assert!(!hanging.is_finished());
        hanging.abort();
    });
}

#[test]
fn both_directions_stream() {
    let upstream = Upstream::new(|connection| {
        // Answers before the request has ended, piece by piece as it comes.
        connection.read_head();
        connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        connection.read_to_end();
    });
    let gateway = Setup::serve(&upstream.url()).start();
    talk(async {
        let mut sender = connect(gateway.addr()).await.ready().await.unwrap();
        let request = Request::post("http://localhost/").body(()).unwrap();
        let (answer, mut stream) = sender.send_request(request, false).unwrap();
        stream.send_data(Bytes::from(vec![b'x'; 60_000]), false).unwrap();
        stream.send_data(Bytes::from(vec![b'y'; 5_000]), false).unwrap();
        let mut body = answer.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "first");
    });
}

/// What the wire says of HTTP/1 requests, the pipeline says of these; the connection goes on.
#[test]
fn requests_are_refused_for_the_same_reasons() {
    let stand = Stand::new();
    let mut refusals = Vec::new();
    let mut check = |method: &str, uri: &str, headers: &[(&str, &str)], status: u16, code: &str| {
        let answer = talk(async {
            let sender = connect(stand.gateway.addr()).await;
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = Request::builder().method(method).uri(uri).version(Version::HTTP_2);
            let request =
                headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let answer = ask(&sender, request, b"").await.unwrap();
            assert_eq!(ask(&sender, get("/clean"), b"").await.unwrap().status(), 200, "after {uri}");
            answer
        });
        let body = json(&answer);
        assert_eq!(
            (answer.status().as_u16(), &body["code"]),
            (status, &code.into()),
            "{method} {uri} {headers:?}"
        );
        assert_eq!(header(answer.headers(), "x-content-type-options"), "nosniff");
        assert_eq!(header(answer.headers(), "x-request-id"), body["request_id"]);
        refusals.push((body["request_id"].clone(), Value::from(code)));
    };
    check("GET", "http://user@localhost/", &[], 400, "host-malformed");
    check("GET", "http://user:secret@localhost/", &[], 400, "host-malformed");
    check("GET", "http://localhost/", &[("host", "other")], 400, "host-mismatch");
    check("GET", "http://localhost:81/", &[("host", "localhost")], 400, "host-mismatch");
    check("TRACE", "http://localhost/", &[], 405, "method-forbidden");
    check("CONNECT", "localhost:443", &[], 405, "method-forbidden");
    check("MANTLET-REFUSED", "http://localhost/", &[], 405, "method-forbidden");
    check("GET", &format!("http://localhost/{}", "a".repeat(62_000)), &[], 414, "target-too-long");
    check("GET", "http://localhost/", &[("x-many", "1"); 257], 431, "header-count-exceeded");
    for (path, code) in [
        ("/a/../admin", "path-dot-segment"),
        ("/a/%2e%2e%2fadmin", "path-dot-segment"),
        ("/%252e%252e/admin", "path-double-encoded"),
        ("//admin", "path-empty-segment"),
        ("/admin;x", "path-parameter"),
        ("/%c0%ae%c0%ae/admin", "path-encoding"),
        ("/admin%00", "path-control-character"),
        ("/a\\admin", "path-backslash"),
        ("/%ef%bc%8e%ef%bc%8e/admin", "path-lookalike"),
    ] {
        check("GET", &format!("http://localhost{path}"), &[], 400, code);
    }
    let records = stand.gateway.end().audit;
    let recorded: Vec<_> =
        records.iter().map(|record| (record["request_id"].clone(), record["reason"].clone())).collect();
    assert_eq!(recorded, refusals);
    let seen = String::from_utf8_lossy(&stand.tap.seen()).into_owned();
    let lines = seen.lines().filter(|line| line.ends_with(" HTTP/1.1"));
    assert!(lines.clone().all(|line| line == "GET /clean HTTP/1.1"), "{seen}");
    assert_eq!(lines.count(), refusals.len());
}

/// A request of these fields beside the usual ones.
fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let usual = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)];
    block(&[&usual, fields].concat())
}

const GET: [(&str, &str); 3] = [(":method", "GET"), (":scheme", "http"), (":path", "/evil")];

/// `:authority` stands for Host (RFC 9113 section 8.3.1), and is judged as strictly.
#[test]
fn a_host_is_named_once_and_well() {
    let check = |fields: &[(&str, &str)], expected: Fate| {
        let stand = Stand::new();
        let mut frames = Frames::open(stand.gateway.addr(), &[]);
        frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &block(&[&GET, fields].concat()));
        let reached = expected == Fate::Answered(200);
        assert_eq!(frames.fate(1), expected, "{fields:?}");
        assert_eq!(String::from_utf8_lossy(&stand.tap.seen()).contains("GET /evil"), reached, "{fields:?}");
    };
    check(&[(":authority", "localhost")], Fate::Answered(200));
    check(&[("host", "localhost")], Fate::Answered(200));
    check(&[(":authority", "localhost"), ("host", "LOCALHOST")], Fate::Answered(200));
    check(&[], Fate::Answered(400));
    check(&[("host", "localhost"), ("host", "localhost")], Fate::Answered(400));
    check(&[(":authority", "localhost"), ("host", "localhost"), ("host", "localhost")], Fate::Answered(400));
    check(&[(":authority", "localhost"), ("host", "other")], Fate::Answered(400));
    check(&[("host", "user@localhost")], Fate::Answered(400));
    check(&[("host", "")], Fate::Answered(400));
    check(&[(":authority", "a,b")], Fate::Answered(400));
    check(&[(":authority", "localhost:99999")], Fate::Answered(400));
    check(&[(":authority", "")], Fate::Reset(PROTOCOL_ERROR));
    check(&[(":authority", "a b")], Fate::Reset(PROTOCOL_ERROR));
    check(&[(":authority", "a/b")], Fate::Reset(PROTOCOL_ERROR));
}

#[test]
fn rows_26_and_27_large_heads() {
    let stand = Stand::new();
    for (request, small_enough_for_an_answer) in [
        ((0..1000).fold(get("/evil"), |request, _| request.header("x-many", "1")), true),
        (get("/evil").header("x-long", "a".repeat(80 << 10)), true),
        (get("/evil").header("x-long", "a".repeat(500 << 10)), false),
    ] {
        let answer = talk(async {
            let sender = connect(stand.gateway.addr()).await;
            ask(&sender, request, b"").await
        });
        match answer {
            Ok(answer) => assert_eq!((answer.status().as_u16(), small_enough_for_an_answer), (431, true)),
            Err(error) => assert!(error.is_go_away() && !small_enough_for_an_answer, "{error:?}"),
        }
    }
    assert!(stand.tap.seen().is_empty());
}

/// The stream ends with an error of its own and others go on; what cannot even be decoded ends the connection.
#[test]
fn row_69_malformed_fields_are_an_error() {
    let stand = Stand::new();
    let fields: [(&str, &str, Fate); 14] = [
        ("te", "gzip", Fate::Reset(PROTOCOL_ERROR)),
        ("te", "trailers, gzip", Fate::Reset(PROTOCOL_ERROR)),
        ("transfer-encoding", "chunked", Fate::Reset(PROTOCOL_ERROR)),
        ("connection", "close", Fate::Reset(PROTOCOL_ERROR)),
        ("keep-alive", "timeout=5", Fate::Reset(PROTOCOL_ERROR)),
        ("proxy-connection", "close", Fate::Reset(PROTOCOL_ERROR)),
        ("upgrade", "h2c", Fate::Reset(PROTOCOL_ERROR)),
        (":path", "/other", Fate::Reset(PROTOCOL_ERROR)),
        ("x-value", "a\r\nset-cookie: evil=1", Fate::GoneAway(PROTOCOL_ERROR)),
        ("x-value", "a\nb", Fate::GoneAway(PROTOCOL_ERROR)),
        ("x-value", "a\0b", Fate::GoneAway(PROTOCOL_ERROR)),
        ("X-Upper", "a", Fate::GoneAway(PROTOCOL_ERROR)),
        ("x value", "a", Fate::GoneAway(PROTOCOL_ERROR)),
        (":unknown", "a", Fate::GoneAway(PROTOCOL_ERROR)),
    ];
    for (name, value, fate) in fields {
        let mut frames = Frames::open(stand.gateway.addr(), &[]);
        frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &request("GET", "/evil", &[(name, value)]));
        assert_eq!(frames.fate(1), fate, "{name}: {value:?}");
        if !matches!(fate, Fate::Reset(_)) {
            frames = Frames::open(stand.gateway.addr(), &[]);
        }
        frames.send(HEADERS, END_HEADERS | END_STREAM, 3, &request("GET", "/clean", &[]));
        assert_eq!(frames.fate(3), Fate::Answered(200), "after {name}: {value:?}");
    }
    assert!(!String::from_utf8_lossy(&stand.tap.seen()).contains("evil"));
}

/// One length, and as many bytes: else nothing reaches the app.
#[test]
fn row_69_content_length_and_body_disagree() {
    let stand = Stand::new();
    for (lengths, body) in [
        (&["10"][..], "hello"),
        (&["3"], "hello"),
        (&["0"], "hello"),
        (&["5"], ""),
        (&["+5"], "hello"),
        (&["5, 5"], "hello"),
        (&["-5"], "hello"),
        (&["99999999999999999999"], "hello"),
        (&["5", "6"], "hello"),
        (&["6", "5"], "hello"),
    ] {
        let fields: Vec<_> = lengths.iter().map(|length| ("content-length", *length)).collect();
        let fate = post(&stand, &fields, body);
        assert_eq!(fate, Fate::Reset(PROTOCOL_ERROR), "{lengths:?} {body:?}");
        stand.connect().get("/clean").record();
    }
    // Twice the same is no disagreement, and no length either, as in HTTP/1.
    assert_eq!(
        post(&stand, &[("content-length", "5"), ("content-length", "5")], "hello"),
        Fate::Answered(400)
    );
    assert_eq!(post(&stand, &[("content-length", "5")], "hello"), Fate::Answered(200));
    let seen = String::from_utf8_lossy(&stand.tap.seen()).into_owned();
    assert_eq!(seen.matches("POST /evil").count(), 1, "{seen}");
}

fn post(stand: &Stand, fields: &[(&str, &str)], body: &str) -> Fate {
    let mut frames = Frames::open(stand.gateway.addr(), &[]);
    if body.is_empty() {
        frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &request("POST", "/evil", fields));
    } else {
        frames.send(HEADERS, END_HEADERS, 1, &request("POST", "/evil", fields));
        frames.send(DATA, END_STREAM, 1, body.as_bytes());
    }
    frames.fate(1)
}

#[test]
fn a_body_that_is_declared_too_large_is_refused_unread() {
    let stand = Stand::with("[limits]\nbody-size = \"1KiB\"");
    let mut frames = Frames::open(stand.gateway.addr(), &[]);
    frames.send(HEADERS, END_HEADERS, 1, &request("POST", "/evil", &[("content-length", "1025")]));
    assert_eq!(frames.fate(1), Fate::Answered(413));
    assert!(stand.tap.seen().is_empty());
    assert_eq!(stand.gateway.audit(1)[0]["reason"], "body-too-large");
}

/// A client that never takes an answer does not hold the app; what else it asked for on the connection goes on.
#[test]
fn row_70_a_stream_whose_client_opens_no_window_is_ended_alone() {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    const RST_STREAM: u8 = 3;
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    for window in [0, 1, 20_000] {
        let stand = Stand::with("[limits]\nwrite-timeout = \"1s\"");
        let mut frames = Frames::open(stand.gateway.addr(), &[(INITIAL_WINDOW_SIZE, window)]);
        frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &request("GET", "/file/10000000", &[]));
        assert_eq!(frames.fate(1), Fate::Answered(200));
        let mut received = 0;
        loop {
            let frame = frames.next().expect("the connection goes on");
            if frame.kind == RST_STREAM {
                assert_eq!((frame.stream, frame.payload.as_slice()), (1, &CANCEL[..]));
                break;
            }
            assert_eq!((frame.kind, frame.flags & END_STREAM), (DATA, 0), "{frame:?}");
            received += frame.payload.len();
        }
        assert_eq!(received, usize::try_from(window).unwrap(), "as much as it asked for, then the end");
        eventually("the app is let go", || (stand.tap.connections() == (1, 0)).then_some(()));
        frames.send(HEADERS, END_HEADERS | END_STREAM, 3, &request("GET", "/status/204", &[]));
        assert_eq!(frames.fate(3), Fate::Answered(204));
    }
}

/// Every test of h2spec but one. That one sends what is no preface and wants the connection closed without a word; where
/// HTTP/1 is spoken as well, it is a malformed HTTP/1 request, which gets its 400 first.
#[test]
fn h2spec_passes() {
    let stand = Stand::new();
    let port = stand.gateway.addr().port().to_string();
    let mut h2spec = Command::new(provided("MANTLET_TEST_H2SPEC"));
    let arguments = ["--strict", "--host", "127.0.0.1", "--port", &port, "--timeout", "10"];
    let output = h2spec.args(arguments).output().expect("h2spec starts");
    let report = String::from_utf8_lossy(&output.stdout);
    let (tests, failures) = report.split_once("Failures:").unwrap_or((&report, ""));
    assert!(tests.matches('\u{2714}').count() >= 145, "{report}");
    let failed: Vec<_> = failures.lines().map(str::trim).filter(|line| line.starts_with('\u{d7}')).collect();
    assert_eq!(failed, ["\u{d7} 2: Sends invalid connection preface"], "{report}");
    assert_eq!(report.lines().last(), Some("146 tests, 145 passed, 0 skipped, 1 failed"), "{report}");
}
