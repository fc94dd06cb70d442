//! The headers of a response that describe its body, and how they change with it.

use std::{borrow::Cow, io::Read};

use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::message::{
    digests,
    media_type::{JSON_SEQUENCES, MediaType},
};

/// The kind of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `application/json` and everything that ends in `+json`.
    Json,
    /// Sequences of JSON, which stream: lines of it, events.
    Stream,
    /// HTML, plain text and the like, and undeclared types.
    Text,
    /// Anything else.
    Other,
}

impl Kind {
    /// Whether its text may reveal the app's internals.
    pub(super) fn is_readable(self) -> bool {
        matches!(self, Self::Json | Self::Text)
    }

    pub(super) fn of(headers: &HeaderMap) -> Self {
        let Some(kind) = MediaType::of(headers) else { return Self::Text };
        if kind.is_among(&JSON_SEQUENCES) || kind.is_among(&OTHER_STREAMS) {
            Self::Stream
        } else if kind.is("application/json") || kind.is("text/json") || kind.ends_with("+json") {
            Self::Json
        } else if !kind.starts_with("text/") {
            Self::Other
        } else {
            Self::Text
        }
    }
}

/// Types of bodies that hold one JSON text after another, beside [`JSON_SEQUENCES`].
const OTHER_STREAMS: [&str; 2] = ["text/event-stream", "application/stream+json"];

/// Headers that describe a body, whatever its bytes.
const DESCRIPTIONS: [HeaderName; 7] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_DISPOSITION,
    header::CONTENT_RANGE,
    header::ACCEPT_RANGES,
    header::LAST_MODIFIED,
    header::TRAILER,
];

/// Describes the rest of a body after a cut.
pub(super) fn shorten(headers: &mut HeaderMap, length: usize) {
    digests::forget(headers);
    headers.remove(header::CONTENT_ENCODING);
    // A range of it would refer to other bytes.
    headers.remove(header::ACCEPT_RANGES);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}

/// Removes headers that fix the bytes of a body.
pub(crate) fn forget_bytes(headers: &mut HeaderMap) {
    digests::forget(headers);
    headers.remove(header::CONTENT_LENGTH);
}

/// Whether a response is a file that was put there on purpose.
pub(super) fn is_file(headers: &HeaderMap) -> bool {
    headers.contains_key(header::LAST_MODIFIED) || headers.contains_key(header::CONTENT_DISPOSITION)
}

/// Whether a body has no coding.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().all(|coding| is_identity(coding.as_bytes()))
}

