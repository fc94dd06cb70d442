//! One canonical path, made once: what is matched, judged and sent to the app.
//!
//! Defends against paths that mean one thing to the gate and another to the app: `/a/../admin`, `%2e%2e%2f`, double
//! encodings, overlong UTF-8, backslashes, look-alikes. What cannot be canonical is refused, never repaired.
//!
//! A path passes if, decoded once as ASGI servers decode it,
//! 1. it is valid UTF-8 and every percent-encoding is complete;
//! 2. no segment is `.` or `..`, nor a Unicode look-alike of one;
//! 3. it holds no control character, no backslash, no look-alike of `/` or `\`;
//! 4. decoding it again would not reveal a separator, a dot, a control character or a percent sign;
//! 5. it does not begin with an empty segment, and as sent holds no `;`, which other servers cut off (`%3B` is data and passes).
//!
//! Letter case and a trailing slash are part of the path, as they are to Starlette. `%2F` is a slash, as it is to
//! Starlette, so `/files%2Fx` is judged as `/files/x`.
//!
//! ```
//! use mantlet_controls::{Reason, path::CanonicalPath};
//!
//! let judge = |path: &str| CanonicalPath::new(path, false).map(|path| path.as_str().to_owned());
//! assert_eq!(judge("/items/caf%C3%A9"), Ok("/items/café".to_owned()));
//! assert_eq!(judge("/a/%2e%2e/admin"), Err(Reason::PathDotSegment));
//! ```

mod config;
mod place;

use std::borrow::Cow;

use http::{Uri, uri::PathAndQuery};

pub use config::{Config, Policy};
pub use place::{Place, Spellings};

use crate::Reason;

/// A path in the two forms in which it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPath {
    /// As sent to the app: unreserved characters plain, other encodings in upper-case hex (RFC 3986 section 6.2.2).
    sent: Sent,
    /// Decoded, if that differs: what routes and records use.
    decoded: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sent {
    /// The request's own bytes are canonical; shared with the request, not copied.
    Request(PathAndQuery),
    Own(String),
}

impl Sent {
    fn as_str(&self) -> &str {
        match self {
            Self::Request(target) => target.path(),
            Self::Own(path) => path,
        }
    }
}

impl CanonicalPath {
    /// The path before it was judged.
    pub fn as_sent(uri: &Uri) -> Self {
        let sent = match uri.path_and_query() {
            Some(target) => Sent::Request(target.clone()),
            None => Sent::Own("/".to_owned()),
        };
        Self { sent, decoded: None }
    }

    /// Judges a path; `semicolons` allows `;` in it.
    pub fn new(path: &str, semicolons: bool) -> Result<Self, Reason> {
        let (sent, decoded) = judge(path, semicolons)?;
        Ok(Self { sent: Sent::Own(sent.into_owned()), decoded })
    }

    /// Judges the path of a request.
    pub fn of(uri: &Uri, policy: &Policy) -> Result<Self, Reason> {
        let mut path = Self::as_sent(uri);
        let (sent, decoded) = judge(path.sent.as_str(), policy.semicolons)?;
        if let Cow::Owned(own) = sent {
            path.sent = Sent::Own(own);
        }
        path.decoded = decoded;
        Ok(path)
    }

    /// Decoded: what routes match and records show.
    pub fn as_str(&self) -> &str {
        self.decoded.as_deref().unwrap_or_else(|| self.sent.as_str())
    }

    /// The target to ask the app for: this path with the request's query.
    pub fn target(&self, uri: &Uri) -> Option<PathAndQuery> {
        match &self.sent {
            Sent::Request(target) => Some(target.clone()),
            Sent::Own(path) => match uri.query() {
                Some(query) => format!("{path}?{query}").try_into().ok(),
                None => path.as_str().try_into().ok(),
            },
        }
    }
}

