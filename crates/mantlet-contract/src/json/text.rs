//! Texts: the end of one, and its escapes.

use super::parse::Stop;

/// A text that was read; the end is after its closing quote.
pub(super) enum Scanned {
    Plain { end: usize },
    Decoded { end: usize, text: String, broken: bool },
}

/// Reads the text whose opening quote is at the start.
pub(super) fn scan(all: &str, start: usize) -> Result<Scanned, Stop> {
    let bytes = all.as_bytes();
    let mut at = plain(bytes, start + 1);
    if bytes.get(at) == Some(&b'"') {
        return Ok(Scanned::Plain { end: at + 1 });
    }
    let mut text = String::new();
    let mut from = start + 1;
    let mut broken = false;
    loop {
        text.push_str(all.get(from..at).unwrap_or_default());
        match bytes.get(at) {
            Some(b'"') => return Ok(Scanned::Decoded { end: at + 1, text, broken }),
            Some(b'\\') => at = escape(all, start, at, &mut text, &mut broken)?,
            Some(_) => return Err(Stop::At(at, "Invalid control character at")),
            None => return Err(Stop::At(start, "Unterminated string starting at")),
        }
        from = at;
        at = plain(bytes, at);
    }
}

/// Where the next quote, backslash or control character is, or the end.
fn plain(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F)).unwrap_or(rest.len())
}

/// Reads the escape at a backslash; returns where it ends.
fn escape(all: &str, start: usize, at: usize, text: &mut String, broken: &mut bool) -> Result<usize, Stop> {
    let plain = match all.as_bytes().get(at + 1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(all, at, text, broken),
        Some(_) => return Err(Stop::At(at, "Invalid \\escape")),
        None => return Err(Stop::At(start, "Unterminated string starting at")),
    };
    text.push(plain);
    Ok(at + 2)
}

/// Reads `\uXXXX`, and the other half of a pair if it follows.
fn unicode(all: &str, at: usize, text: &mut String, broken: &mut bool) -> Result<usize, Stop> {
    let first = hex(all, at)?;
    let end = at + 6;
    if (0xD800..0xDC00).contains(&first) && all.as_bytes().get(end..end + 2) == Some(b"\\u") {
        let second = hex(all, end)?;
        if (0xDC00..0xE000).contains(&second) {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            return Ok(end + 6);
        }
    }
    text.push(char::from_u32(first).unwrap_or_else(|| {
        *broken = true;
        char::REPLACEMENT_CHARACTER
    }));
    Ok(end)
}

/// The four digits of the escape at a backslash. There must be a character after them, as Python has it.
fn hex(all: &str, at: usize) -> Result<u32, Stop> {
    let rest = all.get(at + 2..).unwrap_or_default();
    if rest.chars().take(5).count() < 5 {
        return Err(Stop::At(at + 1, "Invalid \\uXXXX escape"));
    }
    let digits = rest.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or(Stop::At(at + 1, "Invalid \\uXXXX escape"))
}
