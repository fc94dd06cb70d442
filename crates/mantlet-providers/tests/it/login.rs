//! Logs in: what leads to a session, and what does not.

use http::StatusCode;
use mantlet_providers::{Login, Standing, What, Why};
use serde_json::json;

use crate::kit::{APP, Browser, Gate, Home, Provider, after, location, now, run, text};

/// A login is refused, with the page and the event of its reason.
async fn refused(browser: &mut Browser, gate: &Gate, at: jiff::Timestamp, url: &str, why: Why) {
    let response = browser.get(gate, at, url).await;
    let page = text(&response);
    assert!(response.status().is_client_error() || response.status().is_server_error(), "{response:?}");
    assert!(page.contains("href=\"/auth/login/openid?next="), "{why:?}: {page}");
    let event = browser.last.clone().unwrap();
    assert_eq!(event.what, What::LoginRefused(why), "{event:?}");
    assert_eq!(browser.session(), None, "{why:?}");
}

#[test]
fn a_caller_logs_in_and_the_gate_knows_who_it_is() {
    run(async {
        let provider = Provider::start();
        for home in [Home::sqlite(), Home::postgres()] {
            let gate = home.gate(&[provider.section()]).await;
            let (mut browser, at) = (Browser::new(), now());
            // One provider: nothing to choose from.
            let url = browser.begin(&gate, at, "/auth/login?next=/orchard?row=1%23tree").await;
            for part in
                ["code_challenge_method=S256", "nonce=", "state=", "scope=openid+email+profile+groups"]
            {
                assert!(url.contains(part), "{url}");
            }
            let back = browser.through(&url, "ada").await;
            let response = browser.get(&gate, at, &back).await;
            assert_eq!(
                (response.status(), &*location(&response)),
                (StatusCode::SEE_OTHER, "/orchard?row=1#tree")
            );
            assert_eq!(browser.cookies(), ["__Host-session"], "the cookie of the login is gone");
            let caller = gate.caller(at, &browser).await;
            assert_eq!(caller.id(), format!("{}|ada", provider.issuer()));
            assert_eq!(
                json!(caller.attributes),
                json!({"email": "ada@example.com", "groups": ["staff", "admin"]})
            );
            assert!(caller.is_confirmed);
            let event = browser.last.clone().unwrap();
            assert_eq!((event.what, event.caller), (What::LoggedIn, Some(caller.id())));
            // A start of the gate changes nothing, and its database holds no token.
            let again = home.gate(&[provider.section()]).await;
            assert_eq!(again.caller(at, &browser).await, caller);
            assert_eq!(
                home.count("SELECT count(*) FROM provider_sessions WHERE tokens LIKE '%eyJ%.%.%'").await,
                0
            );
            // Another app at the same address is not this one.
            let other = Login { issuer: "https://id.example".into(), ..provider.section() };
            let other = home.gate(&[other]).await;
            assert_eq!(other.standing(at, &browser).await, Standing::Unknown);
            // Its end comes.
            assert!(matches!(gate.standing(after(at, 43_100), &browser).await, Standing::Caller(_)));
            assert_eq!(gate.standing(after(at, 43_200), &browser).await, Standing::Unknown);
        }
    });
}

#[test]
fn what_the_id_token_does_not_say_is_asked_for() {
    run(async {
        // A provider that keeps to the letter of OIDC Core section 5.4, and takes the password in the form.
        let options = json!({"idTokenClaims": false});
        let provider =
            Provider::with(&options, &json!({"token_endpoint_auth_method": "client_secret_basic"}));
        let home = Home::sqlite();
        let login = Login {
            attributes: vec!["realm_access.roles".into(), "name".into(), "missing".into()],
            allow_domains: vec!["example.com".into()],
            ..provider.section()
        };
        let gate = home.gate(&[login]).await;
        let (mut browser, at) = (Browser::new(), now());
        browser.logged_in(&gate, at, "ada").await;
        let caller = gate.caller(at, &browser).await;
        assert_eq!(json!(caller.attributes), json!({"realm_access.roles": ["editor"], "name": "Ada"}));
        assert_eq!(provider.asked("GET /me"), 1);
    });
}

