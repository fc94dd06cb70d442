//! Change of the address: asked for with the password, confirmed from the new mailbox, undone from the old one.

use jiff::Timestamp;
use mantlet_controls::config::Secret;

use super::{Accounts, Row};
use crate::{
    Address, Fault,
    links::{self, Purpose},
    outbox::{Facts, Kind},
    sessions::{self, End},
    store::{Change, get, is_taken},
    time::{after, millis},
};

/// What asking for a change of the address leads to. It says nothing of the new address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressChange {
    /// Mails are on their way to both addresses.
    Mailed,
    /// The password is wrong.
    Refused,
}

impl Accounts {
    /// Asks for another address. Whether that one has an account, only its mailbox learns.
    pub async fn change_address(
        &self,
        now: Timestamp,
        account: &str,
        password: &Secret<String>,
        new: &Address,
    ) -> Result<AddressChange, Fault> {
        let Some((mut change, row)) = self.with_password(account, password).await? else {
            return Ok(AddressChange::Refused);
        };
        let is_free = is_free(&mut change, now, &row.id, new).await?;
        links::end(&mut change, &row.id, Purpose::ConfirmAddress).await?;
        let owner = is_free.then_some((row.id.as_str(), row.epoch));
        let lifetime = (Purpose::ConfirmAddress, self.settings.verify);
        let facts = self.link(&mut change, now, lifetime, owner, Some(new.as_written())).await?;
        let to_new = if is_free {
            (Kind::ConfirmAddress, new.as_written(), facts)
        } else {
            (Kind::AddressTaken, new.as_written(), Facts::default())
        };
        self.mail(&mut change, now, Some(&row.id), to_new).await?;
        let facts = Facts { other_address: Some(new.as_written().to_owned()), ..Facts::default() };
        self.mail(&mut change, now, Some(&row.id), (Kind::AddressChangeAsked, &row.address, facts)).await?;
        change.commit().await?;
        Ok(AddressChange::Mailed)
    }

    /// Changes the address, with the token that was mailed to the new one. All sessions end. The old address is kept for
    /// seven days, and gets a link that undoes it. The id of the account; nothing if the token is not good.
    pub async fn confirm_address(
        &self,
        now: Timestamp,
        token: &Secret<String>,
    ) -> Result<Option<String>, Fault> {
        let Some(link) = links::find(&self.store, now, Purpose::ConfirmAddress, token).await? else {
            return Ok(None);
        };
        let new = link.detail.as_deref().and_then(Address::read).ok_or(Fault::Corrupt("an address"))?;
        let Some((mut change, row)) = self.change(&link.account).await? else { return Ok(None) };
        let is_good = row.epoch == link.epoch && !row.is_disabled && links::take(&mut change, &link).await?;
        if !is_good || !is_free(&mut change, now, &row.id, &new).await? {
            return Ok(None);
        }
        let old = Address::read(&row.address).ok_or(Fault::Corrupt("an address"))?;
        sqlx::query("UPDATE addresses SET kept_until = $1 WHERE account = $2 AND kept_until IS NULL")
            .bind(after(now, self.settings.undo))
            .bind(&row.id)
            .execute(change.on())
            .await?;
        let given = give(&mut change, &row.id, &new).await;
        if given.as_ref().is_err_and(is_taken) {
            return Ok(None);
        }
        given?;
        write(&mut change, &row, &new).await?;
        sessions::end_all(&mut change, now, &row.id, None, End::Address).await?;
        let account = Some((row.id.as_str(), row.epoch + 1));
        let lifetime = (Purpose::UndoAddress, self.settings.undo);
        let mut facts = self.link(&mut change, now, lifetime, account, Some(old.as_written())).await?;
        facts.other_address = Some(new.as_written().to_owned());
        self.mail(&mut change, now, Some(&row.id), (Kind::AddressChanged, old.as_written(), facts)).await?;
        change.commit().await?;
        Ok(Some(row.id))
    }

