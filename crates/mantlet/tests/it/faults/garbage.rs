//! What is no HTTP is not passed on.

use std::sync::{Mutex, mpsc};

use crate::kit::{
    Answer, Client, Setup, Upstream, eventually,
    http2::{ask, connect, get, json, talk},
};

/// Stands in every answer that must not reach a client.
const MARK: &str = "GARBAGE";

/// Answered as it is, and then closed or not: the client gets a 502, and not a byte of it.
fn check(answer: impl Into<Vec<u8>>) {
    let answer = answer.into();
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(120)]).into_owned();
    for closes in [true, false] {
        let bytes = answer.clone();
        let upstream = Upstream::new(move |connection| {
            connection.read_head();
            connection.write(&bytes);
            if !closes {
                connection.read_to_end();
            }
        });
        let gateway = Setup::serve(&upstream.url()).start();
        let mut client = Client::connect(gateway.addr());
        let refusal = client.get("/");
        let code = refusal.code();
        assert_eq!(refusal.status, 502, "{shown:?}");
        assert!(code == "app-invalid-response" || (closes && code == "app-closed"), "{code}: {shown:?}");
        let text = format!("{:?} {}", refusal.headers, String::from_utf8_lossy(&refusal.body));
        assert!(!text.contains(MARK), "{text}");
        assert_eq!(gateway.audit_of(refusal.request_id())["reason"], code.as_str());
        assert_eq!(refusal.header("connection"), None, "the client is not to blame");
        eventually("the app is let go", || (upstream.connections() == (1, 0)).then_some(()));

        talk(async {
            let answer = ask(&connect(gateway.addr()).await, get("/"), b"").await.unwrap();
            assert_eq!(answer.status(), 502, "{shown:?}");
            assert_eq!(json(&answer)["code"], code.as_str(), "{shown:?}");
        });
    }
}

#[test]
fn row_73_no_http_at_all() {
    let mut noise = 0x2545_f491_u32;
    let random: Vec<u8> = (0..2000)
        .map(|_| {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            noise.to_le_bytes()[0]
        })
        .collect();
    check(random);
    check("GARBAGE\r\n\r\n");
    check("220 GARBAGE ESMTP\r\n");
    check("<html>GARBAGE</html>\r\n\r\n");
    check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGARBAGE".to_vec());
}

#[test]
fn row_73_status_lines() {
    for line in [
        "HTTP/1.1 abc GARBAGE",
        "HTTP/1.1 99 GARBAGE",
        "HTTP/1.1 2000 GARBAGE",
        "HTTP/1.1  200 GARBAGE",
        "HTTP/2 200 GARBAGE",
        "HTTP/3.0 200 GARBAGE",
        "HTTQ/1.1 200 GARBAGE",
        "http/1.1 200 GARBAGE",
        "HTTP/1.1 200 GARB\0AGE",
        "GET /GARBAGE HTTP/1.1",
    ] {
        check(format!("{line}\r\nContent-Length: 7\r\n\r\nGARBAGE"));
    }
    // Nobody asked for another protocol.
    check("HTTP/1.1 101 Switching Protocols\r\nUpgrade: GARBAGE\r\nConnection: upgrade\r\n\r\nGARBAGE");
}

#[test]
fn row_73_headers() {
    for header in [
        "X-A: GARBAGE\0",
        "X-A: GARB\rAGE",
        "X-A: GARBAGE\u{1}",
        "X A: GARBAGE",
        "X-A : GARBAGE",
        ": GARBAGE",
        "X-A GARBAGE",
        "X-A: GARBAGE\r\n folded",
        "Content-Length: 7\r\nContent-Length: 8",
        "Content-Length: 7, 8",
        "Content-Length: GARBAGE",
        "Content-Length: -7",
        "Content-Length: +7",
        "Content-Length: 99999999999999999999",
        "Content-Length: 7\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: GARBAGE",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, chunked",
    ] {
        let length = if header.contains("Content-Length") || header.contains("Transfer-Encoding") {
            ""
        } else {
            "Content-Length: 7\r\n"
        };
        check(format!("HTTP/1.1 200 OK\r\n{length}{header}\r\n\r\nGARBAGE"));
    }
    check(format!("HTTP/1.1 200 OK\r\nX-A: {}\r\nContent-Length: 7\r\n\r\nGARBAGE", MARK.repeat(50_000)));
    check(format!("HTTP/1.1 200 OK\r\n{}Content-Length: 7\r\n\r\nGARBAGE", "X-A: GARBAGE\r\n".repeat(2000)));
}

