//! Tokens as an attacker makes them, or as the app made them earlier.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use rcgen::{KeyPair, SigningKey};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

/// Header and claims of a JWT; the signature is not verified.
pub(crate) fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        let bytes = BASE64.decode(part).expect("base64url");
        serde_json::from_slice(&bytes).unwrap_or_default()
    });
    (parts.next().expect("a header"), parts.next().expect("claims"))
}

/// A JWT whose header names one of HS256, HS384 and HS512, signed with this key.
pub(crate) fn signed(header: &Value, claims: &Value, key: &[u8]) -> String {
    let text = unsigned(header, claims);
    let signature = match header["alg"].as_str() {
        Some("HS256") => mac::<Hmac<Sha256>>(text.as_bytes(), key),
        Some("HS384") => mac::<Hmac<Sha384>>(text.as_bytes(), key),
        Some("HS512") => mac::<Hmac<Sha512>>(text.as_bytes(), key),
        other => panic!("{other:?} is not an algorithm with a shared key"),
    };
    format!("{text}.{signature}")
}

fn mac<M: Mac + KeyInit>(text: &[u8], key: &[u8]) -> String {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("keys may have any length");
    mac.update(text);
    BASE64.encode(mac.finalize().into_bytes())
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

/// A forged token: the same header and claims, signed with another key.
pub(crate) fn forge(token: &str, key: &[u8]) -> String {
    let (header, claims) = parts(token);
    signed(&header, &claims, key)
}

/// An unsecured token with the same claims (RFC 7519 section 6).
pub(crate) fn none(token: &str) -> String {
    unsigned(&json!({"alg": "none", "typ": "JWT"}), &parts(token).1) + "."
}

/// The same token with these claims added or replaced, signed with this key.
pub(crate) fn with(token: &str, changes: &Value, key: &[u8]) -> String {
    let (header, mut claims) = parts(token);
    for (name, value) in changes.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    signed(&header, &claims, key)
}

/// The same token as if it were made so many seconds earlier, signed with this key.
pub(crate) fn aged(token: &str, seconds: i64, key: &[u8]) -> String {
    let (header, mut claims) = parts(token);
    for name in ["exp", "iat", "nbf"] {
        if let Some(time) = claims[name].as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "a time in seconds")]
            let time = time as i64;
            claims[name] = json!(time - seconds);
        }
    }
    signed(&header, &claims, key)
}

/// A JWT of an issuer with an RSA key.
pub(crate) fn rs256(claims: &Value, key: &KeyPair) -> String {
    let text = unsigned(&json!({"alg": "RS256", "kid": "2026", "typ": "JWT"}), claims);
    let signature = key.sign(text.as_bytes()).expect("a signature");
    format!("{text}.{}", BASE64.encode(signature))
}
