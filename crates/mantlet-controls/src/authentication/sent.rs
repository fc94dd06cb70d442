//! The tokens that a client has sent itself. What the app says again is not handed out: else a client
//! could make the gate believe that the app has just given it any token.

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body::Body;

use super::sessions::{Digest, digest};
use crate::{Reason, RequestBody, token::has_its_form};

/// Tokens that one request may send: more, and nothing is learned from its answer.
const MOST: usize = 64;
/// Tokens in an address, or in the body of a reset, that are looked at.
pub(super) const MOST_LINKS: usize = 4;
/// Bytes of the shortest text that can hold one.
const SHORTEST: usize = 32;

/// The tokens of a request.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    tokens: Vec<Box<str>>,
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
        let tokens: Vec<_> = texts.flat_map(tokens_in_text).map(Box::from).collect();
        let is_all_read = request.body().is_read_ahead() || request.body().is_end_stream();
        Self { may_be_more: !is_all_read || tokens.len() > MOST, tokens }
    }

    /// Whether the client may have sent this itself, in any spelling.
    pub(super) fn has(&self, token: &str) -> bool {
        self.has_digest(&digest(token.as_bytes()))
    }

    pub(super) fn has_digest(&self, token: &Digest) -> bool {
        self.may_be_more || self.tokens.iter().any(|sent| digest(sent.as_bytes()) == *token)
    }
}

/// Signed tokens in a text of a client.
pub(super) fn tokens_in_text(text: &[u8]) -> impl Iterator<Item = &str> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    // Most texts are searched for no more than the first two letters of a token.
    let begins = move |at: &usize| {
        at.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|byte| !is_part(byte))
    };
    let words = memchr::memmem::find_iter(text, b"ey").filter(begins).filter_map(move |at| {
        let rest = text.get(at..)?;
        let end = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        std::str::from_utf8(rest.get(..end)?).ok()
    });
    words.filter(|word| has_its_form(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_whole_words_of_a_text() {
        for (text, expected) in [
            (&b"ey1.a.b"[..], &["ey1.a.b"][..]),
            (b"Bearer ey1.a.b", &["ey1.a.b"]),
            (b"a=ey1.a.b; b=\"ey2.a.b\", keys", &["ey1.a.b", "ey2.a.b"]),
            (b"ey1.a.b=ey2.ey.ey", &["ey1.a.b", "ey2.ey.ey"]),
            (b"xey1.a.b -ey1.a.b ey1.a ey1.a.b.c", &[]),
            (b"\xffey1.a.b\xff", &["ey1.a.b"]),
            (b"", &[]),
        ] {
            assert_eq!(tokens_in_text(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }
}
