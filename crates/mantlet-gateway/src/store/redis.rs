//! Counters that several gates share, in Redis or Valkey.
//!
//! A decision is one script, which Redis runs as a whole and by its own clock; those of a request go out together, and those of many requests
//! in one write. A store that does not answer within [`StoreConfig::timeout`] is left alone for a while, longer each time, and every rule does
//! meanwhile what it says (`fail`). One request then finds out whether it is back.

use std::{cell::RefCell, fmt::Write as _, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, try_join_all};
use mantlet_controls::{
    audit::{Record, Sink as _},
    throttle::{Decision, KNOWN, Key, LONGEST, Outcome, Store, Take, delay_after},
};
use redis::{Client, RedisResult, Script, aio::MultiplexedConnection};
use tokio::sync::oneshot;

use super::{StoreConfig, circuit::Circuit};
use crate::audit_log::AuditLog;

/// How long a connection may take, beside the requests that go on without it.
const CONNECT: Duration = Duration::from_secs(2);
/// Failures in a row after which the delay of an account does not grow any more.
const COUNTED: u64 = 24;

const TAKE: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local moment = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
-- Further ahead than it can be: the clock was set back.
moment = math.min(moment, now + most)
local after = moment + interval
if after - now > most then return {0, moment - now} end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000) + 1)
return {1, after - now}";

const GIVE_BACK: &str = "
local moment = tonumber(redis.call('GET', KEYS[1]) or 0)
if moment > 0 then redis.call('SET', KEYS[1], string.format('%.0f', moment - tonumber(ARGV[1])), 'KEEPTTL') end
return 0";

