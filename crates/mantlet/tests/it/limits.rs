//! What a client may take: bytes, time, connections.

use std::thread;

use crate::kit::{Answer, App, Client, Setup, Stand, eventually, http2, marker, processes::Footprint};

/// The refusal of a request, after which its connection closes; the only record of all.
fn expect_refusal(stand: &Stand, client: &mut Client, status: u16, code: &str) -> Answer {
    let answer = client.answer();
    assert_eq!((answer.status, answer.code().as_str()), (status, code));
    assert_eq!(answer.header("connection"), Some("close"));
    client.expect_closed();
    let records = stand.gateway.audit(1);
    let told = |key: &str| records[0][key].as_str().unwrap_or_default().to_owned();
    assert_eq!((told("reason"), told("request_id")), (code.to_owned(), answer.request_id().to_owned()));
    assert_eq!(records.len(), 1);
    answer
}

fn head(path: &str, framing: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n")
}

#[test]
fn row_52_a_body_declared_too_large_is_refused_unread() {
    let stand = Stand::with("[limits]\nbody-size = \"1KiB\"");
    let mut client = stand.connect();
    client.send(head("/count", "Content-Length: 1025"));
    expect_refusal(&stand, &mut client, 413, "body-too-large");
    assert!(stand.tap.seen().is_empty());

    let body = "x".repeat(1024);
    let answer = stand.connect().ask(head("/count", "Content-Length: 1024") + &body);
    assert_eq!(answer.json()["bytes"], 1024, "as large as it may be");
}

#[test]
fn row_52_a_small_body_without_a_length_is_refused_before_the_app_sees_it() {
    let stand = Stand::with("[limits]\nbody-size = \"1KiB\"");
    let mut client = stand.connect();
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    client.send(head("/count", "Transfer-Encoding: chunked") + &chunk + "1\r\nx\r\n0\r\n\r\n");
    expect_refusal(&stand, &mut client, 413, "body-too-large");
    assert!(stand.tap.seen().is_empty());

    let answer = stand.connect().ask(head("/count", "Transfer-Encoding: chunked") + &chunk + "0\r\n\r\n");
    assert_eq!(answer.json()["bytes"], 1024, "as large as it may be");
}

/// A large body streams: the app sees its beginning, never its end.
#[test]
fn row_52_a_large_body_without_a_length_never_ends_for_the_app() {
    let stand = Stand::with("[limits]\nbody-size = \"200KiB\"");
    let mut client = stand.connect();
    let path = marker();
    client.send(head(&path, "Transfer-Encoding: chunked"));
    let chunk = format!("{:x}\r\n{}\r\n", 100 << 10, "x".repeat(100 << 10));
    client.send(&chunk);
    eventually("the app sees the beginning", || (stand.tap.seen().len() > 64 << 10).then_some(()));
    client.send(&chunk);
    client.send("1\r\nx\r\n0\r\n\r\n");
    expect_refusal(&stand, &mut client, 413, "body-too-large");
    eventually("the app is let go", || (stand.tap.connections() == (1, 0)).then_some(()));
    assert!(!stand.tap.seen().ends_with(b"0\r\n\r\n"));
    assert!(App::shared().records(&path).is_empty());
    stand.connect().get("/").record();
}

#[test]
fn a_route_may_have_a_limit_of_its_own() {
    let stand = Stand::with(
        "[limits]\nbody-size = \"1KiB\"\n[[route]]\npath = \"/count\"\nlimits = { body-size = \"1MiB\" }",
    );
    let body = "x".repeat(1 << 20);
    let answer = stand.connect().ask(head("/count", "Content-Length: 1048576") + &body);
    assert_eq!(answer.json()["bytes"], 1 << 20);
    let mut client = stand.connect();
    client.send(head("/other", "Content-Length: 1025"));
    expect_refusal(&stand, &mut client, 413, "body-too-large");
}

#[test]
fn a_body_slower_than_it_must_be_is_refused() {
    for framing in ["Content-Length: 100\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n64\r\nhello"] {
        let stand = Stand::with("[limits]\nbody-grace = \"500ms\"\nbody-rate = \"1MiB\"");
        let mut client = stand.connect();
        client.send(format!("POST /count HTTP/1.1\r\nHost: localhost\r\n{framing}"));
        expect_refusal(&stand, &mut client, 408, "body-timeout");
        assert!(stand.tap.seen().is_empty(), "{framing}");
    }
}

/// The same for one that is on its way already.
#[test]
fn a_large_body_slower_than_it_must_be_is_refused() {
    let stand = Stand::with("[limits]\nbody-grace = \"500ms\"\nbody-rate = \"1MiB\"");
    let mut client = stand.connect();
    let path = marker();
    client.send(head(&path, "Content-Length: 1000000") + &"x".repeat(100_000));
    expect_refusal(&stand, &mut client, 408, "body-timeout");
    eventually("the app is let go", || (stand.tap.connections() == (1, 0)).then_some(()));
    assert!(App::shared().records(&path).is_empty());
}

