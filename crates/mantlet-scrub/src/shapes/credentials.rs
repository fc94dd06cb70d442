//! Passwords in URLs: `scheme://user:password@host`. Only the password is replaced.

use super::{CONTEXT, Text, Verdict};

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
    if writing == Writing::Plain && is_of_database(text, start) {
        match in_database(text, from) {
            Verdict::No => {}
            verdict => return verdict,
        }
    }
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

/// Whether a port stands here, with what ends a URL in a list, in a form or in brackets. `http://h:80&to=ann@b.org` has no
/// password.
fn is_port(rest: &[u8]) -> bool {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let next = rest.get(digits);
    (1..=5).contains(&digits)
        && next.is_some_and(|byte| byte.is_ascii_whitespace() || b"&,;)|]}\"'/?#".contains(byte))
}

/// `docker://nginx:1.25@sha256:…` has none either: it is the digest of an image.
fn is_digest(rest: &[u8]) -> bool {
    ["@sha256:", "@sha512:"].iter().any(|digest| rest.starts_with(digest.as_bytes()))
}

/// Schemes whose drivers take `/`, `?` and `#` within a password, as `SQLAlchemy` does.
const DATABASES: [&str; 11] = [
    "postgresql",
    "postgres",
    "mysql",
    "mariadb",
    "redis",
    "rediss",
    "mongodb",
    "amqp",
    "amqps",
    "mssql",
    "oracle",
];

fn is_of_database(text: Text<'_>, end: usize) -> bool {
    let before = text.at(end.saturating_sub(CONTEXT / 2)..end);
    let is_of_scheme = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'_');
    let length = before.iter().rev().take_while(is_of_scheme).count();
    let scheme = before.get(before.len() - length..).unwrap_or_default();
    let name = scheme.split(|byte| *byte == b'+').next().unwrap_or_default();
    DATABASES.iter().any(|database| name.eq_ignore_ascii_case(database.as_bytes()))
}

/// A password with `/`, `?` or `#`: from the `:` after the user to the first `@`. `No` if it has none of them.
fn in_database(text: Text<'_>, from: usize) -> Verdict {
    let rest = text.from(from);
    let ends =
        |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control() || b"\"'<>`\\".contains(byte);
    let is_user = |byte: &&u8| !ends(byte) && !b":/?#@".contains(byte);
    let user = rest.iter().take(LONGEST).take_while(is_user).count();
    text.runs.look(user);
    let is_open = !text.is_whole && user < LONGEST;
    let password = match rest.get(user..) {
        Some([b':', password @ ..]) => password,
        Some([]) if is_open => return Verdict::Open,
        _ => return Verdict::No,
    };
    let digits = password.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == password.len() && is_open {
        return Verdict::Open;
    }
    if is_port(password) {
        return Verdict::No;
    }
    // Another URL ends this one.
    let length = (0..password.len().min(LONGEST)).find(|at| {
        let rest = password.get(*at..).unwrap_or_default();
        rest.first().is_some_and(|byte| ends(byte) || *byte == b'@') || rest.starts_with(b"://")
    });
    text.runs.look(length.unwrap_or(LONGEST));
    let Some(length) = length else {
        return if password.len() < LONGEST && is_open { Verdict::Open } else { Verdict::No };
    };
    let found = password.get(..length).unwrap_or_default();
    let is_at = password.get(length) == Some(&b'@');
    if is_at && found.iter().any(|byte| b"/?#".contains(byte)) {
        let start = from + user + 1;
        return Verdict::Found(start..start + length, "password");
    }
    Verdict::No
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
    if is_port(text.from(range.start)) || is_digest(text.from(range.end)) {
        return Verdict::No;
    }
    if text.at(range.clone()).iter().all(|byte| *byte == b'*') {
        return Verdict::No;
    }
    Verdict::Found(range, "password")
}