/// hyper reads lines that end in LF alone, as RFC 9112 section 2.2 allows; what the client gets is as it should be.
#[test]
fn row_73_line_ends_are_mended() {
    check("HTTP/1.1 200 OK\rContent-Length: 7\r\rGARBAGE");
    for sloppy in [
        "HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 2\n\nok",
        "HTTP/1.1 200 OK\r\nX-A: 1\nContent-Length: 2\r\n\r\nok",
    ] {
        let upstream = Upstream::answering(sloppy);
        let gateway = Setup::serve(&upstream.url()).start();
        // It accepts no line that ends otherwise than in CR LF.
        let answer = Client::connect(gateway.addr()).get("/");
        assert_eq!((answer.header("x-a"), answer.body.as_slice()), (Some("1"), &b"ok"[..]), "{sloppy:?}");
    }
}

/// Garbage in the middle of a body breaks it off where everybody can see it.
#[test]
fn row_73_chunks() {
    for bad in [
        "xyz\r\nGARBAGE\r\n",
        "-7\r\nGARBAGE\r\n",
        "7\r\nGARBAGEGARBAGE\r\n",
        "ffffffffffffffffff\r\nGARBAGE",
    ] {
        let upstream = Upstream::answering(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n{bad}0\r\n\r\n"
        ));
        let gateway = Setup::serve(&upstream.url()).start();
        let mut client = Client::connect(gateway.addr());
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.head().status, 200);
        let rest = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(rest.starts_with("2\r\nok\r\n"), "{rest:?}");
        assert!(!rest.ends_with("0\r\n\r\n"), "{bad:?}: {rest:?}");
        assert!(rest.matches(MARK).count() <= 1, "{bad:?}: {rest:?}");
    }
}

/// What follows an answer is nobody's: not this client's, not the next one's.
#[test]
fn row_73_a_second_answer_is_given_to_nobody() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const SECOND: &str = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nGARBAGE";
    // In one piece with the answer, and on its own when the client has the answer.
    for at_once in [true, false] {
        let (ask, asked) = mpsc::channel::<()>();
        let (done, is_done) = mpsc::channel::<()>();
        let (asked, done) = (Mutex::new(asked), Mutex::new(done));
        let upstream = Upstream::new(move |connection| {
            connection.read_head();
            if at_once {
                connection.write([ANSWER, SECOND].concat().as_bytes());
            } else {
                connection.write(ANSWER.as_bytes());
                asked.lock().unwrap().recv().expect("the test goes on");
                connection.write(SECOND.as_bytes());
                done.lock().unwrap().send(()).expect("the test goes on");
            }
            connection.read_to_end();
        });
        let gateway = Setup::serve(&upstream.url()).start();
        let mut client = Client::connect(gateway.addr());
        for _ in 0..20 {
            let answer = client.get("/");
            assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok"[..]), "at once: {at_once}");
            if !at_once {
                ask.send(()).unwrap();
                is_done.recv().unwrap();
            }
        }
        let (made, _) = upstream.connections();
        assert_eq!(made, 20, "a connection that said too much is not used again");
    }
}

/// A head before the head, as `103 Early Hints` is, does no harm.
#[test]
fn interim_answers_do_no_harm() {
    let upstream = Upstream::answering(
        "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let gateway = Setup::serve(&upstream.url()).start();
    let mut client = Client::connect(gateway.addr());
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut answer = client.answer();
    while answer.status < 200 {
        answer = client.answer();
    }
    assert_eq!((answer.status, answer.body), (200, b"ok".to_vec()));
}

/// A stream that is broken from its start is refused, and so is one that ends before it has begun.
#[test]
fn row_73_a_first_chunk_that_is_none() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for bad in [
        "xyz\r\nGARBAGE\r\n",
        "-7\r\nGARBAGE\r\n",
        "GARBAGE",
        "ffffffffffffffffff\r\nGARBAGE",
        "7 7\r\nGARBAGE\r\n0\r\n\r\n",
    ] {
        refused_at_once(&format!("{HEAD}{bad}"), &["app-invalid-response", "app-closed"]);
    }
    refused_at_once(HEAD, &["app-closed"]);
}

/// What comes with the head is looked at before the head goes on; on a busy machine it may come later, so it is tried again.
fn refused_at_once(answer: &str, codes: &[&str]) {
    let upstream = Upstream::answering(answer);
    let gateway = Setup::serve(&upstream.url()).start();
    let refusal = eventually(&format!("502 for {answer:?}"), || {
        let mut client = Client::connect(gateway.addr());
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let head = client.head();
        if head.status != 502 {
            assert_eq!(head.status, 200, "{answer:?}");
            return None;
        }
        let body = client.take(head.header("content-length")?.parse().ok()?);
        Some(Answer { body, ..head })
    });
    assert!(!String::from_utf8_lossy(&refusal.body).contains(MARK), "{answer:?}");
    assert!(codes.contains(&refusal.code().as_str()), "{answer:?}: {}", refusal.code());
    assert_eq!(gateway.audit_of(refusal.request_id())["reason"], refusal.code());
}