/// A client that keeps to the rate may take its time.
#[test]
fn a_slow_but_steady_body_arrives() {
    let stand = Stand::with("[limits]\nbody-grace = \"10s\"\nbody-rate = \"1B\"");
    let mut client = stand.connect();
    client.send(head("/count", "Content-Length: 30"));
    for _ in 0..30 {
        client.send("x");
        thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(client.answer().json()["bytes"], 30);
}

#[test]
fn a_head_that_does_not_arrive_in_time_is_refused() {
    let beginnings = [
        "GET / HTTP/1.1\r\nHost: localhost\r\n",
        "GET",
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: aaaaaaaaaaaaaaaa",
    ];
    for beginning in beginnings {
        let stand = Stand::with("[limits]\nhead-timeout = \"500ms\"");
        let mut client = stand.connect();
        client.send(beginning);
        expect_refusal(&stand, &mut client, 408, "head-timeout");
        assert!(stand.tap.seen().is_empty());
    }
}

#[test]
fn the_next_head_has_as_much_time() {
    let stand = Stand::with("[limits]\nhead-timeout = \"2s\"");
    let mut client = stand.connect();
    client.get("/").record();
    client.send("GET / HTTP/1.1\r\nHost: loc");
    expect_refusal(&stand, &mut client, 408, "head-timeout");
}

/// Nobody waits for an answer, so there is none, and nothing that was asked.
#[test]
fn a_connection_on_which_nothing_comes_is_closed() {
    let stand = Stand::with("[limits]\nhead-timeout = \"2s\"\nidle-timeout = \"1s\"");
    stand.connect().expect_closed();
    let mut client = stand.connect();
    client.get("/").record();
    client.expect_closed();
    assert!(stand.gateway.end().audit.is_empty());
}

#[test]
fn a_client_that_does_not_read_its_answer_is_closed() {
    let stand = Stand::with("[limits]\nwrite-timeout = \"500ms\"");
    let mut client = stand.connect();
    client.send("GET /file/100000000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // Only what fits into the buffers on the way ever leaves the app.
    eventually("the app is asked, then let go", || (stand.tap.connections() == (1, 0)).then_some(()));
    let answer = client.head();
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("100000000")));
    assert!(client.is_cut_short(100_000_000), "the answer is not complete, and it shows");
}

