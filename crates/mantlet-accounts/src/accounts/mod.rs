//! Accounts: what happens to one, each as one function.
//!
//! ```text
//! register ── mail ── verify ─┬─ log in ── (second factor) ── session
//!                             ├─ change password · change address (confirm, undo) · second factor
//!                             ├─ reset: request ── mail ── new password
//!                             └─ disable, enable, close
//! ```
//!
//! Defends against an attacker who asks which addresses have accounts, who guesses, who has stolen a session or a link, and
//! who is quicker with a second request than the first one is done.
//!
//! - **Nothing tells addresses apart.** Where a client may name any address (register, log in, ask for a reset, change to it),
//!   the outcome and the work are the same whether it has an account: one hash, one transaction with the same number of
//!   writes, one mail. What differs is what the mail says, and that is for the owner of the mailbox alone.
//! - **Links are read, then used.** `verify`, `reset`, `confirm_address` and `undo_address` are to be called for a POST:
//!   scanners of mail follow links. None of them logs in.
//! - **Epochs.** A reset, a change of the password, an undone change of the address and an end by an operator raise the
//!   account's epoch, in the same transaction that ends its sessions.

mod addresses;
mod login;
mod operator;
mod password;
mod register;
mod second_factor;

use std::time::Duration;

use jiff::Timestamp;
use mantlet_controls::config::Secret;
use sqlx::any::AnyRow;

pub use self::{
    addresses::AddressChange,
    login::{LoggedIn, Login, Renewal, Tokens, Wants},
    password::PasswordChange,
    register::Registration,
    second_factor::{Confirmed, FactorChange},
};
use crate::{
    Address, Fault, SealingKeys,
    links::{self, Purpose},
    outbox::{self, Facts, Mail},
    passwords::{Checked, Passwords},
    provider_sessions::ProviderSessions,
    sessions::{self, Limits, Session},
    store::{Change, Database, Store, get},
    time::{after, millis, of_millis},
    tokens::{self, Issuer},
};

/// How accounts behave.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the app: authenticator apps show it.
    pub app: String,
    /// How long a link to verify an address is good. Default 24 hours. So long a new address waits to be confirmed, too.
    pub verify: Duration,
    /// How long a link to reset a password is good. Default 30 minutes.
    pub reset: Duration,
    /// How long the old address can undo a change of the address. Default 7 days.
    pub undo: Duration,
    /// How long the second factor may take. Default 5 minutes.
    pub second_factor: Duration,
    /// How long sessions last.
    pub sessions: Limits,
    /// What access tokens say.
    pub issuer: Issuer,
}

impl Settings {
    /// The defaults, for an app behind a public URL.
    pub fn new(app: &str, url: &str) -> Self {
        let issuer =
            Issuer { issuer: url.to_owned(), audience: url.to_owned(), lifetime: Duration::from_mins(10) };
        Self {
            app: app.to_owned(),
            verify: Duration::from_hours(24),
            reset: Duration::from_mins(30),
            undo: Duration::from_hours(7 * 24),
            second_factor: Duration::from_mins(5),
            sessions: Limits::default(),
            issuer,
        }
    }
}

/// All accounts of an app.
#[derive(Debug)]
pub struct Accounts {
    pub(crate) store: Store,
    pub(crate) passwords: Passwords,
    pub(crate) keys: SealingKeys,
    pub(crate) settings: Settings,
}

/// What is read of an account before a change.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) address: String,
    pub(crate) password: Option<String>,
    pub(crate) epoch: i64,
    pub(crate) is_verified: bool,
    pub(crate) is_disabled: bool,
    pub(crate) factor_failures: i64,
}

pub(crate) const ROW: &str =
    "SELECT a.id, a.address, a.password, a.epoch, a.verified, a.disabled, a.factor_failures FROM accounts a";

impl Accounts {
    /// Opens the database, and makes what a new one needs. The key has to be the one with which it was made.
    pub async fn open(
        database: &Database,
        keys: SealingKeys,
        passwords: Passwords,
        settings: Settings,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let store = Store::open(database).await?;
        let accounts = Self { store, passwords, keys, settings };
        accounts.maintain(now).await?;
        Ok(accounts)
    }

