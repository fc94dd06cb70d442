//! Sessions, second factors, and what time does to them.

use mantlet_accounts::{
    Secret,
    accounts::{FactorChange, Login},
    outbox::Kind,
};

use crate::{
    accounts::code_of,
    kit::{Home, PASSWORD, later, log_in, logged_in, mails, now, on_both, person, secret},
};

const DAY: i64 = 24 * 60 * 60;

#[test]
fn sessions_are_listed_and_ended() {
    on_both(async |home| {
        let accounts = home.open().await;
        let ada = person(&accounts, "ada@example.com").await;
        let eve = person(&accounts, "eve@example.com").await;
        let first = logged_in(&accounts, now(), "ada@example.com", false).await;
        let second = logged_in(&accounts, later(1), "ada@example.com", true).await;
        let third = logged_in(&accounts, later(2), "ada@example.com", false).await;
        let listed = accounts.sessions(later(3), &ada).await.unwrap();
        let ids: Vec<_> = listed.iter().map(|session| &session.id).collect();
        assert_eq!(ids, [&first.session.id, &second.session.id, &third.session.id]);
        assert_eq!(listed[0].device, "a test");
        assert!(!accounts.revoke(later(3), &eve, &first.session.id).await.unwrap(), "of another account");
        assert!(accounts.revoke(later(3), &ada, &first.session.id).await.unwrap());
        assert!(!accounts.revoke(later(3), &ada, &first.session.id).await.unwrap());
        assert!(accounts.session(later(3), &first.cookie.unwrap()).await.unwrap().is_none());
        assert_eq!(accounts.log_out_everywhere(later(3), &ada, Some(&third.session.id)).await.unwrap(), 1);
        assert!(accounts.session(later(3), third.cookie.as_ref().unwrap()).await.unwrap().is_some());
        assert!(accounts.log_out(later(3), &ada, &third.session.id).await.unwrap());
        assert!(accounts.sessions(later(3), &ada).await.unwrap().is_empty());
    });
}

#[test]
fn sessions_end_by_disuse_and_by_age_and_a_wrong_clock_ends_none() {
    on_both(async |home| {
        let accounts = home.open().await;
        person(&accounts, "ada@example.com").await;
        let cookie = logged_in(&accounts, now(), "ada@example.com", false).await.cookie.unwrap();
        let is_good = async |days: i64| accounts.session(later(days * DAY), &cookie).await.unwrap().is_some();
        assert!(!is_good(14).await, "unused");
        // A clock that was a year ahead or behind for a while.
        assert!(!is_good(365).await && is_good(-365).await && is_good(0).await);
        accounts.maintain(later(20 * DAY)).await.unwrap();
        for day in 1..=9 {
            assert!(is_good(day * 10 - 1).await, "used");
        }
        assert!(!is_good(90).await, "too old");
    });
}

