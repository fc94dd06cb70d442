//! A person's own account, by the API that an app's front end has.

use mantlet_accounts::outbox::Kind;
use mantlet_sign_in::{SignIn, What};
use serde_json::{Value, json};

use crate::{
    home::{OTHER, PASSWORD, later, now, on_both},
    kit::{Client, code_of, mailed, settings, site, with_ada},
};

const DAY: i64 = 24 * 60 * 60;

#[test]
fn a_person_registers_verifies_logs_in_and_out() {
    on_both(async |home| {
        let site = site(home.open().await);
        let mut ada = Client::new(&site);
        let credentials = json!({"email": "Ada@example.com", "password": PASSWORD});
        let weak =
            ada.post("/auth/api/register", &json!({"email": "ada@example.com", "password": "short"})).await;
        assert_eq!(weak.status, 422);
        assert_eq!(weak.json()["detail"][0]["loc"], json!(["body", "password"]));
        assert_eq!(weak.json()["detail"][0]["msg"], "Value error, the password has fewer than 15 characters");
        let registered = ada.post("/auth/api/register", &credentials).await;
        assert_eq!(registered.status, 202, "{registered:?}");
        let event = registered.event.unwrap();
        assert_eq!((event.what, event.address.as_deref()), (What::Registered, Some("Ada@example.com")));
        let link = mailed(&site, now(), Kind::Verify).await;
        let early = ada.post("/auth/api/login", &credentials).await;
        assert_eq!(early.status, 403, "{early:?}");
        let wrong =
            ada.post("/auth/api/login", &json!({"email": "ada@example.com", "password": OTHER})).await;
        assert_eq!(
            (wrong.status, wrong.body.as_str()),
            (401, r#"{"detail":"Incorrect username or password"}"#)
        );
        assert_eq!(wrong.event.unwrap().what, What::LoginRefused);
        assert_eq!(ada.post("/auth/api/verify", &json!({"token": link})).await.status, 400, "replaced");
        let link = mailed(&site, now(), Kind::Verify).await;
        let verified = ada.post("/auth/api/verify", &json!({"token": link})).await;
        assert_eq!(verified.status, 200);
        assert!(ada.cookie.is_none(), "a link does not log in");
        let login = ada.post("/auth/api/login", &credentials).await;
        assert_eq!(login.status, 200, "{login:?}");
        let set = login.header("set-cookie");
        assert!(set.starts_with("__Host-session="), "{set}");
        assert!(set.ends_with("; Path=/; Max-Age=7776000; HttpOnly; Secure; SameSite=Lax"), "{set}");
        let me = ada.get("/auth/api/me").await.json();
        assert_eq!((&me["email"], &me["is_verified"]), (&json!("Ada@example.com"), &json!(true)));
        assert_eq!(me["id"], verified.event.unwrap().account.unwrap());
        assert_eq!(login.json(), me);
        let out = ada.ask("POST", "/auth/api/logout", "", "").await;
        assert_eq!((out.status, out.body.as_str()), (204, ""));
        assert!(out.header("set-cookie").starts_with("__Host-session=; Path=/; Max-Age=0;"));
        assert_eq!(out.event.unwrap().what, What::LoggedOut);
        let after = ada.get("/auth/api/me").await;
        assert_eq!((after.status, after.header("www-authenticate")), (401, "Bearer"));
    });
}

#[test]
fn a_plain_site_of_this_machine_gets_its_cookie_without_secure() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut ada = Client::new(&site);
        ada.origin = "http://127.0.0.1:8000";
        let login =
            ada.post("/auth/api/login", &json!({"email": "ada@example.com", "password": PASSWORD})).await;
        let set = login.header("set-cookie");
        assert!(set.starts_with("mantlet-session=") && !set.contains("Secure"), "{set}");
        assert_eq!(ada.get("/auth/api/me").await.status, 200);
    });
}

#[test]
fn sessions_are_listed_and_ended_one_by_one_or_all_at_once() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let (mut one, mut two) = (Client::browser(&site).await, Client::browser(&site).await);
        let list = one.get("/auth/api/sessions").await.json();
        let (own, other): (Vec<&Value>, Vec<&Value>) =
            list.as_array().unwrap().iter().partition(|session| session["is_current"] == true);
        assert_eq!((own.len(), other.len()), (1, 1));
        let (own, other) = (own[0]["id"].as_str().unwrap(), other[0]["id"].as_str().unwrap());
        assert_eq!(list[1]["device"], "a test");
        let path = format!("/auth/api/sessions/{other}");
        let ended = one.ask("DELETE", &path, "", "").await;
        assert_eq!(ended.status, 204);
        let event = ended.event.unwrap();
        assert_eq!((event.what, event.session.as_deref()), (What::SessionRevoked, Some(other)));
        assert_eq!(two.get("/auth/api/me").await.status, 401);
        for path in ["/auth/api/sessions/x", "/auth/api/sessions/%00", path.as_str()] {
            assert_eq!(one.ask("DELETE", path, "", "").await.status, 404, "{path}");
        }
        // Of another account.
        crate::home::person(site.accounts(), "eve@example.com").await;
        let mut eve = Client::new(&site);
        eve.post("/auth/api/login", &json!({"email": "eve@example.com", "password": PASSWORD})).await;
        let path = format!("/auth/api/sessions/{own}");
        assert_eq!(eve.ask("DELETE", &path, "", "").await.status, 404);
        let mut three = Client::browser(&site).await;
        assert_eq!(three.ask("POST", "/auth/api/logout-everywhere", "", "").await.status, 204);
        for client in [&mut one, &mut three] {
            assert_eq!(client.get("/auth/api/me").await.status, 401);
        }
        assert_eq!(eve.get("/auth/api/me").await.status, 200);
    });
}

