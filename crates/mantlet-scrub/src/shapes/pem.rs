//! Private keys in PEM (RFC 7468), also with line breaks that are written as `\n`, and ones that are cut off.

use super::{Kind, LONGEST, Text, Verdict};

pub(super) const TRIGGER: &str = "-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const WHAT: &str = "private key";
/// Bytes of a label, such as `OPENSSH PRIVATE KEY`.
const LONGEST_LABEL: usize = 40;
/// Bytes of a key that is cut off: less is not one.
const SHORTEST: usize = 40;
/// Characters of a line of a key: less may be a word of what was printed next.
const SHORTEST_LINE: usize = 16;
const HEADERS: [&[u8]; 2] = [b"Proc-Type: ", b"DEK-Info: "];

pub(super) fn judge(text: Text<'_>, start: usize) -> Verdict {
    if !text.from(start).starts_with(TRIGGER.as_bytes()) {
        return Verdict::No;
    }
    let label = start + TRIGGER.len();
    let (end, is_known) = text.run(label, LONGEST_LABEL, Kind::Label);
    if !is_known {
        return Verdict::Open;
    }
    let dashes = text.from(end);
    if !text.at(label..end).ends_with(b"PRIVATE KEY") {
        return Verdict::No;
    }
    if !dashes.starts_with(DASHES) {
        let may_be = !text.is_whole && DASHES.starts_with(dashes);
        return if may_be { Verdict::Open } else { Verdict::No };
    }
    body(text, start, end + DASHES.len())
}

fn body(text: Text<'_>, start: usize, body: usize) -> Verdict {
    let bytes = text.at(body..text.bytes.len().min(body + LONGEST));
    let is_last = text.is_whole || bytes.len() == LONGEST;
    let found = |key: usize, end: usize| {
        if key < SHORTEST { Verdict::No } else { Verdict::Found(start..body + end, WHAT) }
    };
    let Some(mut at) = headers(bytes, is_last) else { return Verdict::Open };
    // Characters of the key, where they end, and how long its first line is.
    let (mut key, mut end, mut first) = (0, at, None::<(usize, bool)>);
    loop {
        let line = at + breaks(rest(bytes, at));
        if rest(bytes, line).starts_with(END) && key > 0 {
            return closed(text, start, body + line + END.len());
        }
        let length = base64(rest(bytes, line));
        let line_end = line + length;
        let after = rest(bytes, line_end);
        text.runs.look(line_end - at + breaks(after) + 1);
        if !is_last && may_go_on(after) {
            return if key + length < SHORTEST { Verdict::Open } else { Verdict::Begun(WHAT) };
        }
        let is_line = breaks(after) > 0;
        let is_closed = rest(after, breaks(after)).starts_with(END);
        let is_cut = after.is_empty() || matches!(after, [b'"' | b'\'' | b'\\', ..]);
        // What follows a key that is cut off is not a part of it: a shorter line is the last one, and ordinary lines
        // have other characters.
        let fits = match first {
            None => true,
            Some(_) if is_closed => true,
            Some((_, is_short)) => !is_short && length >= SHORTEST_LINE && (is_line || is_cut),
        };
        if length == 0 || !fits {
            return found(key, end);
        }
        (key, end, at) = (key + length, line_end, line_end);
        if !is_line && !is_closed {
            return found(key, end);
        }
        let first_length = first.map_or(length, |(first, _)| first);
        first = Some((first_length, length < first_length));
    }
}

fn rest(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

/// Whether what stands here may be the beginning of a line break, of a line or of the end.
fn may_go_on(bytes: &[u8]) -> bool {
    let line = rest(bytes, breaks(bytes));
    line.iter().all(|byte| *byte == b'\\') || END.starts_with(line)
}

/// How many bytes of line breaks and indentation stand here, also as `\n`, `\r` and `\t` with any number of backslashes.
fn breaks(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match rest(bytes, at) {
            [b'\n' | b'\r' | b'\t', ..] => at += 1,
            [b' ', ..] if at > 0 => at += 1,
            [b'\\', ..] => {
                let backslashes = rest(bytes, at).iter().take_while(|byte| **byte == b'\\').count();
                if !matches!(bytes.get(at + backslashes), Some(b'n' | b'r' | b't')) {
                    return at;
                }
                at += backslashes + 1;
            }
            _ => return at,
        }
    }
}

/// How many bytes of base64 stand here, also with `\/` for `/`.
fn base64(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match rest(bytes, at) {
            [byte, ..] if Kind::Base64.has(*byte) => at += 1,
            [b'\\', b'/', ..] => at += 2,
            _ => return at,
        }
    }
}

/// How long the head of an encrypted key is (RFC 1421): lines of `Name: value`, of two names. None if it may go on.
fn headers(bytes: &[u8], is_last: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = at + breaks(rest(bytes, at));
        let text = rest(bytes, line);
        if !is_last && HEADERS.iter().any(|name| name.starts_with(text)) {
            return None;
        }
        if !HEADERS.iter().any(|name| text.starts_with(name)) {
            return Some(at);
        }
        let is_value = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-: ,".contains(*byte);
        at = line + text.iter().take_while(is_value).count();
    }
}

/// The label and its dashes belong to it.
fn closed(text: Text<'_>, start: usize, label: usize) -> Verdict {
    let (mut end, is_known) = text.run(label, LONGEST_LABEL, Kind::Label);
    let rest = text.from(end);
    if rest.starts_with(DASHES) {
        end += DASHES.len();
    } else if !is_known || (!text.is_whole && DASHES.starts_with(rest)) {
        return Verdict::Begun(WHAT);
    }
    Verdict::Found(start..end, WHAT)
}
