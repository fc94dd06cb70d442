//! A provider that is away ends no session.

use http::StatusCode;
use mantlet_providers::{Standing, What, Why};

use crate::kit::{Browser, Home, Provider, after, now, run, text};

#[test]
fn a_login_is_not_available_and_says_so() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let gate = home.gate(&[provider.section()]).await;
        let (mut browser, mut at) = (Browser::new(), now());
        // Begun while it was there.
        let url = browser.begin(&gate, at, "/auth/login/openid").await;
        let back = browser.through(&url, "ada").await;
        provider.kill();
        at = after(at, 11);
        let response = browser.get(&gate, at, "/auth/login/openid").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "10");
        assert!(text(&response).contains("does not respond"), "{}", text(&response));
        let event = browser.last.clone().unwrap();
        assert_eq!(event.what, What::LoginRefused(Why::ProviderAway));
        assert!(event.detail.unwrap().contains(&provider.issuer()));
        let response = browser.get(&gate, at, &back).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{}", text(&response));
        // News are told once.
        browser.get(&gate, after(at, 6), "/auth/login/openid").await;
        let news: Vec<_> = gate.events().into_iter().map(|event| event.what).collect();
        assert_eq!(news, [What::ProviderAway]);

        provider.restart();
        browser.logged_in(&gate, after(at, 12), "ada").await;
        let news: Vec<_> = gate.events().into_iter().map(|event| event.what).collect();
        assert_eq!(news, [What::ProviderBack]);
    });
}

#[test]
fn a_session_stays_for_the_grace_and_then_it_is_503_and_no_logout() {
    run(async {
        let provider = Provider::start();
        for home in [Home::sqlite(), Home::postgres()] {
            let gate = home.gate(&[provider.section()]).await;
            let (mut browser, at) = (Browser::new(), now());
            browser.logged_in(&gate, at, "ada").await;
            provider.kill();
            // Its tokens are good for 600 s.
            assert!(gate.caller(after(at, 590), &browser).await.is_confirmed);
            for later in [601, 612, 4_100] {
                let caller = gate.caller(after(at, later), &browser).await;
                assert!(!caller.is_confirmed && caller.subject == "ada", "{later}");
            }
            for later in [4_201, 20_000] {
                assert_eq!(gate.standing(after(at, later), &browser).await, Standing::Unavailable, "{later}");
            }
            // Another gate, which has not seen any of that.
            let other = home.gate(&[provider.section()]).await;
            assert_eq!(other.standing(after(at, 20_005), &browser).await, Standing::Unavailable);
            let news: Vec<_> = gate.events().into_iter().map(|event| event.what).collect();
            assert_eq!(news, [What::ProviderAway]);
            provider.restart();
            let caller = gate.caller(after(at, 20_011), &browser).await;
            assert!(caller.is_confirmed, "{caller:?}");
            let news: Vec<_> = gate.events().into_iter().map(|event| event.what).collect();
            assert_eq!(news, [What::ProviderBack]);
        }
    });
}

#[test]
fn a_token_endpoint_that_is_broken_ends_no_session() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let gate = home.gate(&[provider.section()]).await;
        let (mut browser, at) = (Browser::new(), now());
        browser.logged_in(&gate, at, "ada").await;
        // Even if such an answer says that the token is not good.
        for (later, status) in [(700, 503), (711, 500), (722, 429)] {
            provider.breaks(status);
            assert!(!gate.caller(after(at, later), &browser).await.is_confirmed);
        }
        assert_eq!(provider.asked("POST /token"), 4);
        // It is left alone for a while.
        provider.breaks(0);
        assert!(!gate.caller(after(at, 725), &browser).await.is_confirmed);
        assert_eq!(provider.asked("POST /token"), 4);
        assert!(gate.caller(after(at, 733), &browser).await.is_confirmed);
    });
}

#[test]
fn keys_that_cannot_be_had_at_a_refresh_do_not_lose_the_new_refresh_token() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let gate = home.gate(&[provider.section()]).await;
        let (mut browser, at) = (Browser::new(), now());
        browser.logged_in(&gate, at, "ada").await;
        // A key that is not known, asked for a moment ago: the ID token of the refresh cannot be verified.
        provider.rotate(true);
        let bad = provider.forged(&serde_json::json!({"sub": "ada"}));
        browser
            .post(&gate, after(at, 699), "/auth/backchannel-logout/openid", &format!("logout_token={bad}"))
            .await;
        provider.rotate(true);
        assert!(!gate.caller(after(at, 700), &browser).await.is_confirmed);
        assert_eq!(home.count("SELECT generation FROM provider_sessions").await, 1);
        // This provider ends sessions whose refresh token is shown twice.
        assert!(gate.caller(after(at, 735), &browser).await.is_confirmed);
        assert_eq!(home.count("SELECT generation FROM provider_sessions").await, 2);
    });
}
