//! Who has this cookie? And is the provider still of that opinion?
//!
//! A session whose tokens end is confirmed by a refresh:
//! 1. **One request to the provider**, however many requests, tabs and gates ask. In one process they wait for the same
//!    answer; among gates the lease in the session's row decides.
//! 2. It begins a little before the end, and until the end only the request that has begun it waits.
//! 3. It is ended, although its client has left: a provider that rotates refresh tokens has changed the token by then.
//! 4. **A provider that is away logs out no caller.** The session stays good for the grace. Afterwards it is not known whether
//!    it is, which is 503; when the provider is back, it goes on.
//! 5. A session ends if the provider does not take its refresh token any more (`invalid_grant`), names another caller, or names
//!    one that is on no list any more.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use jiff::Timestamp;
use mantlet_accounts::{
    Fault,
    provider_sessions::{COOKIE, ProviderEnd, ProviderSession, ProviderTokens},
};
use mantlet_controls::config::Secret;
use serde_json::{Map, Value};

use crate::{
    claims::{are_missing, attributes, refusal},
    exchange::{Caller, Event, Standing, What, Why, caller_id},
    login::confirmed_until,
    provider::{Away, Failure, Granted, Provider, Unbelieved},
    shared::{Refresh, Refreshed, Shared},
};

/// How long before the end a refresh begins, at most: a third of the time, if that is less.
const AHEAD: Duration = Duration::from_mins(1);
/// How long the lease of a refresh is: longer than all of its questions take.
const LEASE: Duration = Duration::from_secs(30);
/// How long a provider that is away is left alone.
const REST: Duration = Duration::from_secs(10);
/// How long another gate is waited for, and how often its row is looked at.
const WAIT: Duration = Duration::from_secs(6);
const LOOK: Duration = Duration::from_millis(50);
/// Attempts to write down what the provider has given. It does not give it twice.
const ATTEMPTS: u32 = 4;

/// Who has a cookie.
pub(crate) async fn caller(
    shared: &Arc<Shared>,
    now: Timestamp,
    cookie: &Secret<String>,
) -> Result<Standing, Fault> {
    if !cookie.expose().starts_with(COOKIE) {
        return Ok(Standing::Unknown);
    }
    let Some(session) = shared.sessions.of_cookie(cookie).await? else { return Ok(Standing::Unknown) };
    let Some(provider) = shared.provider_of(&session) else { return Ok(Standing::Unknown) };
    if age(now, session.created) >= provider.settings.max_age {
        return Ok(Standing::Unknown);
    }
    let Some(ends) = session.expires else { return known(provider, session, true) };
    if now < due(&session, ends) {
        return known(provider, session, true);
    }
    let is_over = now >= ends;
    let (refresh, is_first) = refresh(shared, now, provider, &session);
    if !is_first && !is_over {
        return known(provider, session, true);
    }
    match refresh.await {
        Refreshed::Confirmed(session) => known(provider, *session, true),
        Refreshed::Ended => Ok(Standing::Unknown),
        Refreshed::Away | Refreshed::Elsewhere if !is_over => known(provider, session, true),
        Refreshed::Away | Refreshed::Elsewhere if age(now, ends) < provider.settings.grace => {
            known(provider, session, false)
        }
        Refreshed::Away | Refreshed::Elsewhere => Ok(Standing::Unavailable),
        Refreshed::Fault(why) => Err(Fault::Unusable(why)),
    }
}

/// Whether a session was not ended, and is not too old.
pub(crate) async fn goes_on(shared: &Shared, now: Timestamp, id: &str) -> Result<bool, Fault> {
    let Some(session) = shared.sessions.by_id(id).await? else { return Ok(false) };
    let provider = shared.provider_of(&session);
    Ok(provider.is_some_and(|provider| age(now, session.created) < provider.settings.max_age))
}

/// How long ago it was. A clock that was put back makes nothing older.
fn age(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or(Duration::ZERO)
}

/// When a refresh is to begin.
fn due(session: &ProviderSession, ends: Timestamp) -> Timestamp {
    let ahead = AHEAD.min(age(ends, session.refreshed) / 3);
    ends.checked_sub(ahead).unwrap_or(ends)
}

