//! What a request is counted by.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, Request, header};
use http_body::Body;
use mantlet_contract::model::{Location, SecurityScheme};

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
    pub(super) fn key<B>(&self, rule: &Rule, call: &Call, request: &Request<RequestBody<B>>) -> Option<Key> {
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
                KeyPart::Header(name) => Cow::Borrowed(request.headers().get(name)?.as_bytes()),
                KeyPart::Field(name) => {
                    Cow::Owned(field(request.headers(), request.body().ahead(), name)?.into_bytes())
                }
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

/// A field of a JSON object or a form that has been read ahead, as accounts are compared: without case and spaces around it. Of several of
/// one name the last counts, as for FastAPI.
pub(super) fn field(headers: &HeaderMap, body: &[u8], name: &str) -> Option<String> {
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let text = if starts_with(content_type, b"application/x-www-form-urlencoded") {
        form_urlencoded::parse(body).filter(|(own, _)| own == name).last()?.1.into_owned()
    } else if starts_with(content_type, b"multipart/form-data") {
        return None;
    } else {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
        match object.get(name)? {
            serde_json::Value::String(text) => text.clone(),
            value => value.to_string(),
        }
    };
    let text = text.trim().to_lowercase();
    (!text.is_empty()).then_some(text)
}

fn starts_with(value: &[u8], start: &[u8]) -> bool {
    value.trim_ascii_start().get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start))
}
