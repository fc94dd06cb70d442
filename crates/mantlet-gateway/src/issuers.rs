//! Asks the issuers of tokens: for their keys, and about tokens that are not signed.
//!
//! Keys are fetched by one task on the operator's runtime: at the start, when they are due, and when a
//! request needs another one. So many requests cause one fetch, and the threads of the gate never wait
//! for each other.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, Shared},
    stream::FuturesUnordered,
};
use http::{HeaderValue, StatusCode, header};
use mantlet_controls::{
    audit::{Record, Sink as _},
    issuer::{Client, Introspected, Introspection, Remote},
    token::KeySet,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore, watch};

use crate::{
    audit_log::AuditLog,
    clock,
    fetch::{self, Target, fetch, send},
};

/// Time for a fetch.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a request waits for a key, and for the answer about its token.
const WAIT: Duration = Duration::from_secs(2);
/// Bytes that a set of keys, or a document, may have.
const MOST: usize = 1 << 20;
/// Questions about tokens that are on the way at a time. Others wait: each client can make up tokens.
const MOST_QUESTIONS: usize = 64;
/// How often to look whether keys are due.
const LOOK: Duration = Duration::from_secs(1);

/// An address, and the token that it is asked about.
type Asked = (Box<str>, Box<str>);
type Question = Shared<BoxFuture<'static, Introspected>>;

/// Asks issuers.
pub(crate) struct Issuers {
    wanted: Notify,
    /// How many fetches have ended.
    ended: watch::Sender<u64>,
    /// Questions about tokens that are not answered yet.
    asked: Mutex<HashMap<Asked, Question>>,
    turns: Arc<Semaphore>,
    audit: AuditLog,
    away: Mutex<HashMap<Box<str>, String>>,
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuers").finish_non_exhaustive()
    }
}

impl Issuers {
    pub(crate) fn new(audit: AuditLog) -> Self {
        let (ended, _) = watch::channel(0);
        Self {
            wanted: Notify::new(),
            ended,
            asked: Mutex::default(),
            turns: Arc::new(Semaphore::new(MOST_QUESTIONS)),
            audit,
            away: Mutex::default(),
        }
    }

    /// Keeps the keys of these issuers, for as long as it is polled.
    pub(crate) async fn keep(&self, remotes: impl Fn() -> Vec<Arc<Remote>>) {
        let mut fetches = FuturesUnordered::new();
        loop {
            let now = clock::now().as_second();
            for remote in remotes().into_iter().filter(|remote| remote.is_due(now)) {
                remote.begin(now);
                fetches.push(async move {
                    let fetched = keys_of(&remote).await;
                    (remote, now, fetched)
                });
            }
            tokio::select! {
                Some((remote, began, fetched)) = fetches.next() => self.note(&remote, began, fetched),
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    fn note(&self, remote: &Remote, began: i64, fetched: Result<(KeySet, Option<i64>), String>) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok((keys, fresh)) => {
                remote.fetched(keys, began, fresh);
                if away.remove(&remote.issuer).is_some() {
                    self.audit.record(Record::of_issuer(&remote.issuer, None, clock::now()));
                }
            }
            Err(fault) => {
                remote.failed();
                let effect = if remote.has_keys() {
                    "the keys that are known still serve"
                } else {
                    "no key is known yet, so its tokens cannot be verified"
                };
                let fault = format!("{fault}; {effect}");
                if away.insert(remote.issuer.clone(), fault.clone()).as_ref() != Some(&fault) {
                    self.audit.record(Record::of_issuer(&remote.issuer, Some(&fault), clock::now()));
                }
            }
        }
        drop(away);
        self.ended.send_modify(|count| *count += 1);
    }
}

impl Client for Issuers {
    fn refresh<'a>(&'a self, remote: &'a Arc<Remote>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut ended = self.ended.subscribe();
            self.wanted.notify_one();
            // Another issuer's fetch may end first.
            let wait = async { while ended.changed().await.is_ok() && remote.is_awaited() {} };
            let _ = tokio::time::timeout(WAIT, wait).await;
        })
    }

    fn introspect<'a>(&'a self, at: &'a Arc<Introspection>, token: &'a str) -> BoxFuture<'a, Introspected> {
        Box::pin(async move {
            let key = (at.url.clone(), Box::from(token));
            let question = {
                let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
                let new = || {
                    let (turns, at, token) = (Arc::clone(&self.turns), Arc::clone(at), token.to_owned());
                    let question = async move {
                        let _turn = turns.acquire().await;
                        introspect(at, token).await
                    };
                    question.boxed().shared()
                };
                asked.entry(key.clone()).or_insert_with(new).clone()
            };
            // Its client may leave: then a later request asks anew.
            let _over = Over { asked: &self.asked, key };
            tokio::time::timeout(WAIT, question).await.unwrap_or(Introspected::Unavailable)
        })
    }
}

