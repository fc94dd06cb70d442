//! Refresh tokens in answers of the app, and the handles that take their place.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Body;
use memchr::memmem;
use serde_json::Value;
use zeroize::Zeroizing;

use super::places::{Ways, in_json};
use crate::{
    ResponseBody,
    config::Clock,
    identity::{TokenUse, tokens_in},
    message::{cookie::SetCookie, digests, media_type::MediaType},
};

/// Bytes of the shortest text that is taken for a token: 96 bits in base64.
const SHORTEST: usize = 16;

/// What of an answer can be read.
pub(super) enum Readable {
    /// Its JSON text.
    Json(Bytes),
    /// Nothing: it is not JSON, or it has no body.
    Nothing,
    /// It may hold tokens, and cannot be read.
    Hidden(&'static str),
}

impl Readable {
    pub(super) fn of<B: Body>(answer: &Response<ResponseBody<B>>) -> Self {
        let headers = answer.headers();
        if !MediaType::of(headers).is_some_and(MediaType::is_json) {
            return Self::Nothing;
        }
        let is_plain = headers
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
        match answer.body() {
            _ if !is_plain => Self::Hidden("the answer is compressed"),
            ResponseBody::Own { .. } | ResponseBody::Read { bytes: None } => Self::Nothing,
            ResponseBody::Read { bytes: Some(bytes) } => Self::Json(bytes.clone()),
            ResponseBody::App { .. } | ResponseBody::Ahead { .. } | ResponseBody::Rewritten { .. } => {
                Self::Hidden("the answer is a stream, or too large")
            }
        }
    }
}

/// The refresh tokens that an answer hands out, in a way in which the app takes them. `named` are those
/// of its body.
pub(super) fn tokens(
    headers: &HeaderMap,
    named: &[Zeroizing<String>],
    ways: &Ways,
    clock: Clock,
) -> Vec<Zeroizing<String>> {
    let mut found: Vec<Zeroizing<String>> = Vec::new();
    let mut add = |token: &str| {
        if token.len() >= SHORTEST && !found.iter().any(|known| **known == *token) {
            found.push(Zeroizing::new(token.to_owned()));
        }
    };
    for line in headers.get_all(header::SET_COOKIE) {
        let Some(set) = SetCookie::parse(line.as_bytes()) else { continue };
        let is_it = |name: &str| name.as_bytes() == set.name;
        if !set.is_removal(clock)
            && ways.cookies.iter().any(|name| is_it(name))
            && let Ok(token) = std::str::from_utf8(set.value)
        {
            add(token);
        }
    }
    if ways.as_text {
        for token in named {
            add(token);
        }
    }
    found
}

/// Texts in a body that have the names of refresh tokens.
pub(super) fn members(body: &Readable) -> Vec<Zeroizing<String>> {
    let Readable::Json(bytes) = body else { return Vec::new() };
    let Ok(answer) = serde_json::from_slice::<Value>(bytes) else { return Vec::new() };
    let named = tokens_in(&answer).into_iter().filter(|(own, _)| *own == TokenUse::Refresh);
    named.map(|(_, token)| Zeroizing::new(token.to_owned())).collect()
}

/// Puts a handle in the place of a token wherever that stands. Nothing of the token is left in what
/// the client gets; false if it is written in a way that is not found.
pub(super) fn replace<B: Body>(
    answer: &mut Response<ResponseBody<B>>,
    body: &mut Readable,
    token: &str,
    handle: &str,
) -> bool {
    if token.len() < SHORTEST {
        return false;
    }
    let lines: Vec<_> = answer.headers().get_all(header::SET_COOKIE).iter().cloned().collect();
    if lines.iter().any(|line| memmem::find(line.as_bytes(), token.as_bytes()).is_some()) {
        answer.headers_mut().remove(header::SET_COOKIE);
        for line in lines {
            let replaced = HeaderValue::from_bytes(&all_replaced(line.as_bytes(), token, handle));
            answer.headers_mut().append(header::SET_COOKIE, replaced.unwrap_or(line));
        }
    }
    let Readable::Json(bytes) = &*body else { return true };
    let written = in_json(token);
    let is_there = memmem::find(bytes, written.as_bytes()).is_some();
    if is_there {
        let replaced = Bytes::from(all_replaced(bytes, &written, handle));
        digests::forget(answer.headers_mut());
        answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(replaced.len()));
        *answer.body_mut() = ResponseBody::read(replaced.clone());
        *body = Readable::Json(replaced);
    }
    !members(body).iter().any(|found| **found == *token)
}

fn all_replaced(text: &[u8], token: &str, handle: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + handle.len());
    let mut from = 0;
    for at in memmem::find_iter(text, token) {
        out.extend_from_slice(text.get(from..at).unwrap_or_default());
        out.extend_from_slice(handle.as_bytes());
        from = at + token.len();
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
    out
}
