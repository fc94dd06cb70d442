//! What a token says.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    Jws, TokenFault,
    jws::{has_its_form, strict},
};

/// How far in the future a token may have been issued: farther, its issuer's clock is wrong, or it is made up.
const FARTHEST: i64 = 24 * 3_600;

/// The claims of a token (RFC 7519 section 4). Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// All of them.
    pub all: Map<String, Value>,
    /// `exp`
    pub expires: Option<i64>,
    /// `nbf`
    pub begins: Option<i64>,
    /// `iat`
    pub issued: Option<i64>,
}

/// The audience that a token must be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Any, or none.
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

impl Claims {
    /// Reads them, after the signature was verified.
    pub fn read(token: &Jws<'_>) -> Result<Self, TokenFault> {
        strict(&token.payload)?;
        let all = serde_json::from_slice(&token.payload).map_err(|_| TokenFault::Malformed)?;
        Self::of(all).ok_or(TokenFault::Claim)
    }

    /// Claims that an issuer has said. None: a time is not a number.
    pub fn of(all: Map<String, Value>) -> Option<Self> {
        let time = |name: &str| match all.get(name) {
            None => Some(None),
            // A text is not a time: it must not count as one that is absent.
            Some(value) => seconds(value).map(Some),
        };
        let (expires, begins, issued) = (time("exp")?, time("nbf")?, time("iat")?);
        Some(Self { all, expires, begins, issued })
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name)?.as_str()
    }

    /// Whom it is about (`sub`): a text, or a number that apps write in its place.
    pub(crate) fn subject(&self) -> Option<Box<str>> {
        match self.all.get("sub")? {
            Value::String(text) => Some(text.as_str().into()),
            Value::Number(number) => Some(number.to_string().into()),
            _ => None,
        }
    }

    /// Whether it is within its time.
    pub fn verify_time(&self, now: Timestamp, leeway: Duration) -> Result<(), TokenFault> {
        let now = now.as_second();
        let leeway = i64::try_from(leeway.as_secs()).unwrap_or(i64::MAX);
        if self.expires.is_some_and(|end| end.saturating_add(leeway) <= now) {
            return Err(TokenFault::Expired);
        }
        let begins_later = self.begins.is_some_and(|begin| begin > now.saturating_add(leeway));
        let is_from_the_future = self.issued.is_some_and(|issued| issued > now.saturating_add(FARTHEST));
        if begins_later || is_from_the_future { Err(TokenFault::NotYet) } else { Ok(()) }
    }

    /// How long ago it has expired, in seconds; none if it has not.
    pub fn expired_for(&self, now: Timestamp) -> Option<i64> {
        self.expires.map(|end| now.as_second().saturating_sub(end)).filter(|span| *span >= 0)
    }

    /// Whether it is for one of these audiences. `aud` is a text or a list (RFC 7519 section 4.1.3).
    pub fn verify_audience(&self, audience: &Audience) -> Result<(), TokenFault> {
        let Audience::OneOf(ours) = audience else { return Ok(()) };
        let is_ours = |name: &str| ours.iter().any(|own| own == name);
        let is_for_us = match self.all.get("aud") {
            Some(Value::String(name)) => is_ours(name),
            Some(Value::Array(names)) => names.iter().any(|name| name.as_str().is_some_and(is_ours)),
            _ => false,
        };
        if is_for_us { Ok(()) } else { Err(TokenFault::Audience) }
    }
}

/// What a token says, if it has the form of one. Its signature is not verified.
pub(crate) fn unverified(token: &str) -> Option<Claims> {
    if !has_its_form(token) {
        return None;
    }
    Claims::read(&Jws::read(token).ok()?).ok()
}

/// A number of seconds: an integer, or one with a fraction (RFC 7519 section 2).
#[expect(clippy::cast_possible_truncation, reason = "what is outside of the range is not a time")]
fn seconds(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        (float.abs() < 9.0e15).then(|| float.floor() as i64)
    })
}
