//! A path that every server reads in the same way.

use std::borrow::Cow;

use super::{LOOKALIKE_SEPARATORS, hex_value, looks_like_dot_segment};
use crate::Reason;

/// The canonical spelling of the path, and its decoded form if that is another.
pub(super) fn judge(path: &str, semicolons: bool) -> Result<(Cow<'_, str>, Option<String>), Reason> {
    let bytes = path.as_bytes();
    if !path.starts_with('/') || !path.is_ascii() {
        return Err(Reason::PathEncoding);
    }
    if !semicolons && memchr::memchr(b';', bytes).is_some() {
        return Err(Reason::PathParameter);
    }
    let (sent, decoded) = if memchr::memchr(b'%', bytes).is_some() {
        let (sent, decoded) = decode(bytes)?;
        let decoded = String::from_utf8(decoded).map_err(|_| Reason::PathEncoding)?;
        (Cow::Owned(sent), Some(decoded))
    } else {
        (Cow::Borrowed(path), None)
    };
    judge_decoded(decoded.as_deref().unwrap_or(path))?;
    Ok((sent, decoded))
}

fn judge_decoded(path: &str) -> Result<(), Reason> {
    if path.starts_with("//") {
        return Err(Reason::PathEmptySegment);
    }
    if path.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Err(Reason::PathControlCharacter);
    }
    if memchr::memchr(b'\\', path.as_bytes()).is_some() {
        return Err(Reason::PathBackslash);
    }
    let plain = path.is_ascii();
    if !plain && path.contains(LOOKALIKE_SEPARATORS) {
        return Err(Reason::PathLookalike);
    }
    for segment in path.split('/') {
        if segment == "." || segment == ".." {
            return Err(Reason::PathDotSegment);
        }
        if !plain && looks_like_dot_segment(segment) {
            return Err(Reason::PathLookalike);
        }
    }
    if reveals_more(path.as_bytes()) {
        return Err(Reason::PathDoubleEncoded);
    }
    Ok(())
}

/// Whether decoding once more would reveal a `.`, `/`, `\`, `%` or a control character.
fn reveals_more(decoded: &[u8]) -> bool {
    memchr::memchr_iter(b'%', decoded).any(|at| {
        let hex = |offset: usize| decoded.get(at + offset).copied().and_then(hex_value);
        match (hex(1), hex(2)) {
            (Some(high), Some(low)) => {
                let byte = high << 4 | low;
                byte < 0x20 || matches!(byte, b'.' | b'/' | b'\\' | b'%' | 0x7f)
            }
            _ => false,
        }
    })
}

/// The canonical spelling and the decoded bytes.
fn decode(path: &[u8]) -> Result<(String, Vec<u8>), Reason> {
    let mut sent = String::with_capacity(path.len());
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            sent.push(char::from(byte));
            decoded.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (rest.next().and_then(hex_value), rest.next().and_then(hex_value))
        else {
            return Err(Reason::PathEncoding);
        };
        let byte = high << 4 | low;
        decoded.push(byte);
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            sent.push(char::from(byte));
        } else {
            sent.push('%');
            for nibble in [high, low] {
                sent.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    Ok((sent, decoded))
}
