//! Has the client used up a limit?
//!
//! Defends the app against more requests than one client should make: floods, scans, passwords guessed by the thousand, mails sent
//! by the hundred.
//!
//! A request passes if
//! 1. its client is exempt, or has not used up the general rate of addresses, where the configuration has one;
//! 2. no rule and no quota of the configuration that it falls under says otherwise;
//! 3. if its operation is sensitive, by the contract or the configuration, neither its address nor
//!    its account has had too many attempts.
//!
//! Rates are counted by GCRA ([`rate`]), in a fixed amount of memory ([`rate::Table`]). A refused
//! request costs the app nothing. An address with too many refusals may be banned ([`bans`]).
//!
//! # Inside
//!
//! - Tables of counters have names of rules, lie in [`Memory`] and outlive the policy.
//! - All decisions of a stage are one request to the [`Store`]. Without a response, a rule follows
//!   its `fail`.
//! - An attempt is counted before it is forwarded, and given back if its response was not a
//!   failure. So many at once cannot exceed the rule. Counters are those of a purpose; each
//!   operation has keys of its own in them. What cannot be read so is one account for all.
//! - The general rate is not a number by default: a client that asks much is recorded, and a busy app is shared by the gateway.
//! - Bans are checked first and learn last. They are a table (read by each request) and a short
//!   list (for the operator).
//! - Quotas count what the app has accepted: a made-up key costs no memory. What is counted on this machine is many small lists, each with a lock.
//! - Rules that only report count the requests of each key in a window, in two tables that take
//!   turns.
//!
//! # Deployment
//!
//! To mind in deployment: behind a proxy that is not in `client.trusted`, all clients are one. If
//! it is a neighbour, the general rate only reports it; the other rules still count. Counters live
//! in this process: a restart clears them, a reload does not.
//!
//! ```
//! use mantlet_controls::{Context, Section, throttle::Config};
//!
//! let config = Config { concurrent: 20, exempt: vec!["10.0.0.0/8".into()], ..Config::default() };
//! assert!(config.check(&Context::default()).is_ok());
//! let mistakes = Config { ipv6_prefix: 8, ..config }.check(&Context::default()).unwrap_err();
//! assert_eq!(mistakes[0].key, "ipv6-prefix");
//! ```

pub mod attempts;
pub mod bans;
pub mod challenge;
mod concurrent;
mod config;
mod general;
mod headers;
mod key;
pub mod quotas;
pub mod rate;
mod rules;
pub mod store;
pub mod usage;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future;
use http::{HeaderMap, Request, header};
use http_body::Body;
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    attempts::{Attempt, has_succeeded},
    headers::RateLimitStatus,
    quotas::QuotaDebt,
    usage::ReportedUse,
};
use self::{
    bans::{Bans, traps::Traps},
    quotas::{Ledger, Quota},
    rate::{Decision, Rate, Table},
    rules::{Counter, Rules},
    store::{Fail, RateRequest},
    usage::{Subject, Usage, Usages},
};
pub use self::{
    concurrent::InFlightGuard,
    config::{Config, RateText, RuleConfig},
    general::GeneralRate,
    store::{Key, Store},
};
use crate::{
    Call, Mode, Reason, Refusal, RequestBody, account,
    config::{Clock, Networks},
    proof_of_work::SpentByAll,
    refusal::{Faults, refuses},
};

/// `Retry-After` while a rule that fails closed has no store.
const CLOSED: Duration = Duration::from_secs(1);
/// Only the first refusal of a key by a rule in this time is recorded, or a flood would fill any
/// disk.
const RECORDED: Duration = Duration::from_mins(1);
/// The same for an operation that only looks sensitive: the record asks the operator to decide.
const SUSPECTED: Duration = Duration::from_hours(24);

/// The responses that say what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderPolicy {
    /// All of them.
    Always,
    /// Refusals.
    Refused,
    /// None.
    Off,
}

/// An extension of a response that the server should delay: the client has been refused before and
/// goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tarpit(pub Duration);

/// The counters, by the names of rules. They outlive the policy: a reload loses nothing. A clone
/// shares them.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// The clock of what is made by this clone.
    clock: Clock,
    tables: Arc<Mutex<HashMap<Box<str>, Arc<Table>>>>,
    banned: Arc<bans::List>,
    ledgers: Arc<Mutex<HashMap<Box<str>, Arc<Ledger>>>>,
    presences: Arc<concurrent::Concurrent>,
    usages: Usages,
}

