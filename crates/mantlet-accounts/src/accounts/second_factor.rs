//! The second factor of an account.

use jiff::Timestamp;
use mantlet_controls::config::Secret;

use super::{
    Accounts, Row,
    login::{MOST_FAILURES, count_failure},
};
use crate::{
    Address, Fault,
    outbox::{Facts, Kind},
    passwords::Weak,
    store::Change,
    totp::{self, Enrolment, Shown},
};

/// What setting up or taking away a second factor leads to.
#[derive(Debug)]
pub enum FactorChange<T> {
    /// It is done.
    Done(T),
    /// Without a second factor, the password has to be a longer one: change it first.
    Weak(Weak),
    /// The password or the code is wrong, or there is no second factor (or one already).
    Refused,
}

/// The recovery codes of a second factor. They are shown once, and cannot be read again.
pub type Confirmed = Vec<Secret<String>>;

impl Accounts {
    /// Makes a secret for an authenticator app. It counts once a code was shown.
    pub async fn enrol_factor(
        &self,
        account: &str,
        password: &Secret<String>,
    ) -> Result<FactorChange<Enrolment>, Fault> {
        let Some((mut change, row)) = self.with_password(account, password).await? else {
            return Ok(FactorChange::Refused);
        };
        if totp::state(&mut change, &row.id).await? == Some(true) {
            return Ok(FactorChange::Refused);
        }
        let names = (self.settings.app.as_str(), row.address.as_str());
        let enrolment = totp::enrol(&mut change, &self.keys, &row.id, names).await?;
        change.commit().await?;
        Ok(FactorChange::Done(enrolment))
    }

    /// Confirms the secret with a code of the app: from now on, logins ask for one.
    pub async fn confirm_factor(
        &self,
        now: Timestamp,
        account: &str,
        code: &Secret<String>,
    ) -> Result<FactorChange<Confirmed>, Fault> {
        let Some((mut change, row)) = self.change(account).await? else { return Ok(FactorChange::Refused) };
        if row.is_disabled || totp::state(&mut change, &row.id).await? != Some(false) {
            return Ok(FactorChange::Refused);
        }
        let codes = totp::confirm(&mut change, &self.keys, now, &row.id, code.expose()).await?;
        let Some(codes) = codes else { return Ok(FactorChange::Refused) };
        let mail = (Kind::SecondFactorOn, row.address.as_str(), Facts::default());
        self.mail(&mut change, now, Some(&row.id), mail).await?;
        change.commit().await?;
        Ok(FactorChange::Done(codes))
    }

    /// New recovery codes; the old ones are worth nothing. A code is asked for: a thief of the password must not get any.
    pub async fn new_recovery_codes(
        &self,
        now: Timestamp,
        account: &str,
        password: &Secret<String>,
        code: &Secret<String>,
    ) -> Result<FactorChange<Confirmed>, Fault> {
        let Some((mut change, row)) = self.with_both(now, account, password, code).await? else {
            return Ok(FactorChange::Refused);
        };
        let codes = totp::recovery_codes(&mut change, &row.id).await?;
        change.commit().await?;
        Ok(FactorChange::Done(codes))
    }

    /// Takes the second factor away, with a code of it or a recovery code. The password that remains has to be as long as one
    /// alone must be.
    pub async fn remove_factor(
        &self,
        now: Timestamp,
        account: &str,
        password: &Secret<String>,
        code: &Secret<String>,
    ) -> Result<FactorChange<()>, Fault> {
        let Some((mut change, row)) = self.with_both(now, account, password, code).await? else {
            return Ok(FactorChange::Refused);
        };
        let address = Address::read(&row.address).ok_or(Fault::Corrupt("an address"))?;
        if let Err(weak @ Weak::TooShort(_)) = self.passwords.judge(password, &address, false) {
            return Ok(FactorChange::Weak(weak));
        }
        totp::remove(&mut change, &row.id).await?;
        let mail = (Kind::SecondFactorOff, row.address.as_str(), Facts::default());
        self.mail(&mut change, now, Some(&row.id), mail).await?;
        change.commit().await?;
        Ok(FactorChange::Done(()))
    }

    /// The account in a change, if the password is right and the code is one of its second factor. A wrong code counts as one
    /// at a login does.
    async fn with_both(
        &self,
        now: Timestamp,
        account: &str,
        password: &Secret<String>,
        code: &Secret<String>,
    ) -> Result<Option<(Change, Row)>, Fault> {
        let Some((mut change, row)) = self.with_password(account, password).await? else { return Ok(None) };
        let is_there = totp::state(&mut change, &row.id).await? == Some(true);
        if !is_there || row.factor_failures >= MOST_FAILURES {
            return Ok(None);
        }
        if totp::show(&mut change, &self.keys, now, &row.id, code.expose()).await? != Shown::Nothing {
            return Ok(Some((change, row)));
        }
        count_failure(&mut change, &row.id).await?;
        change.commit().await?;
        Ok(None)
    }
}
