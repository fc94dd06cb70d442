//! Where several gates count together, and know each other's sessions.

#[cfg(feature = "redis")]
mod circuit;
#[cfg(feature = "redis")]
mod link;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod scripts;

use std::{io, sync::Arc, time::Duration};

use mantlet_controls::{authentication::sessions::Keeper, config::Secret, throttle::Store};

use crate::{audit_log::AuditLog, session_file::SessionFile};

/// A store of counters, and one of sessions.
type Opened = (Arc<dyn Store>, Arc<dyn Keeper>);

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
    pub(crate) fn open(&self, audit: AuditLog, sessions: &SessionFile) -> io::Result<Opened> {
        let store = redis::RedisStore::new(self.clone(), audit).map_err(io::Error::other)?;
        let of_sessions = redis::RedisSessions::start(store.clone(), sessions)?;
        Ok((Arc::new(store), Arc::new(of_sessions)))
    }

    /// Built without a store.
    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "it is asked as where there is one")]
    pub(crate) fn open(&self, _: AuditLog, _: &SessionFile) -> io::Result<Opened> {
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