#[test]
fn connections_of_one_client_are_counted() {
    let stand = Stand::with("[limits]\nconnections-per-client = 3");
    let mut clients: Vec<_> = (0..3).map(|_| stand.connect()).collect();
    for client in &mut clients {
        client.get("/").record();
    }
    assert!(stand.connect().is_cut_off(), "the fourth");
    let records = stand.gateway.audit(1);
    let told =
        ["security_event", "reason", "client_ip"].map(|key| records[0][key].as_str().unwrap().to_owned());
    assert_eq!(told, ["connection-refused", "too-many-connections", "127.0.0.1"]);
    for client in &mut clients {
        client.get("/").record();
    }

    clients.pop();
    eventually("a place is free again", || {
        let mut client = stand.connect();
        (client.try_send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") && !client.is_cut_off()).then_some(())
    });
}

#[test]
fn connections_of_a_trusted_proxy_are_not() {
    let stand = Stand::with("[client]\ntrusted = [\"127.0.0.1\"]\n[limits]\nconnections-per-client = 3");
    let mut clients: Vec<_> = (0..20).map(|_| stand.connect()).collect();
    for client in &mut clients {
        client.get("/").record();
    }
}

/// With every limit as high as it goes, a request still passes, or Mantlet says why not: whatever stands behind the wire is
/// never the one to refuse.
#[test]
fn at_the_edge_of_what_can_be_configured_refusals_are_our_own() {
    let stand =
        Stand::with("[limits]\nhead-size = \"256KiB\"\ntarget-length = \"63KiB\"\nheader-count = 1000");
    let get =
        |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    let chunked = |body: &str| {
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
    };
    let long = |length: usize| "a".repeat(length);
    let mut refused = Vec::new();
    for (request, expected) in [
        // uvicorn takes 64 KiB of head; to it or to us, this is large.
        (get(&format!("/{}", long(50_000)), ""), "passes"),
        (get(&format!("/{}", long(64_512)), ""), "target-too-long"),
        (get(&format!("/?{}", long(65_536)), ""), "target-too-long"),
        (get(&format!("http://localhost/{}", long(65_000)), ""), "target-too-long"),
        (get("/", &format!("X-Long: {}\r\n", long(50_000))), "passes"),
        (get("/", &format!("{}: x\r\n", long(65_535))), "head-too-large"),
        (get("/", &format!("{}: x\r\n", long(70_000))), "head-too-large"),
        (get("/", &format!("X-Long: {}\r\n", long(256 << 10))), "head-too-large"),
        (get("/", &"X: y\r\n".repeat(999)), "passes"),
        (get("/", &"X: y\r\n".repeat(1000)), "header-count-exceeded"),
        (chunked(&format!("0\r\n{}\r\n", "X: y\r\n".repeat(100))), "passes"),
        (chunked(&format!("0\r\n{}\r\n", "X: y\r\n".repeat(101))), "header-count-exceeded"),
        (chunked(&format!("0\r\nX: {}\r\n\r\n", long(9000))), "head-too-large"),
        (chunked(&format!("{}0\r\n\r\n", format!("1;{}\r\nh\r\n", long(200)).repeat(81))), "passes"),
        (chunked(&format!("{}0\r\n\r\n", format!("1;{}\r\nh\r\n", long(200)).repeat(82))), "chunk-malformed"),
        (chunked("00000000000000f\r\n0123456789abcde\r\n0\r\n\r\n"), "passes"),
        (chunked("000000000000000f\r\n0123456789abcde\r\n0\r\n\r\n"), "chunk-malformed"),
        (get("/", "Content-Length: 0000000000000000000\r\n"), "passes"),
        (get("/", "Content-Length: 00000000000000000000\r\n"), "content-length-malformed"),
        (get("http://localhost:", "").replace("Host: localhost", "Host: localhost:"), "passes"),
        (get("http://localhost.:080/", "").replace("Host: localhost", "Host: localhost.:080"), "passes"),
        (get("http://[::1]:8000?x", "").replace("Host: localhost", "Host: [::1]:8000"), "passes"),
        (get("/\"{}|^[]@!$&'()*+,=:~_-.?/?{}|^[]\\@!$&'()*+,;=:`~_-.%", ""), "passes"),
    ] {
        let mut client = stand.connect();
        client.send(&request);
        let answer = client.answer();
        let shown = &request[..request.len().min(100)];
        if expected == "passes" {
            assert_eq!(answer.status, 200, "{shown:?}");
        } else {
            assert_eq!(answer.code(), expected, "{shown:?}");
            refused.push(expected);
        }
    }
    let end = stand.gateway.end();
    assert_eq!(
        end.audit.iter().map(|record| record["reason"].as_str().unwrap()).collect::<Vec<_>>(),
        refused
    );
}

/// What uvicorn takes, and balancers in front of it pass elsewhere, passes by default, over HTTP/2 too.
#[test]
fn large_heads_are_ordinary() {
    let stand = Stand::new();
    let long = |length: usize| "a".repeat(length);
    let many = (0..250).map(|number| format!("X-{number}: {number}\r\n")).collect::<Vec<_>>().concat();
    for (target, headers) in [
        (format!("/?q={}", long(59_000)), String::new()),
        (format!("/{}", long(59_000)), String::new()),
        (
            "/".to_owned(),
            format!("Authorization: Bearer {}\r\nCookie: session={}\r\n", long(12_000), long(5_000)),
        ),
        ("/".to_owned(), format!("X-Long: {}\r\n", long(60_000))),
        ("/".to_owned(), many),
    ] {
        let answer =
            stand.connect().ask(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
        assert_eq!(answer.status, 200, "{:?}", String::from_utf8_lossy(&answer.body));
        let fields: Vec<(String, String)> = headers
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        http2::talk(async {
            let sender = http2::connect(stand.gateway.addr()).await;
            let request = http::Request::builder().uri(format!("http://localhost{target}"));
            let request = fields.iter().fold(request, |request, (name, value)| request.header(name, value));
            let answer = http2::ask(&sender, request, b"").await.unwrap();
            assert_eq!(answer.status(), 200, "HTTP/2, {} fields", fields.len());
        });
    }
    assert!(stand.gateway.end().audit.is_empty());
}

/// A model file of 300 MiB goes through, and Mantlet does not grow by it. What FastAPI would hold in memory as a whole has its limit.
#[test]
fn a_body_that_comes_piece_by_piece_may_be_large() {
    let gateway = Setup::run("bodies:app").start();
    let piece = vec![b'x'; 1 << 20];
    let mut client = Client::connect(gateway.addr());
    let memory = Footprint::of(gateway.pid());
    client.send(format!("PUT /raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", 300 << 20));
    for _ in 0..300 {
        client.send(&piece);
    }
    assert_eq!(client.answer().json(), 300 << 20);
    let grown = memory.grown("a body of 300 MiB");
    assert!(grown < 32 << 20, "{grown} bytes more");

    let json = "Content-Type: application/json\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (path, kind) in [("/json", json), ("/fields", form)] {
        let mut client = Client::connect(gateway.addr());
        let length = (256 << 20) + 1;
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{kind}Content-Length: {length}\r\n\r\n"
        ));
        assert_eq!(client.answer().code(), "body-too-large", "{path}");
    }
    let mut client = Client::connect(gateway.addr());
    client.send(format!(
        "PUT /raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        (16_u64 << 30) + 1
    ));
    assert_eq!(client.answer().code(), "body-too-large");

    let strict = Setup::run("bodies:app").config("[contract]\nposture = \"strict\"").start();
    let mut client = Client::connect(strict.addr());
    client
        .send(format!("PUT /raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", (256 << 20) + 1));
    assert_eq!(client.answer().code(), "body-too-large");
}
