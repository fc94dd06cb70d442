//! Change and reset of a password.

use jiff::Timestamp;
use mantlet_controls::config::Secret;

use super::{Accounts, Row};
use crate::{
    Address, Fault,
    links::{self, Purpose},
    opaque,
    outbox::{Facts, Kind},
    passwords::Weak,
    sessions::{self, End},
    store::{Change, get},
    time::millis,
};

/// What a change of a password leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordChange {
    /// It was changed.
    Changed,
    /// The new one may not be chosen. The link is not used up.
    Weak(Weak),
    /// The old password is wrong, or the link is not good.
    Refused,
}

impl Accounts {
    /// Changes the password of who is logged in. All sessions end but the one that is named.
    pub async fn change_password(
        &self,
        now: Timestamp,
        account: &str,
        (old, new): (&Secret<String>, &Secret<String>),
        session: Option<&str>,
    ) -> Result<PasswordChange, Fault> {
        let Some(row) = self.by_id(account).await? else { return Ok(PasswordChange::Refused) };
        if let Err(weak) = self.judge(&row, new).await? {
            return Ok(PasswordChange::Weak(weak));
        }
        let hashed = self.passwords.hash(new).await?;
        let Some((mut change, row)) = self.with_password(account, old).await? else {
            return Ok(PasswordChange::Refused);
        };
        set(&mut change, now, &row, hashed).await?;
        sessions::end_all(&mut change, now, &row.id, session, End::Password).await?;
        if let Some(session) = session {
            sessions::carry_over(&mut change, &row.id, session, row.epoch + 1).await?;
        }
        let mail = (Kind::PasswordChanged, row.address.as_str(), Facts::default());
        self.mail(&mut change, now, Some(&row.id), mail).await?;
        change.commit().await?;
        Ok(PasswordChange::Changed)
    }

    /// Asks for a new password. Whether the address has an account, only its mailbox learns.
    pub async fn request_reset(&self, now: Timestamp, address: &Address) -> Result<(), Fault> {
        let found = self.by_address(address).await?.filter(|row| !row.is_disabled);
        let id = found.map_or_else(|| opaque::id(now), |row| row.id);
        let mut change = self.store.change().await?;
        change.lock_account(&id).await?;
        let row = super::read_in(&mut change, &id).await?;
        links::end(&mut change, &id, Purpose::Reset).await?;
        let account = row.as_ref().map(|row| (row.id.as_str(), row.epoch));
        let lifetime = (Purpose::Reset, self.settings.reset);
        let facts = self.link(&mut change, now, lifetime, account, None).await?;
        let mail = match &row {
            Some(row) => (Kind::Reset, row.address.as_str(), facts),
            None => (Kind::ResetUnknown, address.as_written(), facts),
        };
        self.mail(&mut change, now, row.as_ref().map(|row| row.id.as_str()), mail).await?;
        change.commit().await
    }

    /// The account of a link to set a new password, if the link is good. It is not used up.
    pub async fn account_of_reset(
        &self,
        now: Timestamp,
        token: &Secret<String>,
    ) -> Result<Option<String>, Fault> {
        Ok(links::find(&self.store, now, Purpose::Reset, token).await?.map(|link| link.account))
    }

    /// Sets a new password with the token of a mail. All sessions end. The address is verified by it.
    pub async fn reset(
        &self,
        now: Timestamp,
        token: &Secret<String>,
        new: &Secret<String>,
    ) -> Result<PasswordChange, Fault> {
        let Some(link) = links::find(&self.store, now, Purpose::Reset, token).await? else {
            return Ok(PasswordChange::Refused);
        };
        let Some(row) = self.by_id(&link.account).await? else { return Ok(PasswordChange::Refused) };
        if let Err(weak) = self.judge(&row, new).await? {
            return Ok(PasswordChange::Weak(weak));
        }
        let hashed = self.passwords.hash(new).await?;
        let Some((mut change, row)) = self.change(&link.account).await? else {
            return Ok(PasswordChange::Refused);
        };
        if row.is_disabled || row.epoch != link.epoch || !links::take(&mut change, &link).await? {
            return Ok(PasswordChange::Refused);
        }
        set(&mut change, now, &row, hashed).await?;
        sqlx::query(
            "UPDATE accounts SET factor_failures = 0, verified = COALESCE(verified, $1) WHERE id = $2",
        )
        .bind(millis(now))
        .bind(&row.id)
        .execute(change.on())
        .await?;
        sessions::end_all(&mut change, now, &row.id, None, End::Reset).await?;
        let mail = (Kind::PasswordChanged, row.address.as_str(), Facts::default());
        self.mail(&mut change, now, Some(&row.id), mail).await?;
        change.commit().await?;
        Ok(PasswordChange::Changed)
    }

    /// Judges a new password for an account as it is.
    async fn judge(&self, row: &Row, new: &Secret<String>) -> Result<Result<(), Weak>, Fault> {
        let factor =
            sqlx::query("SELECT count(*) AS n FROM totp WHERE account = $1 AND confirmed IS NOT NULL")
                .bind(&row.id)
                .fetch_one(self.store.reader())
                .await?;
        let address = Address::read(&row.address).ok_or(Fault::Corrupt("an address"))?;
        Ok(self.passwords.judge(new, &address, get::<i64>(&factor, "n")? > 0))
    }
}

/// Writes a new hash and raises the epoch.
async fn set(
    change: &mut Change,
    now: Timestamp,
    row: &Row,
    (hash, format): (String, String),
) -> Result<(), Fault> {
    let set = sqlx::query(
        "UPDATE accounts SET password = $1, format = $2, password_changed = $3, epoch = epoch + 1 \
         WHERE id = $4 AND epoch = $5",
    )
    .bind(hash)
    .bind(format)
    .bind(millis(now))
    .bind(&row.id)
    .bind(row.epoch)
    .execute(change.on())
    .await?;
    if set.rows_affected() == 1 { Ok(()) } else { Err(Fault::Failed("changing a password")) }
}