impl Memory {
    /// The same memory; what is made from now on goes by this clock.
    fn by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The table of a rule; it keeps the size and the clock that it was made with.
    fn table(&self, rule: &str, keys: usize) -> Arc<Table> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            tables.entry(rule.into()).or_insert_with(|| Arc::new(Table::with_room_for(keys, self.clock))),
        )
    }

    /// Where use of a rule is counted.
    fn usage(&self, subject: Subject, keys: usize) -> Arc<Usage> {
        self.usages.of(subject, keys, self.clock)
    }

    /// The counts of a quota on this machine; it keeps the size that it was made with.
    pub fn ledger(&self, quota: &str, keys: usize) -> Arc<Ledger> {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(ledgers.entry(quota.into()).or_insert_with(|| Arc::new(Ledger::with_room_for(keys))))
    }

    /// The counts of all quotas on this machine.
    pub fn ledgers(&self) -> Vec<(Box<str>, Arc<Ledger>)> {
        let ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        ledgers.iter().map(|(name, ledger)| (name.clone(), Arc::clone(ledger))).collect()
    }
}

/// The checked `[throttle]` section.
#[derive(Debug)]
pub struct Policy {
    pub(crate) mode: Mode,
    sensitive: Mode,
    /// The same where an operation only looks so.
    suspected: Mode,
    client: Counter,
    /// The general rate is a number of the configuration.
    is_fixed: bool,
    refusals: Arc<Table>,
    rules: Rules,
    quotas: Rules<Quota>,
    exempt: Networks,
    ipv6_prefix: u8,
    told: HeaderPolicy,
    tarpit: Duration,
    concurrent: Option<u32>,
    presences: Arc<concurrent::Concurrent>,
    recorded: Arc<Table>,
    /// The usage of rules that only report.
    pub usages: Usages,
    attempts: attempts::Memory,
    /// Operations that have answered 401.
    proven: Arc<Table>,
    bans: Option<Bans>,
    traps: Option<Traps>,
    operations: attempts::Operations,
    challenge: Option<challenge::Challenge>,
}

/// The findings of a stop.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Exceeded rules, each in its mode.
    pub(crate) faults: Faults,
    /// The client's standing with the rule that is closest to its limit, if the response says it.
    pub(crate) standing: Option<Box<RateLimitStatus>>,
    /// Where the request was counted, if it falls under rules that only report.
    pub(crate) counted: Option<Box<ReportedUse>>,
    /// The peer is a neighbour that speaks for others: its use says nothing about clients.
    is_proxied: bool,
}

impl Verdict {
    /// Counts the use of a rule that only reports.
    fn count(&mut self, counter: &Counter, mode: Mode, key: Key, decision: &Decision) {
        let is_stray = self.is_proxied && counter.usage.is_by_address();
        // A rule that only such a neighbour makes report has nothing to learn.
        if mode == Mode::Report && (counter.mode == Mode::Report || !is_stray) {
            let counted = self.counted.get_or_insert_default();
            counted.count(&counter.usage, key, decision.wait.is_some(), is_stray);
        }
    }

    fn add(&mut self, policy: &Policy, counter: &Counter, mode: Mode, key: Key, decision: Decision) {
        self.add_shown(policy, counter, mode, Shown { counted: key, key, suspected: None }, decision);
    }

