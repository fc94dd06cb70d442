use jiff::Timestamp;
use std::time::Duration;

use super::*;

/// `{"alg":"HS256"}.{"sub":"a"}`, and what differs, signed with `secret`.
fn signed(header: &str, payload: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    use hmac::{Hmac, KeyInit, Mac};
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

fn judged(token: &str, key: &Key) -> Result<Claims, TokenFault> {
    let jws = Jws::read(token)?;
    jws.verify(key)?;
    Claims::read(&jws)
}

fn secret() -> Key {
    Key::of_secret(b"secret").unwrap()
}

const HEADER: &str = r#"{"alg":"HS256"}"#;

#[test]
fn only_one_reading_of_a_token_is_taken() {
    let of_header = |header: &str| judged(&signed(header, "{}"), &secret()).err();
    for (header, fault) in [
        (HEADER, None),
        (r#"{"alg":"HS256","typ":"JWT","kid":"../../dev/null","jku":"https://evil.example"}"#, None),
        (r#"{"alg":"none"}"#, Some(TokenFault::Algorithm)),
        (r#"{"alg":"None"}"#, Some(TokenFault::Algorithm)),
        (r#"{"alg":"hs256"}"#, Some(TokenFault::Algorithm)),
        (r#"{"alg":"RS256"}"#, Some(TokenFault::Algorithm)),
        (r#"{"alg":"HS384"}"#, Some(TokenFault::Signature)),
        (r#"{"alg":1}"#, Some(TokenFault::Malformed)),
        (r#"{"typ":"JWT"}"#, Some(TokenFault::Malformed)),
        (r#"{"alg":"none","alg":"HS256"}"#, Some(TokenFault::Malformed)),
        (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, Some(TokenFault::Critical)),
        (r#"{"alg":"HS256","b64":true}"#, Some(TokenFault::Critical)),
        (r#"{"alg":"HS256","zip":"DEF"}"#, Some(TokenFault::Malformed)),
        ("[]", Some(TokenFault::Malformed)),
        ("", Some(TokenFault::Malformed)),
    ] {
        assert_eq!(of_header(header), fault, "{header}");
    }
    let good = signed(HEADER, "{}");
    let (head, rest) = good.split_once('.').unwrap();
    for token in [
        String::new(),
        "a.b".into(),
        format!("{good}."),
        format!("{good}.{rest}"),
        format!("{head}=.{rest}"),
        format!("{head} .{rest}"),
        good.replace('.', ","),
    ] {
        assert_eq!(judged(&token, &secret()).err(), Some(TokenFault::Malformed), "{token}");
    }
    let long = signed(HEADER, &format!(r#"{{"x":"{}"}}"#, "x".repeat(LONGEST)));
    assert_eq!(judged(&long, &secret()).err(), Some(TokenFault::TooLong));
}

#[test]
fn claims_are_what_they_are_and_nothing_else() {
    let of_payload = |payload: &str| judged(&signed(HEADER, payload), &secret());
    for payload in [
        r#"{"exp":"1"}"#,
        r#"{"exp":"99999999999"}"#,
        r#"{"exp":null}"#,
        r#"{"nbf":[1]}"#,
        r#"{"iat":true}"#,
        r#"{"exp":1e400}"#,
        r#"{"exp":1,"exp":99999999999}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        "[1]",
        "null",
    ] {
        let found = of_payload(payload);
        assert!(matches!(found, Err(TokenFault::Claim | TokenFault::Malformed)), "{payload}: {found:?}");
    }
    let now = Timestamp::from_second(1_000_000).unwrap();
    let leeway = Duration::from_secs(30);
    for (payload, fault) in [
        ("{}", None),
        (r#"{"exp":1000001}"#, None),
        (r#"{"exp":999971}"#, None),
        (r#"{"exp":999970}"#, Some(TokenFault::Expired)),
        (r#"{"exp":999999.5}"#, None),
        (r#"{"exp":-1}"#, Some(TokenFault::Expired)),
        (r#"{"nbf":1000030}"#, None),
        (r#"{"nbf":1000031}"#, Some(TokenFault::NotYet)),
        (r#"{"iat":1086430}"#, Some(TokenFault::NotYet)),
        (r#"{"iat":1000300}"#, None),
    ] {
        let claims = of_payload(payload).unwrap();
        assert_eq!(claims.verify_time(now, leeway).err(), fault, "{payload}");
    }
    let ours = Audience::OneOf(vec!["api".into(), "shop".into()]);
    for (payload, is_ours) in [
        (r#"{"aud":"api"}"#, true),
        (r#"{"aud":["x","shop"]}"#, true),
        (r#"{"aud":"API"}"#, false),
        (r#"{"aud":["x"]}"#, false),
        (r#"{"aud":[]}"#, false),
        (r#"{"aud":1}"#, false),
        ("{}", false),
    ] {
        let claims = of_payload(payload).unwrap();
        assert_eq!(claims.verify_audience(&ours).is_ok(), is_ours, "{payload}");
        assert_eq!(claims.verify_audience(&Audience::Any), Ok(()));
    }
}

#[test]
fn a_key_says_what_it_takes() {
    let of = |jwk: serde_json::Value| Key::of_jwk(&jwk).is_some();
    let (x, y) =
        ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
    let ec = |more: serde_json::Value| {
        let mut jwk = serde_json::json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
        jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        jwk
    };
    assert!(of(ec(serde_json::json!({}))));
    assert!(of(ec(serde_json::json!({"use": "sig", "alg": "ES256", "key_ops": ["verify"], "kid": "a"}))));
    for wrong in [
        serde_json::json!({"use": "enc"}),
        serde_json::json!({"alg": "HS256"}),
        serde_json::json!({"alg": "ES384"}),
        serde_json::json!({"alg": "none"}),
        serde_json::json!({"key_ops": ["encrypt"]}),
        serde_json::json!({"crv": "P-521"}),
        serde_json::json!({"kty": "RSA"}),
    ] {
        assert!(!of(ec(wrong.clone())), "{wrong}");
    }
    // 1024 bits, and 2048 with zeros in front.
    for modulus in ["_".repeat(171), format!("{}{}", "A".repeat(171), "_".repeat(171))] {
        assert!(!of(serde_json::json!({"kty": "RSA", "n": modulus, "e": "AQAB"})), "{modulus}");
    }
    let set = serde_json::json!({"keys": [ec(serde_json::json!({})), {"kty": "oct", "k": "c2VjcmV0"}]});
    let set = KeySet::of_jwks(set.to_string().as_bytes()).unwrap();
    // A secret in a public set verifies nothing; a public key is not a secret.
    let token = signed(HEADER, "{}");
    assert_eq!(set.verify(&Jws::read(&token).unwrap()), Err(TokenFault::Algorithm));
    assert_eq!(Key::of_secret(b"").map(drop), None);
}
