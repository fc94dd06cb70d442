//! The app dies or hangs: before it answers, while it answers, and between two requests.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
    mpsc,
};

use crate::kit::{
    Client, Gateway, Setup, Stand, Upstream, eventually,
    http2::{connect, get, talk},
    upstream::Connection,
};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const FAILED: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno";

/// An upstream whose connections do what stands here, request by request: `+` answers, `!` answers 500, `-` closes
/// without an answer. A connection that has done all waits for its end.
fn upstream(connections: &'static [&'static str]) -> Upstream {
    let made = AtomicUsize::new(0);
    Upstream::new(move |connection| {
        let number = made.fetch_add(1, SeqCst);
        for deed in connections.get(number).expect("no more connections than expected").chars() {
            read_request(connection);
            if deed == '-' {
                return;
            }
            connection.write(if deed == '!' { FAILED } else { OK });
        }
        connection.read_to_end();
    })
}

/// A head, and the body of five bytes that every request with a body here has.
fn read_request(connection: &mut Connection) {
    let head = connection.read_head();
    if String::from_utf8_lossy(&head).to_ascii_lowercase().contains("content-length: 5") {
        std::io::Read::read_exact(connection, &mut [0; 5]).expect("a body");
    }
}

fn before(upstream: &Upstream) -> (Gateway, Client) {
    let gateway = Setup::serve(&upstream.url()).start();
    let client = Client::connect(gateway.addr());
    (gateway, client)
}

fn request(method: &str, path: &str) -> String {
    match method.strip_suffix(" with a body") {
        Some(method) => {
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
        }
        None => format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    }
}

/// How often the app was asked for a path.
fn asked(upstream: &Upstream, path: &str) -> usize {
    String::from_utf8_lossy(&upstream.seen()).matches(&format!(" {path} HTTP/1.1\r\n")).count()
}

/// uvicorn closes after an exception of the app, a moment after it has answered. Nobody else's request may be on its way there.
#[test]
fn after_a_500_the_next_request_goes_another_way() {
    let upstream = upstream(&["+!", "+"]);
    let (_gateway, mut client) = before(&upstream);
    for (path, status) in [("/first", 200), ("/fails", 500), ("/next", 200)] {
        assert_eq!(client.ask(request("POST with a body", path)).status, status, "{path}");
        assert_eq!(asked(&upstream, path), 1, "{path}");
    }
}

#[test]
fn row_71_a_request_is_sent_once() {
    // On a connection that has carried another request, and on a new one.
    let check = |method: &str, connections: &'static [&'static str], status: u16, times: usize| {
        let upstream = upstream(connections);
        let (gateway, mut client) = before(&upstream);
        let pooled = connections[0].starts_with('+');
        if pooled {
            assert_eq!(client.ask(request("GET", "/first")).body, b"ok");
        }
        client.send(request(method, "/second"));
        let answer = if method == "HEAD" { client.answer_to_head() } else { client.answer() };
        assert_eq!(answer.status, status, "{method} {connections:?}");
        if status == 502 && method != "HEAD" {
            assert_eq!(answer.code(), "app-closed");
            assert_eq!(gateway.audit_of(answer.request_id())["reason"], "app-closed");
        }
        assert_eq!(asked(&upstream, "/second"), times, "{method} {connections:?}");
        // The connection to the client goes on.
        assert_eq!(answer.header("connection"), None, "{method} {connections:?}");
    };
    check("POST with a body", &["-"], 502, 1);
    check("POST", &["-"], 502, 1);
    check("GET", &["-"], 502, 1);
    check("POST with a body", &["+-"], 502, 1);
    check("POST", &["+-"], 502, 1);
    check("PUT with a body", &["+-"], 502, 1);
    check("DELETE", &["+-"], 502, 1);
    check("GET with a body", &["+-"], 502, 1);
    // Only these are sent again, once, and only because the connection may have been dying before they came.
    check("GET", &["+-", "+"], 200, 2);
    check("HEAD", &["+-", "+"], 200, 2);
    check("GET", &["+-", "-"], 502, 2);
}