/// What is wrong with an answer is in the record, and none of it.
#[test]
fn row_73_the_record_says_what_was_wrong() {
    for (answer, what) in [
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\nGARBAGE",
            "its Transfer-Encoding is not `chunked`",
        ),
        ("HTTP/1.1 200 OK\r\nX-A: GARBAGE\0\r\nContent-Length: 0\r\n\r\n", "invalid HTTP header parsed"),
        ("HTTP/1.1 abc GARBAGE\r\n\r\n", "invalid HTTP status-code parsed"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nGARBAGE", "a chunk is malformed"),
    ] {
        let upstream = Upstream::answering(answer);
        let gateway = Setup::serve(&upstream.url()).start();
        let refusal = Client::connect(gateway.addr()).get("/reports/7");
        let record = gateway.audit_of(refusal.request_id());
        assert_eq!((&record["subject"], &record["path"]), (&what.into(), &"/reports/7".into()), "{answer:?}");
    }
}

/// RFC 9112 section 6.3: chunked wins over a length. The connection serves no other request.
#[test]
fn an_answer_that_says_twice_how_long_it_is_has_one_meaning() {
    for (lines, body) in [
        ("Content-Length: 9999\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: Chunked\r\nContent-Length: 2\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
        ("Content-Length: 5, 5\r\n", "hello"),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{lines}\r\n{body}");
        let upstream = Upstream::new(move |connection| {
            while connection.next_head().is_some() {
                connection.write(answer.as_bytes());
            }
        });
        let gateway = Setup::serve(&upstream.url()).start();
        let mut client = Client::connect(gateway.addr());
        for _ in 0..3 {
            let answer = client.get("/");
            assert_eq!((answer.status, answer.body.as_slice()), (200, &b"hello"[..]), "{lines:?}");
            let lengths =
                answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            assert!(lengths.count() <= 1, "{answer:?}");
        }
        assert_eq!(upstream.connections().0, 3, "{lines:?}: a connection in doubt is not used again");
        talk(async {
            let answer = ask(&connect(gateway.addr()).await, get("/"), b"").await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (200, &b"hello"[..]));
        });
    }
}

/// A body where there may be none comes after its answer: it is not the next one's, however late it is.
#[test]
fn row_73_a_body_that_may_not_be_is_given_to_nobody() {
    const STRAY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nGARBAGE";
    const NEXT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (method, bodiless) in [
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
        ("DELETE", "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n"),
    ] {
        for late in [0, 20] {
            let upstream = Upstream::new(move |connection| {
                while let Some(head) = connection.next_head() {
                    if head.starts_with(method) && head.contains("/bodiless") {
                        connection.write(bodiless.as_bytes());
                        std::thread::sleep(std::time::Duration::from_millis(late));
                        connection.write(STRAY.as_bytes());
                    } else {
                        connection.write(NEXT.as_bytes());
                    }
                }
            });
            let gateway = Setup::serve(&upstream.url()).start();
            let mut client = Client::connect(gateway.addr());
            for _ in 0..5 {
                client.send(format!("{method} /bodiless HTTP/1.1\r\nHost: localhost\r\n\r\n"));
                client.head();
                // At once, and when what is stray has come.
                for _ in 0..3 {
                    let answer = client.get("/");
                    assert_eq!(answer.body, b"ok", "{method} {bodiless:?} after {late} ms");
                    std::thread::sleep(std::time::Duration::from_millis(60));
                }
            }
        }
    }
}

/// Early Hints reach clients of HTTP/1.1, once each and before the answer; what is of the connection does not.
#[test]
fn early_hints_are_passed_on() {
    let upstream = Upstream::new(|connection| {
        while connection.next_head().is_some() {
            for number in 0..2 {
                let link = format!(
                    "Link: </{number}.css>; rel=preload\r\nConnection: keep-alive\r\nContent-Length: 7\r\n"
                );
                connection.write(format!("HTTP/1.1 103 Early Hints\r\n{link}\r\n").as_bytes());
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let gateway = Setup::serve(&upstream.url()).start();
    let mut client = Client::connect(gateway.addr());
    // One after the other, and both at once.
    for at_once in [1, 2] {
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(at_once));
        for _ in 0..at_once {
            for number in 0..2 {
                let hint = client.head();
                assert_eq!(hint.status, 103);
                assert_eq!(hint.header("link"), Some(format!("</{number}.css>; rel=preload").as_str()));
                assert_eq!((hint.header("connection"), hint.header("content-length")), (None, None));
            }
            assert_eq!(client.answer().body, b"ok");
        }
    }
    client.send("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.answer().status, 200, "HTTP/1.0 knows none");
    talk(async {
        let answer = ask(&connect(gateway.addr()).await, get("/"), b"").await.unwrap();
        assert_eq!(answer.body().as_slice(), b"ok");
    });
}
