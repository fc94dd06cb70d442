//! What happens to an account, from its registration to its end.

use mantlet_accounts::{
    accounts::{AddressChange, FactorChange, Login, PasswordChange, Registration},
    outbox::Kind,
    passwords::Weak,
};
use totp_rs::{Algorithm, Builder, Secret as TotpSecret};

use crate::kit::{
    OTHER, PASSWORD, address, later, log_in, logged_in, mails, now, on_both, person, secret, token,
};

const DAY: i64 = 24 * 60 * 60;

#[test]
fn a_person_registers_verifies_and_logs_in() {
    on_both(async |home| {
        let accounts = home.open().await;
        let ada = address("Ada@Example.com");
        let weak = accounts.register(now(), &ada, &secret("short")).await.unwrap();
        assert_eq!(weak, Registration::Weak(Weak::TooShort(15)));
        accounts.register(now(), &ada, &secret(PASSWORD)).await.unwrap();
        // Not before the address is verified; a new mail takes the place of the first one.
        let first = token(&accounts, now(), Kind::Verify).await;
        assert!(matches!(
            log_in(&accounts, now(), "ada@example.com", PASSWORD, false).await,
            Login::Unverified
        ));
        assert!(matches!(log_in(&accounts, now(), "ada@example.com", OTHER, false).await, Login::Refused));
        let second = token(&accounts, now(), Kind::Verify).await;
        assert_eq!(accounts.verify(now(), &first).await.unwrap(), None);
        assert_eq!(accounts.verify(later(DAY), &second).await.unwrap(), None, "after a day");
        let id = accounts.verify(now(), &second).await.unwrap().unwrap();
        assert_eq!(accounts.verify(now(), &second).await.unwrap(), None, "once");
        let session = logged_in(&accounts, now(), "ADA@EXAMPLE.COM", false).await;
        assert_eq!(session.session.account, id);
        let found = accounts.session(now(), &session.cookie.unwrap()).await.unwrap().unwrap();
        assert_eq!(found, session.session);
        assert!(accounts.session(now(), &secret("made up")).await.unwrap().is_none());
        assert_eq!(home.count("SELECT count(*) FROM addresses WHERE address = 'ada@example.com'").await, 1);
    });
}

#[test]
fn a_stranger_who_registers_first_gets_nothing() {
    on_both(async |home| {
        let accounts = home.open().await;
        let ada = address("ada@example.com");
        accounts.register(now(), &ada, &secret("a password of a stranger")).await.unwrap();
        let strangers = token(&accounts, now(), Kind::Verify).await;
        accounts.register(later(1), &ada, &secret(PASSWORD)).await.unwrap();
        let own = token(&accounts, later(1), Kind::Verify).await;
        assert_eq!(accounts.verify(later(2), &strangers).await.unwrap(), None);
        accounts.verify(later(2), &own).await.unwrap().unwrap();
        let refused = log_in(&accounts, later(3), "ada@example.com", "a password of a stranger", false).await;
        assert!(matches!(refused, Login::Refused));
        logged_in(&accounts, later(3), "ada@example.com", false).await;
    });
}

#[test]
fn known_and_unknown_addresses_get_the_same_outcome_and_rows() {
    on_both(async |home| {
        let accounts = home.open().await;
        let ada = person(&accounts, "ada@example.com").await;
        person(&accounts, "eve@example.com").await;
        let before = home.count("SELECT count(*) FROM links").await;
        for (text, kinds) in [
            ("ada@example.com", [Kind::RegisteredAlready, Kind::Reset]),
            ("bob@example.com", [Kind::Verify, Kind::Reset]),
            ("cy@example.com", [Kind::ResetUnknown, Kind::Verify]),
        ] {
            let (first, second) = (address(text), address(text));
            // `cy` asks for a reset before it registers.
            let mut sent = Vec::new();
            for step in 0..2 {
                let is_register = (step == 0) != (text == "cy@example.com");
                if is_register {
                    let outcome = accounts.register(now(), &first, &secret(PASSWORD)).await.unwrap();
                    assert_eq!(outcome, Registration::Mailed);
                } else {
                    accounts.request_reset(now(), &second).await.unwrap();
                }
                let mails = mails(&accounts, now()).await;
                assert_eq!(mails.len(), 1);
                assert_eq!(mails[0].address, text);
                assert!(mails[0].facts.token.is_some());
                sent.push(mails[0].kind);
            }
            assert_eq!(sent, kinds);
        }
        // One link each: the reset of `ada` took the place of the one from her registration.
        assert_eq!(home.count("SELECT count(*) FROM links").await, before + 1 + 2 + 2);
        for text in ["eve@example.com", "dan@example.com"] {
            let outcome =
                accounts.change_address(now(), &ada, &secret(PASSWORD), &address(text)).await.unwrap();
            assert_eq!(outcome, AddressChange::Mailed);
            let mails = mails(&accounts, now()).await;
            let mut to: Vec<_> = mails.iter().map(|mail| mail.address.as_str()).collect();
            to.sort_by_key(|to| *to == "ada@example.com");
            assert_eq!(to, [text, "ada@example.com"]);
        }
        for text in ["ada@example.com", "nobody@example.com"] {
            assert!(matches!(log_in(&accounts, now(), text, OTHER, false).await, Login::Refused));
        }
    });
}

