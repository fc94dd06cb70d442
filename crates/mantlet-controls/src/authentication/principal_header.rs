//! The header that tells the app the proven caller, and the signature by which the app knows that the
//! gate has written it.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::{Call, call::Principal, config::Secret};

/// The shortest key, in bytes (RFC 2104 section 3: the length of the hash).
pub(super) const SHORTEST_KEY: usize = 32;
/// How many attributes may be named. With [`LONGEST`] they take 8 KiB at most, half of what the app's
/// server has room for beyond the client's own head.
pub(super) const MOST_ATTRIBUTES: usize = 8;
/// An attribute whose JSON is longer is not sent.
const LONGEST: usize = 1_024;

/// The key that signs the header: of the configuration, or made when the app was started.
#[derive(Debug, Clone, Default)]
pub struct PrincipalKey(Option<Secret<Vec<u8>>>);

impl PrincipalKey {
    /// A key. The app is given the same bytes as text.
    pub fn new(key: Vec<u8>) -> Self {
        Self(Some(key.into()))
    }

    /// A new one of 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; SHORTEST_KEY];
        getrandom::fill(&mut bytes)?;
        let mut text = String::new();
        for byte in bytes {
            // Writing to a text cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self::new(text.into()))
    }

    /// The key itself, if there is one.
    pub const fn secret(&self) -> Option<&Secret<Vec<u8>>> {
        self.0.as_ref()
    }
}

/// What the app is told, and how.
#[derive(Debug)]
pub(super) struct PrincipalHeader {
    name: HeaderName,
    signature: HeaderName,
    attributes: Vec<String>,
    key: PrincipalKey,
}

impl PrincipalHeader {
    /// None if the name of the signature's header would be too long.
    pub(super) fn new(name: HeaderName, attributes: Vec<String>, key: PrincipalKey) -> Option<Self> {
        let signature = HeaderName::try_from(format!("{name}-signature")).ok()?;
        Some(Self { name, signature, attributes, key })
    }

    /// Writes the caller of a request. What a client has sent under these names is removed, `-` or `_`.
    pub(super) fn write(&self, call: &Call, headers: &mut HeaderMap) {
        let is_ours = |name: &HeaderName| is_alike(name, &self.name) || is_alike(name, &self.signature);
        let sent: Vec<_> = headers.keys().filter(|name| is_ours(name)).cloned().collect();
        for name in sent {
            headers.remove(name);
        }
        let Some(principal) = &call.principal else { return };
        let text = self.text(principal);
        let Ok(value) = HeaderValue::try_from(&text) else { return };
        if let Some(signature) = self.sign(&text, call.clock.time().as_second()) {
            headers.insert(&self.signature, signature);
        }
        headers.insert(&self.name, value);
    }

    /// `{"iss":"app","sub":"ann"}` in ASCII, and the attributes that are named in the configuration.
    fn text(&self, principal: &Principal) -> String {
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .filter_map(|name| Some((name.clone(), principal.attribute(name)?.clone())))
            .filter(|(_, value)| in_ascii(&value.to_string()).len() <= LONGEST)
            .collect();
        let (iss, sub) = (&*principal.issuer, &*principal.subject);
        let told = if attributes.is_empty() {
            json!({ "iss": iss, "sub": sub })
        } else {
            json!({ "iss": iss, "sub": sub, "attributes": attributes })
        };
        in_ascii(&told.to_string())
    }

    /// `t=1800000000,v1=…`: the time, and an HMAC of the time and of the text.
    fn sign(&self, text: &str, now: i64) -> Option<HeaderValue> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.key.secret()?.expose()).ok()?;
        mac.update(format!("{now}.{text}").as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        HeaderValue::try_from(format!("t={now},v1={signature}")).ok()
    }
}

/// Whether two names are one for a server that takes `_` for `-`.
fn is_alike(name: &HeaderName, own: &HeaderName) -> bool {
    let (name, own) = (name.as_str().as_bytes(), own.as_str().as_bytes());
    let folded = |byte: &u8| if *byte == b'_' { b'-' } else { *byte };
    name.len() == own.len() && name.iter().map(folded).eq(own.iter().map(folded))
}

/// JSON without any character beyond ASCII.
fn in_ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a text cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Attribute, Origin};

    fn header(attributes: &[&str], key: PrincipalKey) -> PrincipalHeader {
        let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
        PrincipalHeader::new(HeaderName::from_static("x-mantlet-principal"), attributes, key).unwrap()
    }

    #[test]
    fn attributes_are_told_that_are_named_and_small() {
        let attribute =
            |name: &str, value: Value| Attribute { name: name.into(), value, origin: Origin::Claim };
        let principal = Principal {
            issuer: "app".into(),
            subject: "änn".into(),
            is_of_app: true,
            attributes: vec![
                attribute("role", json!(["admin"])),
                attribute("email", json!("a@example.com")),
                attribute("large", json!("x".repeat(LONGEST))),
            ],
            expires: None,
        };
        for (named, expected) in [
            (&[][..], r#"{"iss":"app","sub":"\u00e4nn"}"#),
            (&["absent", "large"], r#"{"iss":"app","sub":"\u00e4nn"}"#),
            (&["role", "large"], r#"{"attributes":{"role":["admin"]},"iss":"app","sub":"\u00e4nn"}"#),
        ] {
            let text = header(named, PrincipalKey::default()).text(&principal);
            let as_value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(as_value(&text), as_value(expected), "{named:?}");
            assert!(text.is_ascii());
        }
    }

    /// The same is asserted of the Python package: `python/tests/test_principal.py`.
    #[test]
    fn a_signature_is_of_the_time_and_the_text() {
        let header = header(&[], PrincipalKey::new(b"0123456789abcdef0123456789abcdef".to_vec()));
        let signed = header.sign(r#"{"iss":"app","sub":"ann"}"#, 1_800_000_000).unwrap();
        assert_eq!(signed, "t=1800000000,v1=kORTHOBxBmzVQYwtgtNOW14735jpngukyuAr6IXiraQ");
        assert!(self::header(&[], PrincipalKey::default()).sign("{}", 0).is_none());
    }
}