    /// Undoes a change of the address, with the token that was mailed to the old one. Who has changed it knows the password:
    /// so all sessions end, the password is taken away, and with it a second factor that was set up since. A link to set a
    /// new password is mailed. The id of the account; nothing if the token is not good.
    pub async fn undo_address(
        &self,
        now: Timestamp,
        token: &Secret<String>,
    ) -> Result<Option<String>, Fault> {
        let Some(link) = links::find(&self.store, now, Purpose::UndoAddress, token).await? else {
            return Ok(None);
        };
        let old = link.detail.as_deref().and_then(Address::read).ok_or(Fault::Corrupt("an address"))?;
        let Some((mut change, row)) = self.change(&link.account).await? else { return Ok(None) };
        if row.is_disabled || !links::take(&mut change, &link).await? {
            return Ok(None);
        }
        sqlx::query("DELETE FROM addresses WHERE account = $1 AND address <> $2")
            .bind(&row.id)
            .bind(old.key())
            .execute(change.on())
            .await?;
        let given = give(&mut change, &row.id, &old).await;
        if given.as_ref().is_err_and(is_taken) {
            return Ok(None);
        }
        given?;
        write(&mut change, &row, &old).await?;
        sqlx::query("UPDATE accounts SET password = NULL, format = NULL WHERE id = $1")
            .bind(&row.id)
            .execute(change.on())
            .await?;
        for statement in [
            "DELETE FROM recovery_codes WHERE account IN (SELECT account FROM totp WHERE account = $1 AND confirmed >= $2)",
            "DELETE FROM totp WHERE account = $1 AND (confirmed >= $2 OR confirmed IS NULL)",
        ] {
            sqlx::query(statement).bind(&row.id).bind(link.created).execute(change.on()).await?;
        }
        links::end(&mut change, &row.id, Purpose::UndoAddress).await?;
        sessions::end_all(&mut change, now, &row.id, None, End::Address).await?;
        let account = Some((row.id.as_str(), row.epoch + 1));
        let facts = self.link(&mut change, now, (Purpose::Reset, self.settings.reset), account, None).await?;
        self.mail(&mut change, now, Some(&row.id), (Kind::AddressRestored, old.as_written(), facts)).await?;
        change.commit().await?;
        Ok(Some(row.id))
    }
}

/// Whether an address can become the one of this account: no other has it, or has kept it.
async fn is_free(
    change: &mut Change,
    now: Timestamp,
    account: &str,
    address: &Address,
) -> Result<bool, Fault> {
    sqlx::query("DELETE FROM addresses WHERE address = $1 AND kept_until <= $2")
        .bind(address.key())
        .bind(millis(now))
        .execute(change.on())
        .await?;
    let row = sqlx::query("SELECT account FROM addresses WHERE address = $1")
        .bind(address.key())
        .fetch_optional(change.on())
        .await?;
    row.map_or(Ok(true), |row| Ok(get::<String>(&row, "account")? == account))
}

/// Gives an address to an account, which may have had it before.
async fn give(change: &mut Change, account: &str, address: &Address) -> Result<(), sqlx::Error> {
    let had = sqlx::query("UPDATE addresses SET kept_until = NULL WHERE address = $1 AND account = $2")
        .bind(address.key())
        .bind(account)
        .execute(change.on())
        .await?;
    if had.rows_affected() == 0 {
        sqlx::query("INSERT INTO addresses (address, account) VALUES ($1, $2)")
            .bind(address.key())
            .bind(account)
            .execute(change.on())
            .await?;
    }
    Ok(())
}

/// Writes the address of today and raises the epoch.
async fn write(change: &mut Change, row: &Row, address: &Address) -> Result<(), Fault> {
    sqlx::query("UPDATE accounts SET address = $1, epoch = epoch + 1 WHERE id = $2 AND epoch = $3")
        .bind(address.as_written())
        .bind(&row.id)
        .bind(row.epoch)
        .execute(change.on())
        .await?;
    Ok(())
}
