//! The client for outgoing requests.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A server that sends this for ever, once it has been asked.
async fn floods(with: &'static [u8]) -> Target {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = server.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            assert!(socket.read_buf(&mut asked).await.unwrap() > 0);
        }
        let flood = with.repeat(4_096);
        while socket.write_all(&flood).await.is_ok() {}
    });
    Target::of_url(&url).unwrap()
}

#[tokio::test]
async fn a_server_that_sends_for_ever_is_left() {
    let patience = Duration::from_mins(1);
    let target = floods(b"HTTP/1.1 100 Continue\r\n\r\n").await;
    let wrong = fetch(&target, patience, 1 << 20).await.unwrap_err();
    assert!(wrong.to_string().contains("no response has begun within 512 KiB"), "{wrong}");
    let target = floods(b"HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(fetch(&target, patience, 1 << 20).await.unwrap_err(), FetchError::TooLong(1 << 20));
    let target = floods(b"HTTP/1.1 200 OK\r\nX").await;
    assert!(fetch(&target, patience, 1 << 20).await.is_err());
}

#[tokio::test]
async fn interim_responses_and_a_long_body_are_read() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = server.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"body") {
            assert!(socket.read_buf(&mut asked).await.unwrap() > 0);
        }
        assert!(String::from_utf8_lossy(&asked).contains("content-length: 4\r\n"));
        let head = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n";
        socket.write_all(head).await.unwrap();
        socket.write_all(&vec![b'x'; 4 << 20]).await.unwrap();
    });
    let question =
        Question::post("text/plain", "body").with(header::CONTENT_LENGTH, HeaderValue::from_static("1"));
    let target = Target::of_url(&url).unwrap();
    let found = send(&target, question, Duration::from_mins(1), 8 << 20).await.unwrap();
    assert_eq!(found.body.len(), 4 << 20);
}

#[test]
fn addresses_that_lead_to_the_same_place() {
    let of = |url| Target::of_url(url).unwrap();
    assert!(of("https://H.example/x?a").is_same_place(&of("https://h.example:443/x")));
    assert!(of("https://h.example").is_same_place(&of("https://h.example/")));
    for other in ["http://h.example/x", "https://h.example:444/x", "https://h.example/X"] {
        assert!(!of("https://h.example/x").is_same_place(&of(other)), "{other}");
    }
}

#[test]
fn addresses() {
    let of =
        |url| Target::of_url(url).map(|target| (target.server, target.is_https, target.path.to_string()));
    let tcp = |host: &str, port| Address::Tcp(host.to_owned(), port);
    assert_eq!(of("https://a.example/x?y=1"), Ok((tcp("a.example", 443), true, "/x?y=1".to_owned())));
    assert_eq!(of("http://[::1]:8000"), Ok((tcp("::1", 8000), false, "/".to_owned())));
    for wrong in [
        "",
        "a.example/x",
        "https://a.example:99999/",
        "https://a.example:0/",
        "ftp://a.example/x",
        "https://user:word@a.example/",
        "https:///x",
        "/x",
    ] {
        assert!(of(wrong).is_err(), "{wrong}");
    }
    assert!(of("ftp://a.example/x").is_err_and(|why| why.contains("only `http://` and `https://`")));
}
