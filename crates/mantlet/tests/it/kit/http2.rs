//! HTTP/2 with prior knowledge: a client of the h2 crate for what is well-formed, and bare frames for what is not.

use std::{future::Future, net::SocketAddr};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response, request};
use serde_json::Value;
use tokio::net::TcpStream;

use super::{Client, PATIENCE};

/// Runs the whole of a test's conversation, for as long as patience lasts.
pub(crate) fn talk<F: Future>(conversation: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let within_time = async { tokio::time::timeout(PATIENCE, conversation).await };
    runtime.block_on(within_time).expect("the conversation ends in time")
}

/// A connection whose streams are opened with [`ask`].
pub(crate) async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let socket = TcpStream::connect(address).await.expect("a connection");
    let (sender, connection) = h2::client::handshake(socket).await.expect("a handshake");
    // Its errors reach whoever waits for an answer on it.
    tokio::spawn(async { drop(connection.await) });
    sender
}

/// A GET of this target on this host.
pub(crate) fn get(target: &str) -> request::Builder {
    Request::get(format!("http://localhost{target}"))
}

/// An answer, complete, or the error that came instead.
pub(crate) async fn ask(
    sender: &SendRequest<Bytes>,
    request: request::Builder,
    body: &[u8],
) -> Result<Response<Vec<u8>>, h2::Error> {
    let mut sender = sender.clone().ready().await?;
    let request = request.body(()).expect("a request that can be written");
    let (answer, mut stream) = sender.send_request(request, body.is_empty())?;
    if !body.is_empty() {
        stream.send_data(Bytes::copy_from_slice(body), true)?;
    }
    let (parts, mut rest) = answer.await?.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = rest.data().await {
        let piece = piece?;
        rest.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    Ok(Response::from_parts(parts, body))
}

pub(crate) fn json(answer: &Response<Vec<u8>>) -> Value {
    serde_json::from_slice(answer.body()).expect("JSON")
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).unwrap_or_else(|| panic!("no {name}: {headers:?}")).to_str().expect("text")
}

/// A connection on which every frame is the test's own.
pub(crate) struct Frames {
    client: Client,
}

/// A frame (RFC 9113 section 4.1).
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const ACK: u8 = 1;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const COMPRESSION_ERROR: u32 = 9;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame's bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What came of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was answered with this status.
    Answered(u16),
    /// It alone was ended, with this error code.
    Reset(u32),
    /// The connection was ended, with this error code.
    GoneAway(u32),
    /// The connection ended without a word.
    Closed,
}

impl Frames {
    /// Opens a connection with these settings, each an identifier and a value.
    pub(crate) fn open(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut frames = Self { client: Client::connect(address) };
        frames.client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [id.to_be_bytes().as_slice(), &value.to_be_bytes()].concat())
            .collect();
        frames.send(SETTINGS, 0, 0, &payload);
        frames
    }

    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.client.send(frame(kind, flags, stream, payload));
    }

    /// Sends frames of the test's own making, all at once; the gateway may close on the way.
    pub(crate) fn try_send(&mut self, frames: impl AsRef<[u8]>) -> bool {
        self.client.try_send(frames)
    }

    /// The next frame that is not SETTINGS; none at the end of the connection, however it came. Settings are acknowledged on the way.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            let head = self.client.take_or_end(9)?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let frame = Frame { kind: head[3], flags: head[4], stream, payload: self.client.take(length) };
            if frame.kind != SETTINGS {
                return Some(frame);
            }
            if frame.flags & ACK == 0 {
                // The gateway may be gone already; what it said before can still be read.
                self.client.try_send([0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0]);
            }
        }
    }

    /// Reads on until it is clear what became of a stream.
    pub(crate) fn fate(&mut self, stream: u32) -> Fate {
        while let Some(frame) = self.next() {
            let number =
                |at: usize| u32::from_be_bytes(frame.payload[at..at + 4].try_into().expect("4 bytes"));
            match frame.kind {
                HEADERS if frame.stream == stream => return Fate::Answered(status(&frame.payload)),
                RST_STREAM if frame.stream == stream => return Fate::Reset(number(0)),
                GOAWAY => return Fate::GoneAway(number(4)),
                _ => {}
            }
        }
        Fate::Closed
    }
}

/// The status, which comes first: from the static table (RFC 7541 appendix A), or as a literal of three digits.
fn status(block: &[u8]) -> u16 {
    // An encoder may first say how large its table is.
    let block = if block[0] & 0xe0 == 0x20 { &block[1..] } else { block };
    match block {
        [indexed @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        [0x08 | 0x18 | 0x48, 3, digits @ ..] => {
            String::from_utf8_lossy(&digits[..3]).parse().expect("digits")
        }
        // Digits in Huffman code have 5 or 6 bits.
        [0x08 | 0x18 | 0x48, huffman, code @ ..] => huffman_digits(&code[..usize::from(huffman & 0x7f)]),
        _ => panic!("no status: {block:x?}"),
    }
}

/// RFC 7541 appendix B: `0`, `1` and `2` are the codes 0 to 2 of 5 bits, `3` to `9` the codes 0x19 to 0x1f of 6 bits.
fn huffman_digits(code: &[u8]) -> u16 {
    let mut bits = code.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    let mut number = 0;
    for _ in 0..3 {
        let mut next = || bits.next().expect("three digits");
        let five = (0..5).fold(0, |code, _| code << 1 | next());
        number = number * 10 + if five < 3 { five } else { (five << 1 | next()) - 0x19 + 3 };
    }
    number
}

/// Header fields as literals without indexing, bytes as they are (RFC 7541 section 6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_bytes(), value.as_bytes()] {
            block.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("a short text"));
            block.extend_from_slice(text);
        }
    }
    block
}
