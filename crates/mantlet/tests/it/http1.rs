//! What a well-behaved HTTP/1 client may do, it can do through the gate.

use std::{fmt::Write, io::Read, sync::mpsc, thread, time::Duration};

use crate::kit::{Client, Setup, Stand, Upstream, eventually, marker};

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The first line of what reached the app.
fn request_line(stand: &Stand) -> String {
    String::from_utf8_lossy(&stand.tap.seen()).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn absolute_form_with_the_same_host_arrives_as_origin_form() {
    let check = |target: &str, expected: &str| {
        let stand = Stand::new();
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost:8000\r\n\r\n");
        assert_eq!(stand.connect().ask(request).status, 200, "{target}");
        assert_eq!(request_line(&stand), format!("GET {expected} HTTP/1.1"), "{target}");
    };
    check("http://localhost:8000/a?b=c", "/a?b=c");
    check("HTTP://LOCALHOST:8000/a", "/a");
    check("https://localhost:8000/%61", "/a");
    check("http://localhost:8000", "/");
    check("http://localhost:8000?b", "/?b");
}

#[test]
fn http_1_0_is_answered_and_closed_or_kept_as_the_client_says() {
    let stand = Stand::new();
    let path = marker();
    let mut client = stand.connect();
    client.send(format!("GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    let answer = client.answer();
    assert_eq!(answer.header("connection"), Some("keep-alive"));
    assert_eq!(answer.record()["path"], path.as_str());

    // It knows no chunks: the end of the connection is the end of the answer.
    client.send("GET /bytes/100000 HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.header("transfer-encoding"), answer.body.len()), (None, 100_000));
    client.expect_closed();
}

#[test]
fn chunks_with_extensions_and_trailers_arrive_whole() {
    let stand = Stand::new();
    let mut client = stand.connect();
    let body = "5;name=value\r\nhello\r\n1;quoted=\"a;b\"\r\n,\r\n006\r\n world\r\n000\r\nX-Checksum: 1\r\nX-Empty:\r\n\r\n";
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n", marker());
    for request in [format!("{head}\r\n{body}"), format!("{head}Trailer: X-Checksum, X-Empty\r\n\r\n{body}")]
    {
        let record = client.ask(request).record();
        assert_eq!((&record["body"], &record["body_length"]), (&"hello, world".into(), &12.into()));
    }
}

#[test]
fn a_chunked_body_may_arrive_byte_by_byte() {
    let stand = Stand::new();
    let mut client = stand.connect();
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n10;x\r\n0123456789abcdef\r\n0\r\nX-End: 1\r\n\r\n",
        marker()
    );
    for byte in request.bytes() {
        client.send([byte]);
    }
    assert_eq!(client.answer().record()["body"], "abc0123456789abcdef");
}

#[test]
fn obs_text_in_a_value_arrives() {
    let stand = Stand::new();
    let head =
        [b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Name: caf\xe9 \xff\t\x80\r\n\r\n".as_slice()].concat();
    let record = stand.connect().ask(head).record();
    let headers = record["headers"].as_array().unwrap();
    assert!(headers.contains(&serde_json::json!(["x-name", "caf\u{e9} \u{ff}\t\u{80}"])), "{record}");
}

#[test]
fn a_head_may_arrive_byte_by_byte() {
    let stand = Stand::new();
    let mut client = stand.connect();
    for _ in 0..2 {
        let path = marker();
        for byte in get(&path).bytes() {
            client.send([byte]);
        }
        assert_eq!(client.answer().record()["path"], path.as_str());
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let stand = Stand::new();
    let mut client = stand.connect();
    let paths: Vec<_> = (0..20).map(|_| marker()).collect();
    let mut requests = String::new();
    for (number, path) in paths.iter().enumerate() {
        let body = "x".repeat(number * 100);
        requests += &if number % 2 == 0 { get(path) } else { post(path, &body) };
    }
    client.send(requests);
    for (number, path) in paths.iter().enumerate() {
        let record = client.answer().record();
        let length = if number % 2 == 0 { 0 } else { number * 100 };
        assert_eq!((&record["path"], &record["body_length"]), (&path.as_str().into(), &length.into()));
    }
    client.finish();
    client.expect_closed();
}

#[test]
fn a_megabyte_passes_both_ways() {
    const MEGABYTE: usize = 1 << 20;
    let stand = Stand::new();
    let mut client = stand.connect();
    let body = "m".repeat(MEGABYTE);
    assert_eq!(client.ask(post("/count", &body)).json()["bytes"], MEGABYTE);

    client.send("POST /count HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in body.as_bytes().chunks(10_000) {
        client.send(format!("{:x}\r\n", piece.len()));
        client.send(piece);
        client.send("\r\n");
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.answer().json()["bytes"], MEGABYTE);

    let answer = client.get(&format!("/bytes/{MEGABYTE}"));
    assert_eq!((answer.header("transfer-encoding"), answer.body.len()), (Some("chunked"), MEGABYTE));
    let answer = client.get(&format!("/file/{MEGABYTE}"));
    assert_eq!((answer.header("content-length"), answer.body.len()), (Some("1048576"), MEGABYTE));
}

#[test]
fn head_204_and_304_have_no_body_and_the_connection_goes_on() {
    let stand = Stand::new();
    let mut client = stand.connect();
    client.send("HEAD /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = client.answer_to_head();
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-length").is_some_and(|length| length != "0"), "{answer:?}");
    for code in [204, 304] {
        let answer = client.get(&format!("/status/{code}"));
        assert_eq!((answer.status, answer.body.len()), (code, 0));
        assert_eq!(answer.header("transfer-encoding"), None);
        assert!(!answer.request_id().is_empty());
    }
    client.send("HEAD /a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.answer_to_head().status, 400);
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn a_client_that_waits_for_100_gets_it_before_it_sends_its_body() {
    let stand = Stand::new();
    let mut client = stand.connect();
    let path = marker();
    client.send(format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(client.answer().status, 100);
    client.send("hello");
    let record = client.answer().record();
    assert_eq!(record["body"], "hello");
    assert!(!record["headers"].to_string().contains("expect"), "the wish was met here: {record}");
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn a_refused_request_that_expects_100_gets_its_answer_at_once() {
    let mut stand = Stand::with("[limits]\nbody-size = \"1KiB\"");
    let check = |stand: &mut Stand, target: &str, length: usize, status: u16, code: &str| {
        let mut client = stand.connect();
        client.send(format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        ));
        let answer = client.answer();
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        stand.note(&answer);
        client.expect_closed();
    };
    check(&mut stand, "/count", 2000, 413, "body-too-large");
    check(&mut stand, "/a/../count", 5, 400, "path-dot-segment");
    stand.nothing_else_reached_the_app();
}

#[test]
fn a_connection_carries_many_requests() {
    let stand = Stand::new();
    let mut client = stand.connect();
    let mut ids = std::collections::HashSet::new();
    for number in 0..300 {
        let (path, body) = (marker(), "b".repeat(number % 7));
        let answer = if number % 3 == 0 { client.ask(post(&path, &body)) } else { client.get(&path) };
        assert_eq!(answer.record()["path"], path.as_str());
        ids.insert(answer.request_id().to_owned());
    }
    assert_eq!(ids.len(), 300, "each has an id of its own");
    let (made, _) = stand.tap.connections();
    assert_eq!(made, 1, "and they shared one connection to the app");
}

/// It parks meanwhile: hyper's state is dropped, and made anew at the next byte.
#[test]
fn a_connection_may_be_silent_and_go_on() {
    let mut stand = Stand::new();
    let mut client = stand.connect();
    let paths = [marker(), marker(), marker()];
    assert_eq!(client.get(&paths[0]).record()["path"], paths[0].as_str());
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(client.get(&paths[1]).record()["path"], paths[1].as_str());
    thread::sleep(Duration::from_millis(1500));
    for byte in post(&paths[2], "hello").bytes() {
        client.send([byte]);
    }
    assert_eq!(client.answer().record()["body"], "hello");

    // The wire is as strict as before.
    thread::sleep(Duration::from_millis(1500));
    let answer = client.ask("GET / HTTP/1.1\nHost: localhost\r\n\r\n");
    assert_eq!((answer.status, answer.code().as_str()), (400, "line-ending"));
    stand.note(&answer);
    client.expect_closed();
    stand.pass_clean();
}

#[test]
fn a_request_for_another_protocol_is_an_ordinary_one() {
    let stand = Stand::new();
    let mut client = stand.connect();
    let mut both = String::new();
    for path in ["/first", "/second"] {
        write!(
            both,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n\
             Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"
        )
        .unwrap();
    }
    client.send(&both);
    for path in ["/first", "/second"] {
        let record = client.answer().record();
        assert_eq!(record["path"], path);
        let headers = record["headers"].to_string();
        assert!(!headers.contains("upgrade") && !headers.contains("http2-settings"), "{headers}");
    }
    assert_eq!(client.get("/").status, 200);
}

/// The app sends an event only when the one before has arrived, so none can have been held back.
#[test]
fn events_arrive_as_they_are_sent() {
    let (arrived, has_arrived) = mpsc::channel();
    let upstream = Upstream::of_events(5, has_arrived);
    let gateway = Setup::serve(&upstream.url()).start();
    let mut client = Client::connect(gateway.addr());
    client.send(get("/events"));
    assert_eq!(client.head().status, 200);
    for number in 0..5 {
        assert_eq!(client.take(14), format!("9\r\ndata: {number}\n\n\r\n").into_bytes());
        arrived.send(()).unwrap();
    }
    assert_eq!(client.take(5), b"0\r\n\r\n");
}

/// The client sends the rest of a large body only when the app has seen its beginning.
#[test]
fn a_large_body_arrives_as_it_is_sent() {
    const PIECE: usize = 100_000;
    let upstream = Upstream::new(|connection| {
        connection.read_head();
        let mut body = vec![0; 3 * PIECE];
        connection.read_exact(&mut body).expect("a body");
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let gateway = Setup::serve(&upstream.url()).start();
    let mut client = Client::connect(gateway.addr());
    client.send(format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", 3 * PIECE));
    for number in 1..=3 {
        client.send("b".repeat(PIECE));
        eventually("the app sees what was sent", || (upstream.seen().len() > number * PIECE).then_some(()));
    }
    assert_eq!(client.answer().body, b"ok");
}

#[test]
fn trailers_of_the_app_reach_a_client_that_takes_them() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\nTrailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nok\r\n0\r\nX-Checksum: 1\r\n\r\n",
    );
    let gateway = Setup::serve(&upstream.url()).start();
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nConnection: TE\r\n\r\n";
    let answer = Client::connect(gateway.addr()).ask(request);
    assert_eq!(answer.body, b"ok");
    assert_eq!(answer.trailers, [("x-checksum".to_owned(), "1".to_owned())]);
}

/// Clients of old send an empty line after a body (RFC 9112 section 2.2).
#[test]
fn an_empty_line_before_a_request_is_passed_over() {
    let stand = Stand::with("[limits]\nhead-timeout = \"500ms\"");
    let mut client = stand.connect();
    let path = marker();
    for _ in 0..3 {
        let record = client.ask(post(&path, "hello") + "\r\n").record();
        assert_eq!(record["body"], "hello");
    }
    // It is not the beginning of a request: the connection waits for one as long as any other.
    let (wait, waited) = mpsc::channel::<()>();
    assert!(waited.recv_timeout(Duration::from_secs(2)).is_err());
    drop(wait);
    assert_eq!(client.ask(get(&path)).record()["path"], path.as_str());
    assert_eq!(client.ask("\r\n".to_owned() + &get(&path)).record()["path"], path.as_str());
    // In pieces, too, but not twice.
    for piece in ["\r", "\n", "GET"] {
        client.send(piece);
    }
    assert_eq!(client.ask(&get(&path)[3..]).record()["path"], path.as_str());
    client.send("\r\n\r\n".to_owned() + &get(&path));
    assert_eq!(client.answer().code(), "request-line-malformed");
    assert_eq!(stand.gateway.end().audit.len(), 1);
}

/// What has more header lines than most is read by another parser; whatever is before and behind it on the connection is answered too.
#[test]
fn many_headers_among_requests_in_a_pipeline() {
    let stand = Stand::new();
    let mut client = stand.connect();
    let many = |path: &str, count: usize| {
        let lines =
            (0..count).map(|number| format!("X-N-{number}: {number}\r\n")).collect::<Vec<_>>().concat();
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
    };
    let paths: Vec<_> = (0..6).map(|_| marker()).collect();
    client.send(
        [
            get(&paths[0]),
            many(&paths[1], 150),
            get(&paths[2]),
            post(&paths[3], "hello"),
            many(&paths[4], 255),
            many(&paths[5], 100),
        ]
        .concat(),
    );
    for (path, count) in paths.iter().zip([0, 150, 0, 0, 255, 100]) {
        let record = client.answer().record();
        assert_eq!(record["path"], path.as_str());
        let headers = record["headers"].as_array().unwrap().iter();
        assert_eq!(headers.filter(|pair| pair[0].as_str().unwrap().starts_with("x-n-")).count(), count);
    }
    // In pieces, and after the connection has rested.
    let slow = many(&paths[0], 200);
    for piece in slow.as_bytes().chunks(700) {
        client.send(piece);
    }
    client.answer().record();
    assert_eq!(client.ask(many(&paths[0], 256)).code(), "header-count-exceeded");
}
