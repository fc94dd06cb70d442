//! A provider, as it is asked: where its endpoints are (OIDC Discovery 1.0), its keys, its tokens.
//!
//! Nothing of a provider is believed before
//! 1. its document names the issuer of the configuration, and endpoints that are as safe as that is;
//! 2. a token is verified with a key of the set that this document names. Keys inside of tokens are never looked at, and a
//!    secret is no key: `HS256` is refused.
//!
//! A provider that is away is never the fault of the caller. So each question has three outcomes: it is answered, it is
//! refused, or the provider is [`Away`].

mod asking;
mod cached;
mod discovery;
mod fault;
mod flow;
mod tokens;

use std::sync::{Mutex, PoisonError};

use mantlet_controls::token::{Jws, KeySet, TokenFault};
use serde_json::{Map, Value};

use self::{
    asking::{get, json_at},
    cached::Cached,
    discovery::Document,
};
pub(crate) use self::{
    fault::{Away, Unbelieved},
    flow::{Failure, Flow, Granted},
};
use crate::settings::Checked;

/// Seconds for which a document is good. At the begin of a login it is asked for again sooner: a browser is not sent to a
/// provider that does not respond.
const FRESH: i64 = 3_600;
const FRESH_TO_BEGIN: i64 = 10;
/// Seconds for which keys are good if the provider says nothing, at least and at most.
const FRESH_AT_LEAST: i64 = 300;
const FRESH_AT_MOST: i64 = 86_400;
/// Seconds for which keys and documents serve while the provider is away.
const STALE: i64 = 86_400;

/// A provider.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) settings: Checked,
    document: Cached<Document>,
    keys: Cached<KeySet>,
    /// Why it is away, if it is.
    away: Mutex<Option<String>>,
}

impl Provider {
    pub(crate) fn new(settings: Checked) -> Self {
        Self { settings, document: Cached::default(), keys: Cached::default(), away: Mutex::default() }
    }

    /// Whether that is news: the provider is away (why), or back.
    pub(crate) fn note(&self, why: Option<&Away>) -> bool {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = away.is_some() != why.is_some();
        *away = why.map(|away| away.0.clone());
        is_news
    }

    /// What the flow needs, as the document has it now. At the begin of a login the provider has to respond.
    pub(crate) async fn flow(&self, now: i64, begins: bool) -> Result<Flow<'_>, Away> {
        let (fresh, stale) = if begins { (FRESH_TO_BEGIN, 0) } else { (FRESH, STALE) };
        let document = self.document.get(now, fresh, stale, discovery::ask(&self.settings)).await?;
        Ok(Flow::new(&self.settings, document))
    }

    /// Where a logout at the provider is; none if it has no such page. It has to be known already, or the provider has to
    /// respond.
    pub(crate) async fn end_session_endpoint(&self, now: i64) -> Option<String> {
        let document = self.document.get(now, FRESH, STALE, discovery::ask(&self.settings)).await.ok()?;
        document.end_session_endpoint.clone()
    }

    /// The claims of an ID token: of a login, which has sent a nonce, or of a refresh.
    pub(crate) async fn identify(
        &self,
        now: jiff::Timestamp,
        token: &str,
        nonce: Option<&str>,
    ) -> Result<Map<String, Value>, Unbelieved> {
        let jws = Jws::read(token)?;
        self.verify(now.as_second(), &jws).await?;
        tokens::id_token(&self.settings, now, &jws, nonce).map_err(Unbelieved::Bad)
    }

    /// What a logout token says (OIDC Back-Channel Logout 1.0).
    pub(crate) async fn read_logout(
        &self,
        now: jiff::Timestamp,
        token: &str,
    ) -> Result<tokens::Logout, Unbelieved> {
        let jws = Jws::read(token)?;
        self.verify(now.as_second(), &jws).await?;
        tokens::logout_token(&self.settings, now, &jws).map_err(Unbelieved::Bad)
    }

    /// Whether a key of the provider verifies a token. A key that is not known is asked for, at most once in 30 s: an
    /// attacker can make up any number of keys.
    async fn verify(&self, now: i64, token: &Jws<'_>) -> Result<(), Unbelieved> {
        let document = self.document.get(now, FRESH, STALE, discovery::ask(&self.settings)).await?;
        let keys = self.keys.get_for(now, STALE, self.ask_keys(&document)).await?;
        match keys.verify(token) {
            // Without a name any new key could be meant; the old ones were tried.
            Err(TokenFault::KeyUnknown) => {}
            Err(TokenFault::Signature) if token.key_id.is_none() => {}
            verified => return Ok(verified?),
        }
        let keys = self.keys.again(now, &keys, self.ask_keys(&document)).await?;
        Ok(keys.verify(token)?)
    }

    /// Its keys, and for how many seconds they are fresh.
    async fn ask_keys(&self, document: &Document) -> Result<(KeySet, i64), Away> {
        let url = &document.jwks_uri;
        let fetched = get(&self.settings, url, None).await?;
        let keys =
            KeySet::of_jwks(&fetched.body).ok_or_else(|| Away(format!("`{url}` is not a set of keys")))?;
        if keys.is_empty() {
            return Err(Away(format!("`{url}` has no key that can verify tokens")));
        }
        let fresh = fetched.max_age().map_or(FRESH, |age| age.clamp(FRESH_AT_LEAST, FRESH_AT_MOST));
        Ok((keys, fresh))
    }

    /// What the provider says of the owner of an access token (OIDC Core section 5.3), added to what the ID token says.
    /// None of that is replaced.
    pub(crate) async fn complete(
        &self,
        now: i64,
        access_token: &str,
        claims: &mut Map<String, Value>,
    ) -> Result<(), Unbelieved> {
        let document = self.document.get(now, FRESH, STALE, discovery::ask(&self.settings)).await?;
        let Some(url) = &document.userinfo_endpoint else { return Ok(()) };
        let said = json_at(&self.settings, url, access_token).await?;
        // Section 5.3.2: else it may be of another caller.
        if said.get("sub") != claims.get("sub") {
            return Err(Unbelieved::Bad(format!("`{url}` says something of another caller")));
        }
        for (name, value) in said {
            claims.entry(name).or_insert(value);
        }
        Ok(())
    }
}
