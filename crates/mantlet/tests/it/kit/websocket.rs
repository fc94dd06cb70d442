use std::net::SocketAddr;

use super::{Answer, Client};

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
/// In the first byte of a frame: no other frame of the message follows.
pub(crate) const FINAL: u8 = 0x80;

/// A WebSocket whose frames are made by hand (RFC 6455).
pub(crate) struct WebSocket {
    pub(crate) client: Client,
}

/// The request for a WebSocket, with the key of RFC 6455 section 1.3.
pub(crate) fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A frame as a client sends it: masked.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
        middle @ 126..65536 => {
            frame.push(0x80 | 0x7e);
            frame.extend(u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            frame.push(0x80 | 0x7f);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    let mask = *b"mask";
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

impl WebSocket {
    pub(crate) fn open(address: SocketAddr, path: &str) -> Self {
        let mut client = Client::connect(address);
        client.send(handshake(path));
        Self::accepted(client)
    }

    /// Reads the answer to a handshake that has been sent.
    pub(crate) fn accepted(mut client: Client) -> Self {
        let answer: Answer = client.head();
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("upgrade").map(str::to_ascii_lowercase).as_deref(), Some("websocket"));
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        Self { client }
    }

    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        self.client.send(frame(first, payload));
    }

    /// The same, where the gateway may have ended the connection already.
    pub(crate) fn try_send(&mut self, first: u8, payload: &[u8]) {
        self.client.try_send(frame(first, payload));
    }

    /// The next frame: its first byte, and what it carries. Pings are answered on the way, as clients do.
    pub(crate) fn next(&mut self) -> (u8, Vec<u8>) {
        loop {
            match self.next_of_any_kind() {
                (first, payload) if first == FINAL | PING => self.send(FINAL | PONG, &payload),
                other => return other,
            }
        }
    }

    fn next_of_any_kind(&mut self) -> (u8, Vec<u8>) {
        let head = self.client.take(2);
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.client.take(2).try_into().unwrap())),
            127 => u64::from_be_bytes(self.client.take(8).try_into().unwrap()),
            short @ 0..126 => u64::from(short),
            128.. => panic!("a masked frame from a server"),
        };
        (head[0], self.client.take(usize::try_from(length).unwrap()))
    }

    /// Sends a message and expects it back.
    pub(crate) fn echo(&mut self, kind: u8, payload: &[u8]) {
        self.send(FINAL | kind, payload);
        let (first, echoed) = self.next();
        assert_eq!((first, echoed.len()), (FINAL | kind, payload.len()));
        assert!(echoed == payload, "the echo is another message");
    }

    /// Expects to be told that the connection ends, with this code, and that it ends.
    pub(crate) fn expect_close(&mut self, code: u16) {
        let (first, payload) = self.next();
        assert_eq!(first, FINAL | CLOSE);
        assert_eq!(payload.get(..2), Some(&code.to_be_bytes()[..]), "{payload:?}");
        self.client.expect_closed();
    }
}
