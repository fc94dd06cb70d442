//! A budget for the frames of an HTTP/2 client.
//!
//! PING, SETTINGS, PRIORITY, `WINDOW_UPDATE`, empty DATA and frames of unknown types cost work
//! without being requests. A client may send some at any time, and more for each request and for
//! data in either direction: a `WINDOW_UPDATE` answers data that we sent. Resets are counted apart,
//! because a request does not pay for its own reset (CVE-2023-44487). Only the heads of frames are
//! read; the h2 crate judges their content.

use std::time::Instant;

/// Frames that a client may send before its first request, and the most that it can regain by
/// waiting. nghttp2 and Node.js allow as many resets; Envoy queues as many responses to PING and
/// SETTINGS.
const BURST: u32 = 1000;
/// Frames that each second adds. nghttp2 and Node.js: 33 resets a second.
const PER_SECOND: u128 = 33;
/// Frames that a request adds, for updates of its window and its priority. Envoy allows 2
/// `WINDOW_UPDATE` and 100 PRIORITY for each.
const PER_REQUEST: u32 = 10;
/// Bytes of DATA that add one frame: a small event pays for two windows and a PING, and a window
/// opened byte by byte (CVE-2019-9511) adds nothing.
const BYTES_PER_FRAME: u32 = 3;
/// The most that one DATA frame adds. Envoy allows 20 `WINDOW_UPDATE` for each.
const PER_DATA: u32 = 20;
/// The largest budget: a client may answer much data late, but not without limit.
const MOST: u32 = 100_000;

/// Bytes before the first frame (RFC 9113 section 3.4).
const PREFACE: u32 = 24;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;

/// The balance of a connection.
#[derive(Debug)]
pub(crate) struct Account {
    from_client: Heads,
    to_client: Heads,
    frames: Allowance,
    resets: Allowance,
    last_stream: u32,
    is_overdrawn: bool,
}

impl Account {
    pub(crate) fn new(now: Instant) -> Self {
        let allowance = || Allowance { left: BURST, since: now };
        Self {
            from_client: Heads { skip: PREFACE, ..Heads::default() },
            to_client: Heads::default(),
            frames: allowance(),
            resets: allowance(),
            last_stream: 0,
            is_overdrawn: false,
        }
    }

    /// Whether the client has sent more than it may.
    pub(crate) const fn is_overdrawn(&self) -> bool {
        self.is_overdrawn
    }

    /// Counts bytes from the client. The clock is read only when an allowance is used up.
    pub(crate) fn received(&mut self, mut bytes: &[u8], clock: impl Fn() -> Instant) {
        while let Some(frame) = self.from_client.next(&mut bytes) {
            let is_paid_for = match frame.kind {
                HEADERS => {
                    self.last_stream = self.last_stream.max(frame.stream);
                    self.frames.earn(PER_REQUEST)
                }
                DATA if frame.length > 0 => self.frames.earn(brought_by(frame.length)),
                RST_STREAM => self.resets.spend(&clock),
                _ => self.frames.spend(&clock),
            };
            if !is_paid_for {
                self.is_overdrawn = true;
                return;
            }
        }
    }

    /// Counts bytes to the client.
    pub(crate) fn sent(&mut self, mut bytes: &[u8]) {
        while let Some(frame) = self.to_client.next(&mut bytes) {
            if frame.kind == DATA {
                self.frames.earn(brought_by(frame.length));
            }
        }
    }

    /// The last frame of the connection: GOAWAY with `ENHANCE_YOUR_CALM` (RFC 9113 section 6.8). None if the last frame that was sent
    /// is not complete.
    pub(crate) fn farewell(&self) -> Option<[u8; 17]> {
        let [a, b, c, d] = self.last_stream.to_be_bytes();
        self.to_client.is_between_frames().then_some([0, 0, 8, 7, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, 0x0b])
    }
}

fn brought_by(length: u32) -> u32 {
    (length / BYTES_PER_FRAME).min(PER_DATA)
}

/// The frames that may still come.
#[derive(Debug)]
struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    fn earn(&mut self, frames: u32) -> bool {
        self.left = (self.left + frames).min(MOST);
        true
    }

    /// Takes one frame from the budget. Returns false if it is empty and not enough time has
    /// passed.
    fn spend(&mut self, clock: impl Fn() -> Instant) -> bool {
        if self.left == 0 {
            let now = clock();
            let passed = now.saturating_duration_since(self.since).as_millis();
            self.left = u32::try_from(passed * PER_SECOND / 1000).map_or(BURST, |frames| frames.min(BURST));
            self.since = now;
        }
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

/// Finds the heads of frames (RFC 9113 section 4.1) in bytes that arrive in pieces.
#[derive(Debug, Default)]
struct Heads {
    /// The head that is being read, and how much of it has arrived.
    head: [u8; 9],
    held: usize,
    /// Bytes before the next head.
    skip: u32,
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    length: u32,
    kind: u8,
    stream: u32,
}

impl Heads {
    fn next(&mut self, bytes: &mut &[u8]) -> Option<Head> {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= u32::try_from(skipped).unwrap_or(0);
        let rest = bytes.get(skipped..).unwrap_or_default();
        let room = self.head.get_mut(self.held..).unwrap_or_default();
        let taken = room.len().min(rest.len());
        let (piece, rest) = rest.split_at(taken);
        for (to, from) in room.iter_mut().zip(piece) {
            *to = *from;
        }
        *bytes = rest;
        self.held += taken;
        if self.held < self.head.len() {
            return None;
        }
        self.held = 0;
        let [l0, l1, l2, kind, _flags, s0, s1, s2, s3] = self.head;
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        self.skip = length;
        Some(Head { length, kind, stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]) })
    }

    const fn is_between_frames(&self) -> bool {
        self.held == 0 && self.skip == 0
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
