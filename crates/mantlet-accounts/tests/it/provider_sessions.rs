//! Sessions of callers whom a provider has logged in: what only the database can decide.

use std::time::Duration;

use mantlet_accounts::provider_sessions::{
    Begin, ProviderEnd, ProviderSession, ProviderSessions, ProviderTokens,
};

use crate::kit::{Home, later, now, on_both, secret};

const ISSUER: &str = "https://id.example";
const SPAN: Duration = Duration::from_secs(30);

fn tokens(of: &str) -> ProviderTokens {
    let token = |kind: &str| secret(&format!("{kind} {of}"));
    ProviderTokens { access: token("access"), refresh: Some(token("refresh")), id: token("id") }
}

async fn begin(sessions: &ProviderSessions, subject: &str, sid: Option<&str>) -> ProviderSession {
    let begin = Begin {
        provider: "openid",
        issuer: ISSUER,
        subject,
        sid,
        attributes: "{}",
        device: "a\ntest",
        tokens: &tokens("first"),
        expires: Some(later(600)),
    };
    let (session, cookie) = sessions.begin(now(), begin).await.unwrap();
    assert_eq!(sessions.of_cookie(&cookie).await.unwrap().as_ref(), Some(&session));
    session
}

#[test]
fn one_of_many_gates_gets_the_lease() {
    on_both(async |home| {
        let gates = [home.open().await.provider_sessions(), home.open().await.provider_sessions()];
        let session = begin(&gates[0], "ada", None).await;
        assert_eq!(session.device, "atest");
        let tries = (0..20).map(|n| {
            let (gate, session) = (gates[n % 2].clone(), session.clone());
            tokio::spawn(async move { gate.lease(later(590), &session, SPAN).await.unwrap() })
        });
        let mut won = Vec::new();
        for one in tries.collect::<Vec<_>>() {
            won.extend(one.await.unwrap());
        }
        assert_eq!(won.len(), 1);
        assert_eq!(won[0].refresh.as_ref().unwrap().expose(), "refresh first");
        // Its holder was killed: after its end another one gets it.
        assert!(gates[1].lease(later(619), &session, SPAN).await.unwrap().is_none());
        assert!(gates[1].lease(later(620), &session, SPAN).await.unwrap().is_some());
        // One of a clock that went ahead is not believed.
        assert!(gates[1].lease(later(90_000), &session, SPAN).await.unwrap().is_some());
        assert!(gates[0].lease(later(700), &session, SPAN).await.unwrap().is_some());
        // What it brings is kept once.
        let renew = async |what: &str| {
            let (tokens, ends) = (tokens(what), Some(later(1_300)));
            gates[0].renew(later(701), &session, &tokens, "{\"a\":1}", ends).await.unwrap()
        };
        assert!(renew("second").await);
        assert!(!renew("third").await, "another generation");
        let renewed = gates[1].by_id(&session.id).await.unwrap().unwrap();
        assert_eq!((renewed.generation, renewed.expires), (1, Some(later(1_300))));
        assert_eq!(gates[1].tokens(&session.id).await.unwrap().unwrap().id.expose(), "id second");
        assert!(
            gates[1].lease(later(1_290), &session, SPAN).await.unwrap().is_none(),
            "of an old generation"
        );
    });
}

#[test]
fn a_provider_that_is_away_is_left_alone_and_that_is_seen_by_all() {
    on_both(async |home| {
        let gates = [home.open().await.provider_sessions(), home.open().await.provider_sessions()];
        let session = begin(&gates[0], "ada", None).await;
        gates[0].lease(later(600), &session, SPAN).await.unwrap().expect("the lease");
        gates[0].put_off(later(601), &session, Duration::from_secs(10)).await.unwrap();
        assert!(gates[1].lease(later(610), &session, SPAN).await.unwrap().is_none());
        assert!(gates[1].lease(later(611), &session, SPAN).await.unwrap().is_some());
        gates[1].put_off(later(612), &session, Duration::from_secs(10)).await.unwrap();
        let found = gates[0].by_id(&session.id).await.unwrap().unwrap();
        assert_eq!(found.failed, Some(later(601)), "since the first time");
        assert!(gates[0].renew(later(630), &session, &tokens("x"), "{}", None).await.unwrap());
        assert_eq!(gates[0].by_id(&session.id).await.unwrap().unwrap().failed, None);
    });
}

