//! Private keys in PEM (RFC 7468), also with line breaks that are written as `\n`, and ones that are cut off.

use super::{LONGEST, Text, Verdict};

pub(super) const TRIGGER: &str = "-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const WHAT: &str = "private key";
/// Bytes of a label, such as `OPENSSH PRIVATE KEY`.
const LONGEST_LABEL: usize = 40;
/// Bytes of a key that is cut off: less is not one.
const SHORTEST: usize = 40;

pub(super) fn judge(text: Text<'_>, start: usize) -> Verdict {
    if !text.from(start).starts_with(TRIGGER.as_bytes()) {
        return Verdict::No;
    }
    let label = start + TRIGGER.len();
    let (end, is_known) = text
        .run(label, LONGEST_LABEL, |byte| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'0'..=b'9'));
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
    let mut before = b'\n';
    for (index, &byte) in text.from(body).iter().take(LONGEST).enumerate() {
        let at = body + index;
        if byte == b'-' && text.from(at).starts_with(END) {
            return closed(text, start, at + END.len());
        }
        // Lines of the head of an encrypted key have spaces, and a key may be indented.
        let is_inside = byte.is_ascii_alphanumeric()
            || b"+/=\r\n\t\\:,-".contains(&byte)
            || (byte == b' ' && b": \n".contains(&before));
        if !is_inside {
            return if index < SHORTEST { Verdict::No } else { Verdict::Found(start..at, WHAT) };
        }
        before = byte;
    }
    let end = text.bytes.len().min(body + LONGEST);
    match (text.is_whole || end < text.bytes.len(), end - body) {
        (false, SHORTEST..) => Verdict::Begun(WHAT),
        (false, _) => Verdict::Open,
        (true, SHORTEST..) => Verdict::Found(start..end, WHAT),
        (true, _) => Verdict::No,
    }
}

/// The label and its dashes belong to it.
fn closed(text: Text<'_>, start: usize, label: usize) -> Verdict {
    let (mut end, is_known) = text
        .run(label, LONGEST_LABEL, |byte| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'0'..=b'9'));
    let rest = text.from(end);
    if rest.starts_with(DASHES) {
        end += DASHES.len();
    } else if !is_known || (!text.is_whole && DASHES.starts_with(rest)) {
        return Verdict::Begun(WHAT);
    }
    Verdict::Found(start..end, WHAT)
}
