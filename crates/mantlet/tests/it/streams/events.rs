//! Server-sent events arrive as they are sent.

use std::sync::mpsc;

use crate::kit::{
    App, Client, Setup, Upstream, eventually,
    http2::{connect, get, header, talk},
};

/// A real app: the first event is there while the second is an hour away.
#[test]
fn an_event_does_not_wait_for_the_next() {
    let gateway = Setup::serve(&format!("unix:{}", App::shared().socket().display())).start();
    let mut client = Client::connect(gateway.addr());
    client
        .send("GET /sse?n=2&interval=3600 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    let answer = client.head();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert_eq!(answer.header("content-length"), None);
    let event = client.take(40);
    let event = String::from_utf8_lossy(&event);
    assert!(event.contains("id: 0\ndata: {\"n\": 0"), "{event}");
}

/// The app sends an event only when the one before has arrived, so none can have been held back.
#[test]
fn events_arrive_as_they_are_sent_over_http_2() {
    let (arrived, has_arrived) = mpsc::channel();
    let upstream = Upstream::of_events(5, has_arrived);
    let gateway = Setup::serve(&upstream.url()).start();
    talk(async {
        let mut sender = connect(gateway.addr()).await.ready().await.unwrap();
        let (answer, _) = sender.send_request(get("/events").body(()).unwrap(), true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(header(answer.headers(), "content-type"), "text/event-stream");
        let mut body = answer.into_body();
        for number in 0..5 {
            assert_eq!(body.data().await.unwrap().unwrap(), format!("data: {number}\n\n"));
            arrived.send(()).unwrap();
        }
        // The end may come as a piece without bytes.
        while let Some(piece) = body.data().await {
            assert_eq!(piece.unwrap(), "");
        }
    });
}

/// An event source that nobody listens to any more is let go, even if it says nothing.
#[test]
fn a_listener_that_leaves_is_not_listened_for() {
    let upstream = Upstream::new(|connection| {
        connection.read_head();
        connection.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
              9\r\ndata: 1\n\n\r\n",
        );
        connection.read_to_end();
    });
    let gateway = Setup::serve(&upstream.url()).start();
    let mut client = Client::connect(gateway.addr());
    client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.take(14), b"9\r\ndata: 1\n\n\r\n");
    assert_eq!(upstream.connections(), (1, 1));
    drop(client);
    eventually("the app is let go", || (upstream.connections() == (1, 0)).then_some(()));

    talk(async {
        let mut sender = connect(gateway.addr()).await.ready().await.unwrap();
        let (answer, mut stream) = sender.send_request(get("/events").body(()).unwrap(), true).unwrap();
        let mut body = answer.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "data: 1\n\n");
        stream.send_reset(h2::Reason::CANCEL);
        // The connection goes on while the stream is gone.
        let reset = async {
            while upstream.connections() != (2, 0) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        reset.await;
    });
}