    /// The refusal that it leads to, if it does.
    fn add_shown(
        &mut self,
        policy: &Policy,
        counter: &Counter,
        mode: Mode,
        shown: Shown,
        decision: Decision,
    ) -> Option<&mut Refusal> {
        let standing = || {
            Box::new(RateLimitStatus {
                rule: Arc::clone(&counter.name),
                rate: counter.rate,
                decision,
                near: false,
            })
        };
        if let Some(wait) = decision.wait {
            let repeated = match shown.suspected {
                Some(operation) => !policy.is_news_for(SUSPECTED, &counter.name, operation),
                None => !policy.is_news(&counter.name, shown.counted),
            };
            let subject = Some(Arc::clone(&counter.name));
            // An address is in the record anyway.
            let key = shown.key.first_chunk().copied().filter(|_| !counter.usage.is_by_address());
            // No rule of the configuration can have that name.
            let is_general = *counter.name == *"client" && mode == Mode::Enforce;
            let remedy = is_general.then(|| "throttle.rate = \"auto\"".into());
            let mut refusal =
                Refusal { repeated, subject, key, remedy, ..Refusal::retry(Reason::RateLimited, wait) };
            if policy.told != HeaderPolicy::Off {
                standing().set_headers(refusal.headers_mut());
            }
            self.faults.push((mode, refusal));
            return self.faults.last_mut().map(|(_, refusal)| refusal);
        }
        if policy.told == HeaderPolicy::Always
            && shown.suspected.is_none()
            && self.standing.as_ref().is_none_or(|known| decision.remaining < known.decision.remaining)
        {
            self.standing = Some(standing());
        }
        None
    }
}

/// A counted request, and the parts of it that are recorded.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// The key that was counted.
    counted: Key,
    /// The key of the client or account.
    key: Key,
    /// The operation, if it only looks sensitive.
    suspected: Option<Key>,
}

/// Where several gates count together, and remember answers to puzzles.
type Stores<'s> = (Option<&'s Arc<dyn Store>>, Option<&'s Arc<dyn SpentByAll>>);

/// A rule that is asked, the mode in which it counts here, and the key.
type Asked<'p> = (&'p Counter, Mode, Key);

