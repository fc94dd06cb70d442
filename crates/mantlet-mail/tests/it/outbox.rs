//! What becomes of a mail that cannot be sent at once.

use std::time::Duration;

use mantlet_accounts::outbox::Kind;
use mantlet_mail::{Outcome, run};
use serde_json::json;
use tokio::sync::{Notify, mpsc};

use crate::kit::{Sink, accounts, later, now, plain, register, send};

#[tokio::test]
async fn refused_for_now_waits_and_refused_for_good_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "busy@orchard.example").await;
    let mut sink = Sink::start(&json!({}));
    let sender = plain(sink.port);
    match send(&accounts, &sender, now()).await {
        Some(Outcome::Deferred { kind: Kind::Verify, wait, reason, .. }) => {
            assert_eq!(wait, Duration::from_mins(1));
            assert!(reason.contains("come back later"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    register(&accounts, "gone@orchard.example").await;
    match send(&accounts, &sender, now()).await {
        Some(Outcome::GivenUp { kind: Kind::Verify, reason, .. }) => {
            assert!(reason.contains("no such mailbox"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert!(send(&accounts, &sender, later(59)).await.is_none());
    assert!(matches!(send(&accounts, &sender, later(60)).await, Some(Outcome::Sent { .. })));
    assert_eq!(sink.line()["to"], json!(["busy@orchard.example"]));
    assert!(send(&accounts, &sender, later(100_000)).await.is_none());
}

#[tokio::test]
async fn a_server_that_refuses_our_own_address_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    let sink = Sink::start(&json!({"refuses_sender": true}));
    match send(&accounts, &plain(sink.port), now()).await {
        Some(Outcome::Deferred { reason, .. }) => assert!(reason.contains("not from you"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

/// A port on which no server listens.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_server_that_is_down_gets_the_mail_when_it_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    let sink = Sink::start(&json!({}));
    let port = sink.port;
    assert!(sink.rest().is_empty());
    assert!(matches!(send(&accounts, &plain(port), now()).await, Some(Outcome::Deferred { .. })));
    let mut sink = Sink::start(&json!({}));
    assert!(matches!(send(&accounts, &plain(sink.port), later(60)).await, Some(Outcome::Sent { .. })));
    assert_eq!(sink.line()["to"], json!(["ann@orchard.example"]));
}

#[tokio::test]
async fn a_mail_waits_longer_each_time_and_is_given_up_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    // A mail whose link never ends before: the account is closed.
    register(&accounts, "ann@orchard.example").await;
    let mail = accounts.mails(now(), Duration::from_mins(1), 1).await.unwrap().pop().unwrap();
    let id = accounts.verify(now(), mail.facts.token.as_ref().unwrap()).await.unwrap().unwrap();
    accounts.mail_done(&mail.id).await.unwrap();
    assert!(accounts.delete(now(), &id).await.unwrap());
    let sender = plain(closed_port());
    let (mut at, mut waits) = (0, Vec::new());
    loop {
        match send(&accounts, &sender, later(at)).await {
            Some(Outcome::Deferred { wait, .. }) => {
                let wait = i64::try_from(wait.as_secs()).unwrap();
                assert!(send(&accounts, &sender, later(at + wait - 1)).await.is_none());
                waits.push(wait / 60);
                at += wait;
            }
            Some(Outcome::GivenUp { kind: Kind::Closed, .. }) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waits, [1, 5, 30, 120, 360, 360, 360, 360]);
    assert!(send(&accounts, &sender, later(at * 2)).await.is_none());
}

#[tokio::test]
async fn a_link_that_has_ended_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    let sink = Sink::start(&json!({}));
    match send(&accounts, &plain(sink.port), later(86_400)).await {
        Some(Outcome::GivenUp { reason, .. }) => {
            assert_eq!(reason, "its link has ended at 2026-12-01 12:00 UTC");
        }
        other => panic!("{other:?}"),
    }
    assert!(sink.rest().is_empty());
}

#[tokio::test]
async fn a_mail_that_was_claimed_by_a_process_that_died_is_sent_when_its_claim_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    let claimed = accounts.mails(now(), Duration::from_mins(3), 1).await.unwrap();
    let sink = Sink::start(&json!({}));
    assert!(send(&accounts, &plain(sink.port), later(179)).await.is_none());
    match send(&accounts, &plain(sink.port), later(180)).await {
        Some(Outcome::Sent { id, .. }) => assert_eq!(id, claimed[0].id),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_mail_that_was_claimed_by_a_clock_that_was_hours_ahead_is_sent_once_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    assert_eq!(accounts.mails(later(30_000), Duration::from_mins(3), 1).await.unwrap().len(), 1);
    let sink = Sink::start(&json!({}));
    assert!(matches!(send(&accounts, &plain(sink.port), now()).await, Some(Outcome::Sent { .. })));
}

#[tokio::test]
async fn the_loop_sends_what_waits_and_stops_when_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    register(&accounts, "bob@orchard.example").await;
    let mut sink = Sink::start(&json!({}));
    let (sender, wake, stop) = (plain(sink.port), Notify::new(), Notify::new());
    let (tell, mut told) = mpsc::unbounded_channel();
    let outcomes = |outcome| tell.send(outcome).unwrap();
    let work = run(&accounts, &sender, &wake, now, outcomes, stop.notified());
    let ask = async {
        for _ in 0..2 {
            assert!(matches!(told.recv().await, Some(Outcome::Sent { .. })));
        }
        register(&accounts, "cid@orchard.example").await;
        wake.notify_one();
        assert!(matches!(told.recv().await, Some(Outcome::Sent { .. })));
        stop.notify_one();
    };
    tokio::join!(work, ask);
    // Mails of the same moment have no order.
    let mut to: Vec<_> = (0..3).map(|_| sink.line()["to"][0].as_str().unwrap().to_owned()).collect();
    to.sort();
    assert_eq!(to, ["ann@orchard.example", "bob@orchard.example", "cid@orchard.example"]);
}
