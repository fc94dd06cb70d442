//! Logs out, here and at the provider, and because the provider says so.

use http::{Method, StatusCode};
use jiff::Timestamp;
use mantlet_providers::{Login, Standing, What};
use serde_json::{Value, json};

use crate::kit::{Browser, Gate, Home, Provider, after, attribute, location, now, run, text};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

async fn tell(gate: &Gate, at: Timestamp, token: &str) -> (StatusCode, Option<mantlet_providers::Event>) {
    // A provider has no cookies.
    let mut provider = Browser::new();
    let form = format!("logout_token={token}");
    let response = provider.post(gate, at, "/auth/backchannel-logout/openid", &form).await;
    (response.status(), provider.last)
}

#[test]
fn a_logout_ends_the_session_here_and_at_the_provider() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let login = Login { after_logout: "/goodbye".into(), ..provider.section() };
        let gate = home.gate(&[login]).await;
        let (mut browser, at) = (Browser::new(), now());
        browser.logged_in(&gate, at, "ada").await;
        let copied = browser.session().unwrap();
        // A link changes nothing.
        let page = text(&browser.get(&gate, at, "/auth/logout").await);
        assert_eq!(attribute(&page, "action").as_deref(), Some("/auth/logout"));
        assert_eq!(gate.caller(at, &browser).await.subject, "ada");
        let response = browser.post(&gate, at, "/auth/logout", "").await;
        assert_eq!(browser.last.as_ref().unwrap().what, What::LoggedOut);
        assert_eq!(browser.session(), None);
        browser.steal(&copied);
        assert_eq!(
            gate.standing(at, &browser).await,
            Standing::Unknown,
            "a copy of the cookie is worth nothing"
        );
        // The provider believes the ID token, and leads back.
        let url = location(&response);
        assert!(url.contains("id_token_hint=") && url.contains("client_id=orchard"), "{url}");
        assert_eq!(browser.through(&url, "ada").await, "https://orchard.example/goodbye");
        // Its session has ended: the next login shows the form again.
        let url = browser.begin(&gate, at, "/auth/login/openid").await;
        let form = browser.visit(&url, None).await;
        let form = browser
            .visit(
                &format!("{}{}", provider.issuer(), location(&form).trim_start_matches(&provider.issuer())),
                None,
            )
            .await;
        assert!(text(&form).contains("name=\"login\""));
    });
}

#[test]
fn a_logout_while_the_provider_is_away_is_one_here() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let at = now();
        let mut browser = Browser::new();
        browser.logged_in(&home.gate(&[provider.section()]).await, at, "ada").await;
        provider.kill();
        // A gate that does not know the provider's addresses yet.
        let gate = home.gate(&[provider.section()]).await;
        let copied = browser.session().unwrap();
        let response = browser.ask(&gate, at, Method::POST, "/auth/logout", "", "application/json").await;
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((response.status(), &body["provider_logout"]), (StatusCode::OK, &Value::Null));
        browser.steal(&copied);
        assert_eq!(gate.standing(at, &browser).await, Standing::Unknown);
        // Without a session it is no error.
        let response = Browser::new().post(&gate, at, "/auth/logout", "").await;
        assert_eq!(response.status(), StatusCode::OK);
        // The session of an account is not ours to end.
        let mut request = http::Request::new(bytes::Bytes::new());
        *request.uri_mut() = "/auth/logout".parse().unwrap();
        request.headers_mut().insert("cookie", format!("__Host-session={}", "A".repeat(43)).parse().unwrap());
        let asked = mantlet_providers::Asked { request, origin: "https://orchard.example".into() };
        assert!(gate.providers.answer(at, &asked).await.unwrap().is_none());
    });
}