#[test]
fn a_client_without_a_password_has_pkce_alone() {
    run(async {
        let provider = Provider::with(
            &json!({"idTokenClaims": true}),
            &json!({"client_secret": null, "token_endpoint_auth_method": "none"}),
        );
        let home = Home::sqlite();
        let login = Login { client_secret: String::new(), material: None, ..provider.section() };
        let gate = home.gate(&[login]).await;
        let (mut browser, at) = (Browser::new(), now());
        browser.logged_in(&gate, at, "ada").await;
        assert_eq!(gate.caller(at, &browser).await.subject, "ada");
    });
}

#[test]
fn tabs_log_in_beside_each_other() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let gate = home.gate(&[provider.section()]).await;
        let (mut browser, at) = (Browser::new(), now());
        let one = browser.begin(&gate, at, "/auth/login/openid?next=/one").await;
        let other = browser.begin(&gate, at, "/auth/login/openid?next=/other").await;
        // The later one is ended first.
        for (url, leads_to) in [(other, "/other"), (one, "/one")] {
            let back = browser.through(&url, "ada").await;
            let response = browser.get(&gate, at, &back).await;
            assert_eq!(location(&response), leads_to);
        }
        // The session of the first login has lost its cookie, and is gone.
        assert_eq!(home.count("SELECT count(*) FROM provider_sessions WHERE ended IS NULL").await, 1);
        assert_eq!(home.count("SELECT count(*) FROM provider_sessions WHERE reason = 'replaced'").await, 1);
        assert_eq!(gate.caller(at, &browser).await.subject, "ada");
    });
}

#[test]
fn a_login_is_good_once_in_its_browser_and_in_time() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let other = Login { name: "other".into(), ..provider.section() };
        let gate = home.gate(&[provider.section(), other]).await;
        let at = now();
        let mut browser = Browser::new();
        let url = browser.begin(&gate, at, "/auth/login/openid").await;
        let back = browser.through(&url, "ada").await;
        let begun = browser.clone();

        // Another browser: an attacker sends its own login to a victim.
        refused(&mut Browser::new(), &gate, at, &back, Why::StateUnknown).await;
        // Another state, and none.
        let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
        let mut changed = state.to_owned();
        changed.replace_range(42.., if state.ends_with('A') { "E" } else { "A" });
        refused(&mut begun.clone(), &gate, at, &back.replace(state, &changed), Why::StateUnknown).await;
        refused(&mut begun.clone(), &gate, at, "/auth/callback/openid?code=x", Why::StateUnknown).await;
        let twice = format!("{back}&state={state}");
        refused(&mut begun.clone(), &gate, at, &twice, Why::StateUnknown).await;
        // The callback of another provider.
        let response = begun.clone().get(&gate, at, &back.replace("/openid?", "/other?")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        // Too late.
        refused(&mut begun.clone(), &gate, after(at, 600), &back, Why::StateExpired).await;
        // The response of another provider, one without a name, and one with two (RFC 9207).
        let (without, issuer) = back.split_once("&iss=").unwrap();
        for iss in ["&iss=https%3A%2F%2Fevil.example", "", &format!("&iss={issuer}&iss={issuer}")] {
            let url = format!("{without}{iss}");
            refused(&mut begun.clone(), &gate, at, &url, Why::IssuerMismatch).await;
        }
        assert_eq!(provider.asked("POST /token"), 0, "no code was given away");

        // None of that has used it up.
        assert_eq!(browser.get(&gate, at, &back).await.status(), StatusCode::SEE_OTHER);
        refused(&mut begun.clone(), &gate, at, &back, Why::StateUsed).await;
        assert_eq!(provider.asked("POST /token"), 1);
        assert!(matches!(gate.standing(at, &browser).await, Standing::Caller(_)), "the session goes on");
    });
}

