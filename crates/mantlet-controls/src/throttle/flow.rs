//! Sensitive operations and what they get.

use std::{fmt, sync::Arc, time::Duration};

use http::{Request, StatusCode};
use http_body::Body;
use mantlet_contract::flows::{Flow, Purpose};

use super::{
    Fail, Key, Outcome, Policy, Store, Verdict,
    attempts::Attempts,
    gcra::{Decision, Rate},
    key,
    rule::Counter,
};
use crate::{Call, Mode, Reason, RequestBody};

/// What is counted, and how many of it in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many.
    pub count: u32,
    /// In so much time.
    pub period: Duration,
    /// Only those that the app refuses (400, 401, 403).
    pub failures: bool,
}

/// What a sensitive operation gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For each client address.
    pub address: Limit,
    /// For each account that a request names.
    pub account: Option<Limit>,
}

const QUARTER: Duration = Duration::from_mins(15);
const HOUR: Duration = Duration::from_hours(1);

/// What operations for a purpose get. People who log in from one office are many behind one address, and some of them mistype: so
/// addresses get more than accounts. NIST SP 800-63B allows at most 100 failures of one account in a row.
pub const fn limits_of(purpose: Purpose) -> Limits {
    const fn failures(count: u32, period: Duration) -> Limit {
        Limit { count, period, failures: true }
    }
    const fn all(count: u32, period: Duration) -> Limit {
        Limit { count, period, failures: false }
    }
    match purpose {
        Purpose::Login => Limits { address: failures(50, QUARTER), account: Some(failures(10, QUARTER)) },
        // Each sends a mail to somebody.
        Purpose::Reset => Limits { address: all(30, HOUR), account: Some(all(5, HOUR)) },
        Purpose::Verify => Limits { address: failures(30, QUARTER), account: Some(failures(5, QUARTER)) },
        Purpose::Register => Limits { address: all(30, HOUR), account: None },
        Purpose::Redeem => Limits { address: failures(20, QUARTER), account: None },
        Purpose::Checkout => Limits { address: all(60, Duration::from_mins(1)), account: None },
    }
}

const PURPOSES: [(Purpose, &str); 6] = [
    (Purpose::Login, "login"),
    (Purpose::Reset, "reset"),
    (Purpose::Verify, "verify"),
    (Purpose::Register, "register"),
    (Purpose::Redeem, "redeem"),
    (Purpose::Checkout, "checkout"),
];

/// What is remembered for each purpose.
#[derive(Debug)]
pub(super) struct Memory(Vec<Remembered>);

#[derive(Debug)]
struct Remembered {
    purpose: Purpose,
    by_address: (Counter, Limit),
    by_account: Option<(Counter, Limit)>,
    attempts: Attempts,
}

impl Memory {
    pub(super) fn new(memory: &super::Memory, keys: usize, mode: Mode) -> Self {
        let counter = |name: &str, limit: Limit| {
            let rate = Rate::new(limit.count, limit.period, limit.count)?;
            let table = memory.table(name, keys);
            Some((Counter { name: name.into(), rate, table, mode, fail: Fail::Local }, limit))
        };
        let remembered = PURPOSES.iter().filter_map(|(purpose, name)| {
            let limits = limits_of(*purpose);
            Some(Remembered {
                purpose: *purpose,
                by_address: counter(&format!("{name}-by-address"), limits.address)?,
                by_account: limits.account.and_then(|limit| counter(&format!("{name}-by-account"), limit)),
                attempts: Attempts {
                    delays: memory.table(&format!("{name}-delays"), keys),
                    known: memory.table(&format!("{name}-known"), keys),
                },
            })
        });
        Self(remembered.collect())
    }
}

/// An attempt under way: what its answer decides.
pub(crate) struct Attempt {
    attempts: Attempts,
    store: Option<Arc<dyn Store>>,
    /// Counted before the answer is known, so that many at once are no more than the rule says; given back if it was no failure.
    counted: Vec<(Counter, Key)>,
    /// The account, and the account with the address.
    account: Option<(Key, Key)>,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("counted", &self.counted).finish_non_exhaustive()
    }
}

