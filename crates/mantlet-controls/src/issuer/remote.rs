//! An issuer whose keys are fetched.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
};

use arc_swap::ArcSwapOption;
use futures_util::future::BoxFuture;

use crate::{identity::Epoch, token::KeySet};

/// Seconds between two fetches that requests ask for. An attacker can make up any number of keys.
const REFETCH: i64 = 30;
/// Seconds for which keys are good if the issuer says nothing, at least and at most.
const FRESH: i64 = 3_600;
const FRESH_AT_LEAST: i64 = 300;
const FRESH_AT_MOST: i64 = 86_400;
/// Seconds for which keys serve while the issuer is away.
pub(super) const STALE: i64 = 86_400;
/// Seconds between two attempts while the issuer is away.
const RETRY: i64 = 5;

/// An issuer whose keys are fetched. It outlives a policy.
#[derive(Debug)]
pub struct Remote {
    /// Its `iss`.
    pub issuer: Box<str>,
    /// The address of its keys; none: its own document says.
    pub jwks: Option<Box<str>>,
    keys: ArcSwapOption<Fetched>,
    /// When it was last asked, in seconds since 1970.
    asked: AtomicI64,
    /// When a request with a key that is not among those that are known last caused that.
    caused: AtomicI64,
    wanted: AtomicBool,
    /// It is being asked.
    is_asked: AtomicBool,
    pub(super) epoch: Arc<Epoch>,
}

/// Keys that were fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    /// When the fetch began, in seconds since 1970.
    pub(super) at: i64,
    /// When they are to be fetched again.
    due: i64,
}

impl Remote {
    pub(super) fn of(issuer: &str, jwks: Option<&str>) -> Self {
        Self {
            issuer: issuer.into(),
            jwks: jwks.map(Into::into),
            keys: ArcSwapOption::empty(),
            asked: AtomicI64::new(i64::MIN),
            caused: AtomicI64::new(i64::MIN),
            wanted: AtomicBool::default(),
            is_asked: AtomicBool::default(),
            epoch: Arc::default(),
        }
    }

    pub(super) fn keys(&self) -> Option<Arc<Fetched>> {
        self.keys.load_full()
    }

    /// A request needs a key that is not there. Whether it is worth to wait: it is being asked for, or
    /// may be asked for again by now.
    pub fn want(&self, now: i64) -> bool {
        if self.is_asked.load(Relaxed) {
            return true;
        }
        let may = self.may_be_caused(now) || self.keys.load().is_none();
        if may {
            self.wanted.store(true, Relaxed);
        }
        may
    }

    /// Whether an answer of the issuer is to come.
    pub fn is_awaited(&self) -> bool {
        self.is_asked.load(Relaxed) || self.wanted.load(Relaxed)
    }

    fn may_be_caused(&self, now: i64) -> bool {
        now.saturating_sub(self.caused.load(Relaxed)) >= REFETCH
    }

    /// Whether it is to be fetched now.
    pub fn is_due(&self, now: i64) -> bool {
        let since = now.saturating_sub(self.asked.load(Relaxed));
        if self.is_asked.load(Relaxed) {
            return false;
        }
        match &*self.keys.load() {
            None => since >= RETRY,
            Some(keys) => {
                (now >= keys.due && since >= RETRY) || (self.wanted.load(Relaxed) && self.may_be_caused(now))
            }
        }
    }

    /// It is being asked.
    pub fn begin(&self, now: i64) {
        self.is_asked.store(true, Relaxed);
        self.asked.store(now, Relaxed);
        // The first keys are fetched anyway: a key that is changed a moment later is asked for.
        if self.wanted.swap(false, Relaxed) && self.has_keys() {
            self.caused.store(now, Relaxed);
        }
    }

    /// Its keys have come. `fresh` is how long they are good, as the response says.
    pub fn fetched(&self, keys: KeySet, began: i64, fresh: Option<i64>) {
        let fresh = fresh.map_or(FRESH, |fresh| fresh.clamp(FRESH_AT_LEAST, FRESH_AT_MOST));
        self.keys.store(Some(Arc::new(Fetched { keys, at: began, due: began + fresh })));
        self.epoch.end();
        self.is_asked.store(false, Relaxed);
    }

    /// Its keys have not come.
    pub fn failed(&self) {
        self.is_asked.store(false, Relaxed);
    }

    /// Seconds since the keys that are in use were fetched; none if there are none.
    pub fn age(&self, now: i64) -> Option<i64> {
        Some(now.saturating_sub(self.keys()?.at).max(0))
    }

    /// Whether keys were ever fetched.
    pub fn has_keys(&self) -> bool {
        self.keys.load().is_some()
    }
}

/// What an issuer says of a token that is not signed (RFC 7662).
#[derive(Debug, Clone)]
pub enum Introspected {
    /// It is good: its claims.
    Active(serde_json::Map<String, serde_json::Value>),
    /// It is not.
    Inactive,
    /// The issuer does not answer in time.
    Unavailable,
}

/// Where an issuer is asked about tokens.
#[derive(Debug)]
pub struct Introspection {
    /// The address.
    pub url: Box<str>,
    /// Our name there.
    pub client_id: Box<str>,
    /// Our password there.
    pub client_secret: crate::config::Secret<Vec<u8>>,
    pub(super) epoch: Arc<Epoch>,
}

/// Asks issuers over the network.
pub trait Client: Send + Sync + std::fmt::Debug {
    /// Fetches the keys of an issuer again, unless they were fetched a moment ago. Ready when a fetch that was
    /// begun after this has ended, or soon.
    fn refresh<'a>(&'a self, remote: &'a Arc<Remote>) -> BoxFuture<'a, ()>;

    /// Asks about a token. One question for all that ask about the same one at a time.
    fn introspect<'a>(&'a self, at: &'a Arc<Introspection>, token: &'a str) -> BoxFuture<'a, Introspected>;
}
