//! JSON Web Tokens, and signed cookies such as those of Starlette's `SessionMiddleware`.
//!
//! A run of base64 is one if (1) its first part decodes to an object in JSON, and (2) that object has `alg` (RFC 7515,
//! 7516), or a time and a signature follow (itsdangerous).

use std::io::{self, Read};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

use super::{Kind, LONGEST, Runs, Text, Verdict};

/// `{"` in base64.
pub(super) const TRIGGER: &str = "eyJ";
/// Bytes of a first part. A certificate in it is a few KiB long.
const LONGEST_HEAD: usize = 8 << 10;
/// `{"a":1}` in base64.
const SHORTEST_HEAD: usize = 10;

/// Characters that are decoded together: a multiple of 4.
const CHUNK: usize = 32;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const UNPADDED: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    LENIENT.with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// What base64 of either alphabet says, with or without padding.
pub(super) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE.decode(text).or_else(|_| STANDARD.decode(text)).ok()
}

pub(super) fn judge(text: Text<'_>, start: usize) -> Verdict {
    if !text.from(start).starts_with(TRIGGER.as_bytes()) || !text.is_start(start) {
        return Verdict::No;
    }
    let (end, is_known) = text.run(start, LONGEST_HEAD, Kind::EitherBase64);
    if !is_known {
        return Verdict::Open;
    }
    if text.bytes.get(end) != Some(&b'.') || end - start < SHORTEST_HEAD {
        return Verdict::No;
    }
    let head =
        Head { text: unpadded(text.at(start..end)), bytes: [0; CHUNK], at: 0, end: 0, runs: text.runs };
    let Ok(head) = serde_json::from_reader::<_, Map<String, Value>>(head) else { return Verdict::No };
    if head.contains_key("alg") { token(text, start, end) } else { signed(text, start, end) }
}

/// Base64 without its padding.
fn unpadded(text: &[u8]) -> &[u8] {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    text.get(..text.len() - padding).unwrap_or_default()
}

/// Decodes only as far as it is read: most of what is not JSON ends at once.
struct Head<'t> {
    text: &'t [u8],
    bytes: [u8; CHUNK],
    at: usize,
    end: usize,
    runs: &'t Runs,
}

impl Read for Head<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.end {
            let (chunk, rest) = self.text.split_at(self.text.len().min(CHUNK));
            self.runs.look(chunk.len());
            let mut plain = [0; CHUNK];
            for (plain, byte) in plain.iter_mut().zip(chunk) {
                *plain = match byte {
                    b'-' => b'+',
                    b'_' => b'/',
                    byte => *byte,
                };
            }
            let plain = plain.get(..chunk.len()).unwrap_or_default();
            self.end = UNPADDED.decode_slice(plain, &mut self.bytes).map_err(io::Error::other)?;
            (self.at, self.text) = (0, rest);
        }
        let bytes = self.bytes.get(self.at..self.end).unwrap_or_default();
        let length = bytes.len().min(out.len());
        for (out, byte) in out.iter_mut().zip(bytes) {
            *out = *byte;
        }
        self.at += length;
        Ok(length)
    }
}

fn token(text: Text<'_>, start: usize, head: usize) -> Verdict {
    let (end, is_known) = text.run(head, LONGEST, Kind::Dotted);
    if !is_known {
        return Verdict::Begun("jwt");
    }
    // The end of a sentence is not a part of it.
    let stops = text.at(head + 1..end).iter().rev().take_while(|byte| **byte == b'.').count();
    Verdict::Found(start..end - stops, "jwt")
}

/// `PAYLOAD.TIME.SIGNATURE`: the time has 4 to 6 bytes, the signature 20 (SHA-1) or more.
fn signed(text: Text<'_>, start: usize, payload: usize) -> Verdict {
    let (time, is_known) = text.run(payload + 1, 9, Kind::Word);
    if !is_known {
        return Verdict::Open;
    }
    if !(6..=8).contains(&(time - payload - 1)) || text.bytes.get(time) != Some(&b'.') {
        return Verdict::No;
    }
    let (end, is_known) = text.run(time + 1, 128, Kind::Word);
    if !is_known {
        return Verdict::Open;
    }
    if end - time > 27 { Verdict::Found(start..end, "session") } else { Verdict::No }
}
