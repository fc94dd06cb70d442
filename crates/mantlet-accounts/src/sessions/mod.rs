//! Who is logged in: browsers by a cookie, other clients by a refresh token.
//!
//! A session passes if
//! 1. its cookie or refresh token is known (by its SHA-256, or by where it stands among those of its session);
//! 2. it was not ended, by its account, an operator or a copy of its token;
//! 3. it is of the account's epoch, and the account is not disabled;
//! 4. it was used lately (`idle`), and is not too old (`absolute`).
//!
//! The last is judged and never written: a clock that is wrong for an hour ends no session for good. A clock that was put
//! back makes a session younger, and never older.

mod refresh;

use std::time::Duration;

use jiff::Timestamp;
use mantlet_controls::config::Secret;
use serde::Serialize;
use sqlx::any::AnyRow;

pub use self::refresh::Reuse;
pub(crate) use self::refresh::{Refreshed, open_tokens, owner, refresh};
use crate::{
    Fault, opaque,
    store::{Change, Store, get},
    time::{after, age, millis, of_millis},
};

/// How often it is written down that a session is used.
const SEEN_EVERY: Duration = Duration::from_mins(1);
/// Bytes of a device's name that are kept.
const MOST_DEVICE: usize = 200;

/// How long a session lasts.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Without use. Default 14 days.
    pub idle: Duration,
    /// In all. Default 90 days.
    pub absolute: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { idle: Duration::from_hours(14 * 24), absolute: Duration::from_hours(90 * 24) }
    }
}

impl Limits {
    /// When a session ends that is not used any more.
    pub fn end_of(&self, session: &Session) -> Timestamp {
        of_millis(after(session.seen, self.idle).min(after(session.created, self.absolute)))
    }
}

/// What a client holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A cookie.
    Browser,
    /// A refresh token that changes with every use.
    Tokens,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Tokens => "tokens",
        }
    }
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Its id: `sid` of its access tokens.
    pub id: String,
    /// The account.
    pub account: String,
    /// What its client holds.
    pub kind: Kind,
    /// The account's epoch.
    pub epoch: i64,
    /// What the client says of itself.
    pub device: String,
    /// How many factors the login has shown: 1 or 2.
    pub factors: i64,
    /// The scopes that its client has asked for, apart by spaces.
    pub scope: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, give or take a minute.
    pub seen: Timestamp,
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Logout,
    Revoked,
    Password,
    Reset,
    Address,
    Disabled,
    Reused,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Revoked => "revoked",
            Self::Password => "password-changed",
            Self::Reset => "password-reset",
            Self::Address => "address-restored",
            Self::Disabled => "disabled",
            Self::Reused => "refresh-reused",
        }
    }
}

/// What a login says of the session that it begins.
#[derive(Debug, Clone)]
pub(crate) struct Begin<'a> {
    pub(crate) account: &'a str,
    pub(crate) epoch: i64,
    pub(crate) device: &'a str,
    pub(crate) factors: i64,
    pub(crate) scope: &'a str,
}

const COLUMNS: &str = "s.id, s.account, s.kind, s.epoch, s.device, s.factors, s.scope, s.created, s.seen";

/// Those that are good at all: their ends by time are judged with [`is_alive`].
const LIVE: &str = "sessions s JOIN accounts a ON a.id = s.account \
                    WHERE s.ended IS NULL AND s.epoch = a.epoch AND a.disabled IS NULL AND a.verified IS NOT NULL";

/// A session of a browser, and the value of its cookie.
pub(crate) async fn open_browser(
    change: &mut Change,
    now: Timestamp,
    begin: Begin<'_>,
) -> Result<(Session, Secret<String>), Fault> {
    let cookie = opaque::token()?;
    let session =
        insert(change, now, Kind::Browser, begin, &opaque::digest(cookie.expose().as_bytes())).await?;
    Ok((session, cookie))
}

async fn insert(
    change: &mut Change,
    now: Timestamp,
    kind: Kind,
    begin: Begin<'_>,
    secret: &str,
) -> Result<Session, Fault> {
    let Begin { account, epoch, device, factors, scope } = begin;
    let mut device: String = device.chars().filter(|c| !c.is_control()).collect();
    device.truncate(device.floor_char_boundary(MOST_DEVICE));
    let id = opaque::id(now);
    sqlx::query(
        "INSERT INTO sessions (id, account, kind, epoch, secret, device, factors, scope, created, seen, generation, rotated) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 0, $9)",
    )
    .bind(&id)
    .bind(account)
    .bind(kind.name())
    .bind(epoch)
    .bind(secret)
    .bind(&device)
    .bind(factors)
    .bind(scope)
    .bind(millis(now))
    .execute(change.on())
    .await?;
    let (account, scope) = (account.to_owned(), scope.to_owned());
    let now = of_millis(millis(now));
    Ok(Session { id, account, kind, epoch, device, factors, scope, created: now, seen: now })
}

