//! Passwords in URLs: `scheme://user:password@host`. Only the password is replaced.

use super::{Text, Verdict};

/// How a URL is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    Plain,
    /// Percent-encoded, as a part of another URL.
    Encoded,
}

pub(super) const TRIGGERS: &[(&str, Writing)] = &[
    ("://", Writing::Plain),
    // As some write it in JSON, and in JSON within JSON.
    (r":\/\/", Writing::Plain),
    (r":\\/\\/", Writing::Plain),
    ("%3a%2f%2f", Writing::Encoded),
];

/// Bytes of user, password and host. What is longer is not looked at.
const LONGEST: usize = 1 << 10;

pub(super) fn judge(text: Text<'_>, start: usize, from: usize, writing: Writing) -> Verdict {
    if !text.byte_before(start).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return Verdict::No;
    }
    let ends: fn(&[u8]) -> bool = match writing {
        Writing::Plain => |rest| {
            rest.first().is_some_and(|byte| {
                byte.is_ascii_whitespace() || byte.is_ascii_control() || b"/?#\"'<>`\\".contains(byte)
            })
        },
        Writing::Encoded => |rest| {
            matches!(rest, [byte, ..] if !byte.is_ascii_alphanumeric() && !b"%._~+*!()-".contains(byte))
                || ["%2f", "%3f", "%23", "%26", "%22"].iter().any(|end| begins(rest, end))
        },
    };
    let rest = text.from(from);
    let Some(length) = (0..rest.len().min(LONGEST)).find(|at| ends(rest.get(*at..).unwrap_or_default()))
    else {
        let is_open = rest.len() < LONGEST && !text.is_whole;
        let length = rest.len();
        return match (is_open, length) {
            (true, _) => Verdict::Open,
            (false, ..LONGEST) => password(text, from, from + length, writing),
            (false, _) => Verdict::No,
        };
    };
    password(text, from, from + length, writing)
}

/// Whether text begins so, in either case.
fn begins(text: &[u8], with: &str) -> bool {
    text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with.as_bytes()))
}

/// Between the first `:` and the last `@`: a careless password may have an `@` itself.
fn password(text: Text<'_>, from: usize, to: usize, writing: Writing) -> Verdict {
    let authority = text.at(from..to);
    let encoded = writing == Writing::Encoded;
    let mark = |at: usize, plain: u8, code: &str| {
        let rest = authority.get(at..).unwrap_or_default();
        if rest.first() == Some(&plain) {
            Some(1)
        } else if encoded && begins(rest, code) {
            Some(code.len())
        } else {
            None
        }
    };
    let Some(end) = (0..authority.len()).rev().find(|at| mark(*at, b'@', "%40").is_some()) else {
        return Verdict::No;
    };
    let Some((colon, length)) = (0..end).find_map(|at| Some((at, mark(at, b':', "%3a")?))) else {
        return Verdict::No;
    };
    let range = from + colon + length..from + end;
    if text.at(range.clone()).iter().all(|byte| *byte == b'*') {
        return Verdict::No;
    }
    Verdict::Found(range, "password")
}
