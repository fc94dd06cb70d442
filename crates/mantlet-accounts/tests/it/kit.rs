//! Databases, accounts in them, and a clock that stands still.

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mantlet_accounts::{
    Accounts, Address, SealingKeys, Secret,
    accounts::{LoggedIn, Login, Registration, Settings, Wants},
    outbox::{Kind, Mail},
    passwords::{Cost, Passwords, Policy},
    store::Database,
};
use sqlx::{AnyPool, any::AnyRow};

#[path = "servers.rs"]
mod servers;

use servers::{Postgres, server};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const OTHER: &str = "staple battery horse correct";
/// Hashes that cost next to nothing: these tests are about what happens around them.
pub(crate) const CHEAP: Cost = Cost { memory: 64, passes: 1, lanes: 1 };

/// A database of its own, empty.
pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) database: Database,
    _server: Option<Arc<Postgres>>,
}

impl Home {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(folder.path().join("accounts of a test.db"));
        Self { folder, database, _server: None }
    }

    pub(crate) fn postgres() -> Self {
        let server = server();
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        server.tell("postgres", &format!("CREATE DATABASE {name}"));
        let folder = server.folder().display().to_string();
        let url = format!("postgres://postgres@localhost/{name}?host={folder}");
        let folder = tempfile::tempdir().unwrap();
        Self { folder, database: Database::Postgres(Secret::new(url)), _server: Some(server) }
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("accounts.key")
    }

    pub(crate) async fn open(&self) -> Accounts {
        self.open_at(now()).await
    }

    pub(crate) async fn open_at(&self, now: Timestamp) -> Accounts {
        open(&self.database, SealingKeys::of_file(&self.key_file()).unwrap(), CHEAP, now).await
    }

    pub(crate) async fn open_with(&self, settings: Settings) -> Accounts {
        let passwords = Passwords::start(CHEAP, Policy::default(), Vec::new()).unwrap();
        let keys = SealingKeys::of_file(&self.key_file()).unwrap();
        Accounts::open(&self.database, keys, passwords, settings, now()).await.unwrap()
    }

    /// The database itself, for what only it can tell.
    pub(crate) async fn raw(&self) -> AnyPool {
        let url = match &self.database {
            Database::Sqlite(path) => format!("sqlite://{}", path.display().to_string().replace(' ', "%20")),
            Database::Postgres(url) => url.expose().clone(),
        };
        sqlx::any::install_default_drivers();
        AnyPool::connect(&url).await.unwrap()
    }

    pub(crate) async fn ask(&self, sql: &'static str) -> Vec<AnyRow> {
        let raw = self.raw().await;
        let rows = sqlx::query(sql).fetch_all(&raw).await.unwrap();
        raw.close().await;
        rows
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::Row::get(&self.ask(sql).await[0], 0)
    }
}

pub(crate) async fn open(database: &Database, keys: SealingKeys, cost: Cost, now: Timestamp) -> Accounts {
    let passwords = Passwords::start(cost, Policy::default(), Vec::new()).unwrap();
    let settings = Settings::new("Orchard", "https://orchard.example");
    Accounts::open(database, keys, passwords, settings, now).await.unwrap()
}

/// Runs a test over both databases.
pub(crate) fn on_both<F: Future<Output = ()>>(test: impl Fn(Home) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for home in [Home::sqlite as fn() -> Home, Home::postgres] {
        runtime.block_on(test(home()));
    }
}

pub(crate) fn now() -> Timestamp {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

pub(crate) fn later(seconds: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

pub(crate) fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub(crate) fn address(text: &str) -> Address {
    Address::read(text).unwrap()
}

/// All mails that wait; they are gone afterwards.
pub(crate) async fn mails(accounts: &Accounts, at: Timestamp) -> Vec<Mail> {
    let mails = accounts.mails(at, Duration::from_mins(1), 1000).await.unwrap();
    for mail in &mails {
        accounts.mail_done(&mail.id).await.unwrap();
    }
    mails
}

/// The token of the only mail of a kind.
pub(crate) async fn token(accounts: &Accounts, at: Timestamp, kind: Kind) -> Secret<String> {
    let mut mails = mails(accounts, at).await;
    mails.retain(|mail| mail.kind == kind);
    assert_eq!(mails.len(), 1, "{kind:?}: {mails:?}");
    mails.remove(0).facts.token.expect("a link")
}

/// An account with a verified address. Its id.
pub(crate) async fn person(accounts: &Accounts, text: &str) -> String {
    let registered = accounts.register(now(), &address(text), &secret(PASSWORD)).await.unwrap();
    assert_eq!(registered, Registration::Mailed);
    let token = token(accounts, now(), Kind::Verify).await;
    accounts.verify(now(), &token).await.unwrap().expect("a good link")
}

pub(crate) async fn log_in(
    accounts: &Accounts,
    at: Timestamp,
    text: &str,
    password: &str,
    tokens: bool,
) -> Login {
    let wants = Wants { tokens, device: "a test".to_owned(), scope: "read write".to_owned() };
    accounts.log_in(at, &address(text), &secret(password), &wants).await.unwrap()
}

pub(crate) async fn logged_in(accounts: &Accounts, at: Timestamp, text: &str, tokens: bool) -> LoggedIn {
    match log_in(accounts, at, text, PASSWORD, tokens).await {
        Login::In(logged_in) => *logged_in,
        other => panic!("{other:?}"),
    }
}
