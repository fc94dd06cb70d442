//! Refresh tokens: each once, a copy is noticed, and a client that asks often at once stays logged in.

use std::sync::Arc;

use mantlet_accounts::{
    Accounts, Secret,
    accounts::{LoggedIn, Renewal},
    outbox::Kind,
    sessions::Reuse,
};

use crate::kit::{later, logged_in, mails, now, on_both, person, secret};

async fn good(accounts: &Accounts, at: i64, token: &Secret<String>) -> Secret<String> {
    let refreshed = accounts.refresh(later(at), token).await.unwrap();
    match refreshed {
        Renewal::Good(logged_in) => logged_in.tokens.unwrap().refresh,
        other => panic!("{other:?}"),
    }
}

async fn reused(accounts: &Accounts, at: i64, token: &Secret<String>) -> Reuse {
    match accounts.refresh(later(at), token).await.unwrap() {
        Renewal::Reused(reuse) => reuse,
        other => panic!("{other:?}"),
    }
}

async fn start(accounts: &Accounts) -> Secret<String> {
    person(accounts, "ada@example.com").await;
    logged_in(accounts, now(), "ada@example.com", true).await.tokens.unwrap().refresh
}

#[test]
fn the_same_successor_comes_again_while_it_was_not_used() {
    on_both(async |home| {
        let accounts = home.open().await;
        let first = start(&accounts).await;
        let second = good(&accounts, 0, &first).await;
        assert_ne!(first.expose(), second.expose());
        for at in [1, 60, 299] {
            assert_eq!(good(&accounts, at, &first).await.expose(), second.expose(), "after {at} s");
        }
        // Its successor is used: ten seconds for tabs that have asked at once.
        let third = good(&accounts, 300, &second).await;
        assert_eq!(good(&accounts, 309, &first).await.expose(), second.expose());
        assert_eq!(good(&accounts, 309, &second).await.expose(), third.expose());
        good(&accounts, 310, &third).await;
    });
}

#[test]
fn a_copy_ends_the_session_and_is_told_once() {
    for case in ["too late", "used", "older"] {
        on_both(async |home| {
            let accounts = home.open().await;
            let first = start(&accounts).await;
            let second = good(&accounts, 0, &first).await;
            let at = match case {
                "too late" => 300,
                "used" => {
                    good(&accounts, 1, &second).await;
                    11
                }
                _ => {
                    let third = good(&accounts, 1, &second).await;
                    good(&accounts, 2, &third).await;
                    3
                }
            };
            mails(&accounts, later(at)).await;
            let reuse = reused(&accounts, at, &first).await;
            assert!(reuse.is_first, "{case}");
            assert_eq!(mails(&accounts, later(at)).await.pop().unwrap().kind, Kind::RefreshReused);
            let again = reused(&accounts, at, &second).await;
            assert!(!again.is_first, "{case}");
            assert!(mails(&accounts, later(at)).await.is_empty());
            assert!(accounts.session_by_id(later(at), &reuse.session).await.unwrap().is_none());
        });
    }
}

#[test]
fn what_was_made_up_ends_nothing() {
    on_both(async |home| {
        let accounts = home.open().await;
        let first = start(&accounts).await;
        let text = first.expose();
        // The end of a token is random bits: with others, it is of the newest generation and not the newest token.
        let mut forged = text.clone();
        forged.replace_range(text.len() - 5.., "AAAAA");
        for made_up in
            ["", "mr_", "mr_AAAA", &"x".repeat(100_000), &format!("mr_{}", "A".repeat(75)), &forged]
        {
            let refused = accounts.refresh(later(1), &secret(made_up)).await.unwrap();
            assert!(matches!(refused, Renewal::Refused), "{made_up}: {refused:?}");
        }
        good(&accounts, 2, &first).await;
    });
}

#[test]
fn a_clock_that_steps_orders_nothing() {
    on_both(async |home| {
        let accounts = home.open().await;
        let mut token = start(&accounts).await;
        // Back by a year, forth again, by days: the newest token is always good.
        for at in [-31_536_000, 0, 86_400, -5, 1_000_000, 3, 0, -1] {
            let next = good(&accounts, at, &token).await;
            assert_eq!(good(&accounts, at - 1000, &token).await.expose(), next.expose());
            token = next;
        }
    });
}

#[test]
fn fifty_refreshes_at_once_are_one_rotation() {
    on_both(async |home| {
        // Two gates with one database; on SQLite two processes would do the same.
        let gates = [Arc::new(home.open().await), Arc::new(home.open().await)];
        let first = start(&gates[0]).await;
        let asked: Vec<_> = (0..50)
            .map(|n| {
                let (gate, token) = (gates[n % 2].clone(), first.clone());
                tokio::spawn(async move { gate.refresh(later(1), &token).await })
            })
            .collect();
        let mut answers = Vec::new();
        for one in asked {
            let LoggedIn { tokens, .. } = one.await.unwrap().unwrap().good().expect("all stay logged in");
            answers.push(tokens.unwrap().refresh.expose().clone());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "one successor");
        assert_eq!(home.count("SELECT max(generation) FROM sessions").await, 2, "one rotation");
        good(&gates[1], 2, &secret(&answers[0])).await;
    });
}

#[test]
fn the_database_holds_no_token_in_clear() {
    on_both(async |home| {
        let accounts = home.open().await;
        let first = start(&accounts).await;
        let second = good(&accounts, 0, &first).await;
        good(&accounts, 1, &second).await;
        let browser = logged_in(&accounts, now(), "ada@example.com", false).await.cookie.unwrap();
        accounts.request_reset(now(), &crate::kit::address("ada@example.com")).await.unwrap();
        let rows = home.ask("SELECT s.secret, s.newest, s.previous, s.previous_next, s.older_next, o.facts, l.digest \
                             FROM sessions s LEFT JOIN outbox o ON o.account = s.account LEFT JOIN links l ON l.account = s.account")
            .await;
        let kept: String = rows
            .iter()
            .flat_map(|row| (0..7).map(|n| sqlx::Row::get::<Option<String>, _>(row, n).unwrap_or_default()))
            .collect();
        let reset = crate::kit::token(&accounts, now(), Kind::Reset).await;
        assert!(kept.len() > 300);
        for token in [&first, &second, &browser, &reset] {
            assert!(!kept.contains(token.expose().trim_start_matches("mr_")));
        }
    });
}
