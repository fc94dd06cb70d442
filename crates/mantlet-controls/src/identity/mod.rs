//! The verdict on a token, and the tokens that were judged before: facts that several controls need.

pub(crate) mod cache;
mod followed;
mod handed_out;

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use http::{HeaderMap, HeaderValue, header};

pub use self::followed::Followed;
pub(crate) use self::handed_out::{TokenUse, tokens_in};
use crate::{
    call::{APP, Attribute, Known, Origin, Principal},
    token::{Claims, TokenFault},
};

/// The verdict on a token.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// It may be of another issuer, or no key is known.
    Unjudged,
    /// It is good.
    Good(Known),
    /// It is not good; and how many seconds ago it has expired, if that is why.
    Bad(TokenFault, Option<i64>),
}

/// The number of a state of what is known of keys. No two states in this process have the same.
#[derive(Debug)]
pub(crate) struct Epoch(AtomicU64);

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Default for Epoch {
    fn default() -> Self {
        Self(NEXT.fetch_add(1, Relaxed).into())
    }
}

impl Epoch {
    /// The number now.
    pub(crate) fn number(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Something else is known by now: verdicts that were remembered count no more.
    pub(crate) fn end(&self) {
        self.0.store(NEXT.fetch_add(1, Relaxed), Relaxed);
    }
}

/// The principal of a token that was verified, with a key of the app or of an issuer; none if it names none.
pub(crate) fn principal(claims: Claims, is_of_app: bool) -> Option<Known> {
    let subject = claims.subject()?;
    let issuer = claims.text("iss").unwrap_or(APP).into();
    let attributes = claims.all.into_iter();
    let attributes =
        attributes.map(|(name, value)| Attribute { name: name.into(), value, origin: Origin::Claim });
    let (attributes, expires) = (attributes.collect(), claims.expires);
    Some(Arc::new(Principal { issuer, subject, is_of_app, attributes, expires }))
}

/// How a token comes in `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenScheme {
    /// It is good in any hands (RFC 6750).
    Bearer,
    /// It is good with a proof of its key (RFC 9449 section 7.1).
    Dpop,
}

/// The token of `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    token_with_scheme(headers).and_then(|(scheme, token)| (scheme == TokenScheme::Bearer).then_some(token))
}

/// The token of `Authorization`, with or without a proof.
pub(crate) fn access_token(headers: &HeaderMap) -> Option<&str> {
    token_with_scheme(headers).map(|(_, token)| token)
}

/// The same as the app reads it: each byte is a character. Some libraries skip what cannot be of a
/// token, so one with such a byte is still one.
pub(crate) fn access_token_text(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let value = headers.get(header::AUTHORIZATION)?;
    if value.to_str().is_ok() {
        return access_token(headers).map(Cow::Borrowed);
    }
    let text = in_characters(value.as_bytes());
    split(&text).map(|(_, token)| token.to_owned().into())
}

/// What an app that takes `Authorization` apart itself may read as a token: the second word or the last,
/// whatever the first one is.
pub(crate) fn words(headers: &HeaderMap) -> impl Iterator<Item = Cow<'_, str>> {
    let value = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    // As Python splits a text: NEL and the no-break space are spaces, too.
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0x85 | 0xa0);
    let mut words = value.split(is_space).filter(|word| !word.is_empty());
    let first = words.next();
    let second = words.next();
    let last = words.next_back();
    [second.or(first), last].into_iter().flatten().map(in_characters)
}

/// Bytes as the app reads them: each is a character.
fn in_characters(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.into(),
        _ => bytes.iter().copied().map(char::from).collect::<String>().into(),
    }
}

/// The token of `Authorization: Bearer` or `DPoP`, as FastAPI reads it: the first header, and what
/// follows its first space.
pub(crate) fn token_with_scheme(headers: &HeaderMap) -> Option<(TokenScheme, &str)> {
    split(headers.get(header::AUTHORIZATION)?.to_str().ok()?)
}

fn split(value: &str) -> Option<(TokenScheme, &str)> {
    let (scheme, token) = value.split_once(' ')?;
    let scheme = if scheme.eq_ignore_ascii_case("bearer") {
        TokenScheme::Bearer
    } else if scheme.eq_ignore_ascii_case("dpop") {
        TokenScheme::Dpop
    } else {
        return None;
    };
    let token = token.trim();
    (!token.is_empty()).then_some((scheme, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_may_take_authorization_apart_in_many_ways() {
        for (value, expected) in [
            (&b"Bearer token"[..], &["token"][..]),
            (b"token", &["token"]),
            (b"x  token ", &["token"]),
            (b"x\xa0token", &["token"]),
            (b"Bearer x\x85token", &["x", "token"]),
            (b"x token and more", &["token", "more"]),
            (b"x t\xe9", &["té"]),
            (b" ", &[]),
            (b"", &[]),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            assert_eq!(words(&headers).collect::<Vec<_>>(), expected, "{value:?}");
        }
        assert_eq!(words(&HeaderMap::new()).count(), 0);
    }
}
