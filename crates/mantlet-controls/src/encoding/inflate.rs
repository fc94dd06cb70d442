//! Inflates a body as it passes, and discards the output.

use std::{
    fmt,
    io::{self, Write},
    sync::Arc,
};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::{
    Coding, Policy,
    window::{Brotli, Leave, Zstd},
};
use crate::{Mode, Reason, message::Findings};

/// Inflated bytes to which the ratio does not apply.
const FREE: u64 = 1 << 20;

/// A body beyond its ratio is still inflated up to its size limit, if that is at most this: the
/// size of a body that an app holds in memory. Inflating gigabytes would cost more than it shows.
const DEAR: u64 = 256 << 20;

/// Receives the inflated content of a body.
pub(crate) trait Within: fmt::Debug + Send + Sync {
    /// The next piece.
    fn see(&mut self, data: &[u8]) -> Result<(), Reason>;

    /// There is no more.
    fn end(&mut self) -> Result<(), Reason>;

    /// The rest cannot be inflated.
    fn give_up(&self) -> Result<(), Reason>;

    /// The content is ignored.
    fn is_unseen(&self) -> Result<(), Reason>;
}

/// Watches one compressed body. It needs the memory of the decoder: a window of 32 KiB and as much
/// for output, or up to 16 MiB for `br` and `zstd`.
#[derive(Debug)]
pub(crate) struct Inflate {
    decoder: Decoder,
    findings: Arc<Findings>,
    policy: Arc<Policy>,
}

#[derive(Debug)]
enum Decoder {
    Gzip(MultiGzDecoder<Counter>),
    Zlib(ZlibDecoder<Counter>),
    Raw(DeflateDecoder<Counter>),
    Brotli(Brotli<Counter>),
    Zstd(Zstd<Counter>),
    /// `deflate` is zlib's format (RFC 9110 section 8.4.1.2), or raw deflate, which some clients
    /// send under its name. The first two bytes tell which.
    Deflate(Vec<u8>, Counter),
    /// The body is invalid, or enough of it has been seen.
    Lost,
}

/// Counts what comes out of a decoder.
#[derive(Debug)]
struct Counter {
    received: u64,
    inflated: u64,
    /// How large it may become.
    most: u64,
    policy: Arc<Policy>,
    findings: Arc<Findings>,
    form: Option<Box<dyn Within>>,
    /// It is known to be larger than its ratio allows, and that is only reported.
    is_told: bool,
    /// Once it stops: whether the body must end there.
    verdict: Option<Result<(), Reason>>,
}

impl Counter {
    fn is_dense(&self) -> bool {
        self.inflated > FREE && self.inflated / u64::from(self.policy.max_ratio) > self.received
    }

    /// The decision, if there is one yet.
    fn see(&mut self, data: &[u8]) -> Option<Result<(), Reason>> {
        self.inflated += data.len() as u64;
        let policy = &self.policy;
        let noted = if self.inflated > self.most {
            Some(self.findings.note(Reason::BodyTooLarge, policy.mode, policy.mode, "inflated"))
        } else if !self.is_told && self.is_dense() {
            let noted = self.findings.note(Reason::BodyBomb, policy.bomb, policy.mode, "the ratio");
            self.is_told = noted.is_ok() && policy.mode == Mode::Enforce && self.most <= DEAR;
            (!self.is_told).then_some(noted)
        } else {
            None
        };
        if let Some(noted) = noted {
            // Stops inflating.
            return Some(noted.and_then(|()| self.form.as_ref().map_or(Ok(()), |form| form.is_unseen())));
        }
        self.form.as_mut().and_then(|form| form.see(data).err().map(Err))
    }
}

