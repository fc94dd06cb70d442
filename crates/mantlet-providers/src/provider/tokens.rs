//! What the provider's tokens have to say to be believed. Their signatures are verified already.

use std::time::Duration;

use jiff::Timestamp;
use mantlet_controls::token::{Audience, Claims, Jws, TokenFault};
use serde_json::{Map, Value};

use crate::settings::Checked;

/// How far clocks may differ.
const SKEW: Duration = Duration::from_mins(1);
/// Seconds for which a logout token may be on its way.
const LOGOUT_FRESH: i64 = 600;
/// What a logout token is about (Back-Channel Logout 1.0 section 2.4).
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Characters of a subject (OIDC Core section 2).
const LONGEST_SUBJECT: usize = 255;

/// A session of the provider has ended, or all of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logout {
    pub(crate) subject: Option<String>,
    pub(crate) sid: Option<String>,
    /// The token's own name.
    pub(crate) jti: String,
    /// From when on it could not be shown again anyway.
    pub(crate) until: Timestamp,
}

/// What both kinds have to say: whose they are, for whom, when.
fn common(settings: &Checked, now: Timestamp, token: &Jws<'_>) -> Result<(Claims, i64), String> {
    let claims = Claims::read(token).map_err(|fault| fault.to_string())?;
    if claims.text("iss") != Some(&settings.issuer) {
        return Err(TokenFault::Issuer.to_string());
    }
    let ours = Audience::OneOf(vec![settings.client_id.clone()]);
    claims.verify_audience(&ours).map_err(|fault| fault.to_string())?;
    claims.verify_time(now, SKEW).map_err(|fault| fault.to_string())?;
    let issued = claims.issued.ok_or("it does not say when it was issued")?;
    let skew = i64::try_from(SKEW.as_secs()).unwrap_or(0);
    if issued > now.as_second().saturating_add(skew) {
        return Err("it was issued in the future: compare the clocks".to_owned());
    }
    Ok((claims, issued))
}

/// An ID token (OIDC Core section 3.1.3.7): its claims.
pub(super) fn id_token(
    settings: &Checked,
    now: Timestamp,
    token: &Jws<'_>,
    nonce: Option<&str>,
) -> Result<Map<String, Value>, String> {
    // RFC 8725 section 3.11: no other kind of token.
    if token.kind.as_deref().is_some_and(|kind| kind != "jwt") {
        return Err("its `typ` is not that of an ID token".to_owned());
    }
    let (claims, _) = common(settings, now, token)?;
    if claims.expires.is_none() {
        return Err(TokenFault::Endless.to_string());
    }
    // An app that it is also for could have asked for it: then it was asked for by us.
    let is_for_many = claims.all.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
    match claims.text("azp") {
        Some(party) if party != settings.client_id => {
            return Err("it was asked for by another app".to_owned());
        }
        None if is_for_many => {
            return Err("it is for several apps, and does not say which has asked".to_owned());
        }
        _ => {}
    }
    if let Some(nonce) = nonce
        && claims.text("nonce") != Some(nonce)
    {
        return Err("its nonce is not that of this login".to_owned());
    }
    let subject = claims.text("sub").unwrap_or_default();
    if subject.is_empty() || subject.chars().count() > LONGEST_SUBJECT {
        return Err("its `sub` is not the name of a caller".to_owned());
    }
    // It names events: it is a logout token.
    if claims.all.contains_key("events") {
        return Err("it is not an ID token".to_owned());
    }
    Ok(claims.all)
}