/// The canonical spelling of the path, and its decoded form if that is another.
fn judge(path: &str, semicolons: bool) -> Result<(Cow<'_, str>, Option<String>), Reason> {
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
    if !plain && path.contains(['\u{ff0f}', '\u{ff3c}', '\u{2044}', '\u{2215}', '\u{29f8}']) {
        return Err(Reason::PathLookalike);
    }
    for segment in path.split('/') {
        if segment == "." || segment == ".." {
            return Err(Reason::PathDotSegment);
        }
        // FULLWIDTH FULL STOP, ONE DOT LEADER, TWO DOT LEADER, SMALL FULL STOP: NFKC makes them dots.
        let is_dot = |c: char| matches!(c, '.' | '\u{ff0e}' | '\u{2024}' | '\u{2025}' | '\u{fe52}');
        if !plain && !segment.is_empty() && segment.chars().count() <= 2 && segment.chars().all(is_dot) {
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

fn hex_value(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{CanonicalPath, Reason};

    #[test]
    fn rows_35_to_44_paths_have_one_reading_or_none() {
        use Reason as R;
        for (path, expected) in [
            ("/", Ok("/")),
            ("/items/7", Ok("/items/7")),
            ("/items/", Ok("/items/")),
            ("/ADMIN", Ok("/ADMIN")),
            ("/a//b", Ok("/a//b")),
            ("/...", Ok("/...")),
            ("/.well-known/x", Ok("/.well-known/x")),
            ("/a..b", Ok("/a..b")),
            ("/caf%c3%a9", Ok("/café")),
            ("/%61dmin", Ok("/admin")),
            ("/a%2Fb", Ok("/a/b")),
            ("/100%25", Ok("/100%")),
            ("/a%3Bb", Ok("/a;b")),
            ("/%ef%bc%a1", Ok("/Ａ")),
            ("/wait%E2%80%A6", Ok("/wait…")),
            ("/a/../admin", Err(R::PathDotSegment)),
            ("/a/..", Err(R::PathDotSegment)),
            ("/./a", Err(R::PathDotSegment)),
            ("/a/%2e%2e%2fadmin", Err(R::PathDotSegment)),
            ("/a/%2E./admin", Err(R::PathDotSegment)),
            ("/..%2fadmin", Err(R::PathDotSegment)),
            ("/%252e%252e/admin", Err(R::PathDoubleEncoded)),
            ("/a%252fb", Err(R::PathDoubleEncoded)),
            ("/a%25252f", Err(R::PathDoubleEncoded)),
            ("/a%2500", Err(R::PathDoubleEncoded)),
            ("//admin", Err(R::PathEmptySegment)),
            ("/%2fadmin", Err(R::PathEmptySegment)),
            ("/admin;x", Err(R::PathParameter)),
            ("/%c0%ae%c0%ae/admin", Err(R::PathEncoding)),
            ("/%ff", Err(R::PathEncoding)),
            ("/%ed%a0%80", Err(R::PathEncoding)),
            ("/%", Err(R::PathEncoding)),
            ("/%4", Err(R::PathEncoding)),
            ("/%zz", Err(R::PathEncoding)),
            ("/%+1", Err(R::PathEncoding)),
            ("/a%00", Err(R::PathControlCharacter)),
            ("/a%0d%0a", Err(R::PathControlCharacter)),
            ("/a%7f", Err(R::PathControlCharacter)),
            ("/a\\b", Err(R::PathBackslash)),
            ("/a%5c..%5cb", Err(R::PathBackslash)),
            ("/%ef%bc%8e%ef%bc%8e/admin", Err(R::PathLookalike)),
            ("/a%ef%bc%8fadmin", Err(R::PathLookalike)),
            ("*", Err(R::PathEncoding)),
        ] {
            let judged = CanonicalPath::new(path, false);
            assert_eq!(judged.as_ref().map(CanonicalPath::as_str).map_err(|r| *r), expected, "{path}");
        }
    }

    #[test]
    fn what_is_sent_decodes_to_what_was_judged() {
        for (uri, target) in [
            ("/%61dmin?next=%61", "/admin?next=%61"),
            ("/a%2fb", "/a%2Fb"),
            ("/caf%c3%a9?x", "/caf%C3%A9?x"),
            ("/plain?q=1", "/plain?q=1"),
        ] {
            let uri: http::Uri = uri.parse().unwrap();
            let path = CanonicalPath::of(&uri, &super::Policy::default()).unwrap();
            assert_eq!(path.target(&uri).unwrap().as_str(), target);
        }
    }
}
