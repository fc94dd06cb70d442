//! Finds the end of the app's response.
//!
//! It ends by its length, by its chunks, or with the connection (RFC 9112 section 6.3). If a
//! response declares more than one of them, that section gives it one meaning. The client gets only
//! that one, and the connection to the app carries no other request. A response without a definite
//! meaning is refused.

use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};

/// How the end of a response is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Definitely.
    Plain,
    /// It has no body, by its status or its request's method.
    Bodiless,
    /// Ambiguously: the bytes after it may belong to it.
    Doubtful,
}

/// Leaves one statement about the end of the response; fails if there is none.
pub(super) fn mend<B>(response: &mut Response<B>, is_head: bool) -> Result<Framing, &'static str> {
    let (status, version) = (response.status(), response.version());
    let headers = response.headers_mut();
    let without_body =
        status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let mut is_doubtful = false;
    if headers.contains_key(header::TRANSFER_ENCODING) {
        if !is_chunked(headers) {
            return Err("its Transfer-Encoding is not `chunked`");
        }
        if version != Version::HTTP_11 {
            return Err("its Transfer-Encoding came with HTTP/1.0");
        }
        is_doubtful = headers.remove(header::CONTENT_LENGTH).is_some() || without_body;
    } else if says_more_than_one_length(headers) {
        let length = one_length(headers).ok_or("its Content-Length headers differ")?;
        headers.insert(header::CONTENT_LENGTH, length.into());
        is_doubtful = true;
    }
    if status == StatusCode::NO_CONTENT && length_of(headers).is_some_and(|length| length > 0) {
        headers.remove(header::CONTENT_LENGTH);
        is_doubtful = true;
    }
    Ok(match (is_doubtful, without_body || is_head) {
        (true, _) => Framing::Doubtful,
        (false, true) => Framing::Bodiless,
        (false, false) => Framing::Plain,
    })
}

fn says_more_than_one_length(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    values.next().is_some_and(|first| first.as_bytes().contains(&b',')) || values.next().is_some()
}

fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let (first, more) = (codings.next(), codings.next());
    more.is_none()
        && first.is_some_and(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

fn length_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The length on which all lines and their lists agree.
fn one_length(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all(header::CONTENT_LENGTH).iter().map(HeaderValue::to_str);
    let mut found = None;
    for value in values {
        for text in value.ok()?.split(',').map(str::trim) {
            let length =
                text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())??;
            if found.is_some_and(|known| known != length) {
                return None;
            }
            found = Some(length);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_is_left() {
        for (status, lines, is_head, expected, left) in [
            (200, &[("content-length", "5")][..], false, Ok(Framing::Plain), Some("5")),
            (200, &[("transfer-encoding", "Chunked")], false, Ok(Framing::Plain), None),
            (
                200,
                &[("transfer-encoding", "chunked"), ("content-length", "5")],
                false,
                Ok(Framing::Doubtful),
                None,
            ),
            (
                200,
                &[("content-length", "5"), ("content-length", "5")],
                false,
                Ok(Framing::Doubtful),
                Some("5"),
            ),
            (200, &[("content-length", "5, 5")], false, Ok(Framing::Doubtful), Some("5")),
            (200, &[], false, Ok(Framing::Plain), None),
            (200, &[("content-length", "5")], true, Ok(Framing::Bodiless), Some("5")),
            (200, &[("transfer-encoding", "chunked")], true, Ok(Framing::Bodiless), None),
            (204, &[], false, Ok(Framing::Bodiless), None),
            (204, &[("content-length", "0")], false, Ok(Framing::Bodiless), Some("0")),
            (204, &[("content-length", "5")], false, Ok(Framing::Doubtful), None),
            (304, &[("content-length", "5")], false, Ok(Framing::Bodiless), Some("5")),
            (304, &[("transfer-encoding", "chunked")], false, Ok(Framing::Doubtful), None),
            (
                200,
                &[("transfer-encoding", "gzip, chunked")],
                false,
                Err("its Transfer-Encoding is not `chunked`"),
                None,
            ),
            (
                200,
                &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                false,
                Err("its Transfer-Encoding is not `chunked`"),
                None,
            ),
            (
                200,
                &[("content-length", "5"), ("content-length", "6")],
                false,
                Err("its Content-Length headers differ"),
                None,
            ),
        ] {
            let mut response = Response::builder().status(status);
            for (name, value) in lines {
                response = response.header(*name, *value);
            }
            let mut response = response.body(()).unwrap();
            assert_eq!(mend(&mut response, is_head), expected, "{status} {lines:?}");
            if expected.is_ok() {
                let length =
                    response.headers().get(header::CONTENT_LENGTH).map(|value| value.to_str().unwrap());
                assert_eq!(length, left, "{status} {lines:?}");
            }
        }
    }
}