/// The session of a cookie.
pub(crate) async fn of_cookie(
    store: &Store,
    now: Timestamp,
    limits: Limits,
    cookie: &Secret<String>,
) -> Result<Option<Session>, Fault> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM {LIVE} AND s.kind = 'browser' AND s.secret = $1"
    )))
    .bind(opaque::digest(cookie.expose().as_bytes()))
    .fetch_optional(store.reader())
    .await?;
    let Some(session) = row.as_ref().map(read).transpose()? else { return Ok(None) };
    if !is_alive(&session, now, limits) {
        return Ok(None);
    }
    // Only ever later: a clock that was put back makes no session look unused.
    if age(now, millis(session.seen)) >= SEEN_EVERY {
        let mut change = store.change().await?;
        sqlx::query("UPDATE sessions SET seen = $1 WHERE id = $2 AND seen = $3 AND ended IS NULL")
            .bind(millis(now))
            .bind(&session.id)
            .bind(millis(session.seen))
            .execute(change.on())
            .await?;
        change.commit().await?;
    }
    Ok(Some(session))
}

/// A session by its id, for a change or to verify an access token.
pub(crate) async fn by_id(
    store: &Store,
    now: Timestamp,
    limits: Limits,
    id: &str,
) -> Result<Option<Session>, Fault> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM {LIVE} AND s.id = $1")))
        .bind(id)
        .fetch_optional(store.reader())
        .await?;
    let session = row.as_ref().map(read).transpose()?;
    Ok(session.filter(|session| is_alive(session, now, limits)))
}

/// The sessions of an account, the oldest first.
pub(crate) async fn of_account(
    store: &Store,
    now: Timestamp,
    limits: Limits,
    account: &str,
) -> Result<Vec<Session>, Fault> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM {LIVE} AND s.account = $1 ORDER BY s.id"
    )))
    .bind(account)
    .fetch_all(store.reader())
    .await?;
    let sessions = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(sessions.into_iter().filter(|session| is_alive(session, now, limits)).collect())
}

/// Ends one session of an account. False if there is none.
pub(crate) async fn end(
    change: &mut Change,
    now: Timestamp,
    account: &str,
    id: &str,
    why: End,
) -> Result<bool, Fault> {
    let ended = sqlx::query(
        "UPDATE sessions SET ended = $1, reason = $2 WHERE id = $3 AND account = $4 AND ended IS NULL",
    )
    .bind(millis(now))
    .bind(why.name())
    .bind(id)
    .bind(account)
    .execute(change.on())
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// Ends all sessions of an account but one. How many those were.
pub(crate) async fn end_all(
    change: &mut Change,
    now: Timestamp,
    account: &str,
    but: Option<&str>,
    why: End,
) -> Result<u64, Fault> {
    let ended = sqlx::query(
        "UPDATE sessions SET ended = $1, reason = $2 WHERE account = $3 AND id <> $4 AND ended IS NULL",
    )
    .bind(millis(now))
    .bind(why.name())
    .bind(account)
    .bind(but.unwrap_or(""))
    .execute(change.on())
    .await?;
    Ok(ended.rows_affected())
}

/// Lets one session go on in the account's new epoch.
pub(crate) async fn carry_over(
    change: &mut Change,
    account: &str,
    id: &str,
    epoch: i64,
) -> Result<(), Fault> {
    sqlx::query("UPDATE sessions SET epoch = $1 WHERE id = $2 AND account = $3 AND ended IS NULL")
        .bind(epoch)
        .bind(id)
        .bind(account)
        .execute(change.on())
        .await?;
    Ok(())
}

fn is_alive(session: &Session, now: Timestamp, limits: Limits) -> bool {
    age(now, millis(session.seen)) < limits.idle && age(now, millis(session.created)) < limits.absolute
}

fn read(row: &AnyRow) -> Result<Session, Fault> {
    let kind = match get::<String>(row, "kind")?.as_str() {
        "browser" => Kind::Browser,
        "tokens" => Kind::Tokens,
        _ => return Err(Fault::Corrupt("the kind of a session")),
    };
    Ok(Session {
        id: get(row, "id")?,
        account: get(row, "account")?,
        kind,
        epoch: get(row, "epoch")?,
        device: get(row, "device")?,
        factors: get(row, "factors")?,
        scope: get(row, "scope")?,
        created: of_millis(get(row, "created")?),
        seen: of_millis(get(row, "seen")?),
    })
}
