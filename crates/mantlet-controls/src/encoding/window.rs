//! Codings whose decoders keep a window of megabytes: `br` (RFC 7932) and `zstd` (RFC 8878). Few of them run at once.

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    sync::atomic::{AtomicUsize, Ordering},
};

use brotli_decompressor::DecompressorWriter;
use ruzstd::decoding::FrameDecoder;

/// Decoders at once, of at most 16 MiB each. Further bodies are not inflated.
const MOST: usize = 16;
/// Largest window of a zstd frame: what RFC 9659 allows in HTTP.
const ZSTD_WINDOW: u64 = 8 << 20;
/// Longest header of a zstd frame.
const ZSTD_HEADER: usize = 18;
/// Largest block of it (RFC 8878 section 3.1.1.2.3).
const ZSTD_BLOCK: usize = 128 << 10;
/// Bytes that are passed on at once.
const PIECE: usize = 16 << 10;

static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Leave to run one of them.
#[derive(Debug)]
pub(super) struct Leave(());

impl Leave {
    pub(super) fn take() -> Option<Self> {
        let more = |running: usize| (running < MOST).then_some(running + 1);
        RUNNING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(()))
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `br`
pub(super) struct Brotli<W: Write> {
    decoder: Box<DecompressorWriter<W>>,
    _leave: Leave,
}

impl<W: Write> fmt::Debug for Brotli<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Brotli")
    }
}

impl<W: Write> Brotli<W> {
    pub(super) fn new(output: W, leave: Leave) -> Self {
        Self { decoder: Box::new(DecompressorWriter::new(output, PIECE)), _leave: leave }
    }

    pub(super) fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        self.decoder.write_all(data)
    }

    pub(super) fn try_finish(&mut self) -> io::Result<()> {
        self.decoder.close()
    }

    pub(super) fn get_mut(&mut self) -> &mut W {
        self.decoder.get_mut()
    }
}

/// `zstd`: frames, one after the other.
pub(super) struct Zstd<W> {
    decoder: Box<FrameDecoder>,
    output: W,
    /// Unread input, less than a block.
    input: Vec<u8>,
    state: State,
    _leave: Leave,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between frames.
    Between,
    /// So many bytes of a skippable frame are left.
    Skipping(u64),
    /// In a frame.
    Blocks,
    /// Its last block has come, not yet its checksum.
    Checksum,
}

impl<W> fmt::Debug for Zstd<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zstd({:?})", self.state)
    }
}

impl<W: Write> Zstd<W> {
    pub(super) fn new(output: W, leave: Leave) -> Self {
        let mut decoder = Box::new(FrameDecoder::new());
        decoder.set_max_window_size(ZSTD_WINDOW);
        Self { decoder, output, input: Vec::new(), state: State::Between, _leave: leave }
    }

    pub(super) const fn get_mut(&mut self) -> &mut W {
        &mut self.output
    }

    pub(super) fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        self.input.extend_from_slice(data);
        self.read(false)
    }

    /// The input ends: no frame may be incomplete.
    pub(super) fn try_finish(&mut self) -> io::Result<()> {
        self.read(true)?;
        if self.state == State::Between && self.input.is_empty() {
            Ok(())
        } else {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    /// Reads complete blocks one at a time, because a block of four bytes may become 128 KiB.
    fn read(&mut self, is_end: bool) -> io::Result<()> {
        let mut from = 0;
        while let Some(used) = self.step(from, is_end)? {
            from += used;
        }
        self.input.drain(..from.min(self.input.len()));
        Ok(())
    }

    /// The number of bytes used from there; none if more are needed.
    fn step(&mut self, from: usize, is_end: bool) -> io::Result<Option<usize>> {
        let rest = self.input.get(from..).unwrap_or_default();
        match self.state {
            State::Between if rest.is_empty() => Ok(None),
            State::Between if rest.len() < ZSTD_HEADER && !is_end => Ok(None),
            State::Between => {
                if let Some((head, _)) = rest.split_first_chunk::<8>()
                    && let [0x50..=0x5F, 0x2A, 0x4D, 0x18, a, b, c, d] = *head
                {
                    self.state = State::Skipping(u32::from_le_bytes([a, b, c, d]).into());
                    return Ok(Some(head.len()));
                }
                let mut left = rest;
                self.decoder.reset(&mut left).map_err(|_| malformed())?;
                self.state = State::Blocks;
                Ok(Some(rest.len() - left.len()))
            }
            State::Skipping(0) => {
                self.state = State::Between;
                Ok(Some(0))
            }
            State::Skipping(_) if rest.is_empty() => Ok(None),
            State::Skipping(left) => {
                let skipped = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                self.state = State::Skipping(left - skipped as u64);
                Ok(Some(skipped))
            }
            State::Blocks => {
                let Some(([a, b, c], _)) = rest.split_first_chunk::<3>() else { return Ok(None) };
                let header = u32::from_le_bytes([*a, *b, *c, 0]);
                let size = (header >> 3) as usize;
                if size > ZSTD_BLOCK {
                    return Err(malformed());
                }
                // The content of a run is one byte, whatever its size.
                let length = 3 + if (header >> 1) & 3 == 1 { 1 } else { size };
                let Some(block) = rest.get(..length) else { return Ok(None) };
                self.decoder.decode_from_to(block, &mut []).map_err(|_| malformed())?;
                if header & 1 == 1 {
                    self.state = State::Checksum;
                }
                self.hand_on()?;
                Ok(Some(length))
            }
            State::Checksum if self.decoder.is_finished() => {
                self.hand_on()?;
                self.state = State::Between;
                Ok(Some(0))
            }
            State::Checksum => {
                let Some(checksum) = rest.get(..4) else { return Ok(None) };
                self.decoder.decode_from_to(checksum, &mut []).map_err(|_| malformed())?;
                Ok(Some(4))
            }
        }
    }

    /// Passes on the output that no later block refers to.
    fn hand_on(&mut self) -> io::Result<()> {
        let mut piece = [0; PIECE];
        loop {
            let length = self.decoder.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            self.output.write_all(piece.get(..length).unwrap_or_default())?;
        }
    }
}

fn malformed() -> io::Error {
    ErrorKind::InvalidData.into()
}
