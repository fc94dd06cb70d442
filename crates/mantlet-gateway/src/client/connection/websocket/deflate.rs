//! The size of compressed messages (RFC 7692). They are inflated to be counted, and the output is
//! discarded.

use std::cell::RefCell;

use flate2::{Decompress, FlushDecompress, Status};
use http::{HeaderMap, header};

use super::{INVALID_DATA, MESSAGE_TOO_BIG};

/// Bytes unmasked at once, and inflated at once; two buffers for each thread.
pub(super) const PIECE: usize = 16 << 10;
/// The end of each message, which senders leave out (RFC 7692 section 7.2.2).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

thread_local! {
    static UNMASKED: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
    static INFLATED: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
}

/// The agreed parameters, and the state that lasts from message to message.
#[derive(Debug)]
pub(super) struct Deflate {
    /// Created for the first compressed message, because many clients send none.
    inflater: Option<Decompress>,
    /// Each message is compressed without the context of earlier ones.
    forgets: bool,
    window_bits: u8,
    /// The message under way is compressed.
    pub(super) is_under_way: bool,
}

impl Deflate {
    /// Reads the app's response to the handshake.
    pub(super) fn agreed(answer: &HeaderMap) -> Option<Self> {
        let values = answer.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter();
        let mut extensions =
            values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let mut parameters = extensions.find_map(|extension| {
            let mut words = extension.split(';').map(str::trim);
            words.next()?.eq_ignore_ascii_case("permessage-deflate").then_some(words)
        })?;
        let (mut forgets, mut window_bits) = (false, 15);
        for parameter in &mut parameters {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name.trim() {
                "client_no_context_takeover" => forgets = true,
                "client_max_window_bits" => {
                    window_bits = value.trim().trim_matches('"').parse().unwrap_or(15);
                }
                _ => {}
            }
        }
        // zlib needs a window of at least 512 bytes; one larger than the sender's does no harm.
        Some(Self { inflater: None, forgets, window_bits: window_bits.clamp(9, 15), is_under_way: false })
    }

    /// Inflates a piece of a message whose first byte is byte `at` of its frame. Returns the size
    /// of the message so far.
    pub(super) fn inflate_masked(
        &mut self,
        piece: &[u8],
        mask: [u8; 4],
        at: usize,
        message: u64,
        limit: u64,
    ) -> Result<u64, u16> {
        UNMASKED.with_borrow_mut(|unmasked| {
            let key = mask.iter().cycle().skip(at % 4);
            for ((to, from), key) in unmasked.iter_mut().zip(piece).zip(key) {
                *to = from ^ key;
            }
            self.inflate(unmasked.get(..piece.len()).unwrap_or_default(), message, limit)
        })
    }

    /// The message is complete.
    pub(super) fn end(&mut self, message: u64, limit: u64) -> Result<(), u16> {
        self.inflate(&TAIL, message, limit)?;
        self.is_under_way = false;
        if self.forgets {
            self.inflater = None;
        }
        Ok(())
    }

    fn inflate(&mut self, mut input: &[u8], mut message: u64, limit: u64) -> Result<u64, u16> {
        let bits = self.window_bits;
        let inflater = self.inflater.get_or_insert_with(|| Decompress::new_with_window_bits(false, bits));
        INFLATED.with_borrow_mut(|output| {
            loop {
                let (read, written) = (inflater.total_in(), inflater.total_out());
                let status =
                    inflater.decompress(input, output, FlushDecompress::Sync).map_err(|_| INVALID_DATA)?;
                let taken = usize::try_from(inflater.total_in() - read).unwrap_or(usize::MAX);
                let made = inflater.total_out() - written;
                input = input.get(taken..).unwrap_or_default();
                message += made;
                if message > limit {
                    return Err(MESSAGE_TOO_BIG);
                }
                if status == Status::StreamEnd {
                    // A message may end in a final block; the next one starts a new stream.
                    inflater.reset(false);
                } else if taken == 0 && made == 0 || input.is_empty() && made < output.len() as u64 {
                    return Ok(message);
                }
                if input.is_empty() && status == Status::StreamEnd {
                    return Ok(message);
                }
            }
        })
    }
}
