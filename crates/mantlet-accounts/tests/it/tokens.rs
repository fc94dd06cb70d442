//! Access tokens and the keys that sign them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{JwkSet, ThumbprintHash},
};
use mantlet_accounts::{Accounts, Secret, tokens::Claims};

use crate::kit::{later, logged_in, now, on_both, person};

const DAY: i64 = 24 * 60 * 60;

async fn keys(accounts: &Accounts, at: i64) -> JwkSet {
    serde_json::from_str(&accounts.jwks(later(at)).await.unwrap()).unwrap()
}

/// What a token says, by the published keys.
fn verified(keys: &JwkSet, token: &Secret<String>) -> Option<(String, Claims)> {
    let header = decode_header(token.expose()).unwrap();
    assert_eq!((header.typ.as_deref(), header.alg), (Some("at+jwt"), Algorithm::ES256));
    let kid = header.kid.unwrap();
    let key = DecodingKey::from_jwk(keys.find(&kid)?).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["https://orchard.example"]);
    validation.set_issuer(&["https://orchard.example"]);
    validation.validate_exp = false;
    Some((kid, decode::<Claims>(token.expose(), &key, &validation).unwrap().claims))
}

#[test]
fn a_token_says_who_by_which_session_and_is_verified_by_the_published_keys() {
    on_both(async |home| {
        let accounts = home.open().await;
        let ada = person(&accounts, "ada@example.com").await;
        let phone = logged_in(&accounts, now(), "ada@example.com", true).await;
        let tokens = phone.tokens.unwrap();
        assert_eq!(tokens.expires_in, 600);
        let published = keys(&accounts, 0).await;
        assert_eq!(published.keys.len(), 1);
        let (kid, claims) = verified(&published, &tokens.access).unwrap();
        assert_eq!(kid, published.keys[0].thumbprint(ThumbprintHash::SHA256).unwrap());
        assert_eq!((claims.sub, claims.sid), (ada, phone.session.id));
        assert_eq!((claims.iat, claims.exp), (now().as_second(), now().as_second() + 600));
        assert_eq!((claims.ver, claims.scope.as_str()), (1, "read write"));
        let other =
            accounts.refresh(later(1), &tokens.refresh).await.unwrap().good().unwrap().tokens.unwrap();
        let (_, other) = verified(&published, &other.access).unwrap();
        assert_ne!(other.jti, claims.jti);
        // A reader of the database cannot sign.
        let sealed = home.ask("SELECT sealed FROM signing_keys").await;
        let sealed: String = sqlx::Row::get(&sealed[0], 0);
        assert!(sealed.len() > 100 && sealed.contains('.'), "{sealed}");
    });
}

#[test]
fn a_token_is_good_for_its_lifetime_its_issuer_and_its_session() {
    on_both(async |home| {
        let accounts = home.open().await;
        person(&accounts, "ada@example.com").await;
        let phone = logged_in(&accounts, now(), "ada@example.com", true).await;
        let access = phone.tokens.unwrap().access;
        let good = async |at: i64, token: &str| {
            let found = accounts.verify_token(later(at), token).await.unwrap();
            found.map(|(claims, session)| (claims.sid, session.id))
        };
        let (sid, id) = good(599, access.expose()).await.unwrap();
        assert_eq!((&sid, &id), (&phone.session.id, &phone.session.id));
        assert_eq!(good(600, access.expose()).await, None, "it has ended");
        let mut parts: Vec<String> = access.expose().split('.').map(str::to_owned).collect();
        let (header, claims) = (parts[0].clone(), parts[1].clone());
        let encoded = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let decoded = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        // Nothing of it can be changed: neither what it says, nor how it is signed.
        let mut other = decoded(&claims);
        other["exp"] = (later(3600).as_second()).into();
        for (part, value) in [
            (1, encoded(other)),
            (0, encoded(serde_json::json!({"alg": "none", "typ": "at+jwt", "kid": decoded(&header)["kid"]}))),
            (0, encoded(serde_json::json!({"alg": "ES256", "typ": "JWT", "kid": decoded(&header)["kid"]}))),
            (0, encoded(serde_json::json!({"alg": "ES256", "typ": "at+jwt", "kid": "another"}))),
            (2, String::new()),
        ] {
            let whole = std::mem::replace(&mut parts[part], value);
            assert_eq!(good(0, &parts.join(".")).await, None, "part {part}");
            parts[part] = whole;
        }
        for other in ["", "a.b.c", "..", "mr_abc"] {
            assert_eq!(good(0, other).await, None, "{other}");
        }
        // Another issuer with the same keys.
        let mut settings = mantlet_accounts::accounts::Settings::new("Orchard", "https://other.example");
        settings.issuer.audience = "https://orchard.example".to_owned();
        let elsewhere = home.open_with(settings).await;
        assert!(elsewhere.verify_token(now(), access.expose()).await.unwrap().is_none());
        // Its session ends.
        let given_up = accounts.give_up(later(1), &access).await.unwrap();
        assert_eq!(given_up, Some((phone.session.account.clone(), phone.session.id.clone())));
        assert_eq!(good(1, access.expose()).await, None);
        assert_eq!(accounts.give_up(later(1), &access).await.unwrap(), None, "once");
        // Of any refresh token that it has had.
        let phone = logged_in(&accounts, now(), "ada@example.com", true).await;
        let first = phone.tokens.unwrap().refresh;
        let next = accounts.refresh(later(1), &first).await.unwrap().good().unwrap().tokens.unwrap();
        assert!(accounts.give_up(later(2), &first).await.unwrap().is_some());
        assert!(accounts.refresh(later(2), &next.refresh).await.unwrap().good().is_none());
    });
}

