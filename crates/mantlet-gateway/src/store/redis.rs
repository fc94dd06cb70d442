//! Counters that several gates share, in Redis or Valkey.
//!
//! A decision is one script, which Redis runs atomically and by its own clock. The scripts of a
//! stage are sent together, and those of many requests in one write. A store that does not respond
//! within [`StoreConfig::timeout`] is left alone for a while, longer each time. Meanwhile every
//! rule follows its `fail`. After the pause one request tests whether the store has recovered.

mod answers;
mod keys;
mod learning;
mod proofs;
mod quota;
mod refresh_tokens;
mod sessions;
mod stream;

use std::{
    borrow::Cow,
    cell::RefCell,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::future::{BoxFuture, try_join_all};
use mantlet_controls::{
    audit::{Record, Sink as _},
    throttle::{
        Key, Store,
        attempts::{KNOWN, LONGEST, PLACES, delay_after},
        quotas::{QuotaCharge, QuotaDecision, QuotaRequest, QuotaUse},
        rate::{Decision, Rate},
        store::{AccountState, AttemptDecision, AttemptOutcome, AttemptRequest, RateRequest},
    },
};
use redis::{ErrorKind, RedisError, RedisResult};
use tokio::{sync::watch, time::timeout};

pub(super) use self::{keys::RedisKeys, refresh_tokens::RedisFamilies, sessions::RedisSessions};
use super::{
    NewPassword, StoreConfig,
    circuit::Circuit,
    link::{Link, Target, without_password},
    scripts::Scripts,
};
use crate::{audit_log::AuditLog, clock, tell};

/// Time to connect. Requests do not wait that long; they continue without the store.
const CONNECT: Duration = Duration::from_secs(2);
/// Failures in a row after which the delay of an account stops growing.
const COUNTED: u64 = 24;
/// Names of what is remembered of accounts, beside their counters.
const DELAY: &str = "delay";
const PLACES_OF: &str = "places";

/// The store. Each thread of the gate has a connection of its own, which all its requests share.
#[derive(Clone)]
pub(crate) struct RedisStore(Arc<Inner>);

struct Inner {
    /// With the password of now.
    target: ArcSwap<Target>,
    config: StoreConfig,
    scripts: Scripts,
    circuit: Circuit,
    audit: AuditLog,
}

/// What is wrong with the store, in a few words. Never a part of the URL, which may contain a
/// password.
type Fault = Cow<'static, str>;

/// It takes too long.
const SLOW: Fault = Cow::Borrowed("no answer");

/// Redis does not allow it.
struct Refused;

/// What is lacking where Redis does not allow a command; and whether that was told.
struct Refusals {
    lacking: &'static str,
    is_told: AtomicBool,
}

impl Refusals {
    const fn new(lacking: &'static str) -> Self {
        Self { lacking, is_told: AtomicBool::new(false) }
    }

    /// Reports one, once.
    fn tell(&self, error: &RedisError, prefix: &str) {
        if is_refusal(error) && !self.is_told.swap(true, Relaxed) {
            let (code, lacking) = (error.code().unwrap_or_default(), self.lacking);
            tell(&format!(
                "the store refuses a command ({code}), so {lacking}\n  allow the user in `store.url` all commands on \
                 keys that begin with `{prefix}:`"
            ));
        }
    }

    /// The next one is told again.
    fn are_over(&self) {
        self.is_told.store(false, Relaxed);
    }
}

/// Whether Redis does not know or does not allow a command, or not for this key.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOPERM" | "ERR")) || is_of_another(error)
}

