//! A session is confirmed by one request, however many need it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mantlet_accounts::Secret;
use mantlet_controls::config::units::Span;
use mantlet_providers::{Login, Standing, What, Why};
use serde_json::json;

use crate::kit::{Browser, Gate, Home, Provider, after, eventually, now, run};

const REFRESH: &str = "POST /token";
const GENERATION: &str = "SELECT generation FROM provider_sessions WHERE ended IS NULL";

/// So many requests with a browser's cookie at once, shared out among gates. How many of them had a caller.
async fn at_once(gates: &[Arc<Gate>], at: Timestamp, browser: &Browser, count: usize) -> usize {
    let cookie = browser.session().unwrap();
    let tasks: Vec<_> = (0..count)
        .map(|n| {
            let (gate, cookie) = (Arc::clone(&gates[n % gates.len()]), Secret::new(cookie.clone()));
            tokio::spawn(async move { gate.providers.caller(at, &cookie).await.unwrap() })
        })
        .collect();
    let mut callers = 0;
    for task in tasks {
        callers +=
            usize::from(matches!(task.await.unwrap(), Standing::Caller(caller) if caller.is_confirmed));
    }
    callers
}

#[test]
fn twenty_tabs_cause_one_refresh() {
    run(async {
        let provider = Provider::start();
        for home in [Home::sqlite(), Home::postgres()] {
            let gate = Arc::new(home.gate(&[provider.section()]).await);
            let (mut browser, at) = (Browser::new(), now());
            browser.logged_in(&gate, at, "ada").await;
            let before = provider.asked(REFRESH);
            // Long before the end, shortly before it, and after it. This provider ends a session whose refresh token is shown
            // twice, so that a second request would be seen in the next round.
            provider.slow(300);
            for (later, refreshes) in [(100, 0), (560, 1), (2_000, 2), (3_000, 3)] {
                assert_eq!(at_once(&[Arc::clone(&gate)], after(at, later), &browser, 20).await, 20);
                eventually("the refresh has ended", || {
                    (provider.asked(REFRESH) >= before + refreshes).then_some(())
                });
                assert_eq!(provider.asked(REFRESH), before + refreshes, "{later} s later");
                // What was begun before the end goes on behind the requests that did not wait.
                let deadline = Instant::now() + Duration::from_secs(30);
                while home.count(GENERATION).await != i64::try_from(refreshes).unwrap() {
                    assert!(Instant::now() < deadline, "the refresh is not kept");
                    tokio::task::yield_now().await;
                }
            }
            provider.slow(0);
            assert_eq!(gate.events(), []);
        }
    });
}

#[test]
fn two_gates_cause_one_refresh() {
    run(async {
        let provider = Provider::start();
        for home in [Home::sqlite(), Home::postgres()] {
            let gates = [home.gate(&[provider.section()]).await, home.gate(&[provider.section()]).await];
            let gates = gates.map(Arc::new);
            let (mut browser, at) = (Browser::new(), now());
            browser.logged_in(&gates[0], at, "ada").await;
            let before = provider.asked(REFRESH);
            provider.slow(300);
            for round in 1..=3 {
                let at = after(at, 700 * i64::try_from(round).unwrap());
                assert_eq!(at_once(&gates, at, &browser, 20).await, 20, "in round {round}");
                assert_eq!(provider.asked(REFRESH), before + round);
            }
            provider.slow(0);
        }
    });
}

#[test]
fn a_refresh_goes_on_when_its_client_leaves() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let gate = Arc::new(home.gate(&[provider.section()]).await);
        let (mut browser, at) = (Browser::new(), now());
        browser.logged_in(&gate, at, "ada").await;
        provider.slow(300);
        let cookie = Secret::new(browser.session().unwrap());
        let own = Arc::clone(&gate);
        let request = tokio::spawn(async move { own.providers.caller(after(at, 700), &cookie).await });
        eventually("the provider is asked", || (provider.asked(REFRESH) == 2).then_some(()));
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        // The next one waits for the same answer, or has it already.
        assert!(gate.caller(after(at, 701), &browser).await.is_confirmed);
        assert_eq!(provider.asked(REFRESH), 2);
        assert_eq!(home.count("SELECT generation FROM provider_sessions").await, 1);
    });
}

#[test]
fn a_session_that_the_provider_does_not_confirm_ends() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let gate = home.gate(&[provider.section()]).await;
        let (mut browser, at) = (Browser::new(), now());
        browser.logged_in(&gate, at, "ada").await;
        provider.account("ada", &json!(null));
        assert!(matches!(gate.standing(after(at, 500), &browser).await, Standing::Caller(_)));
        assert_eq!(gate.standing(after(at, 700), &browser).await, Standing::Unknown);
        let events = gate.events();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0].what, What::SessionEnded(Why::GrantRefused));
        // For good, and nothing of the provider's is kept.
        assert_eq!(gate.standing(at, &browser).await, Standing::Unknown);
        let ended = "SELECT count(*) FROM provider_sessions WHERE reason = 'refresh-refused' AND tokens = ''";
        assert_eq!(home.count(ended).await, 1);
    });
}

#[test]
fn the_provider_is_asked_more_often_if_that_is_wanted_and_never_without_a_refresh_token() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let recheck = Some(Span(Duration::from_mins(2)));
        let gate = home.gate(&[Login { recheck, ..provider.section() }]).await;
        let (mut browser, at) = (Browser::new(), now());
        browser.logged_in(&gate, at, "ada").await;
        assert!(gate.caller(after(at, 70), &browser).await.is_confirmed);
        assert_eq!(provider.asked(REFRESH), 1);
        assert!(gate.caller(after(at, 90), &browser).await.is_confirmed);
        assert_eq!(provider.asked(REFRESH), 2);

        let scopes = ["openid", "email"].map(str::to_owned).to_vec();
        let gate = home.gate(&[Login { scopes, ..provider.section() }]).await;
        let mut browser = Browser::new();
        browser.logged_in(&gate, at, "ada").await;
        assert_eq!(provider.asked(REFRESH), 3);
        assert!(gate.caller(after(at, 43_000), &browser).await.is_confirmed, "until `max-age`");
        assert_eq!(provider.asked(REFRESH), 3);
    });
}