#[test]
fn what_the_provider_refuses_is_no_login() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let gate = home.gate(&[provider.section()]).await;
        let at = now();
        // Cancelled in the form.
        let mut browser = Browser::new();
        let url = browser.begin(&gate, at, "/auth/login/openid").await;
        let form = browser.visit(&url, None).await;
        let uid = location(&form);
        let abort =
            format!("{}{}/abort", provider.issuer(), uid.strip_prefix(&provider.issuer()).unwrap_or(&uid));
        let back = browser.through(&abort, "ada").await;
        assert!(back.contains("error=access_denied"), "{back}");
        refused(&mut browser, &gate, at, &back, Why::ProviderRefused).await;
        assert_eq!(
            browser.last.clone().unwrap().detail.as_deref(),
            Some("the provider says `access_denied`")
        );

        // A code of another login: PKCE's verifier does not fit.
        let (mut one, mut other) = (Browser::new(), Browser::new());
        let url = one.begin(&gate, at, "/auth/login/openid").await;
        let own = one.through(&url, "ada").await;
        let url = other.begin(&gate, at, "/auth/login/openid").await;
        let stolen = other.through(&url, "eve").await;
        let code = |url: &str| url.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        let injected = own.replace(&code(&own), &code(&stolen));
        refused(&mut one, &gate, at, &injected, Why::GrantRefused).await;

        // A password that the provider does not know: a mistake of the operator, and said so.
        let wrong = Login {
            material: Some(mantlet_controls::config::Material(b"x".to_vec().into())),
            ..provider.section()
        };
        let gate = home.gate(&[wrong]).await;
        let response = Browser::new().log_in(&gate, at, "ada").await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert!(text(&response).contains("operator"), "{}", text(&response));
    });
}

#[test]
fn a_login_leads_to_this_site_alone() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let gate = home.gate(&[provider.section()]).await;
        let at = now();
        for next in
            ["https://evil.example", "//evil.example", "/%5Cevil.example", "/%0d%0aX:y", "/auth/login"]
        {
            let mut browser = Browser::new();
            let url = browser.begin(&gate, at, &format!("/auth/login/openid?next={next}")).await;
            let back = browser.through(&url, "ada").await;
            let response = browser.get(&gate, at, &back).await;
            assert_eq!(location(&response), "/", "{next}");
        }
    });
}

#[test]
fn several_providers_are_to_choose_from() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let other = Login { name: "other".into(), title: "<Other>".into(), ..provider.section() };
        let gate = home.gate(&[provider.section(), other]).await;
        let (mut browser, at) = (Browser::new(), now());
        let page = text(&browser.get(&gate, at, "/auth/login?next=/a%26b").await);
        assert!(page.contains("href=\"/auth/login/other?next=%2Fa%26b\""), "{page}");
        assert!(page.contains("Log in with &lt;Other&gt;"), "{page}");
        let url = browser.begin(&gate, at, "/auth/login/other?next=%2Fa%26b").await;
        let back = browser.through(&url, "ada").await;
        assert!(back.starts_with(&format!("{APP}/auth/callback/other?")), "{back}");
        assert_eq!(location(&browser.get(&gate, at, &back).await), "/a&b");
        assert_eq!(gate.caller(at, &browser).await.provider, "other");
        // A client of the API is told in JSON.
        let list = browser.get_json(&gate, at, "/auth/login").await;
        assert_eq!(list.headers()["content-type"], "application/json");
        let refusal = browser.get_json(&gate, at, "/auth/callback/other?state=x").await;
        let body: serde_json::Value = serde_json::from_slice(refusal.body()).unwrap();
        assert_eq!((refusal.status(), &body["code"]), (StatusCode::BAD_REQUEST, &json!("state-unknown")));
    });
}