/// Whether a key is another program's.
fn is_of_another(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

enum Connection {
    None,
    /// A connection is being made; requests may wait for it.
    UnderWay(watch::Receiver<Option<Result<Link, Fault>>>),
    /// Connected; the number of failures that the store had had then.
    Open(u64, Link),
}

thread_local! {
    /// INVARIANT: borrowed only within a function that does not await. A process has one store.
    static CONNECTION: RefCell<Connection> = const { RefCell::new(Connection::None) };
}

impl NewPassword for RedisStore {
    fn use_from_now(&self, config: &StoreConfig) -> bool {
        let is_same = without_password(config.url.expose()) == without_password(self.0.config.url.expose());
        match Target::new(config) {
            Ok(target) if is_same => {
                self.0.target.store(Arc::new(target));
                true
            }
            _ => false,
        }
    }
}

impl RedisStore {
    pub(crate) fn new(config: StoreConfig, audit: AuditLog) -> RedisResult<Self> {
        let target = ArcSwap::from_pointee(Target::new(&config)?);
        Ok(Self(Arc::new(Inner { target, config, scripts: Scripts::new(), circuit: Circuit::new(), audit })))
    }

    /// Sends the commands, unless the store is left alone, and waits no longer than a request may.
    async fn ask<T>(&self, question: impl AsyncFnOnce(Link) -> RedisResult<T>) -> Option<T> {
        self.ask_within(self.0.config.timeout, question).await
    }

    /// The same, for those who may do without the answer. A command that Redis does not allow is not a
    /// reason to leave the store alone: counters may do without it.
    async fn ask_if_allowed<T>(
        &self,
        time: Duration,
        refusals: &Refusals,
        question: impl AsyncFnOnce(Link) -> RedisResult<T>,
    ) -> Option<Result<T, Refused>> {
        let asked = async |link: Link| match question(link).await {
            Err(error) if is_refusal(&error) => Ok(Err(error)),
            answer => answer.map(Ok),
        };
        let answer = self.ask_within(time, asked).await?;
        Some(answer.map_err(|error| {
            refusals.tell(&error, &self.0.config.prefix);
            Refused
        }))
    }

    async fn ask_within<T>(
        &self,
        time: Duration,
        question: impl AsyncFnOnce(Link) -> RedisResult<T>,
    ) -> Option<T> {
        let Inner { circuit, audit, .. } = &*self.0;
        let permit = circuit.question()?;
        let answer = async {
            let connection = self.connection(permit.failures).await?;
            question(connection).await.map_err(|error| fault(&error))
        };
        match timeout(time, answer).await.unwrap_or(Err(SLOW)) {
            Ok(answer) => {
                if circuit.answered(permit) {
                    audit.record(Record::of_store(None, clock::now()));
                }
                Some(answer)
            }
            Err(fault) => {
                if circuit.failed(permit) {
                    audit.record(Record::of_store(Some(&fault), clock::now()));
                }
                None
            }
        }
    }

    /// The thread's connection, unless it is older than the last failure.
    async fn connection(&self, failures: u64) -> Result<Link, Fault> {
        let known = CONNECTION.with_borrow_mut(|connection| match connection {
            Connection::Open(made, open) if *made >= failures => Ok(open.clone()),
            Connection::UnderWay(made) => Err(made.clone()),
            old => {
                let (tell, made) = watch::channel(None);
                *old = Connection::UnderWay(made.clone());
                // It is made in a task of its own: the requests that wait for it may have to
                // continue without it.
                tokio::spawn(self.clone().make(tell));
                Err(made)
            }
        });
        let mut made = match known {
            Ok(open) => return Ok(open),
            Err(made) => made,
        };
        let made = made.wait_for(Option::is_some).await.ok().and_then(|made| made.clone());
        made.unwrap_or(Err(SLOW))
    }

    async fn make(self, tell: watch::Sender<Option<Result<Link, Fault>>>) {
        let store = &self.0;
        let made = match timeout(CONNECT, store.target.load_full().connect()).await {
            Ok(made) => made.map_err(|error| fault(&error)),
            Err(_) => Err(SLOW),
        };
        CONNECTION.set(match &made {
            Ok(open) => Connection::Open(store.circuit.failures(), open.clone()),
            Err(_) => Connection::None,
        });
        // The requests may have stopped waiting.
        let _ = tell.send(Some(made));
    }

    /// The key of a rule's counter. In a cluster, these are spread over the nodes.
    fn key_of_rule(&self, rule: &str, key: Key) -> String {
        named(&self.0.config.prefix, rule, key)
    }

    /// The key of an account's state. A cluster keeps keys with the same words in braces on one
    /// node, so that one script can use all of them.
    fn key_of_attempt(&self, purpose: &str, what: &str, key: Key) -> String {
        named(&self.0.config.prefix, &format!("{{{purpose}}}:{what}"), key)
    }

    async fn note(&self, purpose: &str, outcome: AttemptOutcome) {
        let scripts = &self.0.scripts;
        let noted = self.ask(async |mut connection| match outcome {
            AttemptOutcome::GiveBack(counted) => {
                let mut call = scripts.give_back.prepare_invoke();
                for (rule, key, rate) in counted {
                    call.key(self.key_of_attempt(purpose, &rule, key)).arg(micros(rate).0);
                }
                call.invoke_async::<()>(&mut connection).await
            }
            AttemptOutcome::Failed(account) => {
                let mut call = scripts.failed.key(self.key_of_attempt(purpose, DELAY, account));
                for failures in 1..=COUNTED {
                    call.arg(millis(delay_after(failures)));
                }
                call.arg(millis(LONGEST)).invoke_async(&mut connection).await
            }
            AttemptOutcome::Succeeded { counted, account, pair } => {
                let mut call = scripts.succeeded.key(self.key_of_attempt(purpose, PLACES_OF, account));
                call.key(self.key_of_attempt(purpose, DELAY, counted));
                call.arg(&pair[..]).arg(PLACES).arg(KNOWN.as_secs());
                call.invoke_async::<()>(&mut connection).await
            }
        });
        noted.await;
    }
}

impl Store for RedisStore {
    fn is_up(&self) -> bool {
        self.0.circuit.was_well_for(Duration::ZERO)
    }

    fn take<'a>(&'a self, takes: &'a [RateRequest<'a>]) -> BoxFuture<'a, Option<Vec<Decision>>> {
        let one = async |take: &RateRequest<'_>, mut connection: Link| {
            let mut call = self.0.scripts.count.key(self.key_of_rule(take.rule, take.key));
            let (interval, most) = micros(take.rate);
            let call = call.arg(1).arg(0).arg(interval).arg(most);
            let (passes, ahead): (bool, u64) = call.invoke_async(&mut connection).await?;
            Ok(take.rate.decided(passes, Duration::from_micros(ahead)))
        };
        Box::pin(self.ask(async move |connection| {
            // All are written before the first response is awaited.
            try_join_all(takes.iter().map(|take| one(take, connection.clone()))).await
        }))
    }

    fn attempt<'a>(&'a self, asked: &'a AttemptRequest<'a>) -> BoxFuture<'a, Option<AttemptDecision>> {
        Box::pin(self.ask(async move |mut connection| {
            let key = |what: &str, key| self.key_of_attempt(asked.purpose, what, key);
            let mut call = self.0.scripts.count.prepare_invoke();
            for take in &asked.takes {
                call.key(key(take.rule, take.key));
            }
            for account in &asked.accounts {
                let [stranger, pair] = account.counted;
                call.key(key(account.rule, stranger)).key(key(PLACES_OF, account.stranger));
                call.key(key(DELAY, account.stranger)).key(key(DELAY, account.pair));
                call.key(key(account.rule, pair));
            }
            let rates = asked.takes.iter().map(|take| take.rate);
            let rates = rates.chain(asked.accounts.iter().map(|account| account.rate));
            call.arg(asked.takes.len()).arg(asked.accounts.len());
            for rate in rates.clone() {
                let (interval, most) = micros(rate);
                call.arg(interval).arg(most);
            }
            for account in &asked.accounts {
                call.arg(&account.pair[..]);
            }
            let answer: Vec<u64> = call.arg(KNOWN.as_secs()).invoke_async(&mut connection).await?;
            let (of_accounts, of_counters) =
                answer.split_at_checked(2 * asked.accounts.len()).unwrap_or((&answer, &[]));
            let accounts = of_accounts.as_chunks::<2>().0.iter().map(|[known, delay]| AccountState {
                is_known: *known == 1,
                delay: (*delay > 0).then(|| Duration::from_millis(*delay).min(LONGEST)),
            });
            Ok(AttemptDecision {
                accounts: accounts.collect(),
                decisions: decisions(of_counters, rates).collect(),
            })
        }))
    }

    fn connect(&self) {
        let store = self.clone();
        tokio::spawn(async move {
            let ping =
                async |mut connection: Link| redis::cmd("PING").query_async::<()>(&mut connection).await;
            store.ask_within(CONNECT, ping).await
        });
    }

    fn learn(&self, purpose: Arc<str>, outcome: AttemptOutcome) {
        let store = self.clone();
        tokio::spawn(async move { store.note(&purpose, outcome).await });
    }

    fn count<'a>(&'a self, spends: &'a [QuotaRequest<'a>]) -> BoxFuture<'a, Option<Vec<QuotaDecision>>> {
        Box::pin(self.count_spends(spends))
    }

    fn uncount(&self, spent: Vec<QuotaCharge>) {
        let store = self.clone();
        tokio::spawn(async move { store.take_back(spent).await });
    }

    fn holders<'a>(&'a self, quota: &'a str) -> BoxFuture<'a, Option<Vec<QuotaUse>>> {
        Box::pin(self.all_holders(quota))
    }

    fn holder<'a>(&'a self, quota: &'a str, key: Key) -> BoxFuture<'a, Option<Option<QuotaUse>>> {
        Box::pin(self.one_holder(quota, key))
    }

    fn reset<'a>(&'a self, quota: &'a str, key: Key) -> BoxFuture<'a, Option<bool>> {
        Box::pin(self.forget(quota, key))
    }
}

fn fault(error: &RedisError) -> Fault {
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) => Cow::Borrowed("the password is refused"),
        // `OOM`, `READONLY`, `NOPERM` and the like, without the details that follow.
        (_, Some(code)) => Cow::Owned(code.to_owned()),
        (ErrorKind::Io, _) => Cow::Owned(error.to_string()),
        _ => Cow::Owned(error.category().to_owned()),
    }
}

/// The script's result for each counter.
fn decisions(answer: &[u64], rates: impl IntoIterator<Item = Rate>) -> impl Iterator<Item = Decision> {
    let answers = answer.as_chunks::<2>().0.iter();
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
