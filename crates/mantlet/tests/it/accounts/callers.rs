//! Credentials that are not good, or not ours, and several at once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::site::{COOKIE, ISSUER, Site, bearer, header_of_app, principal, session};

/// A token with this head and these claims, and a signature that is none.
fn forged(header: &serde_json::Value, claims: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode([1; 64]))
}

#[test]
fn a_token_of_ours_that_is_not_good_is_refused() {
    let site = Site::start("");
    site.register("ada@example.com");
    let good = site.tokens("ada@example.com").access;
    let parts: Vec<&str> = good.split('.').collect();
    let claims = json!({ "iss": ISSUER, "aud": ISSUER, "sub": "1", "sid": "1", "exp": 4_102_444_800_i64 });
    for bad in [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode([1; 64])),
        forged(&json!({ "alg": "none", "typ": "at+jwt" }), &claims),
        forged(&json!({ "alg": "ES256", "typ": "at+jwt" }), &claims),
        forged(&json!({ "alg": "HS256", "typ": "at+jwt" }), &claims),
        forged(&json!({ "alg": "ES256", "typ": "at+jwt", "crit": ["x"], "x": 1 }), &claims),
    ] {
        let answer = site.get("/x", &bearer(&bad));
        assert_eq!((answer.status, answer.code().as_str()), (401, "token-invalid"), "{bad}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        assert_eq!(answer.json()["detail"], "Could not validate credentials");
    }
    assert_eq!(site.get("/x", &bearer(&good)).status, 200);
}

#[test]
fn tokens_of_others_are_the_apps() {
    let site = Site::start("public = [\"/health\"]\n");
    let foreign = forged(&json!({ "alg": "ES256" }), &json!({ "iss": "https://id.example", "sub": "1" }));
    for credential in [format!("Bearer {foreign}"), "Bearer opaque".to_owned(), "Basic YTpi".to_owned()] {
        let lines = format!("Authorization: {credential}\r\n");
        assert_eq!(
            header_of_app(&site.get("/health", &lines), "authorization").as_deref(),
            Some(&*credential)
        );
        // It proves nothing here.
        assert_eq!(site.get("/x", &lines).status, 401, "{credential}");
    }
}

#[test]
fn of_a_token_and_a_cookie_the_token_counts() {
    let site = Site::start("");
    site.register("ada@example.com");
    site.register("ben@example.com");
    let (token, cookie) = (site.tokens("ada@example.com").access, site.cookie("ben@example.com"));
    let both = site.get("/x", &format!("{}{}", bearer(&token), session(&cookie)));
    assert_eq!(principal(&both).expect("a caller")["attributes"]["email"], "ada@example.com");
    for name in ["authorization", "cookie"] {
        assert_eq!(header_of_app(&both, name), None, "{name}");
    }
    let bad = site.get("/x", &format!("{}{}", bearer(&format!("{token}x")), session(&cookie)));
    assert_eq!((bad.status, bad.code().as_str()), (401, "token-invalid"));
}

#[test]
fn a_cookie_that_another_page_has_set_beside_ours_logs_nobody_in() {
    let site = Site::start("");
    site.register("ada@example.com");
    site.register("eve@example.com");
    let (own, of_attacker) = (site.cookie("ada@example.com"), site.cookie("eve@example.com"));
    for lines in [
        format!("Cookie: {COOKIE}={of_attacker}; {COOKIE}={own}\r\n"),
        format!("Cookie: {COOKIE}={own}; {COOKIE}={of_attacker}\r\n"),
        format!("Cookie: {COOKIE}={own}\r\nCookie: {COOKIE}={of_attacker}\r\n"),
        // Names that a neighbour's host may set.
        format!("Cookie: session={of_attacker}\r\n"),
        format!("Cookie: __host-session={of_attacker}\r\n"),
        format!("Cookie: __Secure-session={of_attacker}\r\n"),
    ] {
        assert_eq!(site.get("/x", &lines).status, 401, "{lines}");
    }
    assert_eq!(site.get("/x", &session(&own)).status, 200);
}

#[test]
fn an_expired_token_does_not_keep_its_client_from_a_new_one() {
    let site = Site::start("");
    site.register("ada@example.com");
    let tokens = site.tokens("ada@example.com");
    let form = format!("grant_type=refresh_token&refresh_token={}", tokens.refresh);
    let bad = bearer(&format!("{}x", tokens.access));
    let renewed = site.post("/auth/token", "application/x-www-form-urlencoded", &form, &bad);
    assert_eq!(renewed.status, 200, "{renewed:?}");
    assert_eq!(site.get("/auth/api/me", &bad).status, 401, "its own operations refuse it");
}
