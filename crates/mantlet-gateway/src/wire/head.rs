//! A strict reader of HTTP/1 request heads (RFC 9112). It judges bytes and changes none.
//!
//! It is at least as strict as hyper's parser behind it, so hyper never sees a malformed head.

use mantlet_controls::{
    Reason,
    message::{REFUSED_METHOD, authority},
};

/// Bytes that a header name may have: as many as the `http` crate can hold.
const MAX_NAME: usize = u16::MAX as usize - 1;

/// Bytes that a target may have: as many as the `http` crate can hold.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;

/// The limits of a head.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadLimits {
    pub(super) head_size: usize,
    pub(super) header_count: usize,
    pub(super) target_length: usize,
    /// Accept bytes in a target that browsers would encode.
    pub(super) raw_bytes: bool,
}

/// Where a head ends and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of the head, its empty line included.
    pub(super) length: usize,
    pub(super) body: Framing,
    /// The client asks to switch protocols: what follows may not be HTTP.
    pub(super) upgrade: bool,
    /// Header lines.
    pub(super) lines: usize,
    /// The target contains bytes that hyper accepts only encoded; see [`encoded`].
    pub(super) raw: bool,
}

/// How the body's end is known (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// Looks for the end of a head that begins at the start of `bytes`.
///
/// `scanned` counts the bytes that earlier calls have searched, so that a head that arrives byte by
/// byte costs no more than one that arrives at once. `Ok(None)` means that more bytes are needed.
pub(super) fn read(bytes: &[u8], scanned: &mut usize, limits: &HeadLimits) -> Result<Option<Head>, Reason> {
    let from = *scanned;
    for newline in memchr::memchr_iter(b'\n', bytes.get(from..).unwrap_or_default()) {
        let at = from + newline;
        match at.checked_sub(1).and_then(|before| bytes.get(before)) {
            Some(b'\r') => {}
            _ => return Err(Reason::LineEnding),
        }
        // An empty line ends the head.
        if at >= 3 && bytes.get(at - 2) == Some(&b'\n') {
            let length = at + 1;
            if length > limits.head_size {
                return Err(too_large(bytes, limits));
            }
            let head = bytes.get(..length).unwrap_or_default();
            return judge(head, limits).map(Some);
        }
    }
    *scanned = bytes.len();
    if bytes.first().is_some_and(|byte| !is_token(*byte)) {
        // No method begins like this. It is another protocol, such as SSLv2, and its line may never
        // end.
        return Err(Reason::RequestLineMalformed);
    }
    if bytes.len() > limits.head_size { Err(too_large(bytes, limits)) } else { Ok(None) }
}

/// If the target makes the head too large, the reason says so.
fn too_large(bytes: &[u8], limits: &HeadLimits) -> Reason {
    let first_line = memchr::memchr(b'\r', bytes).unwrap_or(bytes.len());
    if first_line > limits.target_length { Reason::TargetTooLong } else { Reason::HeadTooLarge }
}

/// Judges a complete head, whose lines all end in CR LF.
fn judge(head: &[u8], limits: &HeadLimits) -> Result<Head, Reason> {
    let mut lines = Lines { rest: head };
    let request_line = lines.next().unwrap_or_default();
    let RequestLine { version_1_0, target, raw } = judge_request_line(request_line, limits)?;

    let mut seen = Seen::default();
    for line in lines {
        if line.is_empty() {
            break;
        }
        seen.lines += 1;
        if seen.lines > limits.header_count {
            return Err(Reason::HeaderCountExceeded);
        }
        let (name, value) = judge_header_line(line)?;
        seen.take(name, value)?;
    }

    if let Target::Absolute { authority, port } = target
        && seen.host.is_some_and(|host| !authority::is_same(authority, host, port))
    {
        return Err(Reason::HostMismatch);
    }
    if seen.host.is_none() && !version_1_0 {
        return Err(Reason::HostMissing);
    }
    let body = match (seen.length, seen.chunked) {
        (Some(_), true) => return Err(Reason::FramingConflict),
        (None, true) if version_1_0 => return Err(Reason::TransferEncodingUnsupported),
        (None, true) => Framing::Chunked,
        (length, false) => Framing::Length(length.unwrap_or(0)),
    };
    let upgrade = seen.upgrade && !version_1_0;
    Ok(Head { length: head.len(), body, upgrade, lines: seen.lines, raw })
}

