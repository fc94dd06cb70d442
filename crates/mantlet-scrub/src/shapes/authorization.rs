//! `Bearer TOKEN` and `Basic CREDENTIALS` (RFC 6750, 7617). The word stays, what follows is replaced.
//!
//! A bearer token is one if (1) `Authorization` stands before it in the line and it has at least 8 characters that are
//! not a mere word, or (2) it has at least 20 characters with letters and digits. Credentials are ones if they decode
//! to a name and a password.

use super::{CONTEXT, Kind, LONGEST, Text, Verdict, token::decoded};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Bearer,
    Basic,
}

pub(super) const TRIGGERS: &[(&str, Scheme)] = &[
    ("bearer ", Scheme::Bearer),
    ("bearer%20", Scheme::Bearer),
    ("basic ", Scheme::Basic),
    ("basic%20", Scheme::Basic),
];

/// Characters of a token that stands after `Authorization`, and of one that does not.
const SHORTEST: usize = 8;
const SHORTEST_ALONE: usize = 20;

pub(super) fn judge(text: Text<'_>, start: usize, from: usize, scheme: Scheme) -> Verdict {
    if !text.is_start(start) {
        return Verdict::No;
    }
    match scheme {
        Scheme::Bearer => bearer(text, start, from),
        Scheme::Basic => basic(text, from),
    }
}

fn bearer(text: Text<'_>, start: usize, from: usize) -> Verdict {
    let (end, is_known) = text.run(from, LONGEST, Kind::Bearer);
    if !is_known {
        return Verdict::Open;
    }
    let found = text.at(from..end);
    let has = |is_one: fn(&u8) -> bool| found.iter().any(is_one);
    let is_token = if is_of_header(text, start) {
        let is_word = found.iter().all(u8::is_ascii_alphabetic);
        found.len() >= SHORTEST && (!is_word || found.len() >= SHORTEST_ALONE)
    } else {
        found.len() >= SHORTEST_ALONE && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
    };
    if is_token { Verdict::Found(from..end, "bearer token") } else { Verdict::No }
}

/// Whether the header's name stands right before, in the same line.
fn is_of_header(text: Text<'_>, start: usize) -> bool {
    const NAME: &[u8] = b"authorization";
    let before = text.at(start.saturating_sub(CONTEXT / 2)..start);
    let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    line.windows(NAME.len()).any(|part| part.eq_ignore_ascii_case(NAME))
}

fn basic(text: Text<'_>, from: usize) -> Verdict {
    let (end, is_known) = text.run(from, 1 << 10, Kind::EitherBase64);
    if !is_known {
        return Verdict::Open;
    }
    let pair = decoded(text.at(from..end)).and_then(|bytes| String::from_utf8(bytes).ok());
    let is_pair = pair.is_some_and(|pair| {
        pair.len() > 4
            && !pair.chars().any(char::is_control)
            && pair.split_once(':').is_some_and(|(_, password)| !password.is_empty())
    });
    if is_pair { Verdict::Found(from..end, "basic credentials") } else { Verdict::No }
}
