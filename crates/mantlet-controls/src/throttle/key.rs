//! The keys that requests are counted by.

use std::borrow::Cow;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body::Body;
use mantlet_contract::{
    inputs::{Named, in_cookies, in_query},
    model::{Location, SecurityScheme},
};
use sha2::{Digest, Sha256};

use crate::throttle::{
    Key, Policy,
    rules::{KeyPart, Rule},
};
use crate::{Call, Reason, RequestBody, account::field};

/// However it is padded.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether a rule counts by a field of the body.
pub(super) fn needs_body(rule: &Rule) -> bool {
    rule.key.iter().any(|part| matches!(part, KeyPart::Field(_)))
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
                KeyPart::User => Cow::Owned(user(call)?.into_bytes()),
                KeyPart::ApiKey => api_key(call, request)?,
                KeyPart::Bearer => match bearer(request.headers()) {
                    Some(token) => Cow::Borrowed(token),
                    // A key of ours, which was taken out.
                    None => Cow::Owned(key_of_ours(call)?),
                },
                KeyPart::Route => match &call.operation {
                    Some(matched) => Cow::Borrowed(matched.route.own_path().as_bytes()),
                    None => Cow::Borrowed(call.own_path().as_bytes()),
                },
                KeyPart::Header(name) => header_value(name, request.headers().get(name)?),
                KeyPart::Field(name) => match field(request, std::slice::from_ref(name)) {
                    Named::Text(text) => Cow::Owned(text.into_bytes()),
                    Named::Nothing => return None,
                    // All clients that hide it share one key, or a long body would evade the rule.
                    Named::Unsure => Cow::Borrowed(b"\0unsure"),
                },
            });
        }
        Some(hashed(parts.iter().map(|part| &**part)))
    }
}

/// The proven caller: `iss|sub`, since two issuers may have a `sub` in common, else the name in the certificate.
fn user(call: &Call) -> Option<String> {
    let of_credential = call.principal.as_ref().map(|principal| principal.key());
    of_credential.or_else(|| Some(call.certificate.as_ref()?.name.clone()))
}

/// The caller with an API key that Mantlet has made. It is the same when its key is replaced by
/// another one.
fn key_of_ours(call: &Call) -> Option<Vec<u8>> {
    call.api_key.as_ref().map(|caller| caller.key().into_bytes())
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

/// A credential that the operation declares, without what may be written in more than one way: the first that the request has.
fn api_key<'r, B>(call: &Call, request: &'r Request<B>) -> Option<Cow<'r, [u8]>> {
    if let Some(own) = key_of_ours(call) {
        return Some(Cow::Owned(own));
    }
    let operation = call.operation.as_ref()?.route.operation.as_ref()?;
    let headers = request.headers();
    operation.security.iter().flatten().find_map(|requirement| match &requirement.scheme {
        SecurityScheme::ApiKey { location: Location::Header, name } => {
            headers.get(name.as_str()).map(|value| Cow::Borrowed(value.as_bytes()))
        }
        SecurityScheme::ApiKey { location: Location::Query, name } => {
            in_query(request.uri().query()?.as_bytes(), name).map(|value| Cow::Owned(value.into_bytes()))
        }
        SecurityScheme::ApiKey { location: Location::Cookie, name } => {
            let cookies = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
            in_cookies(cookies, name).map(|value| Cow::Owned(value.into_bytes()))
        }
        SecurityScheme::Bearer { .. } => bearer(headers).map(Cow::Borrowed),
        SecurityScheme::Basic => basic(headers).map(Cow::Owned),
        SecurityScheme::ApiKey { .. } | SecurityScheme::Digest | SecurityScheme::Other => None,
    })
}

/// The part of a credential after its scheme (RFC 9110 section 11.4), if it has this scheme.
fn credential<'r>(headers: &'r HeaderMap, scheme: &[u8]) -> Option<&'r [u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes().trim_ascii();
    let at = value.iter().position(|byte| *byte == b' ')?;
    let (own, rest) = value.split_at_checked(at)?;
    let rest = rest.trim_ascii();
    (own.eq_ignore_ascii_case(scheme) && !rest.is_empty()).then_some(rest)
}

/// The token of `Authorization: Bearer`, or `DPoP` (RFC 9449).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    credential(headers, b"bearer").or_else(|| credential(headers, b"dpop"))
}

/// `user:password` of `Authorization: Basic`, as Python decodes it: what is not of the alphabet it passes over.
fn basic(headers: &HeaderMap) -> Option<Vec<u8>> {
    let text = credential(headers, b"basic")?;
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits: Vec<u8> = text.iter().copied().filter(is_digit).collect();
    Some(BASE64.decode(&digits).unwrap_or(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_one_however_it_is_written() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
            headers
        };
        for value in ["Bearer abc", "bearer   abc ", "BEARER abc", "DPoP abc"] {
            assert_eq!(bearer(&with(value)), Some(&b"abc"[..]), "{value}");
        }
        for value in ["Bearer", "Bearer ", "Basic abc", "abc"] {
            assert_eq!(bearer(&with(value)), None, "{value}");
        }
        for value in ["Basic dXNlcjpwYXNz", "basic  dXNlcjpwYXNz==", "Basic dXNl*cjpw-YXNz="] {
            assert_eq!(basic(&with(value)).as_deref(), Some(&b"user:pass"[..]), "{value}");
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
