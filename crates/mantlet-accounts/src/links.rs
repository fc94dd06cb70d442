//! Tokens that are good once: in links that are mailed, and between the password and the second factor.
//!
//! A token is 256 random bits, and the database has its SHA-256. It is bound to the account's epoch: after a reset, no link
//! that was mailed before opens anything. The one exception undoes a change of the address: a thief who has changed it could
//! make it worthless by changing the password, too. A token is used in the change that it allows, so a change that fails does not use it up.

use std::time::Duration;

use jiff::Timestamp;
use mantlet_controls::config::Secret;

use crate::{
    Fault, opaque,
    store::{Change, Store, get},
    time::{after, millis},
};

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Verify,
    Reset,
    ConfirmAddress,
    UndoAddress,
    SecondFactor,
}

impl Purpose {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::ConfirmAddress => "confirm-address",
            Self::UndoAddress => "undo-address",
            Self::SecondFactor => "second-factor",
        }
    }
}

/// What a token was made for.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) digest: String,
    pub(crate) account: String,
    pub(crate) epoch: i64,
    pub(crate) detail: Option<String>,
    pub(crate) created: i64,
}

/// Makes one. Without an account it opens nothing, and takes the same work.
pub(crate) async fn put(
    change: &mut Change,
    now: Timestamp,
    purpose: Purpose,
    lifetime: Duration,
    account: Option<(&str, i64)>,
    detail: Option<&str>,
) -> Result<Secret<String>, Fault> {
    let token = opaque::token()?;
    sqlx::query(
        "INSERT INTO links (digest, purpose, account, epoch, created, expires, detail, tries) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
    )
    .bind(opaque::digest(token.expose().as_bytes()))
    .bind(purpose.name())
    .bind(account.map(|(id, _)| id))
    .bind(account.map_or(0, |(_, epoch)| epoch))
    .bind(millis(now))
    .bind(after(now, lifetime))
    .bind(detail)
    .execute(change.on())
    .await?;
    Ok(token)
}

/// The link of a token, if it is good for this purpose still. It is not used up.
pub(crate) async fn find(
    store: &Store,
    now: Timestamp,
    purpose: Purpose,
    token: &Secret<String>,
) -> Result<Option<Link>, Fault> {
    let row = sqlx::query(
        "SELECT l.digest, l.account, l.epoch, l.detail, l.created FROM links l JOIN accounts a ON a.id = l.account \
         WHERE l.digest = $1 AND l.purpose = $2 AND l.expires > $3 AND a.disabled IS NULL \
         AND (l.epoch = a.epoch OR l.purpose = 'undo-address')",
    )
    .bind(opaque::digest(token.expose().as_bytes()))
    .bind(purpose.name())
    .bind(millis(now))
    .fetch_optional(store.reader())
    .await?;
    let read = |row: sqlx::any::AnyRow| {
        Ok(Link {
            digest: get(&row, "digest")?,
            account: get(&row, "account")?,
            epoch: get(&row, "epoch")?,
            detail: get(&row, "detail")?,
            created: get(&row, "created")?,
        })
    };
    row.map(read).transpose()
}

/// Uses a link up. False if another request was first.
pub(crate) async fn take(change: &mut Change, link: &Link) -> Result<bool, Fault> {
    let taken =
        sqlx::query("DELETE FROM links WHERE digest = $1").bind(&link.digest).execute(change.on()).await?;
    Ok(taken.rows_affected() == 1)
}

/// Ends the links of an account for a purpose: a newer one takes their place.
pub(crate) async fn end(change: &mut Change, account: &str, purpose: Purpose) -> Result<(), Fault> {
    sqlx::query("DELETE FROM links WHERE account = $1 AND purpose = $2")
        .bind(account)
        .bind(purpose.name())
        .execute(change.on())
        .await?;
    Ok(())
}
