//! A path as uvicorn and Starlette read it.
//!
//! uvicorn decodes it once, with Python's `urllib.parse.unquote`: what is not a percent-encoding stays as it is, what is not UTF-8 becomes
//! U+FFFD. Starlette matches the result with patterns, in which nothing but `/` is special. Neither resolves or cuts off anything.

use super::{LOOKALIKE_SEPARATORS, hex_value, looks_like_dot_segment};
use crate::Reason;

/// How often a path is decoded in search of what it hides. Each time costs its length.
const MOST_DECODINGS: usize = 4;

/// The decoded form, if it is another one.
pub(super) fn judge(path: &str) -> Result<Option<String>, Reason> {
    // uvicorn answers 400 to a path that is not ASCII.
    if !path.starts_with('/') || !path.is_ascii() {
        return Err(Reason::PathEncoding);
    }
    let decoded = read(path);
    judge_decoded(decoded.as_deref().unwrap_or(path))?;
    Ok(decoded)
}

/// The decoded form, if it is another one.
pub(super) fn read(path: &str) -> Option<String> {
    let decoded = unquote(path.as_bytes())?;
    Some(match String::from_utf8(decoded) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn judge_decoded(path: &str) -> Result<(), Reason> {
    let bytes = path.as_bytes();
    // Python's `$` stands before a line feed at the end, too: `/admin%0A` would be `/admin`, under another name.
    if memchr::memchr(0, bytes).is_some() || bytes.last() == Some(&b'\n') {
        return Err(Reason::PathControlCharacter);
    }
    if memchr::memmem::find(bytes, b"/.").is_some() && holds_dot_segment(path, &['/']) {
        return Err(Reason::PathDotSegment);
    }
    if memchr::memchr(b'\\', bytes).is_some() && holds_dot_segment(path, &['/', '\\']) {
        return Err(Reason::PathBackslash);
    }
    if !path.is_ascii() {
        let is_separator = |c: char| matches!(c, '/' | '\\') || LOOKALIKE_SEPARATORS.contains(&c);
        if path.split(is_separator).any(looks_like_dot_segment) {
            return Err(Reason::PathLookalike);
        }
    }
    let mut inner = bytes.to_vec();
    for _ in 0..MOST_DECODINGS {
        let Some(decoded) = unquote(&inner) else { break };
        if decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| matches!(segment, b"." | b"..")) {
            return Err(Reason::PathDoubleEncoded);
        }
        inner = decoded;
    }
    Ok(())
}

fn holds_dot_segment(path: &str, separators: &[char]) -> bool {
    path.split(separators).any(|segment| matches!(segment, "." | ".."))
}

/// `urllib.parse.unquote_to_bytes`; none if it changes nothing.
fn unquote(path: &[u8]) -> Option<Vec<u8>> {
    let mut next = memchr::memchr(b'%', path)?;
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    let mut has_changed = false;
    loop {
        let (before, after) = rest.split_at(next);
        decoded.extend_from_slice(before);
        let hex = |at: usize| after.get(at).copied().and_then(hex_value);
        let taken = if let (Some(high), Some(low)) = (hex(1), hex(2)) {
            decoded.push(high << 4 | low);
            has_changed = true;
            3
        } else {
            decoded.push(b'%');
            1
        };
        rest = after.get(taken..).unwrap_or_default();
        let Some(at) = memchr::memchr(b'%', rest) else {
            decoded.extend_from_slice(rest);
            return has_changed.then_some(decoded);
        };
        next = at;
    }
}
