//! An app with a provider, a browser that visits both, and a clock that is set by hand.

mod browser;
mod provider;
#[path = "../../../../mantlet-accounts/tests/it/servers.rs"]
mod servers;

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use mantlet_accounts::{SealingKeys, Secret, provider_sessions::ProviderSessions, store::Database};
use mantlet_providers::{Caller, Event, Login, Providers, Settings, Standing};
use sqlx::{AnyPool, any::AnyRow};

use self::servers::{Postgres, server};
pub(crate) use self::{
    browser::{APP, Browser, attribute, location, text},
    provider::Provider,
    servers::{eventually, provided},
};

/// A database of its own, empty.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    database: Database,
    _server: Option<Arc<Postgres>>,
}

impl Home {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(folder.path().join("accounts.db"));
        Self { folder, database, _server: None }
    }

    pub(crate) fn postgres() -> Self {
        let server = server();
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        server.tell("postgres", &format!("CREATE DATABASE {name}"));
        let url = format!("postgres://postgres@localhost/{name}?host={}", server.folder().display());
        let folder = tempfile::tempdir().unwrap();
        Self { folder, database: Database::Postgres(Secret::new(url)), _server: Some(server) }
    }

    /// A gate with this database, as after a start.
    pub(crate) async fn gate(&self, logins: &[Login]) -> Gate {
        let keys = SealingKeys::of_file(&self.folder.path().join("accounts.key")).unwrap();
        let sessions = ProviderSessions::open(&self.database, keys).await.unwrap();
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let own = Arc::clone(&events);
        let watcher = move |event| own.lock().unwrap().push(event);
        let providers = Providers::new(Settings::new("Orchard"), logins, sessions, watcher).unwrap();
        Gate { providers, events }
    }

    pub(crate) async fn ask(&self, sql: &'static str) -> Vec<AnyRow> {
        let url = match &self.database {
            Database::Sqlite(path) => format!("sqlite://{}", path.display()),
            Database::Postgres(url) => url.expose().clone(),
        };
        sqlx::any::install_default_drivers();
        let raw = AnyPool::connect(&url).await.unwrap();
        let rows = sqlx::query(sql).fetch_all(&raw).await.unwrap();
        raw.close().await;
        rows
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::Row::get(&self.ask(sql).await[0], 0)
    }
}

/// What a gate has of this crate.
pub(crate) struct Gate {
    pub(crate) providers: Providers,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Gate {
    /// What has happened without a request of its own, since the last time.
    pub(crate) fn events(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock().unwrap())
    }

    /// Who has a browser's cookie.
    pub(crate) async fn standing(&self, now: Timestamp, browser: &Browser) -> Standing {
        let Some(cookie) = browser.session() else { return Standing::Unknown };
        self.providers.caller(now, &Secret::new(cookie)).await.unwrap()
    }

    pub(crate) async fn caller(&self, now: Timestamp, browser: &Browser) -> Caller {
        match self.standing(now, browser).await {
            Standing::Caller(caller) => *caller,
            other => panic!("{other:?}"),
        }
    }
}

/// Runs a test.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test);
}

/// The clock of the tests: the provider has one of its own, so that this one begins with it.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

pub(crate) fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}