fn known(provider: &Provider, session: ProviderSession, is_confirmed: bool) -> Result<Standing, Fault> {
    let attributes: Map<String, Value> = serde_json::from_str(&session.attributes)
        .map_err(|_| Fault::Corrupt("the attributes of a session"))?;
    let expires = session.created.checked_add(provider.settings.max_age).unwrap_or(Timestamp::MAX);
    let ProviderSession { id, provider, issuer, subject, .. } = session;
    let caller = Caller { session: id, provider, issuer, subject, attributes, expires, is_confirmed };
    Ok(Standing::Caller(Box::new(caller)))
}

/// The refresh of a session that is on the way, or a new one: whether it is new.
fn refresh(
    shared: &Arc<Shared>,
    now: Timestamp,
    provider: &Arc<Provider>,
    session: &ProviderSession,
) -> (Refresh, bool) {
    let mut all = shared.refreshes.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(refresh) = all.get(&session.id) {
        return (refresh.clone(), false);
    }
    let (own, provider, session) = (Arc::clone(shared), Arc::clone(provider), session.clone());
    let id = session.id.clone();
    // A task of its own: it goes on when all who wait for it have left.
    let task = tokio::spawn(async move {
        let _over = Over { shared: &own, id: &session.id };
        run(&own, now, &provider, &session).await.unwrap_or_else(|fault| Refreshed::Fault(fault.to_string()))
    });
    let refresh = task
        .map(|ended| ended.unwrap_or_else(|_| Refreshed::Fault("a refresh has stopped".to_owned())))
        .boxed()
        .shared();
    all.insert(id, refresh.clone());
    (refresh, true)
}

/// Forgets a refresh that has ended in any way.
struct Over<'a> {
    shared: &'a Shared,
    id: &'a str,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.shared.refreshes.lock().unwrap_or_else(PoisonError::into_inner).remove(self.id);
    }
}

async fn run(
    shared: &Shared,
    now: Timestamp,
    provider: &Provider,
    session: &ProviderSession,
) -> Result<Refreshed, Fault> {
    let Some(tokens) = shared.sessions.lease(now, session, LEASE).await? else {
        return elsewhere(shared, now, session).await;
    };
    let Some(token) = &tokens.refresh else { return Ok(Refreshed::Away) };
    let granted = match provider.flow(now.as_second(), false).await {
        Ok(flow) => flow.refresh(now, token).await,
        Err(away) => Err(Failure::Away(away)),
    };
    let granted = match granted {
        Ok(granted) => granted,
        Err(Failure::Grant) => {
            shared.note(provider, None);
            return end(shared, now, session, (ProviderEnd::Refused, Why::GrantRefused), None).await;
        }
        // The operator's mistake, and not the caller's.
        Err(Failure::Client(detail)) => return away(shared, now, provider, session, &Away(detail)).await,
        Err(Failure::Away(why)) => return away(shared, now, provider, session, &why).await,
    };
    let Some(renewed) = granted.after(Some(&tokens)) else { return Ok(Refreshed::Away) };
    match confirm(provider, now, session, &granted).await {
        Ok(Confirmed::As(attributes)) => {
            let attributes = attributes.unwrap_or_else(|| session.attributes.clone());
            let ends = confirmed_until(provider, now, &renewed, granted.expires);
            shared.note(provider, None);
            match keep(shared, now, session, &renewed, &attributes, ends).await? {
                Some(session) => Ok(Refreshed::Confirmed(Box::new(session))),
                None => Ok(Refreshed::Ended),
            }
        }
        Ok(Confirmed::Not(why, detail)) => {
            let reason = if why == Why::NotAllowed { ProviderEnd::NotAllowed } else { ProviderEnd::Refused };
            end(shared, now, session, (reason, why), Some(detail)).await
        }
        // What was given is kept all the same: the refresh token may be another one by now.
        Err(fault) => {
            let why = match fault {
                Unbelieved::Away(away) => away,
                Unbelieved::Bad(detail) => Away(format!("an ID token of a refresh is not good: {detail}")),
            };
            match keep(shared, now, session, &renewed, &session.attributes, session.expires).await? {
                Some(session) => away(shared, now, provider, &session, &why).await,
                None => Ok(Refreshed::Ended),
            }
        }
    }
}

