//! Answers that end unusually: with trailers, without a body, before the request, or with nobody listening.

use std::thread;

use crate::kit::{
    App, Client, Setup, Upstream,
    command::Typed,
    eventually,
    http2::{connect, get, talk},
};

#[test]
fn trailers_reach_a_client_over_http_2() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\nTrailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nok\r\n0\r\nX-Checksum: 1\r\n\r\n",
    );
    let gateway = Setup::serve(&upstream.url()).start();
    talk(async {
        let mut sender = connect(gateway.addr()).await.ready().await.unwrap();
        let request = get("/").header("te", "trailers").body(()).unwrap();
        let (answer, _) = sender.send_request(request, true).unwrap();
        let mut body = answer.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "ok");
        let trailers = body.trailers().await.unwrap().expect("trailers");
        assert_eq!(trailers["x-checksum"], "1");
    });
}

/// The length that a body would have is told, and no body is waited for.
#[test]
fn an_answer_without_body_may_tell_a_length() {
    let check = |method: &str, answer: &str, status: u16, length: Option<&str>| {
        let bytes = answer.as_bytes().to_vec();
        // The connection to the app goes on: what is sent next is the next answer.
        let upstream = Upstream::new(move |connection| {
            for _ in 0..2 {
                connection.read_head();
                connection.write(&bytes);
            }
            connection.read_to_end();
        });
        let gateway = Setup::serve(&upstream.url()).start();
        let mut client = Client::connect(gateway.addr());
        for _ in 0..2 {
            client.send(format!("{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            let got = client.answer_to_head();
            assert_eq!((got.status, got.header("content-length")), (status, length), "{method} {answer:?}");
            assert_eq!(got.header("transfer-encoding"), None, "{method} {answer:?}");
        }
    };
    check("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 200, Some("1000"));
    check("HEAD", "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n", 404, Some("7"));
    // It may be left out here (RFC 9110 section 8.6); wrong it may not be.
    check("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", 304, None);
    check("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, None);
}

#[test]
fn a_real_app_asks_for_the_body_it_was_promised() {
    let gateway = Setup::serve(&format!("unix:{}", App::shared().socket().display())).start();
    let mut client = Client::connect(gateway.addr());
    client.send(
        "POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.answer().status, 100);
    client.send("b".repeat(200_000));
    assert_eq!(client.answer().json()["bytes"], 200_000);
}

/// An app that refuses an upload after its first bytes: the refusal arrives, whether or not the client stops.
#[test]
fn an_answer_may_come_before_the_upload_has_ended() {
    const LENGTH: usize = 20 << 20;
    let early = "from fastapi import FastAPI, Request, Response\napp = FastAPI()\n\
                 @app.post('/')\nasync def refuse(request: Request):\n    \
                 async for piece in request.stream():\n        \
                 return Response('too much', 413)\n";
    let process = Typed::run(&[]).file("main.py", early).start();
    let address = process.ready();
    let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH}\r\n\r\n");

    // A client that waits for the answer.
    let mut client = Client::connect(address);
    client.send(&head);
    client.send("b".repeat(200_000));
    let answer = client.answer();
    assert_eq!((answer.status, answer.body), (413, b"too much".to_vec()));

    // One that sends everything first.
    let mut client = Client::connect(address);
    client.send(&head);
    client.send("b".repeat(LENGTH));
    let answer = client.answer();
    assert_eq!((answer.status, answer.body), (413, b"too much".to_vec()));

    // Neither has spoilt anything for the next.
    for _ in 0..5 {
        let mut client = Client::connect(address);
        assert_eq!(client.get("/").status, 405);
    }
}

#[test]
fn a_client_that_leaves_lets_the_app_go() {
    // In the middle of an answer that goes on and on; while the app still thinks.
    let talking = Upstream::new(|connection| {
        connection.read_head();
        connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while connection.try_write(b"4\r\nmore\r\n") {}
    });
    let thinking = Upstream::new(|connection| {
        connection.read_head();
        connection.read_to_end();
    });
    for (upstream, answers) in [(talking, true), (thinking, false)] {
        let gateway = Setup::serve(&upstream.url()).start();
        let mut client = Client::connect(gateway.addr());
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        eventually("the app is asked", || (upstream.connections() == (1, 1)).then_some(()));
        if answers {
            assert_eq!(client.head().status, 200);
        }
        drop(client);
        eventually("the app is let go", || (upstream.connections() == (1, 0)).then_some(()));
    }
}

/// An upload that breaks off reaches the app as one that broke off, never as one that is complete.
#[test]
fn an_upload_that_breaks_off_is_not_taken_for_complete() {
    for framing in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
        let upstream = Upstream::new(|connection| {
            connection.read_head();
            connection.read_to_end();
            connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        let gateway = Setup::serve(&upstream.url()).start();
        let mut client = Client::connect(gateway.addr());
        client.send(format!("POST / HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n"));
        let piece = "b".repeat(100_000);
        let piece =
            if framing.contains("chunked") { format!("{:x}\r\n{piece}\r\n", piece.len()) } else { piece };
        client.send(piece);
        eventually("the app has the beginning", || (upstream.seen().len() > 90_000).then_some(()));
        drop(client);
        eventually("the app is let go", || (upstream.connections() == (1, 0)).then_some(()));
        let seen = upstream.seen();
        assert!(!seen.ends_with(b"0\r\n\r\n"), "the end of a body that had none");
        thread::yield_now();
    }
}
