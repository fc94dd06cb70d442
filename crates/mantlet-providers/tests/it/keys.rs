//! The provider's keys change.

use http::StatusCode;
use serde_json::json;

use crate::kit::{Browser, Home, Provider, after, now, run};

const KEYS: &str = "GET /jwks";

#[test]
fn a_new_key_is_found_and_the_old_one_is_forgotten() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let gate = home.gate(&[provider.section()]).await;
        let at = now();
        Browser::new().logged_in(&gate, at, "ada").await;
        Browser::new().logged_in(&gate, at, "ada").await;
        assert_eq!(provider.asked(KEYS), 1);
        for (round, forget) in [(1, false), (2, true)] {
            provider.rotate(forget);
            let at = after(at, i64::try_from(31 * round).unwrap());
            Browser::new().logged_in(&gate, at, "ada").await;
            assert_eq!(provider.asked(KEYS), 1 + round);
        }
    });
}

#[test]
fn tokens_that_are_made_up_cause_one_question_in_thirty_seconds() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let gate = home.gate(&[provider.section()]).await;
        let (mut browser, at) = (Browser::new(), now());
        browser.logged_in(&gate, at, "ada").await;
        let claims = json!({
            "aud": "orchard", "sub": "ada", "jti": "1", "iat": at.as_second(),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        });
        for n in 0..20 {
            let form = format!("logout_token={}", provider.forged(&claims));
            let response =
                Browser::new().post(&gate, after(at, n), "/auth/backchannel-logout/openid", &form).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        }
        assert_eq!(provider.asked(KEYS), 2);
        assert_eq!(gate.caller(at, &browser).await.subject, "ada");
    });
}
