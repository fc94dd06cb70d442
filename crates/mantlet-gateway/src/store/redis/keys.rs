//! API keys that several gates know.
//!
//! | key | holds | until |
//! |---|---|---|
//! | `PREFIX:api-keys` | a hash: what is kept of a key under its id, its revocation under `ID:revoked` | for ever |
//! | `PREFIX:api-keys-used` | a hash: when a key was last used, under its id | for ever |
//!
//! Fields are only ever added, so their number says whether there is something new: each gate asks for
//! it several times in a second. After a time in which Redis did not answer everything is compared: it
//! may have lost its memory.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, try_join_all};
use mantlet_controls::api_keys::{ApiKeys, Change};
use redis::{Cmd, RedisResult};

use super::{super::link::Link, RedisStore, Refusals, Refused};
use crate::store::SharedKeys;

/// How long an exchange may take. No request waits for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often uses are exchanged.
const USES: Duration = Duration::from_mins(1);

/// No number of fields: Redis and this gate may know different things.
const DIFFERENT: usize = usize::MAX;

/// The keys in a store.
pub(crate) struct RedisKeys {
    store: RedisStore,
    known: ApiKeys,
    /// Fields that Redis had when it and this gate knew the same.
    fields: AtomicUsize,
    used: Mutex<Option<Instant>>,
    refusals: Refusals,
}

impl fmt::Debug for RedisKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisKeys").finish_non_exhaustive()
    }
}

impl RedisKeys {
    pub(in crate::store) fn new(store: RedisStore, known: ApiKeys) -> Self {
        let refusals = Refusals::new("gates do not learn of each other's API keys");
        let fields = AtomicUsize::new(DIFFERENT);
        Self { store, known, fields, used: Mutex::default(), refusals }
    }

    async fn ask<T>(&self, question: impl AsyncFnOnce(Link) -> RedisResult<T>) -> Option<Result<T, Refused>> {
        self.store.ask_if_allowed(PATIENCE, &self.refusals, question).await
    }

    async fn compare(&self) -> Option<Result<Vec<Change>, Refused>> {
        let name = self.name();
        let count = self.ask(async |link| run::<usize>(redis::cmd("HLEN").arg(&name), link).await).await?;
        match count {
            Ok(count) if count == self.fields.load(Relaxed) => return Some(Ok(Vec::new())),
            Ok(_) => {}
            Err(refused) => return Some(Err(refused)),
        }
        let get =
            async |link: Link| run::<HashMap<String, String>>(redis::cmd("HGETALL").arg(&name), link).await;
        let fields = match self.ask(get).await? {
            Ok(fields) => fields,
            Err(refused) => return Some(Err(refused)),
        };
        // What a newer Mantlet has written is left out.
        let mut theirs: Vec<Change> =
            fields.values().filter_map(|text| serde_json::from_str(text).ok()).collect();
        theirs.sort_by_key(|change| !matches!(change, Change::Created(_)));
        let news = self.known.apply(&theirs);
        let own = self.known.everything();
        let lacking: Vec<_> = own
            .iter()
            .filter(|change| field_of(change).is_some_and(|field| !fields.contains_key(&field)))
            .cloned()
            .collect();
        if let Err(refused) = self.write(&lacking).await? {
            return Some(Err(refused));
        }
        // Another gate may add some meanwhile: then it differs, and is compared again.
        self.fields.store(fields.len() + lacking.len(), Relaxed);
        Some(Ok(news))
    }

    async fn write(&self, changes: &[Change]) -> Option<Result<(), Refused>> {
        if changes.is_empty() {
            return Some(Ok(()));
        }
        let name = self.name();
        let one = async |change: &Change, link: Link| -> RedisResult<()> {
            let Some(field) = field_of(change) else { return Ok(()) };
            let text = serde_json::to_string(change).unwrap_or_default();
            run(redis::cmd("HSETNX").arg(&name).arg(field).arg(text), link).await
        };
        let all = async |link: Link| {
            try_join_all(changes.iter().map(|change| one(change, link.clone()))).await.map(drop)
        };
        self.ask(all).await
    }

    /// Exchanges when keys were last used, once in a minute.
    async fn exchange_uses(&self) -> Option<Vec<Change>> {
        {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            if used.is_some_and(|at| at.elapsed() < USES) {
                return None;
            }
            *used = Some(Instant::now());
        }
        let name = format!("{}-used", self.name());
        let get =
            async |link: Link| run::<HashMap<String, i64>>(redis::cmd("HGETALL").arg(&name), link).await;
        let theirs = self.ask(get).await?.ok()?;
        let own = self.known.list().into_iter().filter_map(|key| {
            let at = key.used()?;
            let is_newer = theirs.get(&*key.facts.id).is_none_or(|known| *known < at);
            is_newer.then(|| (key.facts.id.clone(), at))
        });
        let mut set = redis::cmd("HSET");
        set.arg(&name);
        let mut is_empty = true;
        for (key, at) in own {
            set.arg(&*key).arg(at);
            is_empty = false;
        }
        if !is_empty {
            self.ask(async |link| run::<()>(&set, link).await).await?.ok()?;
        }
        let theirs: Vec<_> =
            theirs.into_iter().map(|(key, at)| Change::Used { key: key.into(), at }).collect();
        Some(self.known.apply(&theirs))
    }

    fn name(&self) -> String {
        format!("{}:api-keys", self.store.0.config.prefix)
    }
}

impl SharedKeys for RedisKeys {
    fn share<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, bool> {
        Box::pin(async {
            let is_shared = matches!(self.write(changes).await, Some(Ok(())));
            if !is_shared {
                self.fields.store(DIFFERENT, Relaxed);
            }
            is_shared
        })
    }

    fn exchange(&self) -> BoxFuture<'_, Option<Vec<Change>>> {
        Box::pin(async {
            let Some(compared) = self.compare().await else {
                self.fields.store(DIFFERENT, Relaxed);
                return None;
            };
            // Where Redis does not allow it, there is nothing to wait for.
            let mut news = compared.unwrap_or_default();
            news.extend(self.exchange_uses().await.unwrap_or_default());
            Some(news)
        })
    }
}

async fn run<T: redis::FromRedisValue>(command: &Cmd, mut link: Link) -> RedisResult<T> {
    command.query_async(&mut link).await
}

/// The field of a change; none for a use.
fn field_of(change: &Change) -> Option<String> {
    match change {
        Change::Created(facts) => Some(facts.id.to_string()),
        Change::Revoked { key, .. } => Some(format!("{key}:revoked")),
        Change::Used { .. } => None,
    }
}
