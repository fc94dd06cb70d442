use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use super::{Account, BURST, DATA, HEADERS, Head, Heads, PER_REQUEST, RST_STREAM};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PRIORITY: u8 = 2;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const UNKNOWN: u8 = 0xbe;

fn frame(kind: u8, stream: u32, length: u32) -> Vec<u8> {
    let mut frame = [&length.to_be_bytes()[1..], &[kind, 0], &stream.to_be_bytes()].concat();
    // A payload that looks like heads must not be taken for one.
    frame.resize(9 + length as usize, 6);
    frame
}

/// A connection with a clock of its own.
struct Talk {
    account: Account,
    now: Cell<Instant>,
}

impl Talk {
    fn new() -> Self {
        let now = Instant::now();
        let mut account = Account::new(now);
        account.received(PREFACE, || now);
        Self { account, now: Cell::new(now) }
    }

    fn receive(&mut self, bytes: &[u8]) -> bool {
        self.account.received(bytes, || self.now.get());
        !self.account.is_overdrawn()
    }

    fn pass(&self, time: Duration) {
        self.now.set(self.now.get() + time);
    }

    /// How many such frames are taken before the end.
    fn frames_left(mut self, kind: u8) -> u32 {
        let frame = frame(kind, 1, 4);
        (0..1_000_000).take_while(|_| self.receive(&frame)).count().try_into().unwrap()
    }
}

#[test]
fn bytes_may_be_split_everywhere() {
    let frames = [
        (HEADERS, 1, 30),
        (DATA, 1, 0),
        (DATA, 1, 16_384),
        (PING, 0, 8),
        (RST_STREAM, 1, 4),
        (UNKNOWN, 0x7fff_ffff, 1),
        (HEADERS, 3, 0),
        (PRIORITY, 3, 5),
    ];
    let bytes: Vec<u8> =
        frames.iter().flat_map(|(kind, stream, length)| frame(*kind, *stream, *length)).collect();
    let expected = frames.map(|(kind, stream, length)| Head { length, kind, stream });
    let check = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut heads, mut found) = (Heads::default(), Vec::new());
        for mut piece in pieces {
            while let Some(head) = heads.next(&mut piece) {
                found.push(head);
            }
            assert!(piece.is_empty());
        }
        assert_eq!(found, expected);
        assert!(heads.is_between_frames());
    };
    for size in 1..=64 {
        check(&mut bytes.chunks(size));
    }
    for at in 0..=bytes.len() {
        let (first, second) = bytes.split_at(at);
        check(&mut [first, second].into_iter());
    }
}

#[test]
fn what_brings_nothing_has_an_end() {
    for kind in [PING, PRIORITY, WINDOW_UPDATE, UNKNOWN, RST_STREAM, 4, 5, 7, 9] {
        assert_eq!(Talk::new().frames_left(kind), BURST, "type {kind}");
    }
    let mut talk = Talk::new();
    let empty = frame(DATA, 1, 0);
    assert!((0..BURST).all(|_| talk.receive(&empty)));
    assert!(!talk.receive(&empty));
    assert!(!talk.receive(&frame(HEADERS, 3, 10)), "it is over for good");
}

#[test]
fn requests_and_data_bring_more() {
    let mut talk = Talk::new();
    for stream in 1..=100 {
        talk.receive(&frame(HEADERS, stream, 20));
    }
    assert_eq!(talk.frames_left(PING), BURST + 100 * PER_REQUEST);

    let mut talk = Talk::new();
    talk.receive(&frame(DATA, 1, 16_384));
    assert_eq!(talk.frames_left(PING), BURST + 20);

    let mut talk = Talk::new();
    talk.account.sent(
        &[frame(HEADERS, 1, 40), frame(DATA, 1, 16_384), frame(DATA, 1, 10), frame(DATA, 1, 1)].concat(),
    );
    assert_eq!(talk.frames_left(WINDOW_UPDATE), BURST + 20 + 3);
}

/// A download of gigabytes, both windows opened for each frame of 16 KiB.
#[test]
fn data_that_we_send_pays_for_its_windows() {
    let mut talk = Talk::new();
    let data = frame(DATA, 1, 16_384);
    let windows = [frame(WINDOW_UPDATE, 0, 4), frame(WINDOW_UPDATE, 1, 4)].concat();
    for _ in 0..200_000 {
        talk.account.sent(&data);
        assert!(talk.receive(&windows));
    }
}

#[test]
fn no_request_pays_for_a_reset() {
    let mut talk = Talk::new();
    let pair = [frame(HEADERS, 1, 20), frame(RST_STREAM, 1, 4)].concat();
    assert_eq!((0..1_000_000).take_while(|_| talk.receive(&pair)).count(), BURST as usize);
}

#[test]
fn time_brings_more_but_no_hoard() {
    let ping = frame(PING, 0, 8);
    let mut talk = Talk::new();
    // Days of silence but for a PING every two seconds, then one every 40 ms.
    for _ in 0..100_000 {
        talk.pass(Duration::from_secs(2));
        assert!(talk.receive(&ping));
    }
    for _ in 0..100_000 {
        talk.pass(Duration::from_millis(40));
        assert!(talk.receive(&ping));
    }
    talk.pass(Duration::from_hours(24));
    assert!(talk.frames_left(PING) <= 2 * BURST);

    let mut talk = Talk::new();
    let taken = (0..100_000).take_while(|_| {
        talk.pass(Duration::from_millis(10));
        talk.receive(&ping)
    });
    assert!(taken.count() < 100_000, "100 a second are too many");
}

#[test]
fn the_farewell_stands_between_frames() {
    let mut talk = Talk::new();
    talk.receive(&[frame(HEADERS, 5, 0), frame(HEADERS, 3, 0)].concat());
    assert_eq!(talk.account.farewell(), Some([0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 11]));
    let data = frame(DATA, 1, 10);
    talk.account.sent(&data[..12]);
    assert_eq!(talk.account.farewell(), None);
    talk.account.sent(&data[12..]);
    assert!(talk.account.farewell().is_some());
}
