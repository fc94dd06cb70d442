//! The tokens that a client has sent itself. What the app says again is not handed out: else a client
//! could make the gate believe that the app has just given it any token.

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body::Body;

use super::sessions::{Digest, digest};
use crate::{Reason, RequestBody, token::has_its_form};

/// Tokens that one request may send: more, and nothing is learned from its answer.
const MOST: usize = 64;
/// Bytes of the shortest text that can hold one.
const SHORTEST: usize = 32;

/// The tokens of a request.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    tokens: Vec<Digest>,
    /// The client may have sent more than those.
    may_be_more: bool,
}

impl Sent {
    /// The tokens in a request's target, its headers, and as much of its body as was read.
    pub(super) fn by<B>(request: &Request<RequestBody<B>>) -> Self
    where
        B: Body<Data = Bytes, Error = Reason> + Unpin,
    {
        let target = request.uri().path_and_query().map(|target| target.as_str().as_bytes());
        let texts = target.into_iter().chain(request.headers().values().map(HeaderValue::as_bytes));
        let texts = texts.chain([request.body().ahead()]).filter(|text| text.len() >= SHORTEST);
        let tokens: Vec<_> = texts.flat_map(tokens_in_text).map(|token| digest(token.as_bytes())).collect();
        let is_all_read = request.body().is_read_ahead() || request.body().is_end_stream();
        Self { may_be_more: !is_all_read || tokens.len() > MOST, tokens }
    }

    /// Whether the client may have sent this itself.
    pub(super) fn has(&self, token: &str) -> bool {
        self.may_be_more || self.tokens.contains(&digest(token.as_bytes()))
    }
}

/// Signed tokens in a text of a client.
pub(super) fn tokens_in_text(text: &[u8]) -> impl Iterator<Item = &str> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    // Nearly all texts hold none.
    let may_hold_one = memchr::memmem::find(text, b"ey").is_some();
    let text = if may_hold_one { text } else { &[] };
    let words = text.split(move |byte| !is_part(byte)).filter_map(|word| std::str::from_utf8(word).ok());
    words.filter(|word| has_its_form(word))
}
