//! A strict reader of chunked bodies (RFC 9112 section 7.1). It judges bytes and changes none.

use mantlet_controls::Reason;

use super::head::{is_token, trim};

/// Bytes that a chunk extension may have. No known client uses any (nginx ignores them, h11 allows
/// 64 KiB with the size line).
const MAX_EXTENSION: usize = 256;
/// Bytes that all chunk extensions of a body may have: no more than hyper accepts.
const MAX_EXTENSIONS: usize = 16 << 10;
/// Bytes that the trailers may have together.
const MAX_TRAILERS: usize = 8 << 10;
/// Lines that the trailers may have: no more than hyper accepts.
const MAX_TRAILER_LINES: usize = 100;
/// Hexadecimal digits of a chunk size: enough for 2⁶⁰ bytes.
const MAX_SIZE_DIGITS: u8 = 15;

/// Fields for framing, routing or authentication, which are allowed only in a header section (RFC
/// 9110 section 6.5.1).
const FORBIDDEN_TRAILERS: [&str; 12] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
];

/// Where in a chunked body the reader is.
#[derive(Debug, Clone)]
enum State {
    Size {
        value: u64,
        digits: u8,
    },
    Extension {
        part: Extension,
        length: usize,
    },
    SizeLf {
        value: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// A trailer line, kept until it is complete; empty at the line that ends the body.
    Trailer {
        line: Vec<u8>,
        total: usize,
        lines: usize,
    },
}

/// Where in a chunk extension the reader is: `";" BWS name [ BWS "=" BWS value ]`, repeated. A
/// value is a token or quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    /// After the semicolon.
    BeforeName,
    Name,
    /// After blanks behind a name: `=` or another extension follows.
    AfterName,
    /// After the `=`.
    BeforeValue,
    Value,
    Quoted,
    /// After a backslash in quotes.
    Escaped,
    /// After the closing quote.
    QuoteClosed,
    /// After blanks behind a value: another extension follows.
    AfterValue,
}

impl Extension {
    /// The state after the next byte; none if the byte is not allowed here.
    const fn next(self, byte: u8) -> Option<Self> {
        let is_blank = matches!(byte, b' ' | b'\t');
        Some(match self {
            Self::BeforeName if is_blank => Self::BeforeName,
            Self::BeforeName | Self::Name if is_token(byte) => Self::Name,
            Self::Name | Self::AfterName if is_blank => Self::AfterName,
            Self::Name | Self::AfterName if byte == b'=' => Self::BeforeValue,
            Self::BeforeValue if is_blank => Self::BeforeValue,
            Self::BeforeValue if byte == b'"' => Self::Quoted,
            Self::BeforeValue | Self::Value if is_token(byte) => Self::Value,
            Self::Quoted if byte == b'"' => Self::QuoteClosed,
            Self::Quoted if byte == b'\\' => Self::Escaped,
            Self::Quoted | Self::Escaped if is_blank || byte > b' ' && byte != 0x7f => Self::Quoted,
            Self::Value | Self::QuoteClosed | Self::AfterValue if is_blank => Self::AfterValue,
            _ if byte == b';' && self.may_end_before_another() => Self::BeforeName,
            _ => return None,
        })
    }

    const fn may_end_before_another(self) -> bool {
        self.may_end() || matches!(self, Self::AfterName | Self::AfterValue)
    }

    /// Whether the line may end here.
    const fn may_end(self) -> bool {
        matches!(self, Self::Name | Self::Value | Self::QuoteClosed)
    }
}

/// Follows a chunked body over any number of reads.
#[derive(Debug, Clone)]
pub(super) struct ChunkReader {
    state: State,
    size: u64,
    /// Bytes of all extensions so far.
    extensions: usize,
}

impl ChunkReader {
    pub(super) const fn new() -> Self {
        Self { state: State::Size { value: 0, digits: 0 }, size: 0, extensions: 0 }
    }