#[test]
fn a_provider_ends_what_it_names_and_says_so_once() {
    on_both(async |home| {
        let sessions = home.open().await.provider_sessions();
        let one = begin(&sessions, "ada", Some("s1")).await;
        let other = begin(&sessions, "ada", Some("s2")).await;
        let eve = begin(&sessions, "eve", Some("s1")).await;
        let end = async |issuer, who, jti| {
            sessions.end_by_provider(later(1), issuer, who, (jti, later(600))).await.unwrap()
        };
        assert_eq!(end("https://other.example", (Some("ada"), None), "1").await, Some(0));
        assert_eq!(end(ISSUER, (Some("ada"), Some("s1")), "1").await, Some(1));
        assert_eq!(end(ISSUER, (Some("ada"), None), "1").await, None, "used before");
        assert!(sessions.by_id(&one.id).await.unwrap().is_none());
        assert!(sessions.by_id(&other.id).await.unwrap().is_some());
        assert_eq!(end(ISSUER, (None, Some("s1")), "2").await, Some(1));
        assert!(sessions.by_id(&eve.id).await.unwrap().is_none());
        assert_eq!(sessions.of_subject(ISSUER, "ada").await.unwrap(), std::slice::from_ref(&other));
        assert!(sessions.end(later(2), &other.id, ProviderEnd::Logout).await.unwrap());
        assert!(!sessions.end(later(2), &other.id, ProviderEnd::Logout).await.unwrap());
        // What had an end has no tokens, and can get none any more.
        assert!(sessions.tokens(&other.id).await.unwrap().is_none());
        assert!(!sessions.renew(later(3), &other, &tokens("x"), "{}", None).await.unwrap());
        assert_eq!(home.count("SELECT count(*) FROM provider_sessions WHERE tokens <> ''").await, 0);
    });
}

#[test]
fn what_is_good_once_is_used_by_one_and_forgotten_later() {
    on_both(async |home| {
        let sessions = home.open().await.provider_sessions();
        let uses = (0..10).map(|_| {
            let sessions = sessions.clone();
            tokio::spawn(async move { sessions.use_once("a state", later(600)).await.unwrap() })
        });
        let mut first = 0;
        for one in uses.collect::<Vec<_>>() {
            first += usize::from(one.await.unwrap());
        }
        assert_eq!(first, 1);
        let day = 86_400;
        let oldest = Duration::from_hours(12);
        let session = begin(&sessions, "ada", None).await;
        sessions.sweep(later(day), oldest).await.unwrap();
        assert!(!sessions.use_once("a state", later(600)).await.unwrap());
        assert!(sessions.by_id(&session.id).await.unwrap().is_some());
        sessions.sweep(later(2 * day), oldest).await.unwrap();
        assert!(sessions.use_once("a state", later(3 * day)).await.unwrap());
        assert!(sessions.by_id(&session.id).await.unwrap().is_none());
    });
}

#[test]
fn tokens_open_for_their_session_alone() {
    on_both(async |home: Home| {
        let sessions = home.open().await.provider_sessions();
        let (one, other) = (begin(&sessions, "ada", None).await, begin(&sessions, "eve", None).await);
        let raw = home.raw().await;
        sqlx::query("UPDATE provider_sessions SET tokens = (SELECT tokens FROM provider_sessions WHERE id = $1) WHERE id = $2")
            .bind(&one.id)
            .bind(&other.id)
            .execute(&raw)
            .await
            .unwrap();
        raw.close().await;
        assert!(sessions.tokens(&one.id).await.unwrap().is_some());
        assert!(sessions.tokens(&other.id).await.is_err());
    });
}
