//! WebSockets: bytes both ways, and the limits that hold for them.

use rustix::process::Signal;

use crate::kit::{
    App, Client, Gateway, Setup, Upstream, eventually,
    upstream::Connection,
    websocket::{BINARY, CLOSE, FINAL, PING, PONG, TEXT, WebSocket, frame, handshake},
};

fn before_the_app(config: &str) -> Gateway {
    Setup::serve(&format!("unix:{}", App::shared().socket().display())).config(config).start()
}

/// Agrees to a WebSocket, as an app does.
fn agree(connection: &mut Connection) {
    connection.read_head();
    connection.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
}

#[test]
fn messages_of_all_sizes_come_back() {
    let gateway = before_the_app("");
    let mut socket = WebSocket::open(gateway.addr(), "/ws");
    let unicode = "Schützenkönig 🏹 ".repeat(100);
    socket.echo(TEXT, unicode.as_bytes());
    for size in [0, 1, 125, 126, 65_535, 65_536, 3_000_000] {
        let payload: Vec<u8> = (0..size).map(|at: usize| u8::try_from(at % 251).unwrap()).collect();
        socket.echo(BINARY, &payload);
    }
    // In pieces, with a control frame among them.
    socket.send(TEXT, b"in two ");
    socket.send(FINAL | PING, b"are you there?");
    socket.send(FINAL, b"pieces");
    assert_eq!(socket.next(), (FINAL | PONG, b"are you there?".to_vec()));
    assert_eq!(socket.next(), (FINAL | TEXT, b"in two pieces".to_vec()));

    socket.send(FINAL | CLOSE, &1000_u16.to_be_bytes());
    socket.expect_close(1000);
}

#[test]
fn a_first_message_may_come_with_the_handshake() {
    let gateway = before_the_app("");
    let mut client = Client::connect(gateway.addr());
    client.send([handshake("/ws").as_bytes(), &frame(FINAL | TEXT, b"early")].concat());
    let mut socket = WebSocket::accepted(client);
    assert_eq!(socket.next(), (FINAL | TEXT, b"early".to_vec()));
    socket.echo(TEXT, b"and later");
}

#[test]
fn everybody_hears_everybody() {
    let gateway = before_the_app("");
    let mut sockets: Vec<_> = (0..5).map(|_| WebSocket::open(gateway.addr(), "/ws/chat")).collect();
    sockets[0].send(FINAL | TEXT, b"to all");
    for socket in &mut sockets {
        assert_eq!(socket.next(), (FINAL | TEXT, b"to all".to_vec()));
    }
}

/// The app closes: its word reaches the client, and the client's reaches it.
#[test]
fn the_app_may_close() {
    let upstream = Upstream::new(|connection| {
        agree(connection);
        connection.write(&[0x88, 6, 0x0f, 0xa0, b'b', b'y', b'e', b'!']);
        connection.read_to_end();
    });
    let gateway = Setup::serve(&upstream.url()).start();
    let mut socket = WebSocket::open(gateway.addr(), "/ws");
    assert_eq!(socket.next(), (FINAL | CLOSE, b"\x0f\xa0bye!".to_vec()));
    let farewell = frame(FINAL | CLOSE, &4000_u16.to_be_bytes());
    socket.client.send(&farewell);
    eventually("the client's word has arrived", || upstream.seen().ends_with(&farewell).then_some(()));
    socket.client.finish();
    socket.client.expect_closed();
    eventually("the app is let go", || (upstream.connections() == (1, 0)).then_some(()));
}

/// A client or an app that just vanishes is noticed on the other side.
#[test]
fn a_broken_connection_breaks_the_other() {
    let upstream = Upstream::new(|connection| {
        agree(connection);
        connection.read_to_end();
    });
    let gateway = Setup::serve(&upstream.url()).start();
    drop(WebSocket::open(gateway.addr(), "/ws"));
    eventually("the app is let go", || (upstream.connections() == (1, 0)).then_some(()));

    let upstream = Upstream::new(agree);
    let gateway = Setup::serve(&upstream.url()).start();
    WebSocket::open(gateway.addr(), "/ws").client.expect_closed();
}

#[test]
fn a_message_that_is_too_large_ends_the_connection() {
    let check = |frames: &[Vec<u8>]| {
        let upstream = Upstream::new(|connection| {
            agree(connection);
            connection.read_to_end();
        });
        let gateway = Setup::serve(&upstream.url()).config("[limits]\nwebsocket-message = \"1KiB\"").start();
        let mut socket = WebSocket::open(gateway.addr(), "/ws?token=secret");
        let small = frame(FINAL | TEXT, &[b'x'; 1024]);
        socket.client.send(&small);
        eventually("a message within the limit arrives", || upstream.seen().ends_with(&small).then_some(()));
        socket.client.send(frames.concat());
        socket.expect_close(1009);
        eventually("the app is let go", || (upstream.connections() == (1, 0)).then_some(()));
        assert!(upstream.seen().ends_with(&small), "nothing of the large message reached the app");
        let record = &gateway.audit(1)[0];
        assert_eq!(record["reason"], "websocket-message-too-large");
        assert_eq!(record["client_ip"], "127.0.0.1");
        assert!(!record.to_string().contains("secret"), "{record}");
    };
    check(&[frame(FINAL | BINARY, &[b'x'; 1025])]);
    check(&[frame(BINARY, &[b'x'; 600]), frame(FINAL | PING, b""), frame(FINAL, &[b'x'; 600])]);
}

