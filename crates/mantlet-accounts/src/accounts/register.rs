//! Registration, and the proof that the address is one's own.

use jiff::Timestamp;
use mantlet_controls::config::Secret;

use super::{Accounts, read_in};
use crate::{
    Address, Fault,
    links::{self, Purpose},
    opaque,
    outbox::{Facts, Kind},
    passwords::Weak,
    store::{Change, get, is_taken},
    time::millis,
};

/// How often a registration is tried again that another one for the same address has overtaken.
const TRIES: usize = 4;

/// What a registration leads to. It says nothing of the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// A mail is on its way: to verify the address, or to say that it has an account.
    Mailed,
    /// The password may not be chosen. That depends on the password and the text of the address alone.
    Weak(Weak),
}

/// Who has an address.
enum Owner {
    /// It is free.
    Free,
    /// An account. `is_today` is false while the address is kept for an account that had it before.
    Account { id: String, is_today: bool },
}

impl Accounts {
    /// Registers an address.
    ///
    /// Who registers again before the address was verified sets the password anew, and the link of the mail before is worth
    /// nothing: else a stranger could register first, and the owner would verify an account with the stranger's password.
    pub async fn register(
        &self,
        now: Timestamp,
        address: &Address,
        password: &Secret<String>,
    ) -> Result<Registration, Fault> {
        if let Err(weak) = self.passwords.judge(password, address, false) {
            return Ok(Registration::Weak(weak));
        }
        // For known addresses, too: the time is the same.
        let hashed = self.passwords.hash(password).await?;
        for _ in 0..TRIES {
            if self.try_register(now, address, &hashed).await? {
                return Ok(Registration::Mailed);
            }
        }
        Err(Fault::Failed("registering an address that others register at the same time"))
    }

    /// False if the address has got another owner in the meantime. Each case reads the owner, takes the account's row, writes
    /// an account, writes or deletes one more row, and puts a link and a mail.
    async fn try_register(
        &self,
        now: Timestamp,
        address: &Address,
        (hash, format): &(String, String),
    ) -> Result<bool, Fault> {
        let mut change = self.store.change().await?;
        let owner = owner(&mut change, now, address).await?;
        let id = match &owner {
            Owner::Free => opaque::id(now),
            Owner::Account { id, .. } => id.clone(),
        };
        change.lock_account(&id).await?;
        let row = read_in(&mut change, &id).await?;
        match (owner, row) {
            (Owner::Free, None) => {
                let made = insert(&mut change, now, &id, address, (hash, format)).await;
                if made.as_ref().is_err_and(is_taken) {
                    return Ok(false);
                }
                made?;
                let lifetime = (Purpose::Verify, self.settings.verify);
                let facts = self.link(&mut change, now, lifetime, Some((&id, 1)), None).await?;
                self.mail(&mut change, now, Some(&id), (Kind::Verify, address.as_written(), facts)).await?;
            }
            (Owner::Account { is_today: true, .. }, Some(row)) if !row.is_verified => {
                sqlx::query(
                    "UPDATE accounts SET password = $1, format = $2, epoch = epoch + 1, password_changed = $3, \
                     address = $4 WHERE id = $5 AND epoch = $6",
                )
                .bind(hash)
                .bind(format)
                .bind(millis(now))
                .bind(address.as_written())
                .bind(&id)
                .bind(row.epoch)
                .execute(change.on())
                .await?;
                self.mail_verification(&mut change, now, &id, row.epoch + 1, address.as_written()).await?;
            }
            (Owner::Account { is_today: true, .. }, Some(row)) => {
                sqlx::query("UPDATE accounts SET epoch = epoch WHERE id = $1")
                    .bind(&id)
                    .execute(change.on())
                    .await?;
                links::end(&mut change, &id, Purpose::Reset).await?;
                let lifetime = (Purpose::Reset, self.settings.reset);
                let facts = self.link(&mut change, now, lifetime, Some((&id, row.epoch)), None).await?;
                self.mail(&mut change, now, Some(&id), (Kind::RegisteredAlready, &row.address, facts))
                    .await?;
            }
            (Owner::Account { is_today: false, .. }, Some(_)) => {
                sqlx::query("UPDATE accounts SET epoch = epoch WHERE id = $1")
                    .bind(&id)
                    .execute(change.on())
                    .await?;
                links::end(&mut change, "", Purpose::Reset).await?;
                self.link(&mut change, now, (Purpose::Reset, self.settings.reset), None, None).await?;
                let mail = (Kind::AddressTaken, address.as_written(), Facts::default());
                self.mail(&mut change, now, None, mail).await?;
            }
            // Closed, or made, since its owner was read.
            _ => return Ok(false),
        }
        change.commit().await?;
        Ok(true)
    }

    /// A new link to verify an address, in place of the last one.
    pub(super) async fn mail_verification(
        &self,
        change: &mut Change,
        now: Timestamp,
        id: &str,
        epoch: i64,
        address: &str,
    ) -> Result<(), Fault> {
        links::end(change, id, Purpose::Verify).await?;
        let lifetime = (Purpose::Verify, self.settings.verify);
        let facts = self.link(change, now, lifetime, Some((id, epoch)), None).await?;
        self.mail(change, now, Some(id), (Kind::Verify, address, facts)).await
    }

    /// Verifies an address with the token of its mail. The id of the account; nothing if the token is not good. It does not
    /// log in.
    pub async fn verify(&self, now: Timestamp, token: &Secret<String>) -> Result<Option<String>, Fault> {
        let Some(link) = links::find(&self.store, now, Purpose::Verify, token).await? else {
            return Ok(None);
        };
        let Some((mut change, row)) = self.change(&link.account).await? else { return Ok(None) };
        if row.epoch != link.epoch || row.is_disabled || !links::take(&mut change, &link).await? {
            return Ok(None);
        }
        sqlx::query("UPDATE accounts SET verified = $1 WHERE id = $2 AND verified IS NULL")
            .bind(millis(now))
            .bind(&row.id)
            .execute(change.on())
            .await?;
        change.commit().await?;
        Ok(Some(row.id))
    }
}

/// Who has an address now.
async fn owner(change: &mut Change, now: Timestamp, address: &Address) -> Result<Owner, Fault> {
    let row = sqlx::query("SELECT account, kept_until FROM addresses WHERE address = $1")
        .bind(address.key())
        .fetch_optional(change.on())
        .await?;
    let Some(row) = row else { return Ok(Owner::Free) };
    let kept_until: Option<i64> = get(&row, "kept_until")?;
    if kept_until.is_some_and(|until| until <= millis(now)) {
        sqlx::query("DELETE FROM addresses WHERE address = $1 AND kept_until = $2")
            .bind(address.key())
            .bind(kept_until)
            .execute(change.on())
            .await?;
        return Ok(Owner::Free);
    }
    Ok(Owner::Account { id: get(&row, "account")?, is_today: kept_until.is_none() })
}

async fn insert(
    change: &mut Change,
    now: Timestamp,
    id: &str,
    address: &Address,
    (hash, format): (&str, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO accounts (id, address, password, format, epoch, created, password_changed) \
         VALUES ($1, $2, $3, $4, 1, $5, $5)",
    )
    .bind(id)
    .bind(address.as_written())
    .bind(hash)
    .bind(format)
    .bind(millis(now))
    .execute(change.on())
    .await?;
    sqlx::query("INSERT INTO addresses (address, account) VALUES ($1, $2)")
        .bind(address.key())
        .bind(id)
        .execute(change.on())
        .await
        .map(drop)
}
