//! Import, pages and export.

use futures_util::stream;
use mantlet_accounts::accounts::Login;
use serde_json::Value;

use crate::kit::{PASSWORD, address, later, log_in, logged_in, now, on_both, person};

/// `pässword of Ada`, by passlib's bcrypt.
const BCRYPT: &str = "$2b$04$.ZvKDhzIlVLtxaLDjarXQumIKuXGGV.h4GxJNAMzkn.xZ8YRF338i";

#[test]
fn accounts_are_imported_and_what_is_not_taken_is_named() {
    on_both(async |home| {
        let accounts = home.open().await;
        person(&accounts, "ada@example.com").await;
        let line = |address: &str, more: &str| format!(r#"{{"address": "{address}"{more}}}"#);
        let bcrypt =
            format!(r#", "password-hash": "{BCRYPT}", "verified": true, "created": "2020-02-29T00:00:00Z""#);
        let lines = vec![
            line("Bob@Example.com", &bcrypt),
            line("ADA@example.com", &bcrypt),
            line("bob@example.com", ""),
            String::new(),
            line("no address", ""),
            line("c@example.com", r#", "password-hash": "$1$md5""#),
            line("d@example.com", r#", "verfied": true"#),
            "not JSON".to_owned(),
            line("e@example.com", ""),
            line("f@example.com", &bcrypt.replace("true", r#"true, "disabled": true"#)),
        ];
        let report = accounts.import(now(), stream::iter(lines)).await.unwrap();
        assert_eq!((report.imported, report.refused), (3, 6));
        let reasons: Vec<_> =
            report.reasons.iter().map(|refused| (refused.line, refused.why.as_str())).collect();
        let begins = [
            (2, "`address` has an account"),
            (3, "`address` has an account"),
            (5, "`address` is not"),
            (6, "`password-hash` is not taken: its format is not known"),
            (7, "it cannot be read: unknown field `verfied`"),
            (8, "it cannot be read"),
        ];
        for ((line, why), (at, begin)) in reasons.iter().zip(begins) {
            assert!(*line == at && why.starts_with(begin), "{line}: {why}");
        }
        let password = "p\u{e4}ssword of Ada";
        assert!(matches!(log_in(&accounts, now(), "bob@example.com", password, false).await, Login::In(_)));
        let hash = home.count("SELECT count(*) FROM accounts WHERE format = 'argon2id m=64,t=1,p=1'").await;
        assert_eq!(hash, 2, "replaced at the first login");
        assert!(matches!(log_in(&accounts, now(), "bob@example.com", password, false).await, Login::In(_)));
        for text in ["e@example.com", "f@example.com"] {
            assert!(matches!(log_in(&accounts, now(), text, password, false).await, Login::Refused));
        }
        let bob = accounts.find(&address("BOB@example.com")).await.unwrap().unwrap();
        assert_eq!(
            (bob.address.as_str(), bob.created.to_string().as_str()),
            ("Bob@Example.com", "2020-02-29T00:00:00Z")
        );
    });
}

#[test]
fn pages_show_each_account_once() {
    on_both(async |home| {
        let accounts = home.open().await;
        let lines = (0..25).map(|n| format!(r#"{{"address": "{n}@example.com"}}"#));
        accounts.import(now(), stream::iter(lines)).await.unwrap();
        let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
        loop {
            let page = accounts.page(after.as_deref(), 10).await.unwrap();
            pages += 1;
            seen.extend(page.accounts.into_iter().map(|account| account.address));
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        seen.sort();
        seen.dedup();
        assert_eq!((seen.len(), pages), (25, 3));
    });
}

#[test]
fn an_export_has_all_that_is_kept_and_no_secret() {
    on_both(async |home| {
        let accounts = home.open().await;
        let ada = person(&accounts, "ada@example.com").await;
        logged_in(&accounts, later(1), "ada@example.com", true).await;
        accounts
            .change_address(later(2), &ada, &crate::kit::secret(PASSWORD), &address("new@example.com"))
            .await
            .unwrap();
        let export = accounts.export(&ada).await.unwrap().unwrap();
        let at = |pointer: &str| export.pointer(pointer).cloned().unwrap_or(Value::Null);
        assert_eq!(at("/account/address"), "ada@example.com");
        assert_eq!(at("/account/last-login"), "2026-11-30T12:00:01Z");
        assert_eq!(at("/of-it/sessions/0/device"), "a test");
        assert_eq!(at("/of-it/links/0/detail"), "new@example.com");
        // Both were put at the same moment, in no order.
        let mut kinds = [at("/of-it/mails/0/kind"), at("/of-it/mails/1/kind")].map(|kind| kind.to_string());
        kinds.sort();
        assert_eq!(kinds, ["\"address-change-asked\"", "\"confirm-address\""]);
        assert_eq!(at("/of-it/addresses/0/address"), "ada@example.com");
        let text = export.to_string();
        assert!(!text.contains("$argon2id"), "{text}");
        assert_eq!(accounts.export("nobody").await.unwrap(), None);
        // Each table that knows accounts is in it: a new one must not be forgotten.
        let tables = match &home.database {
            mantlet_accounts::store::Database::Sqlite(_) => {
                "SELECT DISTINCT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'account'"
            }
            mantlet_accounts::store::Database::Postgres(_) => {
                "SELECT DISTINCT table_name::text FROM information_schema.columns WHERE column_name = 'account'"
            }
        };
        let rows = home.ask(tables).await;
        let mut tables: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 0)).collect();
        tables.sort();
        assert_eq!(tables, ["addresses", "links", "outbox", "recovery_codes", "sessions", "totp"]);
    });
}
