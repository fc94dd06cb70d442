//! What a request is counted by.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body::Body;
use mantlet_contract::{
    inputs::{Named, named},
    model::{Location, SecurityScheme},
};

use sha2::{Digest, Sha256};

use super::{
    Key, Policy,
    rule::{KeyPart, Rule},
};
use crate::{Call, Reason, RequestBody};

/// Longest body in which a field is looked for: forms of logins are short.
const READ_AHEAD: usize = 64 << 10;

/// Whether a rule counts by a field of the body.
pub(super) fn needs_body(rule: &Rule) -> bool {
    rule.key.iter().any(|part| matches!(part, KeyPart::Field(_)))
}

/// Reads a body ahead that may name an account.
pub(super) async fn read_ahead<B>(request: &mut Request<RequestBody<B>>) -> Result<(), Reason>
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    let body = request.body_mut();
    if body.size_hint().lower() > READ_AHEAD as u64 {
        return Ok(());
    }
    while body.ahead().len() <= READ_AHEAD && body.read_ahead().await? {}
    Ok(())
}

impl Policy {
    /// The key of a request for a rule; none if it lacks a part.
    pub(super) fn key<B, C>(
        &self,
        rule: &Rule<C>,
        call: &Call,
        request: &Request<RequestBody<B>>,
    ) -> Option<Key>
    where
        B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
    {
        if let ([KeyPart::Ip], Some(address)) = (&*rule.key, call.client.address) {
            return Some(self.group(address));
        }
        let mut parts: Vec<Cow<'_, [u8]>> = Vec::with_capacity(rule.key.len());
        for part in &rule.key {
            parts.push(match part {
                KeyPart::Ip => Cow::Owned(self.group(call.client.address?).to_vec()),
                KeyPart::User => Cow::Borrowed(call.certificate.as_ref()?.name.as_bytes()),
                KeyPart::ApiKey => api_key(call, request.headers())?,
                KeyPart::Route => match &call.operation {
                    Some(matched) => Cow::Borrowed(matched.route.path.as_bytes()),
                    None => Cow::Borrowed(call.path.as_str().as_bytes()),
                },
                KeyPart::Header(name) => header_value(name, request.headers().get(name)?),
                KeyPart::Field(name) => match field(request, name) {
                    Named::Text(text) => Cow::Owned(text.into_bytes()),
                    Named::Nothing => return None,
                    // All who hide it share one, or a rule would end where a body is long enough.
                    Named::Unsure => Cow::Borrowed(b"\0unsure"),
                },
            });
        }
        Some(hashed(parts.iter().map(|part| &**part)))
    }
}

/// A hash of several parts; each with its length, so that no two lists look alike.
pub(super) fn hashed<'p>(parts: impl Iterator<Item = &'p [u8]>) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut key = Key::default();
    key.copy_from_slice(hash.finalize().first_chunk::<16>().unwrap_or(&[0; 16]));
    key
}

/// The value of a header; a credential without what may be written in more than one way (RFC 9110 section 11.4).
fn header_value<'r>(name: &HeaderName, value: &'r HeaderValue) -> Cow<'r, [u8]> {
    let value = value.as_bytes().trim_ascii();
    if *name != header::AUTHORIZATION {
        return Cow::Borrowed(value);
    }
    let mut parts = value.splitn(2, |byte| *byte == b' ');
    let scheme = parts.next().unwrap_or_default().to_ascii_lowercase();
    Cow::Owned([&*scheme, b" ", parts.next().unwrap_or_default().trim_ascii()].concat())
}

/// A key that the operation declares.
fn api_key<'r>(call: &Call, headers: &'r HeaderMap) -> Option<Cow<'r, [u8]>> {
    let operation = call.operation.as_ref()?.route.operation.as_ref()?;
    operation.security.iter().flatten().find_map(|requirement| match &requirement.scheme {
        SecurityScheme::ApiKey { location: Location::Header, name } => {
            headers.get(name.as_str()).map(|value| Cow::Borrowed(value.as_bytes()))
        }
        _ => None,
    })
}

/// The account that a request names, under the first of these names that it has. All who hide it in a body that is not read here share
/// one, or guesses would only have to be long.
pub(super) fn account<B>(request: &Request<RequestBody<B>>, name: &str, aliases: &[String]) -> Option<String>
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    let mut names = std::iter::once(name).chain(aliases.iter().map(String::as_str));
    names.find_map(|name| match field(request, name) {
        Named::Text(text) => Some(text),
        Named::Nothing => None,
        Named::Unsure => Some(String::new()),
    })
}

/// A field of a body that has been read ahead, as accounts are compared: without case and spaces around it, and numbers however they are written.
fn field<B>(request: &Request<RequestBody<B>>, name: &str) -> Named
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    let body = request.body();
    if body.size_hint().lower() > READ_AHEAD as u64 {
        return Named::Unsure;
    }
    let content_type = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    match named(content_type, body.ahead(), name) {
        Named::Text(text) => compared(&text).map_or(Named::Nothing, Named::Text),
        other => other,
    }
}

fn compared(text: &str) -> Option<String> {
    /// Larger numbers are not exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    // What Python's `str.strip` takes away: four control characters more than what is white space.
    let text = text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c));
    let digits = text.trim_start_matches('+').replace('_', "");
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // Of any length.
        let digits = digits.trim_start_matches('0');
        return Some(if digits.is_empty() { "0" } else { digits }.to_owned());
    }
    let number = text.replace('_', "").parse::<f64>();
    match number {
        Ok(number) if number.abs() < EXACT && number.fract() == 0.0 => Some(format!("{number:.0}")),
        _ => (!text.is_empty()).then(|| text.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::{compared, hashed};

    #[test]
    fn what_names_one_account_is_one_key() {
        for (texts, expected) in [
            (&["alice", " Alice\t", "ALICE"][..], Some("alice")),
            (&["7", "07", "+7", "7.0", "7e0", "0_7", " 7 "], Some("7")),
            (&["491701234567890"], Some("491701234567890")),
            (&["99999999999999999999", "0099999999999999999999"], Some("99999999999999999999")),
            (&["bob\u{1c}", "\u{1f}Bob"], Some("bob")),
            (&["nan"], Some("nan")),
            (&["7.5"], Some("7.5")),
            (&["", "  "], None),
        ] {
            for text in texts {
                assert_eq!(compared(text).as_deref(), expected, "{text:?}");
            }
        }
    }

    #[test]
    fn keys_are_hashed_as_docs_audit_md_says() {
        let short = |parts: &[&str]| {
            let key = hashed(parts.iter().map(|part| part.as_bytes()));
            key[..4].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
        };
        assert_eq!([short(&["alice", ""]), short(&["secret-key"])], ["f3fb053e", "3486a277"]);
    }
}