/// The method and the path (without its query) of a head that was refused for another reason, for its record.
pub(super) fn request_line(bytes: &[u8]) -> Option<(&str, &str)> {
    let line = bytes.get(..memchr::memchr(b'\r', bytes)?)?;
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target) = (words.next()?, words.next()?);
    let path = target.get(..memchr::memchr(b'?', target).unwrap_or(target.len()))?;
    let is_readable = (1..=32).contains(&method.len())
        && method.iter().all(|byte| is_token(*byte))
        && path.first() == Some(&b'/')
        && path.iter().all(|byte| is_path(*byte));
    Some((std::str::from_utf8(method).ok()?, std::str::from_utf8(path).ok()?)).filter(|_| is_readable)
}

struct RequestLine<'a> {
    version_1_0: bool,
    target: Target<'a>,
    raw: bool,
}

enum Target<'a> {
    Origin,
    /// With the default port.
    Absolute {
        authority: &'a [u8],
        port: &'static str,
    },
}

fn judge_request_line<'a>(line: &'a [u8], limits: &HeadLimits) -> Result<RequestLine<'a>, Reason> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        // A bare CR or a control character has a reason of its own.
        let has_control = line.iter().any(|byte| is_control(*byte));
        return Err(if has_control { Reason::TargetMalformed } else { Reason::RequestLineMalformed });
    };
    if method.is_empty() || method.len() > 32 || !method.iter().all(|byte| is_token(*byte)) {
        return Err(Reason::RequestLineMalformed);
    }
    let version_1_0 = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ => return Err(Reason::RequestLineMalformed),
    };
    if matches!(method, b"CONNECT" | b"TRACE") || method == REFUSED_METHOD.as_bytes() {
        return Err(Reason::MethodForbidden);
    }
    if target.len() > limits.target_length {
        return Err(Reason::TargetTooLong);
    }
    let (target, raw) = judge_target(target, limits.raw_bytes)?;
    Ok(RequestLine { version_1_0, target, raw })
}

/// Origin-form or absolute-form (RFC 9112 section 3.2), and whether it holds raw bytes. `*` means the server as a whole, about which an
/// app has nothing to say.
fn judge_target(target: &[u8], raw_bytes: bool) -> Result<(Target<'_>, bool), Reason> {
    let (form, path_and_query) = if target.first() == Some(&b'/') {
        (Target::Origin, target)
    } else {
        let begins = |scheme: &[u8]| {
            target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        let (scheme, port) = [(b"http://".as_slice(), "80"), (b"https://", "443")]
            .into_iter()
            .find(|(scheme, _)| begins(scheme))
            .ok_or(Reason::TargetMalformed)?;
        let after_scheme = target.get(scheme.len()..).unwrap_or_default();
        let end = after_scheme.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(after_scheme.len());
        let (authority, rest) = after_scheme.split_at(end);
        if !authority::is_well_formed(authority) {
            return Err(Reason::HostMalformed);
        }
        (Target::Absolute { authority, port }, rest)
    };
    let question = memchr::memchr(b'?', path_and_query).unwrap_or(path_and_query.len());
    let (path, query) = path_and_query.split_at(question);
    if path.iter().all(|byte| is_path(*byte)) && query.iter().all(|byte| is_query(*byte)) {
        Ok((form, false))
    } else if raw_bytes
        && path.iter().all(|byte| is_path(*byte) || is_raw_in_path(*byte))
        && query.iter().all(|byte| is_query(*byte) || is_raw_in_query(*byte))
    {
        Ok((form, true))
    } else {
        Err(Reason::TargetMalformed)
    }
}

/// The same head with its target's raw bytes percent-encoded, as a browser sends them. Decoded, the target is the same.
pub(super) fn encoded(head: &[u8], limits: &HeadLimits) -> Result<Vec<u8>, Reason> {
    let start = memchr::memchr(b' ', head).map_or(0, |at| at + 1);
    let rest = head.get(start..).unwrap_or_default();
    let (target, rest) = rest.split_at(memchr::memchr(b' ', rest).unwrap_or_default());
    let (path, query) = target.split_at(memchr::memchr(b'?', target).unwrap_or(target.len()));
    let mut encoded = Vec::with_capacity(head.len() + 64);
    encoded.extend_from_slice(head.get(..start).unwrap_or_default());
    for byte in path {
        push(&mut encoded, *byte, is_raw_in_path(*byte));
    }
    // Starlette reads bytes beyond ASCII as latin-1. They are passed on unchanged if they are
    // UTF-8.
    let is_text = std::str::from_utf8(query).is_ok();
    for byte in query {
        match byte {
            0x80.. if is_text => encoded.push(*byte),
            0x80.. => {
                for byte in char::from(*byte).encode_utf8(&mut [0; 2]).bytes() {
                    push(&mut encoded, byte, true);
                }
            }
            _ => push(&mut encoded, *byte, is_raw_in_query(*byte)),
        }
    }
    if encoded.len() - start > LONGEST_TARGET {
        return Err(Reason::TargetTooLong);
    }
    encoded.extend_from_slice(rest);
    if encoded.len() > limits.head_size.max(LONGEST_TARGET) { Err(Reason::HeadTooLarge) } else { Ok(encoded) }
}

fn push(encoded: &mut Vec<u8>, byte: u8, raw: bool) {
    if raw {
        encoded.push(b'%');
        for nibble in [byte >> 4, byte & 0xf] {
            encoded.push(b"0123456789ABCDEF".get(usize::from(nibble)).copied().unwrap_or(b'0'));
        }
    } else {
        encoded.push(byte);
    }
}

/// `name ":" OWS value OWS`, without folding.
fn judge_header_line(line: &[u8]) -> Result<(&[u8], &[u8]), Reason> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Reason::HeaderFolded);
    }
    let colon = memchr::memchr(b':', line).ok_or(Reason::HeaderMalformed)?;
    let (name, value) = (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default());
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(Reason::HeaderMalformed);
    }
    if name.len() > MAX_NAME {
        return Err(Reason::HeadTooLarge);
    }
    if value.iter().any(|byte| is_control(*byte) && *byte != b'\t') {
        let bare_cr = memchr::memchr(b'\r', value).is_some();
        return Err(if bare_cr { Reason::LineEnding } else { Reason::HeaderMalformed });
    }
    Ok((name, trim(value)))
}

