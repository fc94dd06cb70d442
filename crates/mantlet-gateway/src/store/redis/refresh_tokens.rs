//! The handles of refresh tokens that several gates know.
//!
//! | key | holds | until |
//! |---|---|---|
//! | `PREFIX:refresh-token:ID` | a hash: a family, and its revision | the app's own token expires; without an end, 400 days after its last use |
//! | `PREFIX:refresh-turn:ID` | the gate that serves a request of the family | its request ends; 10 seconds after a gate was killed |
//! | `PREFIX:refresh-gate:GATE` | nothing: a gate has told everything that it knows | a day after the gate has ended |
//! | `PREFIX:refresh-since` | since when Redis has its memory | it loses it |
//!
//! A family is written only in the place of an older revision of it, so the first of two gates wins
//! whatever becomes of turns. Neither a handle nor a token of the app can be read from what is
//! kept.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use mantlet_controls::refresh_tokens::{Family, FamilyId, NoTurn};
use redis::{RedisResult, Script};
use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{Instant, sleep},
};

use super::{super::link::Link, RedisStore, Refusals};
use crate::{
    clock,
    store::{EndOfTurn, SharedFamilies, Stored},
};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// For how long a turn is held without a word of its gate, and how often the gate says that it goes
/// on.
const LEASE: Duration = Duration::from_secs(10);
const GOES_ON: Duration = Duration::from_secs(3);
/// How often to look whether it is this gate's turn.
const LOOK: Duration = Duration::from_millis(20);
/// Seconds for which a gate is known.
const GATE: u64 = 86_400;
/// Seconds after which all gates have told a Redis that has lost its memory what they know.
const TOLD: u64 = 60;

/// `ARGV`: the revision, the family, seconds for which it is needed. The answer: nothing, or the
/// family that is as new.
const KEEP: &str = "
local known = redis.call('HGET', KEYS[1], 'revision')
if known and tonumber(known) >= tonumber(ARGV[1]) then
  local family = redis.call('HGET', KEYS[1], 'family')
  if family == ARGV[2] then return '' end
  return family
end
redis.call('HSET', KEYS[1], 'revision', ARGV[1], 'family', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return ''";

/// Holds a turn for longer. `ARGV`: who has it, milliseconds.
const GO_ON: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0";

/// Ends a turn. `ARGV`: who has it.
const END: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// For how many seconds Redis has had its memory: since it was asked this first.
const AGE: &str = "
local now, since = redis.call('TIME')[1], redis.call('GET', KEYS[1])
if since and tonumber(since) <= tonumber(now) then return now - since end
redis.call('SET', KEYS[1], now)
return 0";

/// The families in a store. A clone is the same ones.
#[derive(Clone)]
pub(crate) struct RedisFamilies(Arc<Inner>);

struct Inner {
    store: RedisStore,
    keep: Script,
    go_on: Script,
    end: Script,
    age: Script,
    /// Names this process.
    gate: String,
    refusals: Refusals,
}

impl fmt::Debug for RedisFamilies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisFamilies").finish_non_exhaustive()
    }
}

impl RedisFamilies {
    pub(in crate::store) fn new(store: RedisStore) -> Self {
        let [keep, go_on, end, age] = [KEEP, GO_ON, END, AGE].map(Script::new);
        let refusals = Refusals::new("refresh tokens cannot be renewed");
        Self(Arc::new(Inner { store, keep, go_on, end, age, gate: random(), refusals }))
    }

    async fn ask<T>(&self, question: impl AsyncFnOnce(Link) -> RedisResult<T>) -> Option<T> {
        self.0.store.ask_if_allowed(PATIENCE, &self.0.refusals, question).await?.ok()
    }

    /// Waits for the turn, and reads the family.
    async fn enter_by(&self, id: FamilyId, deadline: Instant) -> Result<(Option<Family>, EndOfTurn), NoTurn> {
        let (name, holder) = (self.name("refresh-turn", &id.to_string()), random());
        let lease = LEASE.as_millis();
        loop {
            let mut set = redis::cmd("SET");
            set.arg(&name).arg(&holder).arg("NX").arg("PX").arg(u64::try_from(lease).unwrap_or(u64::MAX));
            let set = async |mut link: Link| set.query_async::<Option<String>>(&mut link).await;
            match self.ask(set).await.ok_or(NoTurn::Unavailable)? {
                Some(_) => break,
                None if Instant::now() >= deadline => return Err(NoTurn::Busy),
                None => sleep(LOOK).await,
            }
        }
        let turn = Held::new(self, name, holder);
        let mut get = redis::cmd("HGET");
        get.arg(self.name_of(id)).arg("family");
        let get = async |mut link: Link| get.query_async::<Option<String>>(&mut link).await;
        let found = self.ask(get).await.ok_or(NoTurn::Unavailable)?;
        // What a newer Mantlet has written cannot be judged here.
        let family = found.map(|text| serde_json::from_str(&text)).transpose();
        Ok((family.map_err(|_| NoTurn::Unavailable)?, Box::new(turn)))
    }

