//! Logins, refreshes, and their ends.

use jiff::Timestamp;
use mantlet_controls::config::Secret;
use serde::{Deserialize, Serialize};

use super::{Accounts, Row};
use crate::{
    Address, Fault,
    links::{self, Purpose},
    outbox::{Facts, Kind as Mail},
    passwords::Checked,
    sessions::{self, Begin, End, Kind, Refreshed, Reuse, Session},
    store::Change,
    time::millis,
    tokens::{self, Claims},
    totp::{self, Shown},
};

/// Wrong codes after which a ticket for the second factor is worth nothing.
const MOST_TRIES: i64 = 5;
/// Wrong codes in a row after which no code is taken any more before the password was reset (SP 800-63B-4 section 3.2.2).
pub(super) const MOST_FAILURES: i64 = 100;

/// What a client wants of a login.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Wants {
    /// Tokens; else a cookie.
    pub tokens: bool,
    /// What the client says of itself (`User-Agent`): shown in the list of sessions. 200 bytes are kept.
    pub device: String,
    /// Scopes, apart by spaces.
    pub scope: String,
}

/// What a login leads to.
#[derive(Debug)]
pub enum Login {
    /// Logged in.
    In(Box<LoggedIn>),
    /// The password is right, and a second factor is asked for. The ticket is to be shown with it.
    SecondFactor(Secret<String>),
    /// The password is right, and the address was never verified. A new mail is on its way.
    Unverified,
    /// The password is right, and 100 codes in a row were wrong: the password has to be reset.
    Locked,
    /// Wrong, unknown or disabled.
    Refused,
}

/// What a client gets.
#[derive(Debug)]
pub struct LoggedIn {
    /// The session.
    pub session: Session,
    /// The value of its cookie, for a browser.
    pub cookie: Option<Secret<String>>,
    /// Its tokens, for other clients.
    pub tokens: Option<Tokens>,
}

/// What the use of a refresh token leads to.
#[derive(Debug)]
pub enum Renewal {
    /// New tokens. The refresh token that was shown is used up.
    Good(Box<LoggedIn>),
    /// The session has ended, or the token was made up. Answer 401.
    Refused,
    /// The token is a copy, or there is one: the session has ended. Answer 401.
    Reused(Reuse),
}

impl Renewal {
    /// The new tokens, if it is good.
    pub fn good(self) -> Option<LoggedIn> {
        match self {
            Self::Good(logged_in) => Some(*logged_in),
            Self::Refused | Self::Reused(_) => None,
        }
    }
}

/// Tokens of a session.
#[derive(Debug)]
pub struct Tokens {
    /// The access token.
    pub access: Secret<String>,
    /// The refresh token.
    pub refresh: Secret<String>,
    /// Seconds for which the access token is good.
    pub expires_in: u64,
}

impl Accounts {
    /// Logs in. An unknown address takes the time of a wrong password.
    pub async fn log_in(
        &self,
        now: Timestamp,
        address: &Address,
        password: &Secret<String>,
        wants: &Wants,
    ) -> Result<Login, Fault> {
        let found = self.by_address(address).await?;
        let stored = found.as_ref().and_then(|row| row.password.as_deref());
        let checked = self.passwords.check(password, stored, address.key()).await?;
        let (Some(found), Checked::Right { better }) = (found, checked) else { return Ok(Login::Refused) };
        let Some((mut change, row)) = self.change(&found.id).await? else { return Ok(Login::Refused) };
        // A reset may have been quicker.
        if row.is_disabled || row.epoch != found.epoch || row.password != found.password {
            return Ok(Login::Refused);
        }
        if let Some((hash, format)) = better {
            sqlx::query("UPDATE accounts SET password = $1, format = $2 WHERE id = $3 AND password = $4")
                .bind(hash)
                .bind(format)
                .bind(&row.id)
                .bind(&row.password)
                .execute(change.on())
                .await?;
        }
        if !row.is_verified {
            self.mail_verification(&mut change, now, &row.id, row.epoch, &row.address).await?;
            change.commit().await?;
            return Ok(Login::Unverified);
        }
        if totp::state(&mut change, &row.id).await? == Some(true) {
            let wants =
                serde_json::to_string(wants).map_err(|_| Fault::Failed("writing what a login wants"))?;
            let (purpose, lifetime) = (Purpose::SecondFactor, self.settings.second_factor);
            let account = Some((row.id.as_str(), row.epoch));
            let ticket = links::put(&mut change, now, purpose, lifetime, account, Some(&wants)).await?;
            change.commit().await?;
            return Ok(Login::SecondFactor(ticket));
        }
        self.begin(now, change, &row, wants, 1).await
    }