    /// To be called at least once an hour: makes the next key for tokens, forgets what has ended, and counts the formats
    /// of hashes, which unknown addresses mimic.
    pub async fn maintain(&self, now: Timestamp) -> Result<(), Fault> {
        self.mimic().await?;
        tokens::maintain(&self.store, &self.keys, now).await?;
        self.sweep(now).await
    }

    /// What access tokens say of where they come from.
    pub fn issuer(&self) -> &Issuer {
        &self.settings.issuer
    }

    /// How long sessions last.
    pub fn limits(&self) -> Limits {
        self.settings.sessions
    }

    /// Ends all connections to the database.
    pub async fn close_store(&self) {
        self.store.close().await;
    }

    /// The sessions of callers whom an OpenID provider has logged in: in the same database.
    pub fn provider_sessions(&self) -> ProviderSessions {
        ProviderSessions::over(self.store.clone(), self.keys.clone())
    }

    /// Whether a password may become the one of an account: the same for all addresses.
    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// The public keys of access tokens, as the JSON text of a JWKS.
    pub async fn jwks(&self, now: Timestamp) -> Result<String, Fault> {
        tokens::jwks(&self.store, now, self.settings.issuer.lifetime).await
    }

    /// The session of a cookie, if it is good.
    pub async fn session(&self, now: Timestamp, cookie: &Secret<String>) -> Result<Option<Session>, Fault> {
        sessions::of_cookie(&self.store, now, self.settings.sessions, cookie).await
    }

    /// The session of an access token's `sid`, if it is good. A token is good as long as its session is, and has its epoch.
    pub async fn session_by_id(&self, now: Timestamp, id: &str) -> Result<Option<Session>, Fault> {
        sessions::by_id(&self.store, now, self.settings.sessions, id).await
    }

    /// The sessions of an account, the oldest first.
    pub async fn sessions(&self, now: Timestamp, account: &str) -> Result<Vec<Session>, Fault> {
        sessions::of_account(&self.store, now, self.settings.sessions, account).await
    }

    /// Takes up to `most` mails that have to be sent. No other gate gets them for the time of `lease`.
    pub async fn mails(&self, now: Timestamp, lease: Duration, most: i64) -> Result<Vec<Mail>, Fault> {
        outbox::claim(&self.store, &self.keys, now, lease, most).await
    }

    /// A mail was sent, or is given up.
    pub async fn mail_done(&self, id: &str) -> Result<(), Fault> {
        outbox::done(&self.store, id).await
    }

    /// A mail could not be sent. How long it waits until it can be claimed again: 1 min, 5 min, 30 min, 2 h, then 6 h. None:
    /// it is given up, after a day and at least six tries.
    pub async fn mail_failed(&self, now: Timestamp, mail: &Mail) -> Result<Option<Duration>, Fault> {
        outbox::failed(&self.store, now, mail).await
    }