impl Attempt {
    /// Learns how it ended.
    pub(crate) fn ended(&self, status: StatusCode) {
        let failed =
            matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if !failed {
            self.give_back();
        }
        let Some((account, pair)) = self.account else { return };
        let outcome = if failed {
            self.attempts.failed(account);
            Outcome::Failed(account)
        } else if status.is_success() || status.is_redirection() {
            self.attempts.succeeded(account, pair);
            Outcome::Succeeded { account, pair }
        } else {
            return;
        };
        if let Some(store) = &self.store {
            store.learn(outcome);
        }
    }

    fn give_back(&self) {
        for (counter, key) in &self.counted {
            counter.table.give_back(counter.table.key(key), &counter.rate);
        }
        if let (Some(store), false) = (&self.store, self.counted.is_empty()) {
            let counted = self.counted.iter();
            let counted = counted.map(|(counter, key)| (Box::from(&*counter.name), *key, counter.rate));
            store.learn(Outcome::GiveBack(counted.collect()));
        }
    }
}

impl Policy {
    pub(super) fn flow<'c>(&self, call: &'c Call) -> Option<&'c Flow> {
        if self.sensitive == Mode::Off {
            return None;
        }
        call.operation.as_ref()?.flow(&call.method)
    }

    /// Counts an attempt on a sensitive operation.
    pub(super) async fn attempt<B>(
        &self,
        call: &Call,
        request: &mut Request<RequestBody<B>>,
        store: Option<&Arc<dyn Store>>,
        verdict: &mut Verdict,
    ) -> Result<Option<Attempt>, Reason>
    where
        B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
    {
        let Some(flow) = self.flow(call) else { return Ok(None) };
        let Some(known) = self.flows.0.iter().find(|known| known.purpose == flow.purpose) else {
            return Ok(None);
        };
        let address = call.client.address.map(|address| self.group(address));
        let (attempts, counted) = (known.attempts.clone(), Vec::new());
        let mut attempt = Attempt { attempts, store: store.cloned(), counted, account: None };
        let mut asked = Vec::new();
        asked.extend(address.map(|address| (&known.by_address, address)));
        let mut waits = None;
        if let (Some(by_account), Some(name)) = (&known.by_account, &flow.account) {
            key::read_ahead(request).await?;
            if let Some(name) = key::field(request.headers(), request.body().ahead(), name) {
                let pair = account_key(&name, address);
                // Who has logged in from here before is counted apart from strangers.
                let is_known = match store {
                    Some(store) => store.knows(pair).await,
                    None => None,
                };
                let is_known = is_known.unwrap_or_else(|| known.attempts.knows(pair));
                let account = account_key(&name, address.filter(|_| is_known));
                asked.push((by_account, account));
                if by_account.1.failures {
                    attempt.account = Some((account, pair));
                    let delay = match store {
                        Some(store) => store.delay(account).await,
                        None => None,
                    };
                    waits = delay
                        .unwrap_or_else(|| known.attempts.delay(account))
                        .map(|wait| (by_account, account, wait));
                }
            }
        }
        let counters: Vec<_> =
            asked.iter().map(|((counter, _), key)| (counter, counter.mode, *key)).collect();
        let decisions = self.ask(&counters, store, verdict).await;
        let mut refused = waits.is_some();
        if let Some(((counter, _), account, wait)) = waits {
            verdict.add(self, counter, counter.mode, account, Decision::wait(wait));
        }
        for (((counter, limit), key), decision) in asked.into_iter().zip(decisions) {
            refused |= decision.wait.is_some();
            if decision.wait.is_none() && limit.failures {
                attempt.counted.push((counter.clone(), key));
            }
        }
        if refused && self.sensitive == Mode::Enforce {
            // It will not be tried.
            attempt.give_back();
            return Ok(None);
        }
        Ok(Some(attempt))
    }
}

/// An account, for strangers or for those at an address.
fn account_key(name: &str, address: Option<Key>) -> Key {
    key::hashed([name.as_bytes(), address.as_ref().map_or(&[][..], |address| &address[..])].into_iter())
}
