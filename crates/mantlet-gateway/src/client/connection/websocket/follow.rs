//! Where frames begin and end (RFC 6455 section 5.2): a frame of our own may stand only between two.

/// The opcode of a close frame.
pub(super) const CLOSE: u8 = 8;

/// Follows the frames of one direction.
pub(super) trait Follow {
    /// Takes the next bytes up to the end of a frame, and returns how many; an error is the code to
    /// close with.
    fn read_frame(&mut self, bytes: &[u8]) -> Result<usize, u16>;

    /// Whether the bytes so far end with a frame.
    fn is_between(&self) -> bool;

    /// Whether a close frame has come: no other may follow.
    fn has_closed(&self) -> bool;

    /// Takes the next bytes, all of them.
    fn read(&mut self, mut bytes: &[u8]) -> Result<(), u16> {
        while !bytes.is_empty() {
            let taken = self.read_frame(bytes)?;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }
}

/// Follows the frames that the app sends. They are not judged.
#[derive(Debug, Default)]
pub(super) struct AppFrames {
    /// Bytes of the head that have come, and all of them once that is known.
    seen: u8,
    head: u8,
    /// Where the head has its masking key, if it has one.
    mask: u8,
    payload_left: u64,
    has_closed: bool,
}

impl AppFrames {
    fn take_head(&mut self, byte: u8) {
        match self.seen {
            0 => self.has_closed |= byte & 0x0f == CLOSE,
            1 => {
                let (short, is_masked) = (byte & 0x7f, byte & 0x80 != 0);
                self.mask = match short {
                    126 => 4,
                    127 => 10,
                    _ => 2,
                };
                self.payload_left = if short < 126 { short.into() } else { 0 };
                self.head = self.mask + if is_masked { 4 } else { 0 };
            }
            place if place < self.mask => self.payload_left = self.payload_left << 8 | u64::from(byte),
            _ => {}
        }
        self.seen += 1;
        if self.seen >= 2 && self.seen == self.head {
            self.seen = 0;
        }
    }
}

impl Follow for AppFrames {
    fn read_frame(&mut self, bytes: &[u8]) -> Result<usize, u16> {
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            if self.seen == 0 && self.payload_left > 0 {
                let take = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(rest.len());
                self.payload_left -= take as u64;
                rest = rest.get(take..).unwrap_or_default();
            } else {
                self.take_head(*first);
                rest = after;
            }
            if self.is_between() {
                break;
            }
        }
        Ok(bytes.len() - rest.len())
    }

    fn is_between(&self) -> bool {
        self.seen == 0 && self.payload_left == 0
    }

    fn has_closed(&self) -> bool {
        self.has_closed
    }
}

/// A close frame for the client.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    let (length, payload) = payload(code, reason);
    [&[0x80 | CLOSE, length][..], &payload].concat()
}

/// A close frame for the app: masked, as from a client, with a key that cannot be guessed (section 5.3).
pub(super) fn masked_close(code: u16, reason: &str) -> Vec<u8> {
    let (length, mut payload) = payload(code, reason);
    let mut key = [0; 4];
    // Without random bytes the system has failed in every other way, too.
    let _ = getrandom::fill(&mut key);
    for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
    [&[0x80 | CLOSE, 0x80 | length][..], &key, &payload].concat()
}

/// The payload of a close frame, and its length. A reason is a few words of our own.
fn payload(code: u16, reason: &str) -> (u8, Vec<u8>) {
    let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
    (u8::try_from(payload.len()).unwrap_or(125), payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with this head and so many bytes.
    fn frame(head: &[u8], length: usize) -> Vec<u8> {
        [head, &vec![b'x'; length]].concat()
    }

    #[test]
    fn frames_of_every_length_end_where_they_end() {
        let frames = [
            frame(b"\x81\x05", 5),
            frame(b"\x8a\x00", 0),
            frame(b"\x02\x7e\x01\x00", 256),
            frame(b"\x80\x7f\0\0\0\0\0\x01\0\x01", 65_537),
            // A server must not mask, but some do.
            frame(b"\x82\x83mask", 3),
            frame(b"\x82\xfe\x00\x80mask", 128),
            frame(b"\x82\x80mask", 0),
            frame(b"\x88\x02", 2),
        ];
        let all = frames.concat();
        let mut ends: Vec<_> = frames
            .iter()
            .scan(0, |end, frame| {
                *end += frame.len();
                Some(*end)
            })
            .collect();
        for piece in [1, 2, 3, 7, 100, all.len()] {
            let (mut follower, mut found, mut at) = (AppFrames::default(), Vec::new(), 0);
            for bytes in all.chunks(piece) {
                let mut rest = bytes;
                while !rest.is_empty() {
                    assert!(!follower.has_closed() || at + 4 > all.len());
                    let taken = follower.read_frame(rest).unwrap();
                    assert!(taken > 0);
                    (at, rest) = (at + taken, &rest[taken..]);
                    if follower.is_between() {
                        found.push(at);
                    }
                }
            }
            assert_eq!(found, ends, "in pieces of {piece}");
            assert!(follower.has_closed());
        }
        ends.pop();
        let mut follower = AppFrames::default();
        follower.read(&all[..ends[6]]).unwrap();
        assert!(follower.is_between() && !follower.has_closed());
    }

    #[test]
    fn a_close_frame_has_a_code_and_a_reason() {
        assert_eq!(close(1008, "session ended"), b"\x88\x0f\x03\xf0session ended");
        assert_eq!(close(1001, ""), b"\x88\x02\x03\xe9");
        let masked = masked_close(1008, "token expired");
        assert_eq!((&masked[..2], masked.len()), (&b"\x88\x8f"[..], 2 + 4 + 15));
        let (key, payload) = masked[2..].split_at(4);
        let plain: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        assert_eq!(plain, b"\x03\xf0token expired");
    }
}