#[test]
fn what_a_thief_of_a_session_would_do_asks_for_the_password() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut ada = Client::browser(&site).await;
        let asks = [
            ("password", json!({"current_password": OTHER, "new_password": "a quite new password"})),
            ("email", json!({"email": "new@example.com", "password": OTHER})),
            ("second-factor/enrol", json!({"password": OTHER})),
            ("second-factor/remove", json!({"password": OTHER, "code": "123456"})),
            ("second-factor/recovery-codes", json!({"password": OTHER, "code": "123456"})),
            ("close", json!({"password": OTHER})),
        ];
        for (path, body) in &asks {
            let refused = ada.post(&format!("/auth/api/{path}"), body).await;
            assert_eq!(refused.status, 400, "{path}: {refused:?}");
            assert_eq!(refused.event.unwrap().what, What::Refused, "{path}");
            let stranger = Client::new(&site).post(&format!("/auth/api/{path}"), body).await;
            assert_eq!((stranger.status, stranger.text("detail").as_str()), (401, "Not authenticated"));
        }
        assert_eq!(ada.get("/auth/api/me").await.json()["email"], "ada@example.com");
    });
}

#[test]
fn a_reset_ends_every_session_of_every_client() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let (mut one, mut two) = (Client::browser(&site).await, Client::browser(&site).await);
        let mut phone = Client::new(&site);
        let fields = [("username", "ada@example.com"), ("password", PASSWORD)];
        let tokens = phone.form("/auth/token", &fields).await;
        phone.bearer = Some(tokens.text("access_token"));
        assert_eq!(phone.get("/auth/api/me").await.status, 200);
        let mut stranger = Client::new(&site);
        stranger.post("/auth/api/reset-request", &json!({"email": "ada@example.com"})).await;
        let link = mailed(&site, now(), Kind::Reset).await;
        let weak = stranger.post("/auth/api/reset", &json!({"token": link, "password": "short"})).await;
        assert_eq!(weak.status, 422);
        let set = stranger.post("/auth/api/reset", &json!({"token": link, "password": OTHER})).await;
        assert_eq!(set.status, 200, "{set:?}");
        let event = set.event.unwrap();
        assert_eq!(event.what, What::PasswordReset);
        assert!(event.account.is_some() && stranger.cookie.is_none());
        for client in [&mut one, &mut two, &mut phone] {
            assert_eq!(client.get("/auth/api/me").await.status, 401);
        }
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", &tokens.text("refresh_token"))];
        assert_eq!(phone.form("/auth/token", &refresh).await.status, 400);
        assert_eq!(
            stranger.post("/auth/api/reset", &json!({"token": link, "password": OTHER})).await.status,
            400
        );
    });
}

#[test]
fn a_change_of_the_password_keeps_the_session_that_made_it() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let (mut one, mut two) = (Client::browser(&site).await, Client::browser(&site).await);
        let weak = json!({"current_password": PASSWORD, "new_password": "passwordpassword"});
        let weak = one.post("/auth/api/password", &weak).await;
        assert_eq!((weak.status, &weak.json()["detail"][0]["loc"][1]), (422, &json!("new_password")));
        let change = json!({"current_password": PASSWORD, "new_password": OTHER});
        let changed = one.post("/auth/api/password", &change).await;
        assert_eq!((changed.status, changed.event.unwrap().what), (204, What::PasswordChanged));
        assert_eq!(one.get("/auth/api/me").await.status, 200);
        assert_eq!(two.get("/auth/api/me").await.status, 401);
    });
}

