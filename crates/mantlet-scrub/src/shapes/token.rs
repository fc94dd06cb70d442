//! JSON Web Tokens, and signed cookies such as those of Starlette's `SessionMiddleware`.
//!
//! A run of base64 is one if (1) its first part decodes to an object in JSON, and (2) that object has `alg` (RFC 7515,
//! 7516), or a time and a signature follow (itsdangerous).

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

use super::{LONGEST, Text, Verdict, is_word};

/// `{"` in base64.
pub(super) const TRIGGER: &str = "eyJ";
/// Bytes of a first part. A certificate in it is a few KiB long.
const LONGEST_HEAD: usize = 8 << 10;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// What base64 of either alphabet says, with or without padding.
pub(super) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE.decode(text).or_else(|_| STANDARD.decode(text)).ok()
}

pub(super) fn judge(text: Text<'_>, start: usize) -> Verdict {
    if !text.from(start).starts_with(TRIGGER.as_bytes()) || !text.is_start(start) {
        return Verdict::No;
    }
    let (end, is_known) =
        text.run(start, LONGEST_HEAD, |byte| is_word(byte) || matches!(byte, b'+' | b'/' | b'='));
    if !is_known {
        return Verdict::Open;
    }
    if text.bytes.get(end) != Some(&b'.') {
        return Verdict::No;
    }
    let head = decoded(text.at(start..end));
    let Some(head) = head.and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok()) else {
        return Verdict::No;
    };
    if head.contains_key("alg") { token(text, start, end) } else { signed(text, start, end) }
}

fn token(text: Text<'_>, start: usize, head: usize) -> Verdict {
    let (end, is_known) = text.run(head, LONGEST, |byte| is_word(byte) || byte == b'.');
    if !is_known {
        return Verdict::Begun("jwt");
    }
    // The end of a sentence is not a part of it.
    let stops = text.at(head + 1..end).iter().rev().take_while(|byte| **byte == b'.').count();
    Verdict::Found(start..end - stops, "jwt")
}

/// `PAYLOAD.TIME.SIGNATURE`: the time has 4 to 6 bytes, the signature 20 (SHA-1) or more.
fn signed(text: Text<'_>, start: usize, payload: usize) -> Verdict {
    let (time, is_known) = text.run(payload + 1, 9, is_word);
    if !is_known {
        return Verdict::Open;
    }
    if !(6..=8).contains(&(time - payload - 1)) || text.bytes.get(time) != Some(&b'.') {
        return Verdict::No;
    }
    let (end, is_known) = text.run(time + 1, 128, is_word);
    if !is_known {
        return Verdict::Open;
    }
    if end - time > 27 { Verdict::Found(start..end, "session") } else { Verdict::No }
}