impl Write for Counter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // A decoder that ends passes on its remaining output.
        if self.verdict.is_some() {
            return Err(io::ErrorKind::Other.into());
        }
        if let Some(verdict) = self.see(data) {
            self.verdict = Some(verdict);
            return Err(io::ErrorKind::Other.into());
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Inflate {
    pub(crate) fn begin(
        coding: Coding,
        most: u64,
        policy: Arc<Policy>,
        form: Option<Box<dyn Within>>,
        findings: Arc<Findings>,
    ) -> Result<Self, Reason> {
        let leave = matches!(coding, Coding::Brotli | Coding::Zstd).then(Leave::take);
        if let Some(None) = leave {
            let what = "too many at once";
            findings.note(Reason::ContentEncodingUnsupported, policy.unreadable(), policy.mode, what)?;
            form.as_ref().map_or(Ok(()), |form| form.is_unseen())?;
        }
        let leave = leave.flatten();
        let counter = Counter {
            received: 0,
            inflated: 0,
            most,
            policy: Arc::clone(&policy),
            findings: Arc::clone(&findings),
            form,
            is_told: false,
            verdict: None,
        };
        let decoder = match (coding, leave) {
            (Coding::Gzip, _) => Decoder::Gzip(MultiGzDecoder::new(counter)),
            (Coding::Deflate, _) => Decoder::Deflate(Vec::new(), counter),
            (Coding::Brotli, Some(leave)) => Decoder::Brotli(Brotli::new(counter, leave)),
            (Coding::Zstd, Some(leave)) => Decoder::Zstd(Zstd::new(counter, leave)),
            (Coding::Brotli | Coding::Zstd, None) => Decoder::Lost,
        };
        Ok(Self { decoder, findings, policy })
    }

    /// The next piece.
    pub(crate) fn see(&mut self, data: &[u8]) -> Result<(), Reason> {
        match std::mem::replace(&mut self.decoder, Decoder::Lost) {
            Decoder::Deflate(mut first, counter) => {
                first.extend_from_slice(data);
                self.decoder = match first.first_chunk::<2>() {
                    None => {
                        self.decoder = Decoder::Deflate(first, counter);
                        return Ok(());
                    }
                    Some(mark) if mark[0] & 0x0F == 8 && u16::from_be_bytes(*mark) % 31 == 0 => {
                        Decoder::Zlib(ZlibDecoder::new(counter))
                    }
                    Some(_) => Decoder::Raw(DeflateDecoder::new(counter)),
                };
                self.push(&first)
            }
            decoder => {
                self.decoder = decoder;
                self.push(data)
            }
        }
    }

    fn push(&mut self, data: &[u8]) -> Result<(), Reason> {
        if let Some(counter) = self.decoder.counter() {
            counter.received += data.len() as u64;
        }
        let written = match &mut self.decoder {
            Decoder::Gzip(decoder) => decoder.write_all(data),
            Decoder::Zlib(decoder) => decoder.write_all(data),
            Decoder::Raw(decoder) => decoder.write_all(data),
            Decoder::Brotli(decoder) => decoder.write_all(data),
            Decoder::Zstd(decoder) => decoder.write_all(data),
            Decoder::Deflate(..) | Decoder::Lost => Ok(()),
        };
        self.settle(written.is_ok())
    }

    /// There is no more.
    pub(crate) fn end(&mut self) -> Result<(), Reason> {
        let finished = match &mut self.decoder {
            Decoder::Gzip(decoder) => decoder.try_finish(),
            Decoder::Zlib(decoder) => decoder.try_finish(),
            Decoder::Raw(decoder) => decoder.try_finish(),
            Decoder::Brotli(decoder) => decoder.try_finish(),
            Decoder::Zstd(decoder) => decoder.try_finish(),
            Decoder::Deflate(first, _) if first.is_empty() => Ok(()),
            Decoder::Deflate(..) => Err(io::ErrorKind::UnexpectedEof.into()),
            Decoder::Lost => return Ok(()),
        };
        self.settle(finished.is_ok())?;
        match self.decoder.counter().and_then(|counter| counter.form.as_mut()) {
            Some(form) => form.end(),
            None => Ok(()),
        }
    }

    fn settle(&mut self, succeeded: bool) -> Result<(), Reason> {
        if succeeded {
            return Ok(());
        }
        if let Some(verdict) = self.decoder.counter().and_then(|counter| counter.verdict) {
            self.decoder = Decoder::Lost;
            return verdict;
        }
        let policy = &self.policy;
        self.findings.note(Reason::ContentEncodingMalformed, policy.unreadable(), policy.mode, "the body")?;
        let form = self.decoder.counter().and_then(|counter| counter.form.as_ref());
        let seen = form.map_or(Ok(()), |form| form.give_up());
        self.decoder = Decoder::Lost;
        seen
    }
}

impl Decoder {
    fn counter(&mut self) -> Option<&mut Counter> {
        match self {
            Self::Gzip(decoder) => Some(decoder.get_mut()),
            Self::Zlib(decoder) => Some(decoder.get_mut()),
            Self::Raw(decoder) => Some(decoder.get_mut()),
            Self::Brotli(decoder) => Some(decoder.get_mut()),
            Self::Zstd(decoder) => Some(decoder.get_mut()),
            Self::Deflate(_, counter) => Some(counter),
            Self::Lost => None,
        }
    }
}
