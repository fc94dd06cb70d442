//! Files, keys and schemas: what is opened, and what is refused.

use std::{fs, os::unix::fs::PermissionsExt};

use mantlet_accounts::{
    Accounts, Fault, SealingKeys,
    accounts::Settings,
    passwords::{Passwords, Policy},
    store::Database,
};

use crate::kit::{CHEAP, Home, logged_in, mails, now, on_both, person, secret};

/// A database of the first schema, with an account, its session and its address.
const OLD: &str = include_str!("../fixtures/schema-1.sql");

async fn try_open(home: &Home, keys: SealingKeys) -> Result<Accounts, Fault> {
    let passwords = Passwords::start(CHEAP, Policy::default(), Vec::new()).unwrap();
    let settings = Settings::new("Orchard", "https://orchard.example");
    Accounts::open(&home.database, keys, passwords, settings, now()).await
}

fn keys(home: &Home) -> SealingKeys {
    SealingKeys::of_file(&home.key_file()).unwrap()
}

#[test]
fn an_older_schema_is_brought_up_to_date() {
    on_both(async |home| {
        if let Database::Sqlite(path) = &home.database {
            fs::write(path, "").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let raw = home.raw().await;
        sqlx::raw_sql(OLD).execute(&raw).await.unwrap();
        raw.close().await;
        // Two gates that start at once.
        let (one, other) = tokio::join!(try_open(&home, keys(&home)), try_open(&home, keys(&home)));
        let (accounts, _) = (one.unwrap(), other.unwrap());
        let old = accounts.session(now(), &secret("the cookie of the fixture")).await.unwrap().unwrap();
        assert_eq!(old.account, "01940000-0000-7000-8000-000000000001");
        logged_in(&accounts, now(), "ada@example.com", false).await;
        assert_eq!(home.count("SELECT factor_failures FROM accounts").await, 0);
        assert_eq!(home.count("SELECT count(*) FROM meta WHERE name = 'schema' AND value = '3'").await, 1);
        drop(accounts);
        try_open(&home, keys(&home)).await.unwrap();
    });
}

#[test]
fn a_newer_schema_is_refused() {
    on_both(async |home| {
        home.open().await.close_store().await;
        let raw = home.raw().await;
        sqlx::query("UPDATE meta SET value = '99' WHERE name = 'schema'").execute(&raw).await.unwrap();
        raw.close().await;
        let error = try_open(&home, keys(&home)).await.unwrap_err().to_string();
        assert!(
            error.contains("schema 99") && error.contains("up to 3") && error.contains("backup"),
            "{error}"
        );
        assert_eq!(home.count("SELECT count(*) FROM meta WHERE value = '99'").await, 1);
    });
}

#[test]
fn another_key_is_refused_and_a_new_one_in_front_is_not() {
    on_both(async |home| {
        let accounts = home.open().await;
        person(&accounts, "ada@example.com").await;
        let other = tempfile::tempdir().unwrap();
        let other = SealingKeys::of_file(&other.path().join("key")).unwrap();
        let error = try_open(&home, other).await.unwrap_err();
        assert!(matches!(error, Fault::NoKey(_)), "{error}");
        let old = fs::read_to_string(home.key_file()).unwrap();
        fs::write(home.key_file(), format!("{}\n{old}", "A".repeat(43))).unwrap();
        let accounts = try_open(&home, keys(&home)).await.unwrap();
        logged_in(&accounts, now(), "ada@example.com", true).await;
    });
}

#[tokio::test]
async fn only_the_owner_reads_the_file() {
    let home = Home::sqlite();
    let accounts = home.open().await;
    person(&accounts, "ada@example.com").await;
    let Database::Sqlite(path) = &home.database else { panic!() };
    let files: Vec<_> = fs::read_dir(home.folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    accounts.close_store().await;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = try_open(&home, keys(&home)).await.unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
    let mut lost = Home::sqlite();
    lost.database = Database::Sqlite("/nowhere/accounts.db".into());
    let error = try_open(&lost, keys(&lost)).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/accounts.db"), "{error}");
}

#[test]
fn a_mail_is_claimed_by_one_gate_and_comes_again_if_it_was_not_sent() {
    on_both(async |home| {
        let (one, other) = (home.open().await, home.open().await);
        for n in 0..20 {
            let address = crate::kit::address(&format!("{n}@example.com"));
            one.request_reset(now(), &address).await.unwrap();
        }
        let lease = std::time::Duration::from_mins(1);
        let (first, second) = tokio::join!(one.mails(now(), lease, 100), other.mails(now(), lease, 100));
        let mut ids: Vec<_> = first.unwrap().into_iter().chain(second.unwrap()).map(|mail| mail.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 20, "each once");
        assert!(mails(&one, crate::kit::later(59)).await.is_empty());
        let again = mails(&other, crate::kit::later(60)).await;
        assert_eq!(again.len(), 20);
        assert_eq!(again[0].tries, 1);
        assert!(mails(&one, crate::kit::later(200)).await.is_empty());
    });
}
