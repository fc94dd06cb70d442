use flate2::{Compress, Compression, FlushCompress};
use http::{HeaderValue, header};

use super::{super::INVALID_DATA, *};

fn frame(first: u8, length: usize) -> Vec<u8> {
    carrying(first, &vec![b'x'; length])
}

fn carrying(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..65536 => {
            frame.push(0xfe);
            frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(b"mask");
    frame.extend(payload.iter().zip(b"mask".iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// What a reader says of all frames, in pieces of several sizes.
fn check(agreed: &str, frames: &[Vec<u8>], expected: Result<(), u16>) {
    let mut answer = HeaderMap::new();
    if !agreed.is_empty() {
        answer.insert(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_str(agreed).unwrap());
    }
    for piece in [1, 7, 1 << 20] {
        let mut reader = FrameReader::new(1000, &answer);
        let all = frames.concat();
        let read = all.chunks(piece).try_for_each(|bytes| reader.read(bytes));
        assert_eq!(read, expected, "{agreed}: {} frames in {piece}s", frames.len());
    }
}

#[test]
fn messages_are_counted_over_their_frames() {
    let check = |frames: &[Vec<u8>], expected| check("", frames, expected);
    check(&[frame(0x81, 5), frame(0x82, 1000), frame(0x89, 125), frame(0x88, 2)], Ok(()));
    check(&[frame(0x82, 1001)], Err(MESSAGE_TOO_BIG));
    check(&[frame(0x82, 70_000)], Err(MESSAGE_TOO_BIG));
    check(&[frame(0x02, 600), frame(0x89, 0), frame(0x80, 600)], Err(MESSAGE_TOO_BIG));
    check(&[frame(0x02, 600), frame(0x80, 400), frame(0x81, 1000)], Ok(()));
    check(&[frame(0x89, 126)], Err(PROTOCOL_ERROR));
    check(&[vec![0x81, 5, b'h']], Err(PROTOCOL_ERROR));
}

/// A sender of compressed messages, which remembers earlier ones unless told otherwise.
struct Sender(Compress);

impl Sender {
    fn new() -> Self {
        Self(Compress::new(Compression::best(), false))
    }

    fn message(&mut self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() + 1024);
        let from = usize::try_from(self.0.total_in()).unwrap();
        self.0.compress_vec(data, &mut out, FlushCompress::Sync).unwrap();
        assert_eq!(usize::try_from(self.0.total_in()).unwrap() - from, data.len());
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
        out.truncate(out.len() - 4);
        out
    }
}

/// Bytes in which nothing repeats.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn compressed_messages_are_counted_as_what_they_become() {
    let agreed = "permessage-deflate";
    let zeros = |length: usize| Sender::new().message(&vec![0; length]);
    let split = |payload: &[u8]| {
        let (first, second) = payload.split_at(payload.len() / 2);
        vec![carrying(0x42, first), frame(0x89, 3), carrying(0x00, second), carrying(0x80, b"")]
    };
    check(agreed, &[carrying(0xc2, &zeros(1000))], Ok(()));
    check(agreed, &[carrying(0xc2, &zeros(1001))], Err(MESSAGE_TOO_BIG));
    check(agreed, &[carrying(0xc2, &zeros(900_000))], Err(MESSAGE_TOO_BIG));
    check(agreed, &split(&zeros(1000)), Ok(()));
    check(agreed, &split(&zeros(1001)), Err(MESSAGE_TOO_BIG));
    // Not every message need be compressed, and what does not compress is a little larger than it becomes.
    check(agreed, &[carrying(0xc2, &Sender::new().message(&noise(1000))), frame(0x82, 1000)], Ok(()));
    check(agreed, &[carrying(0xc2, &zeros(10)), frame(0x82, 1001)], Err(MESSAGE_TOO_BIG));
    // Where nothing was agreed on, the bit means nothing to us; the app closes.
    check("", &[carrying(0xc2, &zeros(900_000))], Ok(()));
    check(
        "x-other, permessage-deflate; server_max_window_bits=12",
        &[carrying(0xc2, &zeros(1001))],
        Err(MESSAGE_TOO_BIG),
    );
    check(agreed, &[carrying(0xc2, b"\x07")], Err(INVALID_DATA));
}

#[test]
fn what_refers_to_earlier_messages_is_counted_too() {
    let (data, mut sender) = (noise(900), Sender::new());
    let first = sender.message(&data);
    let second = sender.message(&data);
    assert!(second.len() < 100, "it repeats the first");
    let twice = sender.message(&[data.clone(), data.clone()].concat());
    assert!(twice.len() < 100);
    let agreed = "permessage-deflate; client_max_window_bits=15";
    check(agreed, &[carrying(0xc2, &first), carrying(0xc2, &second)], Ok(()));
    check(
        agreed,
        &[carrying(0xc2, &first), carrying(0xc2, &second), carrying(0xc2, &twice)],
        Err(MESSAGE_TOO_BIG),
    );
    // Who has said that it forgets has to begin anew.
    let anew = Sender::new().message(&data);
    let forgets = "permessage-deflate; client_no_context_takeover";
    check(forgets, &[carrying(0xc2, &first), carrying(0xc2, &anew)], Ok(()));
    check(forgets, &[carrying(0xc2, &first), carrying(0xc2, &second)], Err(INVALID_DATA));
}

/// A final block ends a stream, not the connection (RFC 7692 section 7.2.3.4).
#[test]
fn a_message_may_end_in_a_final_block() {
    let mut out = Vec::with_capacity(2048);
    Compress::new(Compression::best(), false)
        .compress_vec(&[0; 600], &mut out, FlushCompress::Finish)
        .unwrap();
    let more = [out.clone(), out.clone()].concat();
    out.push(0);
    let frames = [carrying(0xc2, &out), carrying(0xc2, &Sender::new().message(&[0; 1000]))];
    check("permessage-deflate", &frames, Ok(()));
    check("permessage-deflate", &[carrying(0xc2, &more)], Err(MESSAGE_TOO_BIG));
}
