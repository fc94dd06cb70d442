//! Where several gates count together.

#[cfg(feature = "redis")]
mod circuit;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod scripts;

use std::{fmt, io, sync::Arc, time::Duration};

use mantlet_controls::throttle::Store;

use crate::audit_log::AuditLog;

/// Where the store is.
#[derive(Clone)]
pub struct StoreConfig {
    /// `redis://host:port/db`, `rediss://…` with TLS, `redis+unix:///path`; may hold a password.
    pub url: String,
    /// How long a request waits for a decision.
    pub timeout: Duration,
    /// What names of keys begin with.
    pub prefix: String,
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("StoreConfig").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl StoreConfig {
    /// The store; what is wrong with the URL, if anything. Nothing is connected yet.
    #[cfg(feature = "redis")]
    pub(crate) fn open(&self, audit: AuditLog) -> io::Result<Arc<dyn Store>> {
        Ok(Arc::new(redis::RedisStore::new(self.clone(), audit).map_err(io::Error::other)?))
    }

    /// None is built in.
    #[cfg(not(feature = "redis"))]
    pub(crate) fn open(&self, _: AuditLog) -> io::Result<Arc<dyn Store>> {
        Err(io::Error::other("this Mantlet was built without a store"))
    }

    /// Whether it could be opened.
    pub fn is_valid(&self) -> bool {
        #[cfg(feature = "redis")]
        return ::redis::Client::open(self.url.as_str()).is_ok();
        #[cfg(not(feature = "redis"))]
        false
    }
}