/// Describes a body of Mantlet's own in the place of the app's.
pub(super) fn replace(headers: &mut HeaderMap, content_type: HeaderValue, length: usize) {
    digests::forget(headers);
    for name in &DESCRIPTIONS {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Whether a body is compressed with gzip, the only coding that is read here.
pub(super) fn is_gzip(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
    codings.next().is_some_and(is_gzip_token) && codings.next().is_none()
}

fn is_gzip_token(token: &[u8]) -> bool {
    let token = token.trim_ascii();
    token.eq_ignore_ascii_case(b"gzip") || token.eq_ignore_ascii_case(b"x-gzip")
}

fn is_identity(token: &[u8]) -> bool {
    token.trim_ascii().is_empty() || token.trim_ascii().eq_ignore_ascii_case(b"identity")
}

/// Codings that are recorded by name.
const CODINGS: [&str; 6] = ["br", "zstd", "deflate", "compress", "gzip, gzip", "dcb"];
/// The reason `too large` for a response that is not judged.
pub(super) const TOO_LARGE: &str = "too large";

/// A body without its compression, or why it cannot be had.
pub(super) fn plain<'b>(
    headers: &HeaderMap,
    body: &'b [u8],
    most: usize,
) -> Result<Cow<'b, [u8]>, &'static str> {
    let codings = || headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(coding) = codings().find(|coding| !is_identity(coding.as_bytes())) else {
        return Ok(body.into());
    };
    if !is_gzip(headers) {
        // The app's value may be any text, even a client's.
        let known = CODINGS.iter().find(|known| coding.as_bytes().eq_ignore_ascii_case(known.as_bytes()));
        return Err(known.copied().unwrap_or("unknown coding"));
    }
    let mut plain = Vec::new();
    let mut decoder = MultiGzDecoder::new(body).take(most as u64 + 1);
    decoder.read_to_end(&mut plain).map_err(|_| "broken gzip")?;
    if plain.len() > most { Err(TOO_LARGE) } else { Ok(plain.into()) }
}

/// Keeps only the accepted codings that are read here, so that a client cannot choose one in which
/// a response passes unseen.
pub(super) fn ask_for_gzip_at_most(request: &mut HeaderMap, gzip: bool) {
    if !request.contains_key(header::ACCEPT_ENCODING) {
        return;
    }
    let (mut first, mut more, mut drops) = (None, Vec::new(), false);
    let values = request.get_all(header::ACCEPT_ENCODING).iter();
    for part in values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
    {
        let token = part.split(|byte| *byte == b';').next().unwrap_or_default();
        if part.is_empty() {
            continue;
        }
        if !(is_identity(token) || gzip && is_gzip_token(token)) {
            drops = true;
        } else if first.is_none() {
            first = Some(part);
        } else {
            more.extend_from_slice(b", ");
            more.extend_from_slice(part);
        }
    }
    if !drops {
        return;
    }
    let value = match first {
        // Without the header any coding would be welcome.
        None => Ok(HeaderValue::from_static("identity")),
        // The result for what browsers send.
        Some(b"gzip") if more.is_empty() => Ok(HeaderValue::from_static("gzip")),
        Some(first) => HeaderValue::try_from([first, &more].concat()),
    };
    if let Ok(value) = value {
        request.insert(header::ACCEPT_ENCODING, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn kinds_of_bodies() {
        for (content_type, kind) in [
            ("application/json", Kind::Json),
            ("Application/JSON; charset=utf-8", Kind::Json),
            ("application/problem+json", Kind::Json),
            ("application/vnd.api+json;v=1", Kind::Json),
            ("application/x-ndjson", Kind::Stream),
            ("application/json-seq", Kind::Stream),
            ("application/jsonl", Kind::Stream),
            ("text/event-stream", Kind::Stream),
            ("text/html; charset=utf-8", Kind::Text),
            ("text/plain", Kind::Text),
            ("image/png", Kind::Other),
            ("json", Kind::Other),
        ] {
            assert_eq!(Kind::of(&of(&header::CONTENT_TYPE, &[content_type])), kind, "{content_type}");
        }
        assert_eq!(Kind::of(&HeaderMap::new()), Kind::Text);
    }

    #[test]
    fn only_what_can_be_read_is_asked_for() {
        for (sent, forwarded) in [
            (&["gzip"][..], Some("gzip")),
            (&["gzip, deflate, br, zstd"], Some("gzip")),
            (&["br;q=1.0, gzip;q=0.8, *;q=0.1"], Some("gzip;q=0.8")),
            (&["br", "GZIP, identity;q=0.5"], Some("GZIP, identity;q=0.5")),
            (&["br"], Some("identity")),
            (&["*"], Some("identity")),
            (&["gzip ,identity"], Some("gzip ,identity")),
            (&[""], Some("")),
            (&[], None),
        ] {
            let mut headers = of(&header::ACCEPT_ENCODING, sent);
            ask_for_gzip_at_most(&mut headers, true);
            let found: Vec<_> = headers.get_all(header::ACCEPT_ENCODING).iter().collect();
            assert_eq!(found, forwarded.into_iter().collect::<Vec<_>>(), "{sent:?}");
        }
        let mut headers = of(&header::ACCEPT_ENCODING, &["gzip, br"]);
        ask_for_gzip_at_most(&mut headers, false);
        assert_eq!(headers[header::ACCEPT_ENCODING], "identity");
    }

    #[test]
    fn compressed_bodies_are_read_within_a_bound() {
        use std::io::Write;
        let compressed = |plain: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        };
        let gzip = of(&header::CONTENT_ENCODING, &["gzip"]);
        let body = compressed(b"hello");
        assert_eq!(plain(&gzip, &body, 5).as_deref(), Ok(&b"hello"[..]));
        assert_eq!(plain(&gzip, &body, 4), Err(TOO_LARGE));
        assert_eq!(plain(&gzip, &compressed(&vec![b' '; 4 << 20]), 1 << 20), Err(TOO_LARGE), "a bomb");
        assert_eq!(plain(&gzip, b"no gzip", 100), Err("broken gzip"));
        assert_eq!(plain(&gzip, body.get(..body.len() - 9).unwrap(), 100), Err("broken gzip"), "broken off");
        assert_eq!(plain(&of(&header::CONTENT_ENCODING, &["br"]), b"x", 100), Err("br"));
        assert_eq!(plain(&of(&header::CONTENT_ENCODING, &["gzip, gzip"]), b"x", 100), Err("gzip, gzip"));
        assert_eq!(plain(&HeaderMap::new(), b"x", 0).as_deref(), Ok(&b"x"[..]));
        assert_eq!(plain(&of(&header::CONTENT_ENCODING, &["identity"]), b"x", 0).as_deref(), Ok(&b"x"[..]));
    }
}