#[test]
fn the_next_key_is_published_a_day_before_it_signs() {
    on_both(async |home| {
        let accounts = home.open().await;
        person(&accounts, "ada@example.com").await;
        let signed = async |at: i64| {
            let session = logged_in(&accounts, later(at), "ada@example.com", false).await.session;
            accounts.access_token(later(at), &session).await.unwrap()
        };
        let first = keys(&accounts, 0).await.keys[0].common.key_id.clone().unwrap();
        accounts.maintain(later(89 * DAY - 1)).await.unwrap();
        assert_eq!(keys(&accounts, 89 * DAY - 1).await.keys.len(), 1);
        // Two gates at once make one key.
        let other = home.open_at(now()).await;
        let both = tokio::join!(accounts.maintain(later(89 * DAY)), other.maintain(later(89 * DAY)));
        assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
        let published = keys(&accounts, 89 * DAY).await;
        assert_eq!(published.keys.len(), 2);
        let last = signed(90 * DAY - 1).await;
        assert_eq!(verified(&published, &last).unwrap().0, first, "not before its time");
        let new = signed(90 * DAY).await;
        assert_ne!(verified(&published, &new).unwrap().0, first, "known to who has fetched a day ago");
        // The last token of the old key ends after ten minutes; clocks differ by five.
        assert!(verified(&keys(&accounts, 90 * DAY + 899).await, &last).is_some());
        assert!(verified(&keys(&accounts, 90 * DAY + 900).await, &last).is_none());
        assert!(verified(&keys(&accounts, 90 * DAY + 900).await, &new).is_some());
        // A gate that was off for a year.
        accounts.maintain(later(500 * DAY)).await.unwrap();
        let after = keys(&accounts, 500 * DAY).await;
        assert_eq!(after.keys.len(), 2);
        assert!(verified(&after, &signed(500 * DAY + 60).await).is_some());
    });
}

#[test]
fn a_clock_that_went_ahead_keeps_no_key_from_being_made() {
    on_both(async |home| {
        let accounts = home.open().await;
        person(&accounts, "ada@example.com").await;
        accounts.maintain(later(3650 * DAY)).await.unwrap();
        accounts.maintain(later(89 * DAY)).await.unwrap();
        let session = logged_in(&accounts, later(91 * DAY), "ada@example.com", false).await.session;
        let token = accounts.access_token(later(91 * DAY), &session).await.unwrap();
        let published = keys(&accounts, 91 * DAY).await;
        let (kid, _) = verified(&published, &token).unwrap();
        // The first one has ended; the one of the wrong clock waits for its time.
        assert_eq!(published.keys.len(), 2);
        assert_eq!(published.keys[1].common.key_id.as_ref(), Some(&kid));
        // A clock before all keys: the first one signs.
        let token = accounts.access_token(later(-DAY), &session).await.unwrap();
        assert!(verified(&keys(&accounts, -DAY).await, &token).is_some());
    });
}
