//! Where several gates count together, and know each other's sessions, API keys and refresh tokens.

#[cfg(feature = "redis")]
mod circuit;
#[cfg(feature = "redis")]
mod link;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod scripts;

use std::{any::Any, io, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use mantlet_controls::{
    api_keys::Change,
    authentication::sessions::Keeper,
    config::Secret,
    dpop::SeenByAll,
    proof_of_work::SpentByAll,
    refresh_tokens::{Family, FamilyId, NoTurn},
    throttle::Store,
};
use tokio::time::Instant;

use crate::{audit_log::AuditLog, key_file::KeyFile, session_file::SessionFile};

/// What several gates share.
pub(crate) struct Opened {
    pub(crate) counters: Arc<dyn Store>,
    pub(crate) sessions: Arc<dyn Keeper>,
    pub(crate) keys: Arc<dyn SharedKeys>,
    pub(crate) proofs: Arc<dyn SeenByAll>,
    pub(crate) answers: Arc<dyn SpentByAll>,
    pub(crate) families: Arc<dyn SharedFamilies>,
    pub(crate) password: Arc<dyn NewPassword>,
}

/// Takes another user or password, without another server.
pub(crate) trait NewPassword: Send + Sync {
    /// Connections that are open stay; the next ones use it. Whether it is the same server.
    fn use_from_now(&self, config: &StoreConfig) -> bool;
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

/// Families of refresh tokens that several gates know.
pub(crate) trait SharedFamilies: Send + Sync + std::fmt::Debug {
    /// Waits until no other gate serves a request of this family. The family, if the store knows it.
    fn enter(
        &self,
        id: FamilyId,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<(Option<Family>, EndOfTurn), NoTurn>>;

    /// Keeps a family in the place of an older revision.
    fn keep<'a>(&'a self, family: &'a Family) -> BoxFuture<'a, Stored>;

    /// Whether the store does not know all that this gate has told it. None if it does not respond.
    fn has_lost_its_memory(&self) -> BoxFuture<'_, Option<bool>>;

    /// This gate has told it everything.
    fn remember(&self) -> BoxFuture<'_, ()>;

    /// Whether all gates have had the time to tell it everything. False if it does not respond.
    fn is_complete(&self) -> BoxFuture<'_, bool>;
}

/// Ends a turn when it is dropped.
pub(crate) type EndOfTurn = Box<dyn Any + Send + Sync>;

/// What the store has made of a family.
#[derive(Debug)]
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "without a store nothing is shared"))]
pub(crate) enum Stored {
    Yes,
    /// It knows one that is as new.
    Overtaken(Box<Family>),
    /// It does not respond.
    No,
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
        let of_sessions = redis::RedisSessions::start(store.clone(), sessions)?;
        let of_keys = redis::RedisKeys::new(store.clone(), keys.keys());
        let of_families = redis::RedisFamilies::new(store.clone());
        let of_password = store.clone();
        Ok(Opened {
            proofs: Arc::new(store.clone()),
            answers: Arc::new(store.clone()),
            counters: Arc::new(store),
            sessions: Arc::new(of_sessions),
            keys: Arc::new(of_keys),
            families: Arc::new(of_families),
            password: Arc::new(of_password),
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
