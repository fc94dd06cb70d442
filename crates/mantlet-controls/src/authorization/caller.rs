//! What the app itself says of a caller: the answer of its *Me* operation, `GET /users/me`.
//!
//! An app often knows its callers by more than their tokens say: the number that its rows are owned
//! by, a role, organisations. Where a rule needs that, the app is asked with the caller's own
//! credential. An answer is kept for a minute, and never longer than until something in the app
//! changes it.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use futures_util::lock::{Mutex, MutexGuard};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    call::{Attribute, Origin},
    message::cookie,
    operation::{Contract, Security},
};

/// How long an answer counts.
const KEPT: Duration = Duration::from_mins(1);
/// How long a caller counts as unknown whom the app does not know.
const REFUSED: Duration = Duration::from_secs(5);
/// How long the app is not asked again that has not answered.
const SILENT: Duration = Duration::from_secs(2);
/// How long an answer is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// Callers in each of two halves: when one is full, the older half is forgotten.
const MOST: usize = 8_192;
/// Bytes of the longest answer that is read.
pub(crate) const LONGEST: usize = 64 << 10;
/// Bytes of all attributes of one caller. An app that lists thousands of rows in its answer has a list there
/// that no rule should depend on.
const MOST_KEPT: usize = 8 << 10;

/// Words in the path of an operation that may change what callers are.
const CHANGING: [&str; 16] = [
    "role",
    "permission",
    "group",
    "member",
    "scope",
    "grant",
    "organi",
    "/org",
    "team",
    "tenant",
    "compan",
    "workspace",
    "business",
    "firm",
    "invit",
    "join",
];

/// The operation that tells a caller about itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Me<'m> {
    /// Where the app is asked.
    pub(crate) target: &'m str,
    /// The credentials that it takes. None: all.
    security: Option<&'m Security>,
}

impl<'m> Me<'m> {
    pub(crate) fn of(contract: &'m Contract) -> Option<Self> {
        let (target, security) = contract.me()?;
        Some(Self { target, security: Some(security) })
    }

    /// One that the configuration names.
    pub(crate) const fn at(target: &'m str) -> Self {
        Self { target, security: None }
    }

    /// The credentials of a request that it takes, alone. Nothing else of what a client sends may
    /// change the answer, because it is kept for all requests with them.
    pub(crate) fn credentials(&self, headers: &HeaderMap) -> HeaderMap {
        let mut own = HeaderMap::new();
        let takes_header = self.security.is_none_or(|security| {
            security.bearer.is_some() || security.has_others || security.cookies.is_empty()
        });
        if let Some(value) = headers.get(header::AUTHORIZATION).filter(|_| takes_header) {
            own.insert(header::AUTHORIZATION, value.clone());
        }
        let is_taken = |name: &[u8]| {
            self.security
                .is_none_or(|security| security.cookies.iter().any(|(taken, _)| taken.as_bytes() == name))
        };
        let mut cookies = Vec::new();
        for (name, value) in cookie::pairs(headers).filter(|(name, _)| is_taken(name)) {
            if !cookies.is_empty() {
                cookies.extend_from_slice(b"; ");
            }
            cookies.extend_from_slice(&[name, b"=", value].concat());
        }
        if let Some(mut value) = HeaderValue::from_bytes(&cookies).ok().filter(|_| !cookies.is_empty()) {
            value.set_sensitive(true);
            own.insert(header::COOKIE, value);
        }
        own
    }
}

/// What the app says of a caller.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Attributes(Arc<[Attribute]>),
    /// It does not know the caller.
    Unknown,
    /// Nothing that could be understood, or nothing in time.
    Nothing,
}

/// The answer about one caller.
#[derive(Debug)]
struct Answer {
    until: Instant,
    told: Told,
}

/// What is known of one credential. Only one request at a time asks the app.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    answer: ArcSwapOption<Answer>,
    asking: Mutex<()>,
}

impl Slot {
    /// What is known now; none: the app has to be asked.
    pub(crate) fn known(&self, now: Instant) -> Option<Told> {
        let answer = self.answer.load();
        answer.as_ref().filter(|answer| now < answer.until).map(|answer| answer.told.clone())
    }

    /// Waits for others that ask.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, ()> {
        self.asking.lock().await
    }

    /// Keeps an answer, until the credential expires at the latest.
    pub(crate) fn keep(&self, told: Told, now: Instant, left: Option<Duration>) {
        let span = match &told {
            Told::Attributes(_) => KEPT,
            Told::Unknown => REFUSED,
            Told::Nothing => SILENT,
        };
        let until = now + left.map_or(span, |left| span.min(left));
        self.answer.store(Some(Arc::new(Answer { until, told })));
    }
}

/// Callers by their credentials.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    /// The names that rules are about: nothing else is kept.
    names: Vec<Box<str>>,
    halves: std::sync::Mutex<Halves>,
}

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<[u8; 32], Arc<Slot>>,
    old: HashMap<[u8; 32], Arc<Slot>>,
}

impl Callers {
    pub(crate) fn about(mut names: Vec<Box<str>>) -> Self {
        names.sort_unstable();
        names.dedup();
        Self { names, ..Self::default() }
    }

    /// The place of a caller with these credentials.
    pub(crate) fn slot(&self, credentials: &HeaderMap, host: Option<&str>) -> Arc<Slot> {
        let mut digest = Sha256::new();
        // One app may know a caller in another way under another name.
        digest.update(host.unwrap_or_default());
        digest.update([0]);
        for (name, value) in credentials {
            for part in [name.as_str().as_bytes(), value.as_bytes()] {
                digest.update(part.len().to_le_bytes());
                digest.update(part);
            }
        }
        let key = digest.finalize().into();
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = halves.young.get(&key) {
            return Arc::clone(known);
        }
        let slot = halves.old.remove(&key).unwrap_or_default();
        if halves.young.len() >= MOST {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(key, Arc::clone(&slot));
        slot
    }

    /// What an answer of the app says.
    pub(crate) fn read(&self, status: StatusCode, body: &[u8], contract: Option<&Contract>) -> Told {
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            return Told::Unknown;
        }
        let Some(Value::Object(said)) = serde_json::from_slice(body).ok().filter(|_| status.is_success())
        else {
            return Told::Nothing;
        };
        let is_needed = |name: &str| {
            contract.is_some_and(|contract| contract.proposes_about(name))
                || self.names.iter().any(|needed| {
                    **needed == *name || needed.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
                })
        };
        let mut room = MOST_KEPT;
        let mut fits = |value: &Value| {
            let size = value.to_string().len();
            room = room.saturating_sub(size);
            room > 0
        };
        let own = said.into_iter().filter(|(name, value)| is_needed(name) && fits(value));
        let own = own.map(|(name, value)| Attribute { name: name.into(), value, origin: Origin::App });
        Told::Attributes(own.collect())
    }

    /// Whether an operation may change what the app says of callers: that of a caller itself, or of
    /// another one, or one with a word for it in its path.
    pub(crate) fn may_be_changed_by(method: &Method, path: &str, me: Me<'_>) -> bool {
        if method.is_safe() {
            return false;
        }
        let me = me.target.split('?').next().unwrap_or_default();
        let collection = me.rsplit_once('/').map_or("", |(collection, _)| collection);
        let is_below = !collection.is_empty()
            && path.strip_prefix(collection).is_some_and(|rest| rest.matches('/').count() == 1);
        path == me || is_below || CHANGING.iter().any(|word| path.contains(word))
    }

    /// Everything is asked again.
    pub(crate) fn forget(&self) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        *halves = Halves::default();
    }
}