    /// The account of an address, as it is now.
    pub(crate) async fn by_address(&self, address: &Address) -> Result<Option<Row>, Fault> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{ROW} JOIN addresses d ON d.account = a.id WHERE d.address = $1 AND d.kept_until IS NULL"
        )))
        .bind(address.key())
        .fetch_optional(self.store.reader())
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// The account of an id, as it is now.
    pub(crate) async fn by_id(&self, id: &str) -> Result<Option<Row>, Fault> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{ROW} WHERE a.id = $1")))
            .bind(id)
            .fetch_optional(self.store.reader())
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Begins a change of an account, and reads the account in it.
    pub(crate) async fn change(&self, id: &str) -> Result<Option<(Change, Row)>, Fault> {
        let mut change = self.store.change().await?;
        if !change.lock_account(id).await? {
            return Ok(None);
        }
        let row = read_in(&mut change, id).await?;
        Ok(row.map(|row| (change, row)))
    }

    /// Whether a password is the one of an account, for what needs to ask again. The account in a change, if it is.
    pub(crate) async fn with_password(
        &self,
        account: &str,
        password: &Secret<String>,
    ) -> Result<Option<(Change, Row)>, Fault> {
        let Some(row) = self.by_id(account).await? else { return Ok(None) };
        let checked = self.passwords.check(password, row.password.as_deref(), &row.address).await?;
        if matches!(checked, Checked::Wrong) {
            return Ok(None);
        }
        let Some((change, locked)) = self.change(account).await? else { return Ok(None) };
        let is_same = locked.epoch == row.epoch && locked.password == row.password && !locked.is_disabled;
        Ok(is_same.then_some((change, locked)))
    }

    /// Puts a mail for an account into the outbox.
    pub(crate) async fn mail(
        &self,
        change: &mut Change,
        now: Timestamp,
        account: Option<&str>,
        (kind, address, facts): (outbox::Kind, &str, Facts),
    ) -> Result<(), Fault> {
        outbox::put(change, &self.keys, now, account, (kind, address, facts)).await
    }

    /// A link, and what its mail says of it.
    pub(crate) async fn link(
        &self,
        change: &mut Change,
        now: Timestamp,
        (purpose, lifetime): (Purpose, Duration),
        account: Option<(&str, i64)>,
        detail: Option<&str>,
    ) -> Result<Facts, Fault> {
        let token = links::put(change, now, purpose, lifetime, account, detail).await?;
        Ok(Facts { token: Some(token), until: Some(of_millis(after(now, lifetime))), ..Facts::default() })
    }

    /// Forgets what has ended: links, sessions that ended 30 days ago, addresses that were given up, and accounts whose
    /// address was never verified. Times of a clock that went ahead are not believed: all of this waits some days.
    async fn sweep(&self, now: Timestamp) -> Result<(), Fault> {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        let now = millis(now);
        let statements = [
            ("DELETE FROM links WHERE expires < $1", now - DAY),
            ("DELETE FROM sessions WHERE ended < $1", now - 30 * DAY),
            ("DELETE FROM sessions WHERE created < $1", now - 400 * DAY),
            ("DELETE FROM addresses WHERE kept_until < $1", now - DAY),
            ("DELETE FROM accounts WHERE verified IS NULL AND created < $1", now - 7 * DAY),
        ];
        for (statement, before) in statements {
            let mut change = self.store.change().await?;
            sqlx::query(statement).bind(before).execute(change.on()).await?;
            change.commit().await?;
        }
        Ok(())
    }

    /// Counts the formats of hashes. What unknown addresses do must not change with a restart, or from gate to gate: so the
    /// key by which they choose is kept.
    pub(crate) async fn mimic(&self) -> Result<(), Fault> {
        let fresh = self.keys.seal("decoys", &crate::opaque::random::<32>()?[..])?;
        let mut change = self.store.change().await?;
        sqlx::query("INSERT INTO meta (name, value) VALUES ('decoys', $1) ON CONFLICT (name) DO NOTHING")
            .bind(fresh)
            .execute(change.on())
            .await?;
        change.commit().await?;
        let row = sqlx::query("SELECT value FROM meta WHERE name = 'decoys'")
            .fetch_one(self.store.reader())
            .await?;
        let key = self.keys.open("decoys", &get::<String>(&row, "value")?)?;
        let rows = sqlx::query(
            "SELECT count(*) AS n, min(password) AS example FROM accounts WHERE password IS NOT NULL \
             GROUP BY format ORDER BY format",
        )
        .fetch_all(self.store.reader())
        .await?;
        let formats = rows.iter().map(|row| {
            Ok((u64::try_from(get::<i64>(row, "n")?).unwrap_or(0), get::<String>(row, "example")?))
        });
        self.passwords.mimic(&key, formats.collect::<Result<_, Fault>>()?);
        Ok(())
    }
}

/// An account in a change.
pub(crate) async fn read_in(change: &mut Change, id: &str) -> Result<Option<Row>, Fault> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{ROW} WHERE a.id = $1")))
        .bind(id)
        .fetch_optional(change.on())
        .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &AnyRow) -> Result<Row, Fault> {
    Ok(Row {
        id: get(row, "id")?,
        address: get(row, "address")?,
        password: get(row, "password")?,
        epoch: get(row, "epoch")?,
        is_verified: get::<Option<i64>>(row, "verified")?.is_some(),
        is_disabled: get::<Option<i64>>(row, "disabled")?.is_some(),
        factor_failures: get(row, "factor_failures")?,
    })
}