/// Forgets a question when a request that waits for it ends in any way.
struct Over<'a> {
    asked: &'a Mutex<HashMap<Asked, Question>>,
    key: Asked,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Fetches the keys of an issuer, and how long they are fresh.
async fn keys_of(remote: &Remote) -> Result<(KeySet, Option<i64>), String> {
    let url = match &remote.jwks {
        Some(url) => url.to_string(),
        None => discover(&remote.issuer).await?,
    };
    let target = Target::of_url(&url)?;
    let fetched = fetch(&target, PATIENCE, MOST).await.map_err(|error| format!("`{url}`: {error}"))?;
    if fetched.status != StatusCode::OK {
        return Err(format!("`{url}` responds with {}", fetched.status.as_u16()));
    }
    let keys = KeySet::of_jwks(&fetched.body).ok_or_else(|| format!("`{url}` is not a JWK set"))?;
    if keys.is_empty() {
        return Err(format!("`{url}` has no key that can verify tokens"));
    }
    Ok((keys, fetched.max_age()))
}

/// Asks an issuer where its keys are (OIDC Discovery 1.0 section 4).
async fn discover(issuer: &str) -> Result<String, String> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let fetched = fetch(&Target::of_url(&url)?, PATIENCE, MOST).await;
    let fetched = fetched.map_err(|error| format!("`{url}`: {error}"))?;
    if fetched.status != StatusCode::OK {
        return Err(format!("`{url}` responds with {}", fetched.status.as_u16()));
    }
    let document: Value =
        serde_json::from_slice(&fetched.body).map_err(|_| format!("`{url}` is not JSON"))?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    // Section 4.3: else another issuer could speak for this one.
    if text("issuer") != Some(issuer) {
        return Err(format!("`{url}` says that its issuer is `{}`", text("issuer").unwrap_or_default()));
    }
    let keys = text("jwks_uri").ok_or_else(|| format!("`{url}` names no `jwks_uri`"))?;
    if issuer.starts_with("https://") && !keys.starts_with("https://") {
        return Err(format!("`{url}` names keys at `{keys}`, which is not encrypted"));
    }
    Ok(keys.to_owned())
}

/// Asks about a token (RFC 7662).
async fn introspect(at: Arc<Introspection>, token: String) -> Introspected {
    let encode =
        |text: &[u8]| utf8_percent_encode(&String::from_utf8_lossy(text), NON_ALPHANUMERIC).to_string();
    // RFC 6749 section 2.3.1: both are encoded as in a form before.
    let name = encode(at.client_id.as_bytes());
    let credential = STANDARD.encode(format!("{name}:{}", encode(at.client_secret.expose())));
    let (Ok(target), Ok(mut authorization)) =
        (Target::of_url(&at.url), HeaderValue::try_from(format!("Basic {credential}")))
    else {
        return Introspected::Unavailable;
    };
    authorization.set_sensitive(true);
    let body = format!("token={}&token_type_hint=access_token", encode(token.as_bytes()));
    let question = fetch::Question::post("application/x-www-form-urlencoded", body)
        .with(header::AUTHORIZATION, authorization);
    let Ok(fetched) = send(&target, question, WAIT, MOST).await else {
        return Introspected::Unavailable;
    };
    if fetched.status != StatusCode::OK {
        return Introspected::Unavailable;
    }
    match serde_json::from_slice::<Value>(&fetched.body) {
        Ok(Value::Object(all)) => match all.get("active") {
            Some(Value::Bool(true)) => Introspected::Active(all),
            Some(Value::Bool(false)) => Introspected::Inactive,
            _ => Introspected::Unavailable,
        },
        _ => Introspected::Unavailable,
    }
}
