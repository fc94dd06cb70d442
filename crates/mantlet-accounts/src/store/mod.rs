//! Where accounts are kept: SQLite for one gate, PostgreSQL for many.
//!
//! One text of SQL serves both (ids, digests and sealed secrets are text, times are numbers). What differs stands here:
//! how a transaction begins, and how it takes a row for itself.
//!
//! - Each change is one [`Change`], a transaction. On SQLite it is the only writer (`BEGIN IMMEDIATE`). On PostgreSQL it
//!   first locks the row of the account that it is about (`FOR UPDATE`), so changes of one account follow one another and
//!   never wait in a circle.
//! - What was read before the change (an epoch, a generation, a hash) is compared again in the statement that writes.

mod schema;

use std::{
    fs,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Once},
    time::Duration,
};

use mantlet_controls::config::Secret;
use sqlx::{
    Any, AnyPool, Executor, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions, AnyRow},
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::Fault;

/// Connections: a file has one writer and some readers.
const FILE_CONNECTIONS: u32 = 4;
const SERVER_CONNECTIONS: u32 = 8;
/// How long a connection is waited for.
const WAIT: Duration = Duration::from_secs(5);

/// What a connection to a file is told.
///
/// - `synchronous = FULL`: with a lesser one, power that fails takes the last changes back. A session that was ended or
///   a link that was used would be good again.
/// - WAL: readers do not wait for the writer. `busy_timeout`: another process, such as a command of the operator, may
///   write; five seconds are waited for it.
/// - `secure_delete`: what was deleted is overwritten in the file.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                       PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";

/// Which database.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file of SQLite. It is made if there is none.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL database: `postgres://user:password@host/name?sslmode=verify-full`.
    Postgres(Secret<String>),
}

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    /// The only writer of a file, in the order in which they came: SQLite itself keeps no order.
    writer: Option<Arc<Mutex<()>>>,
}

impl Store {
    /// Opens it and brings its schema up to date. A newer schema is refused.
    pub async fn open(database: &Database) -> Result<Self, Fault> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let (url, connections, is_file) = match database {
            Database::Sqlite(path) => {
                prepare(path)?;
                (Secret::new(format!("sqlite://{}", escaped(path)?)), FILE_CONNECTIONS, true)
            }
            Database::Postgres(url) => (url.clone(), SERVER_CONNECTIONS, false),
        };
        let options: AnyConnectOptions = url
            .expose()
            .parse()
            .map_err(|_| Fault::Unusable("the URL of the accounts database is no URL".to_owned()))?;
        let mut pool = AnyPoolOptions::new().max_connections(connections).acquire_timeout(WAIT);
        if is_file {
            pool = pool.after_connect(|connection, _| {
                Box::pin(async move { connection.execute(PRAGMAS).await.map(drop) })
            });
        }
        let pool = pool.connect_with(options).await?;
        let store = Self { pool, writer: is_file.then(Arc::default) };
        schema::bring_up_to_date(&store).await?;
        Ok(store)
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// For reading.
    pub(crate) fn reader(&self) -> &AnyPool {
        &self.pool
    }

    /// Begins a change. Nothing of it is seen before [`Change::commit`]; dropped, it never was.
    pub(crate) async fn change(&self) -> Result<Change, Fault> {
        let (begin, turn) = match &self.writer {
            Some(writer) => ("BEGIN IMMEDIATE", Some(writer.clone().lock_owned().await)),
            None => ("BEGIN", None),
        };
        Ok(Change { transaction: self.pool.begin_with(begin).await?, turn })
    }
}

/// A change: one transaction.
pub(crate) struct Change {
    transaction: Transaction<'static, Any>,
    /// The turn of the only writer of a file.
    turn: Option<OwnedMutexGuard<()>>,
}

impl Change {
    /// The connection, for statements.
    pub(crate) fn on(&mut self) -> &mut sqlx::AnyConnection {
        &mut self.transaction
    }

    /// Takes the row of an account for itself: other changes of this account wait until this one has ended. False if there
    /// is no such account.
    pub(crate) async fn lock_account(&mut self, account: &str) -> Result<bool, Fault> {
        let select = if self.turn.is_some() {
            "SELECT id FROM accounts WHERE id = $1"
        } else {
            "SELECT id FROM accounts WHERE id = $1 FOR UPDATE"
        };
        Ok(sqlx::query(select).bind(account).fetch_optional(self.on()).await?.is_some())
    }

    pub(crate) async fn commit(self) -> Result<(), Fault> {
        let Self { transaction, turn } = self;
        transaction.commit().await?;
        drop(turn);
        Ok(())
    }
}

/// Whether a statement failed because something has to be unique.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// A column of a row.
pub(crate) fn get<'r, T>(row: &'r AnyRow, column: &str) -> Result<T, Fault>
where
    T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
{
    Ok(sqlx::Row::try_get(row, column)?)
}

/// The folder must be there; the file is made so that only its owner may read it. SQLite gives the files beside it the
/// same mode.
fn prepare(path: &Path) -> Result<(), Fault> {
    let unusable = |error| Fault::Unusable(format!("the accounts database `{}`: {error}", path.display()));
    let made =
        fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = made.map_err(|error| unusable(error.to_string()))?;
    let mode = file.metadata().map_err(|error| unusable(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(unusable(format!("others may read it (mode {:o}): run `chmod 600` on it", mode & 0o777)));
    }
    Ok(())
}

/// A path in a URL.
fn escaped(path: &Path) -> Result<String, Fault> {
    let text = path.to_str().ok_or_else(|| {
        Fault::Unusable(format!("the accounts database `{}`: its path is not text in UTF-8", path.display()))
    })?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    Ok(text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect())
}
