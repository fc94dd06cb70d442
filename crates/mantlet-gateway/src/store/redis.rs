//! Counters that several gates share, in Redis or Valkey.
//!
//! A decision is one script, which Redis runs as a whole and by its own clock; those of a stage go out together, and those of many requests
//! in one write. A store that does not answer within [`StoreConfig::timeout`] is left alone for a while, longer each time, and every rule does
//! meanwhile what it says (`fail`). One request then finds out whether it is back.

use std::{cell::RefCell, fmt::Write as _, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, try_join_all};
use mantlet_controls::{
    audit::{Record, Sink as _},
    throttle::{Decision, KNOWN, Key, LONGEST, Outcome, Rate, Store, Take, Tried, Try, delay_after},
};
use redis::{Client, RedisResult, aio::MultiplexedConnection};
use tokio::sync::oneshot;

use super::{StoreConfig, circuit::Circuit, scripts::Scripts};
use crate::audit_log::AuditLog;

/// How long a connection may take, beside the requests that go on without it.
const CONNECT: Duration = Duration::from_secs(2);
/// Failures in a row after which the delay of an account does not grow any more.
const COUNTED: u64 = 24;
/// Names of what is remembered of accounts, beside their counters.
const DELAY: &str = "delay";
const KNOWN_HERE: &str = "known";

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
        let client = Client::open(config.url.as_str())?;
        Ok(Self(Arc::new(Inner { client, config, scripts: Scripts::new(), circuit: Circuit::new(), audit })))
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

    /// What a rule counts. In a cluster these are spread over its nodes.
    fn key_of_rule(&self, rule: &str, key: Key) -> String {
        named(&self.0.config.prefix, rule, key)
    }

    /// What is remembered for a purpose. A cluster keeps together what has the same words in braces, and so may ask all of it in one script.
    fn key_of_attempt(&self, purpose: &str, what: &str, key: Key) -> String {
        named(&self.0.config.prefix, &format!("{{{purpose}}}:{what}"), key)
    }

    async fn note(&self, purpose: &str, outcome: Outcome) {
        let scripts = &self.0.scripts;
        let noted = self.ask(async |mut connection| match outcome {
            Outcome::GiveBack(counted) => {
                let mut call = scripts.give_back.prepare_invoke();
                for (rule, key, rate) in counted {
                    call.key(self.key_of_attempt(purpose, &rule, key)).arg(micros(rate).0);
                }
                call.invoke_async::<()>(&mut connection).await
            }
            Outcome::Failed(account) => {
                let mut call = scripts.failed.key(self.key_of_attempt(purpose, DELAY, account));
                for failures in 1..=COUNTED {
                    call.arg(millis(delay_after(failures)));
                }
                call.arg(millis(LONGEST)).invoke_async(&mut connection).await
            }
            Outcome::Succeeded { account, pair } => {
                let mut pipe = redis::pipe();
                pipe.del(self.key_of_attempt(purpose, DELAY, account)).ignore();
                pipe.set_ex(self.key_of_attempt(purpose, KNOWN_HERE, pair), 1, KNOWN.as_secs()).ignore();
                pipe.query_async(&mut connection).await
            }
        });
        noted.await;
    }
}

impl Store for RedisStore {
    fn take<'a>(&'a self, takes: &'a [Take<'a>]) -> BoxFuture<'a, Option<Vec<Decision>>> {
        let one = async |take: &Take<'_>, mut connection: MultiplexedConnection| {
            let mut call = self.0.scripts.count.key(self.key_of_rule(take.rule, take.key));
            let (interval, most) = micros(take.rate);
            let call = call.arg(interval).arg(most);
            let (_, _, passes, ahead): (u64, u64, bool, u64) = call.invoke_async(&mut connection).await?;
            Ok(take.rate.decided(passes, Duration::from_micros(ahead)))
        };
        Box::pin(self.ask(async move |connection| {
            // All are written before the first answer is waited for.
            try_join_all(takes.iter().map(|take| one(take, connection.clone()))).await
        }))
    }

    fn attempt<'a>(&'a self, asked: &'a Try<'a>) -> BoxFuture<'a, Option<Tried>> {
        Box::pin(self.ask(async move |mut connection| {
            let key = |what: &str, key| self.key_of_attempt(asked.purpose, what, key);
            let mut call = self.0.scripts.count.prepare_invoke();
            for take in &asked.takes {
                call.key(key(take.rule, take.key));
            }
            if let Some(account) = &asked.account {
                call.key(key(account.rule, account.stranger)).key(key(KNOWN_HERE, account.pair));
                call.key(key(DELAY, account.stranger)).key(key(DELAY, account.pair));
                call.key(key(account.rule, account.pair));
            }
            let rates = asked.takes.iter().map(|take| take.rate);
            let rates = rates.chain(asked.account.as_ref().map(|account| account.rate));
            for rate in rates.clone() {
                let (interval, most) = micros(rate);
                call.arg(interval).arg(most);
            }
            let answer: Vec<u64> = call.invoke_async(&mut connection).await?;
            let delay = answer.get(1).copied().unwrap_or(0);
            Ok(Tried {
                is_known: answer.first() == Some(&1),
                delay: (delay > 0).then(|| Duration::from_millis(delay).min(LONGEST)),
                decisions: decisions(&answer, rates).collect(),
            })
        }))
    }

    fn learn(&self, purpose: Arc<str>, outcome: Outcome) {
        let store = self.clone();
        tokio::spawn(async move { store.note(&purpose, outcome).await });
    }
}

/// What the script has answered, for each counter.
fn decisions(answer: &[u64], rates: impl IntoIterator<Item = Rate>) -> impl Iterator<Item = Decision> {
    let answers = answer.get(2..).unwrap_or_default().as_chunks::<2>().0.iter();
    answers
        .zip(rates)
        .map(|([passes, ahead], rate)| rate.decided(*passes == 1, Duration::from_micros(*ahead)))
}

fn named(prefix: &str, kind: &str, key: Key) -> String {
    let mut name = format!("{prefix}:{kind}:");
    for byte in key {
        // Writing to a text cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// The spans of a rate as the scripts count them.
fn micros(rate: Rate) -> (u64, u64) {
    let (interval, most) = rate.spans();
    ((interval / 1_000).max(1), most / 1_000)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