#[test]
fn a_second_factor_is_asked_for_and_a_code_is_good_once() {
    on_both(async |home| {
        let accounts = home.open().await;
        let ada = person(&accounts, "ada@example.com").await;
        let factor = accounts.enrol_factor(&ada, &secret("wrong password here")).await.unwrap();
        assert!(matches!(factor, FactorChange::Refused));
        let FactorChange::Done(first) = accounts.enrol_factor(&ada, &secret(PASSWORD)).await.unwrap() else {
            panic!()
        };
        assert!(first.url.expose().starts_with("otpauth://totp/Orchard:ada@example.com?secret="));
        // Not confirmed: it is not asked for, and another one takes its place.
        logged_in(&accounts, now(), "ada@example.com", false).await;
        let FactorChange::Done(enrolled) = accounts.enrol_factor(&ada, &secret(PASSWORD)).await.unwrap()
        else {
            panic!()
        };
        let code = |at: i64| secret(&code_of(enrolled.secret.expose(), later(at)));
        let old = secret(&code_of(first.secret.expose(), now()));
        assert!(matches!(accounts.confirm_factor(now(), &ada, &old).await.unwrap(), FactorChange::Refused));
        let confirmed = accounts.confirm_factor(now(), &ada, &code(0)).await.unwrap();
        let FactorChange::Done(recovery) = confirmed else { panic!() };
        assert_eq!(recovery.len(), 10);
        let ticket =
            async |at: i64| match log_in(&accounts, later(at), "ada@example.com", PASSWORD, true).await {
                Login::SecondFactor(ticket) => ticket,
                other => panic!("{other:?}"),
            };
        let first = ticket(1).await;
        let shown = async |ticket: &Secret<String>, code: &Secret<String>, at: i64| {
            accounts.second_factor(later(at), ticket, code).await.unwrap()
        };
        assert!(matches!(shown(&first, &code(0), 1).await, Login::Refused), "the step was used");
        assert!(matches!(shown(&first, &code(60), 1).await, Login::Refused), "two steps ahead");
        let Login::In(in_now) = shown(&first, &code(30), 1).await else { panic!("one step ahead") };
        assert_eq!(in_now.session.factors, 2);
        assert!(in_now.tokens.is_some());
        assert!(matches!(shown(&first, &code(90), 90).await, Login::Refused), "a ticket once");
        let late = ticket(100).await;
        assert!(matches!(shown(&late, &code(420), 420).await, Login::Refused), "after five minutes");
        // Five wrong codes end a ticket.
        let guessed = ticket(500).await;
        for _ in 0..5 {
            assert!(matches!(shown(&guessed, &secret("000000"), 500).await, Login::Refused));
        }
        assert!(matches!(shown(&guessed, &code(500), 500).await, Login::Refused));
        // The phone is lost.
        mails(&accounts, later(600)).await;
        let lost = ticket(600).await;
        let written = secret(&recovery[3].expose().to_uppercase().replace('-', " "));
        assert!(matches!(shown(&lost, &written, 600).await, Login::In(_)));
        let mail = mails(&accounts, later(600)).await.pop().unwrap();
        assert_eq!((mail.kind, mail.facts.left), (Kind::RecoveryCodeUsed, Some(9)));
        let again = ticket(601).await;
        assert!(matches!(shown(&again, &written, 601).await, Login::Refused), "once");
        let new = accounts.new_recovery_codes(later(660), &ada, &secret(PASSWORD), &written).await.unwrap();
        assert!(matches!(new, FactorChange::Refused), "a code that was used");
        let new = accounts.new_recovery_codes(later(660), &ada, &secret(PASSWORD), &code(660)).await.unwrap();
        let FactorChange::Done(new) = new else { panic!() };
        assert!(matches!(shown(&again, &recovery[4], 601).await, Login::Refused), "replaced");
        assert!(matches!(shown(&again, &new[0], 601).await, Login::In(_)));
        let removed =
            accounts.remove_factor(later(700), &ada, &secret(PASSWORD), &secret("000000")).await.unwrap();
        assert!(matches!(removed, FactorChange::Refused));
        let removed = accounts.remove_factor(later(700), &ada, &secret(PASSWORD), &code(700)).await.unwrap();
        assert!(matches!(removed, FactorChange::Done(())));
        logged_in(&accounts, later(700), "ada@example.com", false).await;
    });
}

#[test]
fn after_a_hundred_wrong_codes_only_a_reset_helps() {
    on_both(async |home: Home| {
        let accounts = home.open().await;
        let ada = person(&accounts, "ada@example.com").await;
        let FactorChange::Done(enrolled) = accounts.enrol_factor(&ada, &secret(PASSWORD)).await.unwrap()
        else {
            panic!()
        };
        let code = |at: i64| secret(&code_of(enrolled.secret.expose(), later(at)));
        accounts.confirm_factor(now(), &ada, &code(0)).await.unwrap();
        let mut locked = false;
        for _ in 0..21 {
            let Login::SecondFactor(ticket) =
                log_in(&accounts, later(60), "ada@example.com", PASSWORD, false).await
            else {
                panic!()
            };
            for _ in 0..5 {
                let wrong = accounts.second_factor(later(60), &ticket, &secret("000000")).await.unwrap();
                locked = matches!(wrong, Login::Locked);
                assert!(locked || matches!(wrong, Login::Refused), "{wrong:?}");
            }
        }
        assert!(locked);
        accounts.request_reset(later(61), &crate::kit::address("ada@example.com")).await.unwrap();
        let reset = crate::kit::token(&accounts, later(61), Kind::Reset).await;
        accounts.reset(later(61), &reset, &secret(PASSWORD)).await.unwrap();
        let Login::SecondFactor(ticket) =
            log_in(&accounts, later(90), "ada@example.com", PASSWORD, false).await
        else {
            panic!()
        };
        assert!(matches!(accounts.second_factor(later(90), &ticket, &code(90)).await.unwrap(), Login::In(_)));
    });
}