    async fn keep_it(&self, family: &Family) -> Stored {
        let Ok(text) = serde_json::to_string(family) else { return Stored::No };
        let seconds = family.needed_until().saturating_sub(clock::now().as_second()).max(60);
        let mut call = self.0.keep.key(self.name_of(family.id));
        call.arg(family.revision).arg(text).arg(seconds);
        let call = async |mut link: Link| call.invoke_async::<String>(&mut link).await;
        match self.ask(call).await {
            Some(newer) if newer.is_empty() => Stored::Yes,
            Some(newer) => {
                serde_json::from_str(&newer).map_or(Stored::No, |newer| Stored::Overtaken(Box::new(newer)))
            }
            None => Stored::No,
        }
    }

    /// For how many seconds Redis has had its memory.
    async fn age(&self) -> Option<u64> {
        let call = self.0.age.key(format!("{}:refresh-since", self.0.store.0.config.prefix));
        self.ask(async |mut link| call.invoke_async(&mut link).await).await
    }

    fn name_of(&self, id: FamilyId) -> String {
        self.name("refresh-token", &id.to_string())
    }

    fn name(&self, what: &str, of: &str) -> String {
        format!("{}:{what}:{of}", self.0.store.0.config.prefix)
    }
}

impl SharedFamilies for RedisFamilies {
    fn enter(
        &self,
        id: FamilyId,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<(Option<Family>, EndOfTurn), NoTurn>> {
        Box::pin(self.enter_by(id, deadline))
    }

    fn keep<'a>(&'a self, family: &'a Family) -> BoxFuture<'a, Stored> {
        Box::pin(self.keep_it(family))
    }

    fn has_lost_its_memory(&self) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async {
            let mut look = redis::cmd("EXPIRE");
            look.arg(self.name("refresh-gate", &self.0.gate)).arg(GATE);
            let is_known = self.ask(async |mut link| look.query_async::<bool>(&mut link).await).await?;
            Some(!is_known)
        })
    }

    fn remember(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let mut set = redis::cmd("SET");
            set.arg(self.name("refresh-gate", &self.0.gate)).arg("").arg("EX").arg(GATE);
            // Else everything is told again.
            self.ask(async |mut link| set.query_async::<()>(&mut link).await).await;
            // It counts from now on, if it does not yet.
            self.age().await;
        })
    }

    fn is_complete(&self) -> BoxFuture<'_, bool> {
        // After a failover it may have lost what was written last, which gates may still know.
        let is_settled = self.0.store.0.circuit.was_well_for(Duration::from_secs(TOLD));
        Box::pin(async move { self.age().await.is_some_and(|age| age >= TOLD) && is_settled })
    }
}

/// A turn that all gates see. It ends when this is dropped.
struct Held {
    families: RedisFamilies,
    name: String,
    holder: String,
    goes_on: AbortHandle,
}

impl Held {
    fn new(families: &RedisFamilies, name: String, holder: String) -> Self {
        let (of_task, key, value) = (families.clone(), name.clone(), holder.clone());
        let goes_on = tokio::spawn(async move {
            loop {
                sleep(GOES_ON).await;
                let mut call = of_task.0.go_on.key(&key);
                call.arg(&value).arg(u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX));
                of_task.ask(async |mut link| call.invoke_async::<()>(&mut link).await).await;
            }
        });
        Self { families: families.clone(), name, holder, goes_on: goes_on.abort_handle() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.goes_on.abort();
        let (families, name, holder) =
            (self.families.clone(), std::mem::take(&mut self.name), std::mem::take(&mut self.holder));
        // Where nothing runs any more, the lease ends it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let mut call = families.0.end.key(name);
                call.arg(holder);
                families.ask(async |mut link| call.invoke_async::<()>(&mut link).await).await;
            });
        }
    }
}

/// A name that no other has.
fn random() -> String {
    let mut bytes = [0; 16];
    // Without random bytes the system has failed in every other way, too.
    let _ = getrandom::fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}
