//! Who has a cookie or an access token of ours.

use jiff::Timestamp;
use mantlet_accounts::{Fault, Secret, sessions::Session};

use crate::SignIn;

/// Who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The id of the account: `sub` of its access tokens.
    pub account: String,
    /// Its address.
    pub address: String,
    /// Whether the address is verified. Without that there is no login; it is said because apps ask for it.
    pub is_verified: bool,
    /// The session.
    pub session: Session,
    /// The scopes that the session has, apart by spaces.
    pub scope: String,
    /// When the credential ends if nothing is done: an access token at its `exp`, a cookie when its session ends unused.
    pub expires: Timestamp,
}

impl SignIn {
    /// Who has this session cookie; nothing if it is not good (any more).
    pub async fn caller_of_cookie(
        &self,
        now: Timestamp,
        cookie: &Secret<String>,
    ) -> Result<Option<Caller>, Fault> {
        let Some(session) = self.accounts.session(now, cookie).await? else { return Ok(None) };
        let (scope, expires) = (session.scope.clone(), self.accounts.limits().end_of(&session));
        self.caller(session, scope, expires).await
    }

    /// Who has this access token; nothing if it is not good (any more). It passes if it is an `at+jwt` that one of the
    /// published keys has signed (ES256), for this issuer and this app; it has not ended; and its session goes on, in the
    /// epoch that the token names.
    pub async fn caller_of_token(&self, now: Timestamp, token: &str) -> Result<Option<Caller>, Fault> {
        let Some((claims, session)) = self.accounts.verify_token(now, token).await? else { return Ok(None) };
        let Ok(expires) = Timestamp::from_second(claims.exp) else { return Ok(None) };
        self.caller(session, claims.scope, expires).await
    }

    async fn caller(
        &self,
        session: Session,
        scope: String,
        expires: Timestamp,
    ) -> Result<Option<Caller>, Fault> {
        let summary = self.accounts.summary(&session.account).await?;
        // Else it was closed in between.
        Ok(summary.filter(|summary| summary.disabled.is_none()).map(|summary| Caller {
            account: summary.id,
            address: summary.address,
            is_verified: summary.verified.is_some(),
            session,
            scope,
            expires,
        }))
    }
}