#[test]
fn a_logout_at_the_provider_ends_the_session_of_that_browser_in_every_gate() {
    run(async {
        let provider = Provider::start();
        for home in [Home::sqlite(), Home::postgres()] {
            let gate = home.gate(&[provider.section()]).await;
            let other_gate = home.gate(&[provider.section()]).await;
            let at = now();
            let (mut laptop, mut phone) = (Browser::new(), Browser::new());
            laptop.logged_in(&gate, at, "ada").await;
            phone.logged_in(&gate, at, "ada").await;
            // At the provider, in its own form; it tells the gate.
            let before = provider.sent().len();
            let done = laptop.through(&format!("{}/session/end", provider.issuer()), "ada").await;
            assert!(done.contains("Sign-out Success"), "{done}");
            let sent = provider.sent();
            assert_eq!(sent.len(), before + 1);
            let token = sent.last().unwrap();
            let (status, event) = tell(&gate, at, token).await;
            assert_eq!(status, StatusCode::OK, "{event:?}");
            assert_eq!(event.unwrap().what, What::LoggedOutByProvider);
            for gate in [&gate, &other_gate] {
                assert_eq!(gate.standing(at, &laptop).await, Standing::Unknown);
                assert_eq!(gate.caller(at, &phone).await.subject, "ada", "another session of the provider");
            }
            // Once: shown again, it does nothing, in no gate.
            for gate in [&gate, &other_gate] {
                assert_eq!(tell(gate, at, token).await.0, StatusCode::BAD_REQUEST);
            }
            // All of a caller's sessions.
            let claims = json!({
                "aud": "orchard", "sub": "ada", "jti": "all", "iat": at.as_second(), "events": {EVENT: {}},
            });
            let all = provider.signed(&json!({"typ": "logout+jwt"}), &claims);
            assert_eq!(tell(&other_gate, at, &all).await.0, StatusCode::OK);
            assert_eq!(gate.standing(at, &phone).await, Standing::Unknown);
            // A login after that is one.
            laptop.logged_in(&gate, at, "ada").await;
            assert_eq!(tell(&gate, at, &all).await.0, StatusCode::BAD_REQUEST);
            assert_eq!(gate.caller(at, &laptop).await.subject, "ada");
        }
    });
}

#[test]
fn what_is_not_a_logout_token_ends_nothing() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let gate = home.gate(&[provider.section()]).await;
        let (mut browser, at) = (Browser::new(), now());
        browser.logged_in(&gate, at, "ada").await;
        let good = json!({
            "aud": "orchard", "sub": "ada", "jti": "a", "iat": at.as_second(), "exp": at.as_second() + 120,
            "events": {EVENT: {}},
        });
        let but = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            claims
        };
        let iat = at.as_second();
        let bad = [
            ("another audience", json!({}), but("aud", json!("other"))),
            ("no audience", json!({}), but("aud", json!(null))),
            ("another issuer", json!({}), but("iss", json!("https://evil.example"))),
            ("a nonce", json!({}), but("nonce", json!("n"))),
            ("no events", json!({}), but("events", json!(null))),
            ("other events", json!({}), but("events", json!({"https://other.example": {}}))),
            ("events as a list", json!({}), but("events", json!([EVENT]))),
            ("no jti", json!({}), but("jti", json!(null))),
            ("no caller named", json!({}), but("sub", json!(null))),
            ("a number as its caller", json!({}), but("sub", json!(1))),
            ("no time", json!({}), but("iat", json!(null))),
            ("of yesterday", json!({}), but("iat", json!(iat - 86_400))),
            ("of tomorrow", json!({}), but("iat", json!(iat + 86_000))),
            ("over", json!({}), but("exp", json!(iat - 61))),
            ("another kind", json!({"typ": "at+jwt"}), good.clone()),
        ];
        for (what, header, claims) in bad {
            let (status, event) = tell(&gate, at, &provider.signed(&header, &claims)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{what}");
            assert_eq!(event.unwrap().what, What::LogoutRefused, "{what}");
        }
        let token = provider.signed(&json!({}), &good);
        let (body, signature) = token.rsplit_once('.').unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", body.split_once('.').unwrap().1);
        for (what, token) in [
            ("a forged one", provider.forged(&good)),
            ("one without signature", format!("{body}.")),
            ("one that was changed", format!("{body}x.{signature}")),
            ("one under `none`", unsigned),
            ("nothing", String::new()),
        ] {
            assert_eq!(tell(&gate, at, &token).await.0, StatusCode::BAD_REQUEST, "{what}");
        }
        let response = Browser::new()
            .get(&gate, at, &format!("/auth/backchannel-logout/openid?logout_token={token}"))
            .await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(gate.caller(at, &browser).await.subject, "ada");
        // Clocks may differ by a minute.
        let skewed = but("exp", json!(iat - 59));
        assert_eq!(tell(&gate, at, &provider.signed(&json!({}), &skewed)).await.0, StatusCode::OK);
        assert_eq!(gate.standing(at, &browser).await, Standing::Unknown);
        assert_eq!(tell(&gate, after(at, 1), &token).await.0, StatusCode::BAD_REQUEST, "the same `jti`");
    });
}