#[test]
fn frames_that_break_the_rules_end_the_connection() {
    // Not masked; a control frame that is too long.
    for bad in [&b"\x81\x05hello"[..], &frame(FINAL | PING, &[0; 126])] {
        let gateway = before_the_app("");
        let mut socket = WebSocket::open(gateway.addr(), "/ws");
        socket.client.send(bad);
        socket.expect_close(1002);
    }
}

#[test]
fn silence_ends_the_connection() {
    let upstream = Upstream::new(|connection| {
        agree(connection);
        connection.read_to_end();
    });
    let gateway = Setup::serve(&upstream.url()).config("[limits]\nwebsocket-idle = \"1s\"").start();
    WebSocket::open(gateway.addr(), "/ws").expect_close(1001);
    eventually("the app is let go", || (upstream.connections() == (1, 0)).then_some(()));
}

#[test]
fn a_gate_that_ends_says_goodbye() {
    for signal in [Signal::TERM, Signal::INT] {
        let gateway = before_the_app("");
        let mut socket = WebSocket::open(gateway.addr(), "/ws");
        socket.echo(TEXT, b"still here");
        gateway.signal(signal);
        socket.expect_close(1001);
        assert_eq!(gateway.wait().status.code(), Some(0));
    }
}

/// Opens a WebSocket on which messages may be compressed.
fn open_compressing(gateway: &Gateway, parameters: &str) -> WebSocket {
    let mut client = Client::connect(gateway.addr());
    let extension = format!("\r\nSec-WebSocket-Extensions: permessage-deflate{parameters}\r\n\r\n");
    client.send(handshake("/ws").replace("\r\n\r\n", &extension));
    WebSocket::accepted(client)
}

/// As a browser compresses messages: each may refer to those before it.
struct Compressor(flate2::Compress);

impl Compressor {
    fn new() -> Self {
        Self(flate2::Compress::new(flate2::Compression::best(), false))
    }

    fn compress(&mut self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() + 1024);
        self.0.compress_vec(data, &mut out, flate2::FlushCompress::Sync).unwrap();
        out.truncate(out.len() - 4);
        out
    }
}

/// The first byte of a frame says that its message is compressed.
const COMPRESSED: u8 = 0x40;

/// Real uvicorn agrees to compression: what a message becomes is what counts.
#[test]
fn a_message_that_becomes_too_large_ends_the_connection() {
    let gateway = before_the_app("[limits]\nwebsocket-message = \"1KiB\"");
    // The last part is the one that is too much, alone, in pieces, or for what it repeats.
    let noise: Vec<u8> =
        (0..1024_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    let check = |parameters: &str, messages: &[&[u8]], in_pieces: bool| {
        let mut socket = open_compressing(&gateway, parameters);
        let mut compressor = Compressor::new();
        let (last, before) = messages.split_last().unwrap();
        for message in before {
            socket.send(FINAL | COMPRESSED | BINARY, &compressor.compress(message));
            assert_eq!(socket.next().0 & 0x0f, BINARY, "it comes back");
        }
        let payload = compressor.compress(last);
        assert!(payload.len() < 1024, "{} bytes on the wire", payload.len());
        if in_pieces {
            let (first, rest) = payload.split_at(payload.len() / 2);
            socket.send(COMPRESSED | BINARY, first);
            // The first half may be too much already.
            socket.try_send(FINAL | PING, b"still there?");
            socket.try_send(FINAL, rest);
        } else {
            socket.send(FINAL | COMPRESSED | BINARY, &payload);
        }
        loop {
            match socket.next() {
                (first, _) if first & 0x0f == PONG => {}
                (first, payload) => {
                    assert_eq!((first, &payload[..2]), (FINAL | CLOSE, &1009_u16.to_be_bytes()[..]));
                    break;
                }
            }
        }
    };
    let zeros = vec![0; 900_000];
    check("", &[&zeros], false);
    check("; client_max_window_bits", &[&zeros], true);
    check("; client_no_context_takeover", &[&zeros], false);
    check("", &[&noise, &noise, &[&noise[..], b"!"].concat()], false);
    check("", &[&[0; 1024], &[0; 1025]], true);
    let records = gateway.audit(5);
    assert!(records.iter().all(|record| record["reason"] == "websocket-message-too-large"), "{records:?}");
}

/// Within the limit nothing changes: many messages, compressed or not, large ones too.
#[test]
fn compressed_messages_come_back() {
    let gateway = before_the_app("");
    for parameters in
        ["", "; client_max_window_bits=10", "; client_no_context_takeover; server_no_context_takeover"]
    {
        let mut socket = open_compressing(&gateway, parameters);
        let mut compressor = Compressor::new();
        for round in 0..50 {
            if parameters.contains("takeover") {
                compressor = Compressor::new();
            }
            // With a window of 1 KiB nothing may refer farther back.
            let data = format!("message {round} ").repeat(if parameters.contains("10") { 20 } else { 2000 });
            if parameters.contains("10") {
                compressor = Compressor::new();
            }
            socket.send(FINAL | COMPRESSED | TEXT, &compressor.compress(data.as_bytes()));
            assert_eq!(socket.next().0 & 0x0f, TEXT);
        }
        socket.send(FINAL | TEXT, b"plain");
        assert_eq!(socket.next().0 & 0x0f, TEXT);
    }
    assert!(gateway.end().audit.is_empty());
}
