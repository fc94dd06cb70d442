//! Sessions of callers that an OpenID provider has logged in. They have no account here: whom a session is about is an issuer
//! and a subject.
//!
//! A session passes if its cookie is known (by its SHA-256) and it was not ended. How old it may be and what to make of a
//! provider that is away is for the caller to judge: both are settings of that provider.
//!
//! - A provider's tokens are sealed, and open only for their session. With the session's end they are overwritten.
//! - **One refresh.** Who refreshes a session first takes its lease ([`ProviderSessions::lease`]), one statement that only one
//!   of several gates can win. What it brings is kept with `WHERE generation = …`, so a late answer changes nothing.
//! - **Ends are durable** and are written with what caused them in one change: the id of a logout token is used up exactly
//!   if the sessions that it names have ended.

mod session;

use std::time::Duration;

use jiff::Timestamp;
use mantlet_controls::config::Secret;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use zeroize::Zeroizing;

pub use self::session::{Begin, ProviderEnd, ProviderSession, ProviderTokens};
use crate::{
    Fault, SealingKeys, opaque,
    store::{Change, Database, Store, get, is_taken},
    time::{after, millis, of_millis, span_millis},
};

/// What the value of a cookie begins with, so that it is told from the cookie of an account's session.
pub const COOKIE: &str = mantlet_controls::accounts::OF_PROVIDER;
/// Bytes of a device's name that are kept.
const MOST_DEVICE: usize = 200;
/// The longest lease. One that ends later is of a clock that went ahead, and is not believed.
const LONGEST_LEASE: Duration = Duration::from_mins(1);
/// How long it is known that a session has ended.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// As they are sealed.
#[derive(Serialize, Deserialize)]
struct Plain<'a> {
    access: std::borrow::Cow<'a, str>,
    refresh: Option<std::borrow::Cow<'a, str>>,
    id: std::borrow::Cow<'a, str>,
}

/// All sessions that began at a provider.
#[derive(Debug, Clone)]
pub struct ProviderSessions {
    store: Store,
    keys: SealingKeys,
}

const COLUMNS: &str = "id, provider, issuer, subject, sid, attributes, device, created, refreshed, expires, generation, leased_until, failed";

impl ProviderSessions {
    /// Opens the database. Where accounts are kept in it, too, take [`Accounts::provider_sessions`](crate::Accounts).
    pub async fn open(database: &Database, keys: SealingKeys) -> Result<Self, Fault> {
        Ok(Self::over(Store::open(database).await?, keys))
    }

    pub(crate) const fn over(store: Store, keys: SealingKeys) -> Self {
        Self { store, keys }
    }

    /// Ends all connections to the database.
    pub async fn close_store(&self) {
        self.store.close().await;
    }

    /// The keys with which tokens are sealed.
    pub const fn keys(&self) -> &SealingKeys {
        &self.keys
    }

    /// Begins a session: it, and the value of its cookie.
    pub async fn begin(
        &self,
        now: Timestamp,
        begin: Begin<'_>,
    ) -> Result<(ProviderSession, Secret<String>), Fault> {
        let (id, token) = (opaque::id(now), opaque::token()?);
        let cookie = Secret::new(format!("{COOKIE}{}", token.expose()));
        let mut device: String = begin.device.chars().filter(|c| !c.is_control()).collect();
        device.truncate(device.floor_char_boundary(MOST_DEVICE));
        let sealed = self.seal(&id, begin.tokens)?;
        let mut change = self.store.change().await?;
        sqlx::query(
            "INSERT INTO provider_sessions (id, secret, provider, issuer, subject, sid, attributes, device, tokens, \
             created, refreshed, expires, generation, leased_until) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, 0, 0)",
        )
        .bind(&id)
        .bind(opaque::digest(cookie.expose().as_bytes()))
        .bind(begin.provider)
        .bind(begin.issuer)
        .bind(begin.subject)
        .bind(begin.sid)
        .bind(begin.attributes)
        .bind(&device)
        .bind(sealed)
        .bind(millis(now))
        .bind(begin.expires.map(millis))
        .execute(change.on())
        .await?;
        change.commit().await?;
        let session = self.by_id(&id).await?.ok_or(Fault::Corrupt("a session that is not there"))?;
        Ok((session, cookie))
    }

    /// The session of a cookie, if it was not ended.
    pub async fn of_cookie(&self, cookie: &Secret<String>) -> Result<Option<ProviderSession>, Fault> {
        self.one("secret = $1", &opaque::digest(cookie.expose().as_bytes())).await
    }

    /// A session by its id, if it was not ended.
    pub async fn by_id(&self, id: &str) -> Result<Option<ProviderSession>, Fault> {
        self.one("id = $1", id).await
    }