    /// Judges the next bytes. Returns how many of them belong to this body and whether it has ended with them.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(usize, bool), Reason> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match &mut self.state {
                State::Data { left } => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    *left -= taken as u64;
                    at += taken;
                    if *left == 0 {
                        self.state = State::DataCr;
                    }
                    continue;
                }
                State::Trailer { line, total, lines } => {
                    line.push(byte);
                    *total += 1;
                    if *total > MAX_TRAILERS {
                        return Err(Reason::HeadTooLarge);
                    }
                    if byte == b'\n' {
                        if line.as_slice() == b"\r\n" {
                            return Ok((at + 1, true));
                        }
                        *lines += 1;
                        if *lines > MAX_TRAILER_LINES {
                            return Err(Reason::HeaderCountExceeded);
                        }
                        judge_trailer(line)?;
                        line.clear();
                    }
                }
                _ => self.frame(byte)?,
            }
            at += 1;
        }
        Ok((at, false))
    }

    /// One byte between chunks.
    fn frame(&mut self, byte: u8) -> Result<(), Reason> {
        let next = match (&self.state, byte) {
            (State::Size { value, digits }, _) if byte.is_ascii_hexdigit() => {
                if *digits == MAX_SIZE_DIGITS {
                    return Err(Reason::ChunkMalformed);
                }
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                State::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (State::Size { value, digits: 1.. }, b'\r') => State::SizeLf { value: *value },
            (State::Size { value, digits: 1.. }, b';') => {
                self.size = *value;
                State::Extension { part: Extension::BeforeName, length: 1 }
            }
            (State::Extension { part, .. }, b'\r') if part.may_end() => State::SizeLf { value: self.size },
            (State::Extension { part, length }, _)
                if *length < MAX_EXTENSION && self.extensions < MAX_EXTENSIONS - 1 =>
            {
                self.extensions += 1;
                State::Extension { part: part.next(byte).ok_or(Reason::ChunkMalformed)?, length: length + 1 }
            }
            (State::SizeLf { value: 0 }, b'\n') => State::Trailer { line: Vec::new(), total: 0, lines: 0 },
            (State::SizeLf { value }, b'\n') => State::Data { left: *value },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { value: 0, digits: 0 },
            _ => return Err(Reason::ChunkMalformed),
        };
        self.state = next;
        Ok(())
    }
}

/// A trailer line with its CR LF.
fn judge_trailer(line: &[u8]) -> Result<(), Reason> {
    let line = line.strip_suffix(b"\r\n").ok_or(Reason::LineEnding)?;
    let colon = memchr::memchr(b':', line).ok_or(Reason::ChunkMalformed)?;
    let (name, value) = line.split_at(colon);
    let value = trim(value.get(1..).unwrap_or_default());
    let printable = value.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f || *byte == b'\t');
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) || !printable {
        return Err(Reason::ChunkMalformed);
    }
    if FORBIDDEN_TRAILERS.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden.as_bytes())) {
        return Err(Reason::TrailerForbidden);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(body: &[u8], piece: usize) -> Result<(usize, bool), Reason> {
        let mut reader = ChunkReader::new();
        let mut total = 0;
        for bytes in body.chunks(piece) {
            let (taken, ended) = reader.read(bytes)?;
            total += taken;
            if ended {
                return Ok((total, true));
            }
        }
        Ok((total, false))
    }

    #[test]
    fn well_formed_bodies_end_where_they_end() {
        for (body, rest) in [
            ("0\r\n\r\n", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "GET / HTTP/1.1\r\n"),
            ("5;name=value\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n000\r\n\r\n", "x"),
            ("5;a;b=c; d = e ;f=\"q \\\" ; \u{e9}\"\r\nhello\r\n0;last\r\n\r\n", "x"),
            ("1\r\n\n\r\n0\r\nX-Checksum: 1\r\nX-Other:\r\n\r\n", ""),
        ] {
            for piece in [1, 3, 1024] {
                let all = format!("{body}{rest}");
                assert_eq!(read_all(all.as_bytes(), piece), Ok((body.len(), true)), "{body:?} in {piece}s");
            }
        }
    }

    #[test]
    fn rows_15_16_17_19_chunk_framing_is_exact_or_refused() {
        use Reason as R;
        let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(64 << 10));
        let many = format!("1;{}\r\nh\r\n", "x".repeat(200)).repeat(90);
        let trailers = format!("0\r\n{}\r\n", "X: y\r\n".repeat(101));
        for (body, reason) in [
            ("0_2e\r\n", R::ChunkMalformed),
            ("0x5\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("+5\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("-5\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            (" 5\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5 \r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            (";a\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("10000000000000005\r\nhello", R::ChunkMalformed),
            ("5;a\nb\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            (long.as_str(), R::ChunkMalformed),
            (many.as_str(), R::ChunkMalformed),
            (trailers.as_str(), R::HeaderCountExceeded),
            ("5;\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5; \r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;;a\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;a;\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;a=\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;=b\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;a b\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;a=b c\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;a \r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;bad[=x\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;a=b[\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;a=\"b\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;a=\"b\"c\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5;caf\u{e9}\r\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5\nhello\r\n0\r\n\r\n", R::ChunkMalformed),
            ("5\r\nhelloXX0\r\n\r\n", R::ChunkMalformed),
            ("5\r\nhello\n0\r\n\r\n", R::ChunkMalformed),
            ("5\r\nhello\r0\r\n\r\n", R::ChunkMalformed),
            ("0\r\nContent-Length: 5\r\n\r\n", R::TrailerForbidden),
            ("0\r\nAuthorization: x\r\n\r\n", R::TrailerForbidden),
            ("0\r\nhost: x\r\n\r\n", R::TrailerForbidden),
            ("0\r\nX : y\r\n\r\n", R::ChunkMalformed),
            ("0\r\nX: y\n\r\n", R::LineEnding),
            ("0\r\n X: y\r\n\r\n", R::ChunkMalformed),
        ] {
            for piece in [1, 1 << 20] {
                assert_eq!(
                    read_all(body.as_bytes(), piece),
                    Err(reason),
                    "{:?}",
                    &body[..body.len().min(60)]
                );
            }
        }
    }
}