/// What was not written cannot have had an effect: it may go to another connection, whatever it is.
#[test]
fn a_connection_that_died_in_silence_costs_nothing() {
    let upstream = Upstream::new(|connection| {
        read_request(connection);
        connection.write(OK);
    });
    let (_gateway, mut client) = before(&upstream);
    for number in 1..=30 {
        let path = format!("/number-{number}");
        assert_eq!(client.ask(request("POST with a body", &path)).body, b"ok");
        assert_eq!(asked(&upstream, &path), 1);
        eventually("the app closes", || (upstream.connections() == (number, 0)).then_some(()));
    }
}

#[test]
fn row_71_an_answer_that_breaks_off_is_seen_to() {
    let check = |framing: &str, beginning: &str, expected: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{beginning}");
        let upstream = Upstream::answering(head);
        let (gateway, mut client) = before(&upstream);
        client.send(request("GET", "/"));
        assert_eq!(client.head().status, 200);
        assert_eq!(client.rest(), expected, "what was sent, and then the end: {framing}");

        talk(async {
            let mut sender = connect(gateway.addr()).await.ready().await.unwrap();
            let (answer, _) = sender.send_request(get("/").body(()).unwrap(), true).unwrap();
            let mut body = answer.await.unwrap().into_body();
            let mut received = Vec::new();
            let error = loop {
                match body.data().await.expect("no orderly end") {
                    Ok(piece) => received.extend_from_slice(&piece),
                    Err(error) => break error,
                }
            };
            assert_eq!(received, b"0123456789");
            assert!(error.is_reset() && error.is_remote(), "{error:?}");
            // The connection goes on.
            let (answer, _) = sender.send_request(get("/").body(()).unwrap(), true).unwrap();
            assert_eq!(answer.await.unwrap().status(), 200);
        });
    };
    check("Content-Length: 100", "0123456789", b"0123456789");
    check("Transfer-Encoding: chunked", "a\r\n0123456789\r\n", b"A\r\n0123456789\r\n");
    check("Transfer-Encoding: chunked", "14\r\n0123456789", b"A\r\n0123456789\r\n");
}

/// An answer that ends with the connection has no other end, and is whole.
#[test]
fn an_answer_may_end_with_the_connection() {
    for version in ["1.0", "1.1"] {
        let upstream = Upstream::answering(format!("HTTP/{version} 200 OK\r\n\r\n0123456789"));
        let (_gateway, mut client) = before(&upstream);
        let answer = client.ask(request("GET", "/"));
        assert_eq!((answer.status, answer.body), (200, b"0123456789".to_vec()));
        assert_eq!(answer.headers.iter().filter(|(name, _)| name == "transfer-encoding").count(), 1);
    }
}

#[test]
fn row_71_a_real_app_is_killed_in_its_answer() {
    let gateway = Setup::run("recorder:app").start();
    let mut client = Client::connect(gateway.addr());
    client.send(request("POST", "/die-mid-body"));
    assert_eq!(client.head().status, 200);
    assert_eq!(client.rest(), b"A\r\n0123456789\r\n", "no last chunk");

    eventually("the app is back", || (Client::connect(gateway.addr()).get("/").status == 200).then_some(()));
    talk(async {
        let mut sender = connect(gateway.addr()).await.ready().await.unwrap();
        let post = http::Request::post("http://localhost/die-mid-body").body(()).unwrap();
        let (answer, _) = sender.send_request(post, true).unwrap();
        let mut body = answer.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "0123456789");
        assert!(body.data().await.unwrap().unwrap_err().is_reset());
    });
}

#[test]
fn row_72_an_app_that_hangs_is_waited_for_so_long() {
    let stand = Stand::with("[app]\nresponse-timeout = \"1s\"");
    let check = |request: String| {
        let mut client = stand.connect();
        let answer = client.ask(request);
        assert_eq!((answer.status, answer.code().as_str()), (504, "app-timeout"));
        assert_eq!(answer.json()["detail"], "The service did not respond in time");
        assert_eq!(stand.gateway.audit_of(answer.request_id())["reason"], "app-timeout");
        // The connection goes on, but not the one on which the answer may still come.
        assert_eq!(client.get("/").status, 200);
    };
    check(request("GET", "/hang"));
    let upstream = Upstream::new(|connection| {
        read_request(connection);
        connection.read_to_end();
    });
    let gateway = Setup::serve(&upstream.url()).config("[app]\nresponse-timeout = \"1s\"").start();
    let answer = Client::connect(gateway.addr()).ask(request("POST with a body", "/"));
    assert_eq!((answer.status, answer.code().as_str()), (504, "app-timeout"));
    eventually("the app is let go", || (upstream.connections() == (1, 0)).then_some(()));
    assert_eq!(asked(&upstream, "/"), 1);
}