    /// Shows the second factor: a code of the app, or a recovery code.
    pub async fn second_factor(
        &self,
        now: Timestamp,
        ticket: &Secret<String>,
        code: &Secret<String>,
    ) -> Result<Login, Fault> {
        let Some(link) = links::find(&self.store, now, Purpose::SecondFactor, ticket).await? else {
            return Ok(Login::Refused);
        };
        let Some((mut change, row)) = self.change(&link.account).await? else { return Ok(Login::Refused) };
        if row.is_disabled || row.epoch != link.epoch {
            return Ok(Login::Refused);
        }
        if row.factor_failures >= MOST_FAILURES {
            return Ok(Login::Locked);
        }
        let shown = totp::show(&mut change, &self.keys, now, &row.id, code.expose()).await?;
        if shown == Shown::Nothing {
            count_failure(&mut change, &row.id).await?;
            sqlx::query("UPDATE links SET tries = tries + 1 WHERE digest = $1")
                .bind(&link.digest)
                .execute(change.on())
                .await?;
            sqlx::query("DELETE FROM links WHERE digest = $1 AND tries >= $2")
                .bind(&link.digest)
                .bind(MOST_TRIES)
                .execute(change.on())
                .await?;
            change.commit().await?;
            return Ok(Login::Refused);
        }
        if !links::take(&mut change, &link).await? {
            return Ok(Login::Refused);
        }
        if let Shown::RecoveryCode { left } = shown {
            let facts = Facts { left: Some(left), ..Facts::default() };
            self.mail(&mut change, now, Some(&row.id), (Mail::RecoveryCodeUsed, &row.address, facts)).await?;
        }
        let wants = link.detail.as_deref().and_then(|wants| serde_json::from_str(wants).ok());
        self.begin(now, change, &row, &wants.unwrap_or_default(), 2).await
    }

    /// Begins the session of a login.
    async fn begin(
        &self,
        now: Timestamp,
        mut change: Change,
        row: &Row,
        wants: &Wants,
        factors: i64,
    ) -> Result<Login, Fault> {
        sqlx::query("UPDATE accounts SET last_login = $1, factor_failures = 0 WHERE id = $2")
            .bind(millis(now))
            .bind(&row.id)
            .execute(change.on())
            .await?;
        let begin =
            Begin { account: &row.id, epoch: row.epoch, device: &wants.device, factors, scope: &wants.scope };
        if !wants.tokens {
            let (session, cookie) = sessions::open_browser(&mut change, now, begin).await?;
            change.commit().await?;
            return Ok(Login::In(Box::new(LoggedIn { session, cookie: Some(cookie), tokens: None })));
        }
        let (session, refresh) = sessions::open_tokens(&mut change, now, begin).await?;
        change.commit().await?;
        let tokens = Some(self.tokens(now, &session, refresh).await?);
        Ok(Login::In(Box::new(LoggedIn { session, cookie: None, tokens })))
    }

    /// An access token for the session of a cookie or a refresh token.
    pub async fn access_token(&self, now: Timestamp, session: &Session) -> Result<Secret<String>, Fault> {
        tokens::issue(&self.store, &self.keys, now, &self.settings.issuer, session).await
    }

    async fn tokens(
        &self,
        now: Timestamp,
        session: &Session,
        refresh: Secret<String>,
    ) -> Result<Tokens, Fault> {
        let access = self.access_token(now, session).await?;
        Ok(Tokens { access, refresh, expires_in: self.settings.issuer.lifetime.as_secs() })
    }