#[test]
fn a_change_of_the_password_ends_all_other_sessions() {
    on_both(async |home| {
        let accounts = home.open().await;
        let ada = person(&accounts, "ada@example.com").await;
        let own = logged_in(&accounts, now(), "ada@example.com", false).await;
        let other = logged_in(&accounts, now(), "ada@example.com", false).await;
        let phone = logged_in(&accounts, now(), "ada@example.com", true).await.tokens.unwrap();
        let change = async |old: &str, new: &str| {
            let both = (&secret(old), &secret(new));
            accounts.change_password(later(1), &ada, both, Some(&own.session.id)).await.unwrap()
        };
        assert_eq!(change(OTHER, "yet another password").await, PasswordChange::Refused);
        assert_eq!(change(PASSWORD, "passwordpassword").await, PasswordChange::Weak(Weak::Common));
        assert_eq!(change(PASSWORD, OTHER).await, PasswordChange::Changed);
        let kept = accounts.session(later(2), own.cookie.as_ref().unwrap()).await.unwrap().unwrap();
        assert_eq!((kept.id, kept.epoch), (own.session.id, own.session.epoch + 1));
        assert!(accounts.session(later(2), other.cookie.as_ref().unwrap()).await.unwrap().is_none());
        assert!(accounts.refresh(later(2), &phone.refresh).await.unwrap().good().is_none());
        assert_eq!(accounts.sessions(later(2), &ada).await.unwrap().len(), 1);
        assert!(matches!(
            log_in(&accounts, later(2), "ada@example.com", PASSWORD, false).await,
            Login::Refused
        ));
    });
}

#[test]
fn a_reset_ends_every_session_and_every_link() {
    on_both(async |home| {
        let accounts = home.open().await;
        let ada = person(&accounts, "ada@example.com").await;
        let browser = logged_in(&accounts, now(), "ada@example.com", false).await;
        let phone = logged_in(&accounts, now(), "ada@example.com", true).await.tokens.unwrap();
        let change =
            accounts.change_address(now(), &ada, &secret(PASSWORD), &address("new@example.com")).await;
        assert_eq!(change.unwrap(), AddressChange::Mailed);
        let confirm = token(&accounts, now(), Kind::ConfirmAddress).await;
        accounts.request_reset(now(), &address("ada@example.com")).await.unwrap();
        let reset = token(&accounts, now(), Kind::Reset).await;
        // A weak password does not use the link up; after half an hour it is worth nothing.
        let weak = accounts.reset(later(1), &reset, &secret("too short")).await.unwrap();
        assert_eq!(weak, PasswordChange::Weak(Weak::TooShort(15)));
        let late = accounts.reset(later(1801), &reset, &secret(OTHER)).await.unwrap();
        assert_eq!(late, PasswordChange::Refused);
        assert_eq!(accounts.reset(later(1), &reset, &secret(OTHER)).await.unwrap(), PasswordChange::Changed);
        assert_eq!(accounts.reset(later(1), &reset, &secret(OTHER)).await.unwrap(), PasswordChange::Refused);
        assert!(accounts.session(later(2), &browser.cookie.unwrap()).await.unwrap().is_none());
        assert!(accounts.session_by_id(later(2), &browser.session.id).await.unwrap().is_none());
        assert!(accounts.refresh(later(2), &phone.refresh).await.unwrap().good().is_none());
        assert_eq!(accounts.confirm_address(later(2), &confirm).await.unwrap(), None);
        assert!(matches!(log_in(&accounts, later(2), "ada@example.com", OTHER, false).await, Login::In(_)));
        assert_eq!(mails(&accounts, later(2)).await[0].kind, Kind::PasswordChanged);
    });
}

