//! Tokens: what they say, and what an attacker makes of them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// The claims of a JSON Web Token, unverified.
pub(super) fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (header, claims) = (parts.next()?, parts.next()?);
    let is_three = parts.next().is_some() && parts.next().is_none();
    let read = |part: &str| {
        serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?).ok()
    };
    read(header).filter(|header| is_three && header.get("alg").is_some())?;
    read(claims).filter(Value::is_object)
}

/// Whom a token is about.
pub(super) fn subject(token: &str) -> Option<String> {
    claims(token)?.get("sub").and_then(super::answers::scalar)
}

/// How long a token is good, in seconds, where it says when it was issued; none if it has no end.
pub(super) fn lifetime(claims: &Value, now: u64) -> Option<u64> {
    let at = |name: &str| claims.get(name).and_then(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
    let start = at("iat").unwrap_or(now as f64);
    let length = (at("exp")? - start).max(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is not negative")]
    Some(length as u64)
}

/// Tokens that no app may accept, made of a genuine one or of nothing, each with what it is.
pub(super) fn forged(genuine: Option<&str>) -> Vec<(&'static str, String)> {
    let mut forged = vec![("a word that is not a token", "mantlet-check".to_owned())];
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let own = json!({"sub": "1", "exp": 4_102_444_800_u64, "iat": 1_700_000_000});
    let said = genuine.and_then(claims);
    let is_jwt = said.is_some();
    let said = said.unwrap_or(own);
    for (what, alg) in [("a token with `alg: none`", "none"), ("a token with `alg: NONE`", "NONE")] {
        forged.push((what, format!("{}.{}.", encode(&json!({"alg": alg, "typ": "JWT"})), encode(&said))));
    }
    let signature = URL_SAFE_NO_PAD.encode([0x5a; 32]);
    let header = genuine.filter(|_| is_jwt).and_then(|token| token.split('.').next()).map(str::to_owned);
    let header = header.unwrap_or_else(|| encode(&json!({"alg": "HS256", "typ": "JWT"})));
    forged.push(("a token that another key signed", format!("{header}.{}.{signature}", encode(&said))));
    if is_jwt {
        forged.push(("a token without its signature", format!("{header}.{}.", encode(&said))));
        for (what, name, value) in [
            ("a token that has expired, signed by another key", "exp", json!(1_000_000_000)),
            (
                "a token for another audience, signed by another key",
                "aud",
                json!("https://mantlet-check.example"),
            ),
        ] {
            let mut said = said.clone();
            if let Some(map) = said.as_object_mut() {
                map.insert(name.to_owned(), value);
            }
            forged.push((what, format!("{header}.{}.{signature}", encode(&said))));
        }
    } else if let Some(token) = genuine.filter(|token| token.len() >= 16) {
        // The last characters of an opaque token belong to its signature or its random part.
        let end = token.len() - 4;
        if let Some(beginning) = token.get(..end) {
            let last = token.get(end..).unwrap_or_default();
            let other: String = last.chars().map(|c| if c == 'a' { 'b' } else { 'a' }).collect();
            forged.push(("a genuine token with another end", format!("{beginning}{other}")));
        }
    }
    forged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_and_forged() {
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!(
            "{}.{}.c2ln",
            encode(json!({"alg": "HS256"})),
            encode(json!({"sub": "ann", "iat": 1000, "exp": 1900}))
        );
        let said = claims(&token).unwrap();
        assert_eq!(subject(&token).as_deref(), Some("ann"));
        assert_eq!(lifetime(&said, 5000), Some(900));
        assert_eq!(lifetime(&json!({"sub": "ann"}), 5000), None);
        assert!(claims("one.two").is_none() && claims("Zm9v.YmFy.baz").is_none());
        let all = forged(Some(&token));
        assert!(all.iter().all(|(_, one)| *one != token));
        assert!(all.iter().any(|(_, one)| claims(one).is_some_and(|said| said["sub"] == "ann")));
    }
}