    /// Uses a refresh token.
    pub async fn refresh(&self, now: Timestamp, token: &Secret<String>) -> Result<Renewal, Fault> {
        let (refreshed, change) = sessions::refresh(&self.store, now, self.settings.sessions, token).await?;
        if let Some(mut change) = change {
            if let Refreshed::Reused(reuse) = &refreshed
                && let Some(row) = super::read_in(&mut change, &reuse.account).await?
            {
                let mail = (Mail::RefreshReused, row.address.as_str(), Facts::default());
                self.mail(&mut change, now, Some(&row.id), mail).await?;
            }
            change.commit().await?;
        }
        Ok(match refreshed {
            Refreshed::Good { session, successor } => {
                let tokens = Some(self.tokens(now, &session, successor).await?);
                Renewal::Good(Box::new(LoggedIn { session: *session, cookie: None, tokens }))
            }
            Refreshed::Refused => Renewal::Refused,
            Refreshed::Reused(reuse) => Renewal::Reused(reuse),
        })
    }

    /// Ends a session of its own account: a logout. False if there is none.
    pub async fn log_out(&self, now: Timestamp, account: &str, session: &str) -> Result<bool, Fault> {
        self.end_one(now, account, session, End::Logout).await
    }

    /// Ends another session of the same account, from the list. False if there is none.
    pub async fn revoke(&self, now: Timestamp, account: &str, session: &str) -> Result<bool, Fault> {
        self.end_one(now, account, session, End::Revoked).await
    }

    async fn end_one(&self, now: Timestamp, account: &str, session: &str, why: End) -> Result<bool, Fault> {
        let Some((mut change, row)) = self.change(account).await? else { return Ok(false) };
        let is_ended = sessions::end(&mut change, now, &row.id, session, why).await?;
        change.commit().await?;
        Ok(is_ended)
    }

    /// What an access token says, and its session, if both are good: the token is ours and has not ended, and its session goes
    /// on in the epoch that it names.
    pub async fn verify_token(
        &self,
        now: Timestamp,
        token: &str,
    ) -> Result<Option<(Claims, Session)>, Fault> {
        let claims = tokens::verify(&self.store, now, &self.settings.issuer, token).await?;
        let Some(claims) = claims else { return Ok(None) };
        let session = self.session_by_id(now, &claims.sid).await?;
        let session = session.filter(|session| session.account == claims.sub && session.epoch == claims.ver);
        Ok(session.map(|session| (claims, session)))
    }

    /// Gives a refresh token up, or an access token (RFC 7009): its session ends. The account and the session; nothing if
    /// there is none, or if it has ended.
    pub async fn give_up(
        &self,
        now: Timestamp,
        token: &Secret<String>,
    ) -> Result<Option<(String, String)>, Fault> {
        let found = match sessions::owner(&self.store, token).await? {
            Some((session, account)) => Some((account, session)),
            None => self
                .verify_token(now, token.expose())
                .await?
                .map(|(_, session)| (session.account, session.id)),
        };
        let Some((account, session)) = found else { return Ok(None) };
        let is_ended = self.log_out(now, &account, &session).await?;
        Ok(is_ended.then_some((account, session)))
    }

    /// Ends all sessions of an account, but the one that is named. How many those were.
    pub async fn log_out_everywhere(
        &self,
        now: Timestamp,
        account: &str,
        but: Option<&str>,
    ) -> Result<u64, Fault> {
        let Some((mut change, row)) = self.change(account).await? else { return Ok(0) };
        let ended = sessions::end_all(&mut change, now, &row.id, but, End::Logout).await?;
        change.commit().await?;
        Ok(ended)
    }
}

/// Counts a wrong code.
pub(super) async fn count_failure(change: &mut Change, account: &str) -> Result<(), Fault> {
    sqlx::query("UPDATE accounts SET factor_failures = factor_failures + 1 WHERE id = $1")
        .bind(account)
        .execute(change.on())
        .await?;
    Ok(())
}

impl Session {
    /// Whether its client holds tokens.
    pub fn has_tokens(&self) -> bool {
        self.kind == Kind::Tokens
    }
}