/// A logout token (Back-Channel Logout 1.0 section 2.6).
pub(super) fn logout_token(settings: &Checked, now: Timestamp, token: &Jws<'_>) -> Result<Logout, String> {
    if token.kind.as_deref().is_some_and(|kind| !matches!(kind, "jwt" | "logout+jwt")) {
        return Err("its `typ` is not that of a logout token".to_owned());
    }
    let (claims, issued) = common(settings, now, token)?;
    if now.as_second().saturating_sub(issued) > LOGOUT_FRESH {
        return Err(TokenFault::Expired.to_string());
    }
    let says_so =
        claims.all.get("events").and_then(|events| events.get(LOGOUT_EVENT)).is_some_and(Value::is_object);
    if !says_so {
        return Err("its `events` do not name a logout".to_owned());
    }
    // It is in ID tokens: one of these must not be taken for a logout token.
    if claims.all.contains_key("nonce") {
        return Err("it has a `nonce`".to_owned());
    }
    let text = |name: &str| match claims.all.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("its `{name}` is not a text")),
    };
    let (subject, sid) = (text("sub")?, text("sid")?);
    if subject.is_none() && sid.is_none() {
        return Err("it names neither a session nor a caller".to_owned());
    }
    let jti = text("jti")?.ok_or("it has no `jti`")?;
    let last = issued.max(claims.expires.unwrap_or(issued)).saturating_add(2 * LOGOUT_FRESH);
    let until = Timestamp::from_second(last).map_err(|_| TokenFault::Claim.to_string())?;
    Ok(Logout { subject, sid, jti, until })
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;
    use crate::settings::{Login, check};

    const NOW: i64 = 1_800_000_000;

    /// What an ID token with these claims in place of good ones comes to. Null takes a claim away.
    fn judged(kind: &str, other: &Value, nonce: Option<&str>) -> Result<Map<String, Value>, String> {
        let login =
            Login { issuer: "https://id.example".into(), client_id: "app".into(), ..Login::default() };
        let settings = check(&[login]).unwrap().remove(0);
        let mut claims = json!({
            "iss": "https://id.example", "aud": "app", "sub": "ada", "nonce": "n", "iat": NOW, "exp": NOW + 300,
        });
        for (name, value) in other.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!("{}.{}.c2ln", part(&json!({"alg": "ES256", "typ": kind})), part(&claims));
        id_token(&settings, Timestamp::from_second(NOW).unwrap(), &Jws::read(&token).unwrap(), nonce)
    }

    #[test]
    fn a_good_id_token_is_believed() {
        for good in [
            json!({}),
            json!({"aud": ["app"]}),
            json!({"aud": ["app", "other"], "azp": "app"}),
            // Clocks differ by a minute.
            json!({"exp": NOW - 59}),
            json!({"iat": NOW + 60, "nbf": NOW + 60}),
        ] {
            let claims = judged("JWT", &good, Some("n")).unwrap_or_else(|why| panic!("{good}: {why}"));
            assert_eq!(claims["sub"], "ada");
        }
        // A refresh has no nonce of its own.
        judged("JWT", &json!({"nonce": null}), None).unwrap();
    }

    #[test]
    fn another_one_is_not() {
        for bad in [
            json!({"iss": "https://evil.example"}),
            json!({"iss": "https://id.example/"}),
            json!({"iss": null}),
            json!({"aud": "other"}),
            json!({"aud": ["other"]}),
            json!({"aud": []}),
            json!({"aud": null}),
            json!({"aud": ["app", "other"]}),
            json!({"azp": "other"}),
            json!({"exp": NOW - 60}),
            json!({"exp": null}),
            json!({"exp": "never"}),
            json!({"nbf": NOW + 61}),
            json!({"iat": NOW + 61}),
            json!({"iat": null}),
            json!({"nonce": "other"}),
            json!({"nonce": null}),
            json!({"nonce": 1}),
            json!({"sub": ""}),
            json!({"sub": null}),
            json!({"sub": 7}),
            json!({"sub": "a".repeat(256)}),
            json!({"events": {LOGOUT_EVENT: {}}}),
        ] {
            assert!(judged("JWT", &bad, Some("n")).is_err(), "{bad}");
        }
        for kind in ["at+jwt", "logout+jwt", "dpop+jwt"] {
            assert!(judged(kind, &json!({}), Some("n")).is_err(), "{kind}");
        }
    }
}
