//! Tokens, as an OAuth client and an app that verifies them see it.

use futures_util::future::join_all;
use mantlet_accounts::outbox::Kind;
use mantlet_sign_in::What;
use serde_json::json;

use crate::{
    home::{OTHER, PASSWORD, later, mails, on_both},
    kit::{Client, code_of, with_ada},
};

const ADA: [(&str, &str); 3] =
    [("grant_type", "password"), ("username", "ada@example.com"), ("password", PASSWORD)];
const MFA: &str = "urn:mantlet:params:oauth:grant-type:mfa-otp";

#[test]
fn a_password_gets_tokens_with_the_scopes_that_anybody_may_have() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut client = Client::new(&site);
        let fields = [&ADA[..], &[("scope", "read admin read"), ("client_id", "docs")]].concat();
        let tokens = client.form("/auth/token", &fields).await;
        assert_eq!(tokens.status, 200, "{tokens:?}");
        let body = tokens.json();
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("bearer"), &json!(600)));
        assert_eq!(body["scope"], "read", "a scope that is not there for the asking is left out");
        assert!(tokens.headers.get("set-cookie").is_none());
        let caller = site.caller_of_token(client.at, &tokens.text("access_token")).await.unwrap().unwrap();
        assert_eq!((caller.address.as_str(), caller.scope.as_str()), ("ada@example.com", "read"));
        assert_eq!((caller.expires, caller.is_verified), (later(600), true));
        assert_eq!(tokens.event.unwrap().session.as_ref(), Some(&caller.session.id));
        client.bearer = Some(body["access_token"].as_str().unwrap().to_owned());
        assert_eq!(client.get("/auth/api/me").await.json()["id"], caller.account.as_str());
        client.at = later(600);
        assert_eq!(client.get("/auth/api/me").await.status, 401);
        // As clients of FastAPI do, and as the RFC wants errors.
        client.at = later(601);
        assert_eq!(client.form("/auth/token", &ADA[1..]).await.status, 200);
        for (fields, error) in [
            (vec![("username", "ada@example.com"), ("password", OTHER)], "invalid_grant"),
            (vec![("username", "not an address"), ("password", OTHER)], "invalid_grant"),
            (vec![("username", "ada@example.com")], "invalid_request"),
            (vec![("grant_type", "authorization_code"), ("code", "x")], "unsupported_grant_type"),
            (vec![("grant_type", "refresh_token")], "invalid_request"),
            (vec![("grant_type", "refresh_token"), ("refresh_token", "mr_x")], "invalid_grant"),
            (vec![("grant_type", MFA), ("mfa_token", "x"), ("otp", "1")], "invalid_grant"),
            (vec![], "invalid_request"),
        ] {
            let refused = client.form("/auth/token", &fields).await;
            assert_eq!((refused.status, refused.text("error").as_str()), (400, error), "{fields:?}");
            assert!(!refused.text("error_description").is_empty());
        }
    });
}

#[test]
fn fifty_refreshes_at_once_are_one_rotation() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let first = Client::new(&site).form("/auth/token", &ADA).await.text("refresh_token");
        let refresh = async |token: &str| {
            let mut client = Client::new(&site);
            client.at = later(60);
            client.form("/auth/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
        };
        let all = join_all((0..50).map(|_| refresh(&first))).await;
        let mut successors: Vec<String> = all
            .iter()
            .map(|seen| {
                assert_eq!(seen.status, 200, "{seen:?}");
                seen.text("refresh_token")
            })
            .collect();
        successors.sort();
        successors.dedup();
        assert_eq!(successors.len(), 1);
        assert_eq!(home.count("SELECT generation FROM sessions").await, 2);
        // A copy of the first one, after its time: the session ends.
        let mut thief = Client::new(&site);
        thief.at = later(1000);
        let renew = [("grant_type", "refresh_token"), ("refresh_token", first.as_str())];
        let reused = thief.form("/auth/token", &renew).await;
        assert_eq!((reused.status, reused.text("error").as_str()), (400, "invalid_grant"));
        let event = reused.event.unwrap();
        assert_eq!(event.what, What::RefreshReused);
        assert!(event.account.is_some() && event.session.is_some());
        assert_eq!(refresh(&successors[0]).await.status, 400);
        let mails = mails(site.accounts(), later(1000)).await;
        assert_eq!(mails.iter().map(|mail| mail.kind).collect::<Vec<_>>(), [Kind::RefreshReused]);
    });
}

