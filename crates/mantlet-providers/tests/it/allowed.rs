//! Who may log in.

use http::StatusCode;
use mantlet_providers::{Login, Standing, What, Why};
use serde_json::json;

use crate::kit::{Browser, Home, Provider, after, now, run, text};

#[test]
fn who_is_on_no_list_gets_a_page_and_no_session() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let lists = [
            (Login { allow_groups: vec!["staff".into()], ..provider.section() }, ["eve"].as_slice()),
            // `mal` has an address of the domain that the provider has not verified.
            (Login { allow_domains: vec!["example.com".into()], ..provider.section() }, &["eve", "mal"]),
            (Login { allow_emails: vec!["ada@example.com".into()], ..provider.section() }, &["eve", "mal"]),
        ];
        for (login, denied) in lists {
            let gate = home.gate(std::slice::from_ref(&login)).await;
            let at = now();
            for account in denied {
                let mut browser = Browser::new();
                let response = browser.log_in(&gate, at, account).await;
                assert_eq!(response.status(), StatusCode::FORBIDDEN);
                assert!(text(&response).contains("may not log in"), "{}", text(&response));
                let event = browser.last.clone().unwrap();
                assert_eq!(event.what, What::LoginRefused(Why::NotAllowed));
                assert_eq!(event.caller, Some(format!("{}|{account}", provider.issuer())));
                assert!(event.detail.is_some() && event.session.is_none(), "{event:?}");
                assert_eq!(browser.cookies(), [""; 0], "{account}");
            }
            let mut browser = Browser::new();
            browser.logged_in(&gate, at, "ada").await;
            assert_eq!(gate.caller(at, &browser).await.subject, "ada");
        }
        assert_eq!(home.count("SELECT count(*) FROM provider_sessions WHERE subject <> 'ada'").await, 0);
    });
}

#[test]
fn who_is_taken_off_the_list_is_logged_out_at_the_next_refresh() {
    run(async {
        let (provider, home) = (Provider::start(), Home::sqlite());
        let login = Login { allow_groups: vec!["staff".into()], ..provider.section() };
        let gate = home.gate(&[login]).await;
        let (mut browser, at) = (Browser::new(), now());
        browser.logged_in(&gate, at, "ada").await;
        let claims =
            |groups: &[&str]| json!({"email": "ada@example.com", "email_verified": true, "groups": groups});
        // Other groups, one of which is on the list: the app is told.
        provider.account("ada", &claims(&["staff", "new"]));
        assert_eq!(
            gate.caller(after(at, 300), &browser).await.attributes["groups"],
            json!(["staff", "admin"])
        );
        assert_eq!(gate.caller(after(at, 580), &browser).await.attributes["groups"], json!(["staff", "new"]));
        provider.account("ada", &claims(&["new"]));
        assert_eq!(gate.standing(after(at, 1_500), &browser).await, Standing::Unknown);
        let events = gate.events();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0].what, What::SessionEnded(Why::NotAllowed));
        assert_eq!(
            home.count("SELECT count(*) FROM provider_sessions WHERE reason = 'not-allowed' AND tokens = ''")
                .await,
            1
        );
    });
}
