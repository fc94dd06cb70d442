//! Requests that overtake each other, and two processes with one database.

use std::sync::Arc;

use mantlet_accounts::{
    accounts::{Login, PasswordChange},
    outbox::Kind,
};

use crate::{
    killed::{Child, invariants, life},
    kit::{OTHER, PASSWORD, address, later, log_in, logged_in, mails, now, on_both, person, secret, token},
};

#[test]
fn of_many_requests_for_one_thing_one_wins() {
    on_both(async |home| {
        let gates = [Arc::new(home.open().await), Arc::new(home.open().await)];
        // Registrations of one address.
        let asked: Vec<_> = (0..20)
            .map(|n| {
                let gate = gates[n % 2].clone();
                tokio::spawn(async move {
                    gate.register(now(), &address("ada@example.com"), &secret(PASSWORD)).await
                })
            })
            .collect();
        for one in asked {
            one.await.unwrap().unwrap();
        }
        assert_eq!(home.count("SELECT count(*) FROM accounts").await, 1);
        assert_eq!(mails(&gates[0], now()).await.len(), 20);
        // One link, used by many.
        gates[0].register(now(), &address("ada@example.com"), &secret(PASSWORD)).await.unwrap();
        let verify = token(&gates[0], now(), Kind::Verify).await;
        let (one, other) = tokio::join!(gates[0].verify(now(), &verify), gates[1].verify(now(), &verify));
        assert_eq!([one.unwrap(), other.unwrap()].into_iter().flatten().count(), 1);
        gates[0].request_reset(now(), &address("ada@example.com")).await.unwrap();
        let reset = token(&gates[0], now(), Kind::Reset).await;
        let (new, newer) = (secret(OTHER), secret("yet another password"));
        let (one, other) =
            tokio::join!(gates[0].reset(now(), &reset, &new), gates[1].reset(now(), &reset, &newer));
        let mut outcomes = [one.unwrap(), other.unwrap()].map(|outcome| outcome == PasswordChange::Changed);
        outcomes.sort_unstable();
        assert_eq!(outcomes, [false, true]);
    });
}

#[test]
fn no_login_with_the_old_password_outlives_a_reset() {
    on_both(async |home| {
        let accounts = Arc::new(home.open().await);
        let ada = person(&accounts, "ada@example.com").await;
        for round in 0..10 {
            let password = if round % 2 == 0 { PASSWORD } else { OTHER };
            let new = if round % 2 == 0 { OTHER } else { PASSWORD };
            accounts.request_reset(later(round), &address("ada@example.com")).await.unwrap();
            let reset = token(&accounts, later(round), Kind::Reset).await;
            let logins: Vec<_> = (0..6)
                .map(|_| {
                    let accounts = accounts.clone();
                    tokio::spawn(async move {
                        log_in(&accounts, later(round), "ada@example.com", password, true).await
                    })
                })
                .collect();
            let outcome = accounts.reset(later(round), &reset, &secret(new)).await.unwrap();
            assert_eq!(outcome, PasswordChange::Changed);
            for login in logins {
                if let Login::In(logged_in) = login.await.unwrap() {
                    let refresh = logged_in.tokens.unwrap().refresh;
                    assert!(accounts.refresh(later(round), &refresh).await.unwrap().good().is_none());
                }
            }
            assert!(accounts.sessions(later(round), &ada).await.unwrap().is_empty());
        }
    });
}

#[test]
fn changes_of_one_account_never_wait_in_a_circle() {
    on_both(async |home| {
        let gates = [Arc::new(home.open().await), Arc::new(home.open().await)];
        let ada = person(&gates[0], "ada@example.com").await;
        for round in 0..5 {
            let mut tasks = Vec::new();
            for n in 0..6 {
                let (gate, ada) = (gates[n % 2].clone(), ada.clone());
                tasks.push(tokio::spawn(async move {
                    let at = later(round * 400);
                    let phone = logged_in(&gate, at, "ada@example.com", true).await.tokens.unwrap();
                    // A copy: it ends its session, which writes session, account and outbox.
                    let next = gate.refresh(at, &phone.refresh).await.unwrap();
                    drop(next);
                    let _ = gate.refresh(later(round * 400 + 350), &phone.refresh).await.unwrap();
                    gate.log_out_everywhere(at, &ada, None).await.unwrap();
                    gate.request_reset(at, &address("ada@example.com")).await.unwrap();
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
        }
        assert!(gates[0].sessions(later(2000), &ada).await.unwrap().is_empty());
    });
}

#[test]
fn two_processes_share_one_database() {
    on_both(async |home| {
        drop(home.open().await);
        let children = [Child::start(&home, "shared"), Child::start(&home, "shared")];
        for child in children {
            child.ends_well();
        }
        invariants(&home).await;
        assert!(home.count("SELECT count(*) FROM outbox").await > 0);
        life(&home.open().await, "afterwards", true).await.unwrap();
    });
}