#[test]
fn a_second_factor_is_shown_at_the_token_endpoint() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut ada = Client::browser(&site).await;
        let enrolled = ada.post("/auth/api/second-factor/enrol", &json!({"password": PASSWORD})).await;
        let secret = enrolled.text("secret");
        let code = code_of(&secret, ada.at);
        ada.post("/auth/api/second-factor/confirm", &json!({"code": code})).await;
        let mut client = Client::new(&site);
        client.at = later(60);
        let half = client.form("/auth/token", &[&ADA[..], &[("scope", "write")]].concat()).await;
        assert_eq!((half.status, half.text("error").as_str()), (400, "mfa_required"));
        assert!(half.json().get("access_token").is_none() && half.event.is_none());
        let ticket = half.text("mfa_token");
        let step = async |client: &mut Client<'_>, code: &str| {
            client.form("/auth/token", &[("grant_type", MFA), ("mfa_token", &ticket), ("otp", code)]).await
        };
        let wrong = step(&mut client, "000000x").await;
        assert_eq!((wrong.status, wrong.event.as_ref().unwrap().what), (400, What::LoginRefused));
        // What began with tokens gives no cookie.
        let code = code_of(&secret, client.at);
        let whole = step(&mut client, &code).await;
        assert_eq!((whole.status, whole.text("scope").as_str()), (200, "write"));
        let again = step(&mut client, &code).await;
        assert_eq!(again.status, 400, "a ticket is good once");
        let half = client.form("/auth/token", &ADA).await;
        client.at = later(90);
        let body = json!({"mfa_token": half.text("mfa_token"), "code": code_of(&secret, client.at)});
        let elsewhere = client.post("/auth/api/login/second-factor", &body).await;
        assert_eq!((elsewhere.status, elsewhere.headers.get("set-cookie")), (401, None));
    });
}

#[test]
fn a_token_is_given_up_and_one_that_is_not_good_is_no_error() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut client = Client::new(&site);
        for which in ["refresh_token", "access_token"] {
            let tokens = client.form("/auth/token", &ADA).await;
            let access = tokens.text("access_token");
            assert!(site.caller_of_token(client.at, &access).await.unwrap().is_some());
            let fields = [("token", tokens.text(which)), ("token_type_hint", which.to_owned())];
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let revoked = client.form("/auth/revoke", &fields).await;
            assert_eq!((revoked.status, revoked.event.as_ref().unwrap().what), (200, What::LoggedOut));
            assert!(site.caller_of_token(client.at, &access).await.unwrap().is_none());
            let again = client.form("/auth/revoke", &fields).await;
            assert_eq!((again.status, again.event), (200, None));
            assert_eq!(again.body, revoked.body);
        }
        let refused = client.form("/auth/revoke", &[]).await;
        assert_eq!((refused.status, refused.text("error").as_str()), (400, "invalid_request"));
    });
}

#[test]
fn keys_and_metadata_are_published() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut client = Client::new(&site);
        let keys = client.get("/.well-known/jwks.json").await;
        assert_eq!(keys.header("content-type"), "application/jwk-set+json");
        assert_eq!(keys.json()["keys"][0]["alg"], "ES256");
        let metadata = client.get("/.well-known/oauth-authorization-server").await.json();
        assert_eq!(metadata["issuer"], "https://orchard.example");
        assert_eq!(metadata["token_endpoint"], "https://orchard.example/auth/token");
        assert_eq!(metadata["jwks_uri"], "https://orchard.example/.well-known/jwks.json");
        assert_eq!(metadata["scopes_supported"], json!(["read", "write"]));
        for endpoint in ["token_endpoint", "revocation_endpoint", "jwks_uri"] {
            let path = metadata[endpoint].as_str().unwrap().strip_prefix("https://orchard.example").unwrap();
            assert!(site.owns(path), "{path}");
        }
    });
}

#[test]
fn a_cookie_of_nobody_and_a_token_of_another_session_are_no_callers() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let browser = Client::browser(&site).await;
        let cookie = browser.cookie.unwrap();
        let caller = site.caller_of_cookie(later(60), &cookie).await.unwrap().unwrap();
        assert_eq!((caller.address.as_str(), caller.scope.as_str()), ("ada@example.com", ""));
        assert_eq!(
            caller.expires,
            later(14 * 24 * 60 * 60),
            "fourteen days after its use, give or take a minute"
        );
        assert!(site.caller_of_token(later(60), cookie.expose()).await.unwrap().is_none());
        assert!(site.accounts().disable(later(61), &caller.account).await.unwrap());
        assert!(site.caller_of_cookie(later(61), &cookie).await.unwrap().is_none());
    });
}