enum Confirmed {
    /// The attributes of now, if the provider has named them again.
    As(Option<String>),
    Not(Why, String),
}

/// Whether it is still the same caller, and still one that may log in.
async fn confirm(
    provider: &Provider,
    now: Timestamp,
    session: &ProviderSession,
    granted: &Granted,
) -> Result<Confirmed, Unbelieved> {
    let settings = &provider.settings;
    let mut claims = match &granted.id {
        Some(token) => provider.identify(now, token, None).await?,
        None => Map::from_iter([("sub".to_owned(), Value::from(session.subject.as_str()))]),
    };
    // OIDC Core section 12.2
    if claims.get("sub").and_then(Value::as_str) != Some(&session.subject) {
        return Ok(Confirmed::Not(Why::IdToken, "the provider names another caller".to_owned()));
    }
    if are_missing(settings, &claims) {
        provider.complete(now.as_second(), &granted.access, &mut claims).await?;
    }
    // Without an ID token and a place to ask, nothing is known that was not known at the login.
    if granted.id.is_none() && claims.len() == 1 {
        return Ok(Confirmed::As(None));
    }
    Ok(match refusal(settings, &claims) {
        Some(detail) => Confirmed::Not(Why::NotAllowed, detail),
        None => Confirmed::As(Some(Value::from(attributes(settings, &claims)).to_string())),
    })
}

/// Keeps what the provider has given: the session of now; none if it has ended meanwhile.
async fn keep(
    shared: &Shared,
    now: Timestamp,
    session: &ProviderSession,
    tokens: &ProviderTokens,
    attributes: &str,
    ends: Option<Timestamp>,
) -> Result<Option<ProviderSession>, Fault> {
    let mut attempt = 1;
    loop {
        match shared.sessions.renew(now, session, tokens, attributes, ends).await {
            Ok(_) => return shared.sessions.by_id(&session.id).await,
            Err(fault) if attempt == ATTEMPTS => return Err(fault),
            Err(_) => tokio::time::sleep(LOOK * 2_u32.pow(attempt)).await,
        }
        attempt += 1;
    }
}

async fn away(
    shared: &Shared,
    now: Timestamp,
    provider: &Provider,
    session: &ProviderSession,
    why: &Away,
) -> Result<Refreshed, Fault> {
    shared.note(provider, Some(why));
    shared.sessions.put_off(now, session, REST).await?;
    Ok(Refreshed::Away)
}

async fn end(
    shared: &Shared,
    now: Timestamp,
    session: &ProviderSession,
    (reason, why): (ProviderEnd, Why),
    detail: Option<String>,
) -> Result<Refreshed, Fault> {
    if shared.sessions.end(now, &session.id, reason).await? {
        (shared.watcher)(Event {
            what: What::SessionEnded(why),
            provider: session.provider.clone(),
            caller: Some(caller_id(&session.issuer, &session.subject)),
            session: Some(session.id.clone()),
            detail,
        });
    }
    Ok(Refreshed::Ended)
}

/// Another gate has the lease: it asks, or has found the provider away.
async fn elsewhere(shared: &Shared, now: Timestamp, session: &ProviderSession) -> Result<Refreshed, Fault> {
    let until = tokio::time::Instant::now() + WAIT;
    loop {
        let Some(found) = shared.sessions.by_id(&session.id).await? else { return Ok(Refreshed::Ended) };
        if found.failed.is_some() {
            return Ok(Refreshed::Away);
        }
        if found.generation != session.generation {
            return Ok(Refreshed::Confirmed(Box::new(found)));
        }
        let is_over = session.expires.is_some_and(|ends| now >= ends);
        // Before the end there is nothing to wait for.
        if !is_over || tokio::time::Instant::now() >= until {
            return Ok(Refreshed::Elsewhere);
        }
        tokio::time::sleep(LOOK).await;
    }
}