/// The headers that matter here, as read so far.
#[derive(Default)]
struct Seen<'a> {
    lines: usize,
    host: Option<&'a [u8]>,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl<'a> Seen<'a> {
    fn take(&mut self, name: &'a [u8], value: &'a [u8]) -> Result<(), Reason> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        // Lengths first: they alone distinguish most names.
        match name.len() {
            4 if is("host") => {
                if self.host.is_some() {
                    return Err(Reason::HostRepeated);
                }
                if !authority::is_well_formed(value) {
                    return Err(Reason::HostMalformed);
                }
                self.host = Some(value);
            }
            7 if is("upgrade") => self.upgrade = true,
            14 if is("content-length") => {
                if self.length.is_some() {
                    return Err(Reason::ContentLengthRepeated);
                }
                self.length = Some(decimal(value).ok_or(Reason::ContentLengthMalformed)?);
            }
            17 if is("transfer-encoding") => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Reason::TransferEncodingUnsupported);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }
}

/// One or more digits that fit into 63 bits; no sign, no list, no spaces inside.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = (1..=19).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()?;
    i64::try_from(number).is_ok().then_some(number)
}

/// Lines without their CR LF. The caller has checked that every LF follows a CR.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let newline = memchr::memchr(b'\n', self.rest)?;
        let line = self.rest.get(..newline.saturating_sub(1))?;
        self.rest = self.rest.get(newline + 1..)?;
        Some(line)
    }
}

pub(super) fn trim(value: &[u8]) -> &[u8] {
    let is_ows = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_ows(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_ows(byte)).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

const fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// RFC 9110 section 5.6.2.
pub(super) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Bytes that a path may contain: those of RFC 3986, and others that browsers and clients send
/// unencoded.
const fn is_path(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x22 | 0x24..=0x3b | 0x3d | 0x40..=0x5f | 0x61..=0x7e)
}

/// Bytes that clients other than browsers also send in a path, and that every parser reads alike.
const fn is_raw_in_path(byte: u8) -> bool {
    matches!(byte, b'<' | b'>' | b'`')
}

/// The same for a query.
const fn is_raw_in_query(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | 0x80..)
}

/// Bytes that a query may contain.
const fn is_query(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x24..=0x3b | 0x3d | 0x3f..=0x7e)
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