impl Policy {
    /// Decisions before the route is known.
    pub(crate) fn early<'p, B>(
        &'p self,
        call: &Call,
        request: &Request<RequestBody<B>>,
        store: Option<&'p Arc<dyn Store>>,
    ) -> impl Future<Output = Verdict> + use<'p, B>
    where
        B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
    {
        let mut verdict = Verdict::default();
        let mut asked = Vec::new();
        if self.mode != Mode::Off && !self.is_exempt(call) {
            if let Some(address) = call.client.address.filter(|_| !self.counts_rate()) {
                self.note_much(address, &mut verdict);
            } else if let Some(address) = call.client.address {
                verdict.is_proxied = is_undeclared_proxy(call, request.headers(), address);
                let mode = self.client.mode.under(verdict.is_proxied);
                let key = self.group(address);
                if store.is_some() {
                    asked.push((&self.client, mode, key));
                } else {
                    // The most frequent case: nothing is collected.
                    let decision = take_here(&self.client, key);
                    verdict.count(&self.client, mode, key, &decision);
                    verdict.add(self, &self.client, mode, key, decision);
                }
            }
            if self.rules.has(true) {
                let rules = self.rules.of(true, &call.method, call.spellings(), &[]);
                asked.extend(rules.into_iter().filter_map(|rule| {
                    Some((&rule.counter, rule.counter.mode, self.key(rule, call, request)?))
                }));
            }
        }
        async move {
            if !asked.is_empty() {
                Box::pin(self.ask(&asked, store, &mut verdict)).await;
            }
            verdict
        }
    }

    /// Decisions that depend on the route, the caller or the body.
    pub(crate) async fn late<B>(
        &self,
        call: &Call,
        request: &mut Request<RequestBody<B>>,
        (store, spent): Stores<'_>,
    ) -> Result<(Verdict, Option<Attempt>, Option<QuotaDebt>), Reason>
    where
        B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
    {
        let mut verdict = Verdict::default();
        let operation = call.operation.as_ref().and_then(|matched| matched.route.operation.as_ref());
        let tags = operation.map_or(&[][..], |operation| &operation.tags);
        let rules = self.rules.of(false, &call.method, call.spellings(), tags);
        if rules.iter().any(|rule| key::needs_body(rule)) {
            account::read_ahead(request).await?;
        }
        let keyed = rules
            .into_iter()
            .filter_map(|rule| Some((&rule.counter, rule.counter.mode, self.key(rule, call, request)?)));
        let asked: Vec<Asked<'_>> = keyed.collect();
        let trying = self.trying(call, request).await?;
        let of_rules = self.ask(&asked, store, &mut verdict);
        // Both are written to a store before the first response is awaited.
        let attempt = match trying {
            None => {
                of_rules.await;
                None
            }
            Some(trying) if trying.is_watched() => {
                of_rules.await;
                trying.watched()
            }
            Some(trying) => {
                let ((), tried) = future::join(of_rules, trying.ask(store)).await;
                let asked = (call, request.headers(), spent);
                let attempt = self.attempt(trying, tried, asked, store, &mut verdict).await;
                challenge::take_out(call, request.headers_mut());
                attempt
            }
        };
        // Last: what is refused is not counted.
        let mut taken = None;
        if self.quotas.has(false) && !refuses(&verdict.faults) {
            let quotas = self.quotas_of(call, request, tags);
            if !quotas.is_empty() {
                taken = self.spend(call, quotas, store, &mut verdict).await;
            }
        }
        Ok((verdict, attempt, taken))
    }

    /// Asks rules, together where they are shared.
    async fn ask(&self, asked: &[Asked<'_>], store: Option<&Arc<dyn Store>>, verdict: &mut Verdict) {
        let shared = match store {
            Some(store) if !asked.is_empty() => {
                let takes: Vec<_> = asked
                    .iter()
                    .map(|(counter, _, key)| RateRequest {
                        rule: &counter.name,
                        key: *key,
                        rate: counter.rate,
                    })
                    .collect();
                store.take(&takes).await
            }
            _ => None,
        };
        let mut shared = shared.map(Vec::into_iter);
        for (counter, mode, key) in asked {
            let decision = match (&mut shared, store.map(|_| counter.fail)) {
                (Some(decisions), _) => decisions.next().unwrap_or(Decision::PASS),
                (None, Some(Fail::Open)) => Decision::PASS,
                (None, Some(Fail::Closed)) => Decision::wait(CLOSED),
                (None, None | Some(Fail::Local)) => take_here(counter, *key),
            };
            verdict.count(counter, *mode, *key, &decision);
            verdict.add(self, counter, *mode, *key, decision);
        }
    }

    /// Whether the general rate is counted, because it refuses, or because a number for it is to be found.
    fn counts_rate(&self) -> bool {
        self.is_fixed || self.mode == Mode::Report
    }

    /// Whether there is anything to ask `late` for.
    pub(crate) fn has_late(&self, call: &Call) -> bool {
        self.mode != Mode::Off
            && !self.is_exempt(call)
            && (self.rules.has(false) || self.quotas.has(false) || self.sensitivity(call).is_some())
    }

    fn is_exempt(&self, call: &Call) -> bool {
        call.client.address.is_some_and(|address| self.exempt.contains(address))
    }

    /// Whether this is the first refusal of a key for some time.
    fn is_news(&self, rule: &str, key: Key) -> bool {
        self.is_news_for(RECORDED, rule, key)
    }

    /// The same for another time.
    fn is_news_for(&self, time: Duration, rule: &str, key: Key) -> bool {
        let key = self.recorded.key((rule, key));
        Rate::new(1, time, 1).is_some_and(|rate| self.recorded.take(key, &rate).wait.is_none())
    }

    /// The key of a client: its address, grouped with its neighbours'; none if the address is not
    /// known.
    pub fn client_key(&self, call: &Call) -> Option<Key> {
        call.client.address.map(|address| self.group(address))
    }

    fn group(&self, address: IpAddr) -> Key {
        group(address, self.ipv6_prefix)
    }
}

/// Addresses that count as one: an IPv6 customer has at least a /64.
fn group(address: IpAddr, ipv6_prefix: u8) -> Key {
    let bits = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => {
            let host = 128 - u32::from(ipv6_prefix);
            address.to_bits() >> host << host
        }
    };
    bits.to_be_bytes()
}

/// Counts on this machine.
fn take_here(counter: &Counter, key: Key) -> Decision {
    counter.table.take(counter.table.key(key), &counter.rate)
}

/// A neighbour that seems to be a proxy and is not in `client.trusted`: it would be refused for the
/// requests of all its clients. An Internet address never counts as one.
fn is_undeclared_proxy(call: &Call, headers: &HeaderMap, address: IpAddr) -> bool {
    let is_neighbour = match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    };
    is_neighbour
        && !call.client.peer_trusted
        && (headers.contains_key("x-forwarded-for") || headers.contains_key(header::FORWARDED))
}
