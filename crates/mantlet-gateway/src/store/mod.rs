//! Where several gates count together, and know each other's sessions and API keys.

#[cfg(feature = "redis")]
mod circuit;
#[cfg(feature = "redis")]
mod link;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod scripts;

use std::{io, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use mantlet_controls::{
    api_keys::Change, authentication::sessions::Keeper, config::Secret, dpop::SeenByAll, throttle::Store,
};

use crate::{audit_log::AuditLog, key_file::KeyFile, session_file::SessionFile};

/// What a store keeps for several gates.
pub(crate) struct Opened {
    pub(crate) counters: Arc<dyn Store>,
    pub(crate) sessions: Arc<dyn Keeper>,
    pub(crate) keys: Arc<dyn SharedKeys>,
    pub(crate) proofs: Arc<dyn SeenByAll>,
}

/// API keys that several gates know.
pub(crate) trait SharedKeys: Send + Sync + std::fmt::Debug {
    /// Tells the others of changes. False if the store does not take them in time: then it is told
    /// when it does.
    fn share<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, bool>;

    /// Tells the store what it does not know, and learns what this gate does not know: that is
    /// returned. None if the store does not respond.
    fn exchange(&self) -> BoxFuture<'_, Option<Vec<Change>>>;
}

/// Where the store is.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `redis://host:port/db`, `redis+unix:///path`, `redis+cluster://host:port,host:port`,
    /// `redis+sentinel://host:port,host:port/name/db`; `rediss` with TLS. May contain a password.
    pub url: Secret<String>,
    /// The authority of its certificate, PEM; none: those that the machine trusts.
    pub authority: Option<Vec<u8>>,
    /// How long a request waits for a decision.
    pub timeout: Duration,
    /// The prefix of all keys.
    pub prefix: String,
}

impl StoreConfig {
    /// Opens the store, without connecting. Fails if the URL is wrong.
    #[cfg(feature = "redis")]
    pub(crate) fn open(&self, audit: AuditLog, sessions: &SessionFile, keys: &KeyFile) -> io::Result<Opened> {
        let store = redis::RedisStore::new(self.clone(), audit).map_err(io::Error::other)?;
        Ok(Opened {
            sessions: Arc::new(redis::RedisSessions::start(store.clone(), sessions)?),
            keys: Arc::new(redis::RedisKeys::new(store.clone(), keys.keys())),
            proofs: Arc::new(store.clone()),
            counters: Arc::new(store),
        })
    }

    /// Built without a store.
    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "it is asked as where there is one")]
    pub(crate) fn open(&self, _: AuditLog, _: &SessionFile, _: &KeyFile) -> io::Result<Opened> {
        Err(io::Error::other("this Mantlet was built without a store"))
    }

    /// Whether the URL is valid.
    pub fn is_valid(&self) -> bool {
        #[cfg(feature = "redis")]
        return link::Target::new(self).is_ok();
        #[cfg(not(feature = "redis"))]
        false
    }
}