#[test]
fn the_old_address_can_undo_a_change_whatever_the_thief_does() {
    on_both(async |home| {
        let accounts = home.open().await;
        let ada = person(&accounts, "ada@example.com").await;
        let thief = address("thief@example.com");
        let wrong = accounts.change_address(now(), &ada, &secret(OTHER), &thief).await.unwrap();
        assert_eq!(wrong, AddressChange::Refused);
        accounts.change_address(now(), &ada, &secret(PASSWORD), &thief).await.unwrap();
        let confirm = token(&accounts, now(), Kind::ConfirmAddress).await;
        assert_eq!(accounts.confirm_address(later(1), &confirm).await.unwrap().as_ref(), Some(&ada));
        let undo = token(&accounts, later(1), Kind::AddressChanged).await;
        // The thief goes on: another password, a second factor, sessions.
        let both = (&secret(PASSWORD), &secret(OTHER));
        let changed = accounts.change_password(later(2), &ada, both, None).await.unwrap();
        assert_eq!(changed, PasswordChange::Changed);
        let FactorChange::Done(enrolment) = accounts.enrol_factor(&ada, &secret(OTHER)).await.unwrap() else {
            panic!()
        };
        let code = secret(&code_of(enrolment.secret.expose(), later(3)));
        assert!(matches!(
            accounts.confirm_factor(later(3), &ada, &code).await.unwrap(),
            FactorChange::Done(_)
        ));
        // The address that was left is kept for its owner.
        let kept = accounts.register(later(3), &address("ada@example.com"), &secret(PASSWORD)).await.unwrap();
        assert_eq!(kept, Registration::Mailed);
        mails(&accounts, later(4)).await;
        assert_eq!(accounts.undo_address(later(8 * DAY), &undo).await.unwrap(), None, "after seven days");
        assert_eq!(accounts.undo_address(later(6 * DAY), &undo).await.unwrap().as_ref(), Some(&ada));
        let refused = log_in(&accounts, later(6 * DAY), "thief@example.com", OTHER, false).await;
        assert!(matches!(refused, Login::Refused));
        let reset = token(&accounts, later(6 * DAY), Kind::AddressRestored).await;
        let changed = accounts.reset(later(6 * DAY), &reset, &secret(PASSWORD)).await.unwrap();
        assert_eq!(changed, PasswordChange::Changed);
        logged_in(&accounts, later(6 * DAY), "ada@example.com", false).await;
        assert_eq!(home.count("SELECT count(*) FROM addresses").await, 1);
    });
}

#[test]
fn disabled_and_closed_accounts_open_nothing() {
    on_both(async |home| {
        let accounts = home.open().await;
        let ada = person(&accounts, "ada@example.com").await;
        let browser = logged_in(&accounts, now(), "ada@example.com", false).await.cookie.unwrap();
        let phone = logged_in(&accounts, now(), "ada@example.com", true).await.tokens.unwrap();
        accounts.request_reset(now(), &address("ada@example.com")).await.unwrap();
        let reset = token(&accounts, now(), Kind::Reset).await;
        assert!(accounts.disable(now(), &ada).await.unwrap());
        assert!(accounts.session(now(), &browser).await.unwrap().is_none());
        assert!(accounts.refresh(now(), &phone.refresh).await.unwrap().good().is_none());
        assert_eq!(accounts.reset(now(), &reset, &secret(OTHER)).await.unwrap(), PasswordChange::Refused);
        assert!(matches!(log_in(&accounts, now(), "ada@example.com", PASSWORD, false).await, Login::Refused));
        assert!(accounts.enable(&ada).await.unwrap());
        assert!(accounts.session(now(), &browser).await.unwrap().is_none());
        logged_in(&accounts, now(), "ada@example.com", false).await;
        assert!(!accounts.close(now(), &ada, &secret(OTHER)).await.unwrap());
        assert!(accounts.close(now(), &ada, &secret(PASSWORD)).await.unwrap());
        assert!(!accounts.delete(now(), &ada).await.unwrap());
        for table in ["accounts", "addresses", "sessions", "links"] {
            let rows = match table {
                "accounts" => home.count("SELECT count(*) FROM accounts").await,
                "addresses" => home.count("SELECT count(*) FROM addresses").await,
                "sessions" => home.count("SELECT count(*) FROM sessions").await,
                _ => home.count("SELECT count(*) FROM links").await,
            };
            assert_eq!(rows, 0, "{table}");
        }
        assert_eq!(home.count("SELECT count(*) FROM closed").await, 1);
        assert_eq!(mails(&accounts, now()).await.pop().unwrap().kind, Kind::Closed);
    });
}

/// The code that an authenticator app shows.
pub(crate) fn code_of(secret: &str, at: jiff::Timestamp) -> String {
    let secret = TotpSecret::try_from_base32(secret).unwrap();
    let builder =
        Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(1).with_step_duration(30);
    let totp = builder.with_secret(secret).build().unwrap();
    totp.generate(at.as_second().try_into().unwrap()).to_string()
}