    async fn one(&self, which: &str, value: &str) -> Result<Option<ProviderSession>, Fault> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM provider_sessions WHERE {which} AND ended IS NULL"
        )))
        .bind(value)
        .fetch_optional(self.store.reader())
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// The sessions of a subject that were not ended, the oldest first.
    pub async fn of_subject(&self, issuer: &str, subject: &str) -> Result<Vec<ProviderSession>, Fault> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM provider_sessions WHERE issuer = $1 AND subject = $2 AND ended IS NULL ORDER BY id"
        )))
        .bind(issuer)
        .bind(subject)
        .fetch_all(self.store.reader())
        .await?;
        rows.iter().map(read).collect()
    }

    /// The tokens of a session that was not ended.
    pub async fn tokens(&self, id: &str) -> Result<Option<ProviderTokens>, Fault> {
        let row = sqlx::query("SELECT tokens FROM provider_sessions WHERE id = $1 AND ended IS NULL")
            .bind(id)
            .fetch_optional(self.store.reader())
            .await?;
        row.map(|row| self.unseal(id, &get::<String>(&row, "tokens")?)).transpose()
    }

    /// Takes the lease of a session for a refresh: its tokens, if this gate has won. It has to be done before `span` has
    /// passed, at most a minute.
    pub async fn lease(
        &self,
        now: Timestamp,
        session: &ProviderSession,
        span: Duration,
    ) -> Result<Option<ProviderTokens>, Fault> {
        // Known without a write: while a provider is away, each request comes here.
        let leased = millis(session.leased_until);
        if leased > millis(now) && leased <= after(now, LONGEST_LEASE) {
            return Ok(None);
        }
        let mut change = self.store.change().await?;
        let won = sqlx::query(
            "UPDATE provider_sessions SET leased_until = $1 WHERE id = $2 AND generation = $3 AND ended IS NULL \
             AND (leased_until <= $4 OR leased_until > $5)",
        )
        .bind(after(now, span.min(LONGEST_LEASE)))
        .bind(&session.id)
        .bind(session.generation)
        .bind(millis(now))
        .bind(after(now, LONGEST_LEASE))
        .execute(change.on())
        .await?;
        change.commit().await?;
        if won.rows_affected() == 1 { self.tokens(&session.id).await } else { Ok(None) }
    }

    /// No refresh of this session is tried for so long, at most a minute: the provider is away. For the holder of the lease.
    pub async fn put_off(
        &self,
        now: Timestamp,
        session: &ProviderSession,
        span: Duration,
    ) -> Result<(), Fault> {
        let mut change = self.store.change().await?;
        sqlx::query(
            "UPDATE provider_sessions SET leased_until = $1, failed = coalesce(failed, $2) \
             WHERE id = $3 AND generation = $4 AND ended IS NULL",
        )
        .bind(after(now, span.min(LONGEST_LEASE)))
        .bind(millis(now))
        .bind(&session.id)
        .bind(session.generation)
        .execute(change.on())
        .await?;
        change.commit().await
    }

    /// Keeps what a refresh has brought, for the holder of the lease. False if the session has ended, or was refreshed by
    /// another gate meanwhile.
    pub async fn renew(
        &self,
        now: Timestamp,
        session: &ProviderSession,
        tokens: &ProviderTokens,
        attributes: &str,
        expires: Option<Timestamp>,
    ) -> Result<bool, Fault> {
        let sealed = self.seal(&session.id, tokens)?;
        let mut change = self.store.change().await?;
        let renewed = sqlx::query(
            "UPDATE provider_sessions SET tokens = $1, attributes = $2, expires = $3, refreshed = $4, \
             generation = generation + 1, leased_until = 0, failed = NULL WHERE id = $5 AND generation = $6 AND ended IS NULL",
        )
        .bind(sealed)
        .bind(attributes)
        .bind(expires.map(millis))
        .bind(millis(now))
        .bind(&session.id)
        .bind(session.generation)
        .execute(change.on())
        .await?;
        change.commit().await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Ends a session. False if it has ended before.
    pub async fn end(&self, now: Timestamp, id: &str, why: ProviderEnd) -> Result<bool, Fault> {
        let mut change = self.store.change().await?;
        let ended = end_where(&mut change, now, why, "id = $3", &[id]).await?;
        change.commit().await?;
        Ok(ended == 1)
    }

    /// A provider has ended one session of its own (`sid`), or all of a subject. How many sessions here that were; none if
    /// the token that says so (`jti`) was used before.
    pub async fn end_by_provider(
        &self,
        now: Timestamp,
        issuer: &str,
        (subject, sid): (Option<&str>, Option<&str>),
        (jti, until): (&str, Timestamp),
    ) -> Result<Option<u64>, Fault> {
        let mut change = self.store.change().await?;
        if !insert_once(&mut change, &format!("logout {issuer} {jti}"), until).await? {
            return Ok(None);
        }
        let (which, values) = match (subject, sid) {
            (Some(subject), Some(sid)) => {
                ("issuer = $3 AND subject = $4 AND sid = $5", vec![issuer, subject, sid])
            }
            (Some(subject), None) => ("issuer = $3 AND subject = $4", vec![issuer, subject]),
            (None, Some(sid)) => ("issuer = $3 AND sid = $4", vec![issuer, sid]),
            (None, None) => return Ok(Some(0)),
        };
        let ended = end_where(&mut change, now, ProviderEnd::LoggedOutByProvider, which, &values).await?;
        change.commit().await?;
        Ok(Some(ended))
    }

    /// Uses up what is good once, until its end. False if it was used before.
    pub async fn use_once(&self, what: &str, until: Timestamp) -> Result<bool, Fault> {
        let mut change = self.store.change().await?;
        let is_first = insert_once(&mut change, what, until).await?;
        if is_first {
            change.commit().await?;
        }
        Ok(is_first)
    }

    /// To be called at least once an hour: forgets what has ended. Sessions that are older than `oldest` are of no use.
    /// Times of a clock that went ahead are not believed: all of this waits a day.
    pub async fn sweep(&self, now: Timestamp, oldest: Duration) -> Result<(), Fault> {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        let now = millis(now);
        let statements = [
            ("DELETE FROM used_once WHERE expires < $1", now - DAY),
            ("DELETE FROM provider_sessions WHERE ended < $1", now - span_millis(KEPT)),
            ("DELETE FROM provider_sessions WHERE created < $1", now - DAY - span_millis(oldest)),
        ];
        for (statement, before) in statements {
            let mut change = self.store.change().await?;
            sqlx::query(statement).bind(before).execute(change.on()).await?;
            change.commit().await?;
        }
        Ok(())
    }

    fn seal(&self, id: &str, tokens: &ProviderTokens) -> Result<String, Fault> {
        let plain = Plain {
            access: tokens.access.expose().into(),
            refresh: tokens.refresh.as_ref().map(|token| token.expose().into()),
            id: tokens.id.expose().into(),
        };
        let text = Zeroizing::new(serde_json::to_vec(&plain).map_err(|_| Fault::Failed("writing tokens"))?);
        self.keys.seal(&purpose(id), &text)
    }

    fn unseal(&self, id: &str, sealed: &str) -> Result<ProviderTokens, Fault> {
        let text = self.keys.open(&purpose(id), sealed)?;
        let plain: Plain<'_> =
            serde_json::from_slice(&text).map_err(|_| Fault::Corrupt("the tokens of a session"))?;
        let secret = |text: std::borrow::Cow<'_, str>| Secret::new(text.into_owned());
        Ok(ProviderTokens {
            access: secret(plain.access),
            refresh: plain.refresh.map(secret),
            id: secret(plain.id),
        })
    }
}

