//! What an operator does to an account, and how it is closed.

use jiff::Timestamp;
use mantlet_controls::config::Secret;

use super::{Accounts, Row};
use crate::{
    Fault,
    outbox::{Facts, Kind},
    sessions::{self, End},
    store::Change,
    time::millis,
};

impl Accounts {
    /// Disables an account: its sessions end, and nothing of it opens anything. False if there is none.
    pub async fn disable(&self, now: Timestamp, account: &str) -> Result<bool, Fault> {
        let Some((mut change, row)) = self.change(account).await? else { return Ok(false) };
        if !row.is_disabled {
            sqlx::query("UPDATE accounts SET disabled = $1, epoch = epoch + 1 WHERE id = $2 AND epoch = $3")
                .bind(millis(now))
                .bind(&row.id)
                .bind(row.epoch)
                .execute(change.on())
                .await?;
            sessions::end_all(&mut change, now, &row.id, None, End::Disabled).await?;
            change.commit().await?;
        }
        Ok(true)
    }

    /// Enables it again. Its sessions stay ended. False if there is none.
    pub async fn enable(&self, account: &str) -> Result<bool, Fault> {
        let Some((mut change, row)) = self.change(account).await? else { return Ok(false) };
        sqlx::query("UPDATE accounts SET disabled = NULL WHERE id = $1")
            .bind(&row.id)
            .execute(change.on())
            .await?;
        change.commit().await?;
        Ok(true)
    }

    /// Closes the account of who is logged in. False if the password is wrong.
    pub async fn close(
        &self,
        now: Timestamp,
        account: &str,
        password: &Secret<String>,
    ) -> Result<bool, Fault> {
        match self.with_password(account, password).await? {
            Some((change, row)) => self.delete_in(now, change, &row).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Deletes an account, as an operator. False if there is none.
    ///
    /// All that was kept of it goes. Only its id and the time stay: the id stands in audit logs and in the app's own data, and
    /// is never given again.
    pub async fn delete(&self, now: Timestamp, account: &str) -> Result<bool, Fault> {
        match self.change(account).await? {
            Some((change, row)) => self.delete_in(now, change, &row).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn delete_in(&self, now: Timestamp, mut change: Change, row: &Row) -> Result<(), Fault> {
        // Sessions, links, addresses, factors and mails go with it (ON DELETE CASCADE).
        sqlx::query("DELETE FROM accounts WHERE id = $1").bind(&row.id).execute(change.on()).await?;
        sqlx::query("INSERT INTO closed (id, closed) VALUES ($1, $2)")
            .bind(&row.id)
            .bind(millis(now))
            .execute(change.on())
            .await?;
        self.mail(&mut change, now, None, (Kind::Closed, &row.address, Facts::default())).await?;
        change.commit().await
    }
}