#[test]
fn an_address_is_changed_confirmed_and_restored() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut ada = Client::browser(&site).await;
        let asked =
            ada.post("/auth/api/email", &json!({"email": "new@example.com", "password": PASSWORD})).await;
        assert_eq!(asked.status, 202, "{asked:?}");
        let confirm = mailed(&site, now(), Kind::ConfirmAddress).await;
        let confirmed = ada.post("/auth/api/email/confirm", &json!({"token": confirm})).await;
        assert_eq!((confirmed.status, confirmed.event.unwrap().what), (200, What::AddressChanged));
        assert_eq!(ada.get("/auth/api/me").await.status, 401, "all sessions have ended");
        let undo = mailed(&site, now(), Kind::AddressChanged).await;
        ada.at = later(6 * DAY);
        let restored = ada.post("/auth/api/email/undo", &json!({"token": undo})).await;
        assert_eq!((restored.status, restored.event.unwrap().what), (200, What::AddressRestored));
        let again = ada.post("/auth/api/email/undo", &json!({"token": undo})).await;
        assert_eq!((again.status, again.event.unwrap().what), (400, What::Refused));
    });
}

#[test]
fn a_second_factor_is_set_up_asked_for_lost_and_taken_away() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut ada = Client::browser(&site).await;
        let enrolled = ada.post("/auth/api/second-factor/enrol", &json!({"password": PASSWORD})).await;
        let secret = enrolled.text("secret");
        assert!(enrolled.text("url").starts_with("otpauth://totp/Orchard:ada@example.com?secret="));
        let wrong = ada.post("/auth/api/second-factor/confirm", &json!({"code": "000000x"})).await;
        assert_eq!(wrong.status, 400);
        let code = code_of(&secret, ada.at);
        let confirmed = ada.post("/auth/api/second-factor/confirm", &json!({"code": code})).await;
        assert_eq!(confirmed.event.as_ref().unwrap().what, What::SecondFactorOn);
        let codes = confirmed.json()["recovery_codes"].as_array().unwrap().clone();
        assert_eq!(codes.len(), 10);
        let mut phone = Client::new(&site);
        phone.at = later(60);
        let credentials = json!({"email": "ada@example.com", "password": PASSWORD});
        let half = phone.post("/auth/api/login", &credentials).await;
        assert_eq!((half.status, half.text("error").as_str()), (403, "mfa_required"));
        assert!(phone.cookie.is_none());
        let ticket = half.text("mfa_token");
        let step = "/auth/api/login/second-factor";
        let wrong = phone.post(step, &json!({"mfa_token": ticket, "code": code})).await;
        assert_eq!(wrong.status, 401, "a code is good once");
        // What began with a cookie gives no tokens.
        let elsewhere = [
            ("grant_type", "urn:mantlet:params:oauth:grant-type:mfa-otp"),
            ("mfa_token", ticket.as_str()),
            ("otp", codes[1].as_str().unwrap()),
        ];
        let elsewhere = phone.form("/auth/token", &elsewhere).await;
        assert_eq!((elsewhere.status, elsewhere.text("error").as_str()), (400, "invalid_grant"));
        let half = phone.post("/auth/api/login", &credentials).await;
        let whole = phone.post(step, &json!({"mfa_token": half.text("mfa_token"), "code": codes[0]})).await;
        assert_eq!((whole.status, &whole.json()["session"]["factors"]), (200, &json!(2)));
        assert_eq!(phone.get("/auth/api/sessions").await.json().as_array().unwrap().len(), 2);
        let renew = json!({"password": PASSWORD, "code": codes[2]});
        let renewed = phone.post("/auth/api/second-factor/recovery-codes", &renew).await;
        assert_eq!((renewed.status, renewed.event.as_ref().unwrap().what), (200, What::RecoveryCodesRenewed));
        let used = json!({"password": PASSWORD, "code": codes[3]});
        assert_eq!(phone.post("/auth/api/second-factor/remove", &used).await.status, 400, "an old one");
        let remove = json!({"password": PASSWORD, "code": renewed.json()["recovery_codes"][0]});
        let removed = phone.post("/auth/api/second-factor/remove", &remove).await;
        assert_eq!((removed.status, removed.event.unwrap().what), (204, What::SecondFactorOff));
        Client::browser(&site).await;
    });
}

#[test]
fn a_closed_account_is_gone() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut ada = Client::browser(&site).await;
        let closed = ada.post("/auth/api/close", &json!({"password": PASSWORD})).await;
        assert_eq!((closed.status, closed.event.as_ref().unwrap().what), (204, What::Closed));
        assert!(ada.cookie.is_none());
        let login =
            ada.post("/auth/api/login", &json!({"email": "ada@example.com", "password": PASSWORD})).await;
        assert_eq!(login.status, 401);
    });
}

#[test]
fn registration_can_be_closed() {
    on_both(async |home| {
        let mut settings = settings();
        settings.registration = false;
        let site = SignIn::new(home.open().await, settings);
        let mut ada = Client::new(&site);
        let refused =
            ada.post("/auth/api/register", &json!({"email": "ada@example.com", "password": PASSWORD})).await;
        assert_eq!((refused.status, refused.event), (403, None));
        assert_eq!(home.count("SELECT count(*) FROM accounts").await, 0);
        assert!(site.document()["paths"].get("/auth/api/register").is_none());
    });
}