fn purpose(id: &str) -> String {
    format!("provider tokens {id}")
}

/// Ends sessions, and overwrites their tokens. `which` names its values from `$3` on.
async fn end_where(
    change: &mut Change,
    now: Timestamp,
    why: ProviderEnd,
    which: &str,
    values: &[&str],
) -> Result<u64, Fault> {
    let statement = format!(
        "UPDATE provider_sessions SET ended = $1, reason = $2, tokens = '' WHERE {which} AND ended IS NULL"
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(millis(now)).bind(why.name());
    for value in values {
        query = query.bind((*value).to_owned());
    }
    Ok(query.execute(change.on()).await?.rows_affected())
}

/// False if it is there already: the change is of no use any more then.
async fn insert_once(change: &mut Change, what: &str, until: Timestamp) -> Result<bool, Fault> {
    let inserted = sqlx::query("INSERT INTO used_once (digest, expires) VALUES ($1, $2)")
        .bind(opaque::digest(what.as_bytes()))
        .bind(millis(until))
        .execute(change.on())
        .await;
    match inserted {
        Ok(_) => Ok(true),
        Err(error) if is_taken(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn read(row: &AnyRow) -> Result<ProviderSession, Fault> {
    Ok(ProviderSession {
        id: get(row, "id")?,
        provider: get(row, "provider")?,
        issuer: get(row, "issuer")?,
        subject: get(row, "subject")?,
        sid: get(row, "sid")?,
        attributes: get(row, "attributes")?,
        device: get(row, "device")?,
        created: of_millis(get(row, "created")?),
        refreshed: of_millis(get(row, "refreshed")?),
        expires: get::<Option<i64>>(row, "expires")?.map(of_millis),
        generation: get(row, "generation")?,
        leased_until: of_millis(get(row, "leased_until")?),
        failed: get::<Option<i64>>(row, "failed")?.map(of_millis),
    })
}