/// A report may take an hour, on its own route.
#[test]
fn a_route_may_be_waited_for_longer() {
    let upstream = Upstream::new(|connection| {
        while connection.next_head().is_some() {
            std::thread::sleep(std::time::Duration::from_millis(1500));
            connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let config =
        "[app]\nresponse-timeout = \"500ms\"\n[[route]]\npath = \"/reports/{id}\"\nresponse-timeout = \"1h\"";
    let gateway = Setup::serve(&upstream.url()).config(config).start();
    assert_eq!(Client::connect(gateway.addr()).get("/reports/7").body, b"ok");
    let answer = Client::connect(gateway.addr()).get("/other");
    assert_eq!((answer.status, answer.code().as_str()), (504, "app-timeout"));
}

/// An app that does not read what is being uploaded hangs as well.
#[test]
fn row_72_an_app_that_does_not_read_is_waited_for_so_long() {
    let (done, until_done) = mpsc::channel::<()>();
    let until_done = Mutex::new(until_done);
    let upstream = Upstream::new(move |connection| {
        connection.read_head();
        // Nothing more is read until the test is over.
        let _ = until_done.lock().unwrap().recv();
    });
    let gateway = Setup::serve(&upstream.url()).config("[app]\nresponse-timeout = \"1s\"").start();
    let mut client = Client::connect(gateway.addr());
    let size = 20 << 20;
    client.send(format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"));
    // As much as fits into the buffers between here and there; the rest is never wanted.
    client.try_send(vec![b'x'; 1 << 20]);
    let answer = client.answer();
    assert_eq!((answer.status, answer.code().as_str()), (504, "app-timeout"));
    assert_eq!(answer.header("connection"), Some("close"));
    drop(done);
}

#[test]
fn nobody_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = format!("unix:{}/nobody.sock", folder.path().display());
    for upstream in [nowhere.as_str(), "http://127.0.0.1:1"] {
        let gateway = Setup::serve(upstream).start();
        let answer = Client::connect(gateway.addr()).get("/");
        assert_eq!((answer.status, answer.code().as_str()), (503, "app-unavailable"), "{upstream}");
        assert_eq!(answer.header("retry-after"), Some("2"), "{upstream}");
    }
}

/// More at once than the app may have in hand are told to come back.
#[test]
fn an_app_with_its_hands_full_is_not_given_more() {
    let stand = Stand::with("[app]\nmax-concurrent = 2");
    let mut hanging: Vec<_> = (0..2).map(|_| stand.connect()).collect();
    for client in &mut hanging {
        client.send(request("GET", "/hang"));
    }
    eventually("both have reached the app", || (asked(&stand.tap, "/hang") == 2).then_some(()));
    let answer = stand.connect().get("/");
    assert_eq!((answer.status, answer.code().as_str()), (503, "app-busy"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(hanging);
    eventually("there is room again", || (stand.connect().get("/").status == 200).then_some(()));
}

/// An app that does not want the rest of a body says so and closes: the answer counts, not that the rest could not be sent.
#[test]
fn an_answer_that_comes_before_the_end_of_a_body_is_not_lost() {
    let gateway = crate::kit::Setup::run("early:app").start();
    let body = vec![b'x'; 3 << 20];
    for _ in 0..20 {
        let mut client = Client::connect(gateway.addr());
        client
            .send(format!("POST /no HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len()));
        client.try_send(&body);
        let answer = client.answer();
        assert_eq!((answer.status, &*answer.body), (413, &br#"{"detail":"too large"}"#[..]));
    }
}