const FAILED: &str = "
local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
local delay = tonumber(ARGV[math.min(count, #ARGV)])
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', time[1] * 1000 + time[2] / 1000 + delay))
redis.call('PEXPIRE', KEYS[1], delay + tonumber(ARGV[#ARGV]))
return 0";

const DELAY: &str = "
local time = redis.call('TIME')
local rest = tonumber(redis.call('HGET', KEYS[1], 'until') or 0) - (time[1] * 1000 + time[2] / 1000)
return math.max(math.ceil(rest), 0)";

struct Scripts {
    take: Script,
    give_back: Script,
    failed: Script,
    delay: Script,
}

/// The store. Each thread of the gate has a connection of its own, which all its requests share.
#[derive(Clone)]
pub(crate) struct RedisStore(Arc<Inner>);

struct Inner {
    client: Client,
    config: StoreConfig,
    scripts: Scripts,
    circuit: Circuit,
    audit: AuditLog,
}

enum Connection {
    None,
    /// Somebody is connecting.
    UnderWay,
    Open(MultiplexedConnection),
}

thread_local! {
    /// INVARIANT: borrowed only within a function that does not await. A process has one store.
    static CONNECTION: RefCell<Connection> = const { RefCell::new(Connection::None) };
}

impl RedisStore {
    pub(crate) fn new(config: StoreConfig, audit: AuditLog) -> RedisResult<Self> {
        let scripts = Scripts {
            take: Script::new(TAKE),
            give_back: Script::new(GIVE_BACK),
            failed: Script::new(FAILED),
            delay: Script::new(DELAY),
        };
        let client = Client::open(config.url.as_str())?;
        Ok(Self(Arc::new(Inner { client, config, scripts, circuit: Circuit::new(), audit })))
    }

    /// Asks, if the store is not being left alone, and not for longer than a request may wait.
    async fn ask<T>(&self, question: impl AsyncFnOnce(MultiplexedConnection) -> RedisResult<T>) -> Option<T> {
        let store = &self.0;
        if !store.circuit.may_ask() {
            return None;
        }
        let answer = async {
            let Some(connection) = self.connection().await else { return Ok(None) };
            question(connection).await.map(Some)
        };
        match tokio::time::timeout(store.config.timeout, answer).await {
            Ok(Ok(Some(answer))) => {
                if store.circuit.answered() {
                    store.audit.record(Record::of_store(true));
                }
                Some(answer)
            }
            Ok(Ok(None)) => None,
            Ok(Err(_)) | Err(_) => {
                // Another one is made when it is asked again: this one may be half dead.
                CONNECTION.with_borrow_mut(|connection| {
                    if matches!(connection, Connection::Open(_)) {
                        *connection = Connection::None;
                    }
                });
                self.failed();
                None
            }
        }
    }

    fn failed(&self) {
        if self.0.circuit.failed() {
            self.0.audit.record(Record::of_store(false));
        }
    }

    /// The thread's connection. One that is under way is waited for by whoever began it; the others go on without.
    async fn connection(&self) -> Option<MultiplexedConnection> {
        let known = CONNECTION.with_borrow_mut(|connection| match connection {
            Connection::Open(open) => Some(Some(open.clone())),
            Connection::UnderWay => Some(None),
            Connection::None => {
                *connection = Connection::UnderWay;
                None
            }
        });
        if let Some(known) = known {
            return known;
        }
        let (tell, told) = oneshot::channel();
        let store = self.clone();
        tokio::spawn(async move {
            let made = tokio::time::timeout(CONNECT, store.0.client.get_multiplexed_async_connection()).await;
            let made = made.ok().and_then(Result::ok);
            if made.is_none() {
                store.failed();
            }
            CONNECTION.set(made.clone().map_or(Connection::None, Connection::Open));
            // Whoever began it may have gone on without.
            let _ = tell.send(made);
        });
        told.await.ok().flatten()
    }

    fn key(&self, kind: &str, key: Key) -> String {
        let mut name = format!("{}:{kind}:", self.0.config.prefix);
        for byte in key {
            // Writing to a text cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    async fn note(&self, outcome: Outcome) {
        let scripts = &self.0.scripts;
        let noted = self.ask(async |mut connection| match outcome {
            Outcome::GiveBack(counted) => {
                for (rule, key, rate) in counted {
                    let mut call = scripts.give_back.key(self.key(&rule, key));
                    call.arg(rate.spans().0 / 1_000).invoke_async::<()>(&mut connection).await?;
                }
                Ok(())
            }
            Outcome::Failed(account) => {
                let mut call = scripts.failed.key(self.key("delay", account));
                for failures in 1..=COUNTED {
                    call.arg(millis(delay_after(failures)));
                }
                call.arg(millis(LONGEST)).invoke_async(&mut connection).await
            }
            Outcome::Succeeded { account, pair } => {
                let mut pipe = redis::pipe();
                pipe.del(self.key("delay", account)).ignore();
                pipe.set_ex(self.key("known", pair), 1, KNOWN.as_secs()).ignore();
                pipe.query_async(&mut connection).await
            }
        });
        noted.await;
    }
}

impl Store for RedisStore {
    fn take<'a>(&'a self, takes: &'a [Take<'a>]) -> BoxFuture<'a, Option<Vec<Decision>>> {
        let one = |take: &Take<'_>, mut connection: MultiplexedConnection| {
            let (interval, most) = take.rate.spans();
            let mut call = self.0.scripts.take.key(self.key(take.rule, take.key));
            call.arg((interval / 1_000).max(1)).arg(most / 1_000);
            let rate = take.rate;
            async move {
                let (passes, ahead): (bool, u64) = call.invoke_async(&mut connection).await?;
                Ok(rate.decided(passes, Duration::from_micros(ahead)))
            }
        };
        Box::pin(self.ask(async move |connection| {
            // All are written before the first answer is waited for.
            try_join_all(takes.iter().map(|take| one(take, connection.clone()))).await
        }))
    }

    fn knows(&self, pair: Key) -> BoxFuture<'_, Option<bool>> {
        let key = self.key("known", pair);
        Box::pin(self.ask(async move |mut connection| {
            redis::cmd("EXISTS").arg(key).query_async(&mut connection).await
        }))
    }

    fn delay(&self, account: Key) -> BoxFuture<'_, Option<Option<Duration>>> {
        let key = self.key("delay", account);
        Box::pin(self.ask(async move |mut connection| {
            let rest: u64 = self.0.scripts.delay.key(key).invoke_async(&mut connection).await?;
            Ok((rest > 0).then(|| Duration::from_millis(rest).min(LONGEST)))
        }))
    }

    fn learn(&self, outcome: Outcome) {
        let store = self.clone();
        tokio::spawn(async move { store.note(outcome).await });
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
