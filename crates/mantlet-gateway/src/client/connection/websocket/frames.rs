//! The frames that a client sends.

use http::HeaderMap;

use super::{
    MESSAGE_TOO_BIG, PROTOCOL_ERROR,
    deflate::{Deflate, PIECE},
    follow::{CLOSE, Follow},
};

/// Follows the frames that a client sends (RFC 6455 section 5.2). Each must be masked, and no
/// message may exceed the limit. Compressed messages (RFC 7692) count with their inflated size.
#[derive(Debug)]
pub(super) struct FrameReader {
    header: Vec<u8>,
    payload_left: u64,
    /// Bytes of the message so far; inflated, if it is compressed.
    message: u64,
    limit: u64,
    frame: Frame,
    mask: [u8; 4],
    /// Bytes of the frame that have been unmasked.
    unmasked: usize,
    has_closed: bool,
    /// A message has come.
    is_in_use: bool,
    /// The agreed compression, if any.
    deflate: Option<Box<Deflate>>,
}

/// The frame under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// Its head is complete.
    Plain,
    /// It belongs to a compressed message, and may be its last frame.
    Compressed { is_last: bool },
}

impl FrameReader {
    /// `agreed` are the headers of the app's response to the handshake.
    pub(super) fn new(limit: u64, agreed: &HeaderMap) -> Self {
        Self {
            header: Vec::new(),
            payload_left: 0,
            message: 0,
            limit,
            frame: Frame::Plain,
            mask: [0; 4],
            unmasked: 0,
            has_closed: false,
            is_in_use: false,
            deflate: Deflate::agreed(agreed).map(Box::new),
        }
    }

    /// Whether the client has sent a message since this was last asked.
    pub(super) fn take_use(&mut self) -> bool {
        std::mem::take(&mut self.is_in_use)
    }

    fn take_header(&mut self) -> Result<(), u16> {
        let &[first, second, ref extended @ ..] = self.header.as_slice() else { return Ok(()) };
        let masked = second & 0x80 != 0;
        if !masked {
            return Err(PROTOCOL_ERROR);
        }
        let length = match second & 0x7f {
            126 => match extended {
                [a, b, ..] => u64::from(u16::from_be_bytes([*a, *b])),
                _ => return Ok(()),
            },
            127 => match extended.first_chunk::<8>() {
                Some(bytes) => u64::from_be_bytes(*bytes),
                None => return Ok(()),
            },
            short => u64::from(short),
        };
        // The masking key comes last and completes the frame's head.
        let extended_length = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        self.judge(first, length)?;
        let Some(mask) = extended.get(extended_length..).and_then(|rest| rest.first_chunk::<4>()) else {
            return Ok(());
        };
        self.mask = *mask;
        self.unmasked = 0;
        self.payload_left = length;
        self.header = Vec::new();
        let (is_control, is_last) = (first & 0x08 != 0, first & 0x80 != 0);
        self.has_closed |= first & 0x0f == CLOSE;
        self.is_in_use |= !is_control;
        self.frame = Frame::Plain;
        if is_control {
            // A control frame may come between the frames of a message, but does not belong to it.
            return Ok(());
        }
        let is_compressed = self.is_compressed(first);
        if let Some(deflate) = &mut self.deflate {
            deflate.is_under_way = is_compressed;
        }
        if is_compressed {
            self.frame = Frame::Compressed { is_last };
            return self.end_message(is_last && length == 0);
        }
        self.message = if is_last { 0 } else { self.message.saturating_add(length) };
        Ok(())
    }

    /// The first frame of a message says whether it is compressed (RSV1); the others continue it.
    fn is_compressed(&self, first: u8) -> bool {
        let is_first = first & 0x0f != 0;
        self.deflate
            .as_ref()
            .is_some_and(|deflate| if is_first { first & 0x40 != 0 } else { deflate.is_under_way })
    }

    fn judge(&self, first: u8, length: u64) -> Result<(), u16> {
        let is_control = first & 0x08 != 0;
        if is_control && length > 125 {
            Err(PROTOCOL_ERROR)
        } else if !is_control
            && !self.is_compressed(first)
            && self.message.saturating_add(length) > self.limit
        {
            Err(MESSAGE_TOO_BIG)
        } else {
            Ok(())
        }
    }

    fn inflate(&mut self, payload: &[u8]) -> Result<(), u16> {
        let Some(deflate) = &mut self.deflate else { return Ok(()) };
        for piece in payload.chunks(PIECE) {
            self.message =
                deflate.inflate_masked(piece, self.mask, self.unmasked, self.message, self.limit)?;
            self.unmasked = (self.unmasked + piece.len()) % 4;
        }
        Ok(())
    }

    fn end_message(&mut self, ends: bool) -> Result<(), u16> {
        if ends && let Some(deflate) = &mut self.deflate {
            deflate.end(self.message, self.limit)?;
            self.message = 0;
        }
        Ok(())
    }
}

impl Follow for FrameReader {
    fn read_frame(&mut self, bytes: &[u8]) -> Result<usize, u16> {
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            if self.payload_left > 0 {
                let take = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(rest.len());
                let (payload, after) = rest.split_at(take);
                self.payload_left -= take as u64;
                if let Frame::Compressed { is_last } = self.frame {
                    self.inflate(payload)?;
                    self.end_message(is_last && self.payload_left == 0)?;
                }
                rest = after;
            } else {
                self.header.push(*first);
                rest = after;
                self.take_header()?;
            }
            if self.is_between() {
                break;
            }
        }
        Ok(bytes.len() - rest.len())
    }

    fn is_between(&self) -> bool {
        self.header.is_empty() && self.payload_left == 0
    }

    fn has_closed(&self) -> bool {
        self.has_closed
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
