//! Sensitive operations and their limits.

mod attempt;
mod delays;
mod listing;
pub(in crate::throttle) mod operations;
mod pending;

pub(crate) use self::attempt::{Attempt, has_succeeded};
pub use self::{
    delays::{KNOWN, LONGEST, PLACES, delay_after},
    listing::{EffectiveLimit, SensitiveOperation},
    operations::{OperationConfig, PurposeText},
};
pub(in crate::throttle) use self::{operations::Operations, pending::PendingAttempt};
use std::{net::IpAddr, sync::Arc, time::Duration};

use http::{HeaderMap, Request};
use http_body::Body;
use mantlet_contract::sensitive::{Evidence, Place, Purpose, Sensitivity};

use crate::throttle::{
    Key, Policy, Shown, Store, Verdict,
    attempts::{attempt::Charge, delays::Attempts},
    is_undeclared_proxy, key,
    rate::{Decision, Rate, Table},
    rules::Counter,
    store::{AttemptDecision, Fail},
    usage::{Counts, Subject},
};
use crate::{
    Call, Mode, Reason, RequestBody, account,
    proof_of_work::SpentByAll,
    refusal::{refuses, remedy},
};

/// What is counted, and the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many.
    pub count: u32,
    /// In so much time.
    pub period: Duration,
    /// Only those that the app refuses (400, 401, 403).
    pub failures: bool,
}

/// The limits of a sensitive operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For each client address.
    pub address: Limit,
    /// For each account that a request names.
    pub account: Option<Limit>,
}

const QUARTER: Duration = Duration::from_mins(15);
const HOUR: Duration = Duration::from_hours(1);

/// The default limits of a purpose. Many people of one office may log in from one address, and some
/// mistype, so addresses get more than accounts. NIST SP 800-63B allows at most 100 failures of one
/// account in a row.
pub const fn limits_of(purpose: Purpose) -> Limits {
    const fn failures(count: u32, period: Duration) -> Limit {
        Limit { count, period, failures: true }
    }
    const fn all(count: u32, period: Duration) -> Limit {
        Limit { count, period, failures: false }
    }
    match purpose {
        Purpose::Login => Limits { address: failures(50, QUARTER), account: Some(failures(10, QUARTER)) },
        // Each sends a mail to a user.
        Purpose::Reset => Limits { address: all(30, HOUR), account: Some(all(5, HOUR)) },
        Purpose::Verify => Limits { address: failures(30, QUARTER), account: Some(failures(5, QUARTER)) },
        Purpose::Register => Limits { address: all(30, HOUR), account: None },
        Purpose::Redeem => Limits { address: failures(20, QUARTER), account: None },
        Purpose::Checkout => Limits { address: all(60, Duration::from_mins(1)), account: None },
    }
}

/// Settings that are the same for all counters.
#[derive(Debug)]
pub(in crate::throttle) struct Base<'m> {
    pub(in crate::throttle) memory: &'m crate::throttle::Memory,
    pub(in crate::throttle) keys: usize,
    /// The mode, as it is written.
    pub(in crate::throttle) sensitive: Mode,
    /// Whether refusals are only recorded.
    pub(in crate::throttle) report_only: bool,
    /// How many logins of an account may fail with the answer to a puzzle; none where there are no puzzles.
    pub(in crate::throttle) answered: Option<Rate>,
}

/// The counters for each purpose.
#[derive(Debug)]
pub(in crate::throttle) struct Memory(Vec<Remembered>);

/// The counters of attempts for one purpose.
#[derive(Debug)]
pub(in crate::throttle) struct Remembered {
    pub(in crate::throttle) purpose: Purpose,
    by_address: Counted,
    by_account: Option<Counted>,
    /// In the place of that one, with the answer to a puzzle.
    by_answered: Option<Counted>,
    attempts: Attempts,
}

/// The counters of attempts.
#[derive(Debug)]
struct Counted {
    counter: Counter,
    limit: Limit,
    /// Operations of a section are counted together; else each by itself.
    is_of_section: bool,
}

impl Counted {
    /// The key for an operation's attempts. The same key is counted apart for each operation, in
    /// one table.
    fn key(&self, operation: Key, key: Key) -> Key {
        if self.is_of_section {
            key
        } else {
            (u128::from_be_bytes(operation) ^ u128::from_be_bytes(key)).to_be_bytes()
        }
    }
}

/// Names of a section's own counters; none for those of the purpose.
#[derive(Debug, Default)]
pub(in crate::throttle) struct Names {
    pub(in crate::throttle) by_address: Option<String>,
    pub(in crate::throttle) by_account: Option<String>,
}

/// How certain it is that an operation is sensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::throttle) enum Certainty {
    /// The contract shows it, or the configuration says so.
    Known,
    /// It counts once it has responded with 401, which wrong passwords get. Until then it is only
    /// watched.
    ByAnswer,
    /// It only looks so.
    Suspected,
}

impl Memory {
    pub(in crate::throttle) fn new(base: &Base<'_>) -> Self {
        let mode = base.sensitive.under(base.report_only);
        let remembered = Purpose::ALL.into_iter().filter_map(|purpose| {
            Remembered::new(base, purpose, limits_of(purpose), &Names::default(), mode)
        });
        Self(remembered.collect())
    }
}

impl Remembered {
    /// With counters of these names: by address, and by account. Delays are those of the purpose.
    pub(in crate::throttle) fn new(
        base: &Base<'_>,
        purpose: Purpose,
        limits: Limits,
        names: &Names,
        mode: Mode,
    ) -> Option<Self> {
        let table = |name: &str| base.memory.table(name, base.keys);
        let name = purpose.name();
        let counter = |own: &Option<String>, by: &str, limit: Limit| {
            let kind = if by == "ip" { "address" } else { "account" };
            let name = format!("{}-by-{kind}", own.as_deref().unwrap_or(name));
            let rate = Rate::new(limit.count, limit.period, limit.count)?;
            let counts = if limit.failures { Counts::Failures } else { Counts::Requests };
            let usage = base.memory.usage(Subject::of_limit(&name, rate, by, counts), base.keys);
            let (table, name) = (table(&name), name.as_str().into());
            let counter = Counter { name, rate, table, usage, mode, fail: Fail::Local };
            Some(Counted { counter, limit, is_of_section: own.is_some() })
        };
        let by_account = limits.account.and_then(|limit| counter(&names.by_account, "account", limit));
        let by_answered = base.answered.filter(|_| purpose == Purpose::Login).zip(by_account.as_ref());
        Some(Self {
            purpose,
            by_address: counter(&names.by_address, "ip", limits.address)?,
            by_answered: by_answered.map(|(rate, usual)| {
                let name = format!("{name}-by-account-answered");
                let (table, name) = (table(&name), name.into());
                let limit = Limit { count: rate.count(), period: rate.period(), ..usual.limit };
                // One for all operations: a second login does not give as many again.
                let counter = Counter { name, rate, table, ..usual.counter.clone() };
                Counted { counter, limit, is_of_section: true }
            }),
            by_account,
            attempts: Attempts {
                purpose: name.into(),
                delays: table(&format!("{name}-delays")),
                known: table(&format!("{name}-known")),
            },
        })
    }

    pub(in crate::throttle) fn limits(&self) -> Limits {
        Limits {
            address: self.by_address.limit,
            account: self.by_account.as_ref().map(|counted| counted.limit),
        }
    }
}

/// The settings for an attempt: by the contract, or by the configuration.
#[derive(Debug, Clone, Copy)]
pub(in crate::throttle) struct Sensitive<'a> {
    pub(in crate::throttle) known: &'a Remembered,
    /// Where accounts are named.
    pub(in crate::throttle) accounts: &'a [Place],
    /// So many of these count each; of the others the first that a request has, if it has none of these.
    pub(in crate::throttle) each: usize,
    pub(in crate::throttle) mode: Mode,
    pub(in crate::throttle) certainty: Certainty,
}

impl Policy {
    /// The settings for a request, if its operation is sensitive.
    pub(in crate::throttle) fn sensitivity<'a>(&'a self, call: &'a Call) -> Option<Sensitive<'a>> {
        let shown = call.operation.as_ref().and_then(|matched| matched.sensitivity(&call.method));
        match self.operations.of(call) {
            Some((operation, _)) => operation.for_sensitivity(shown),
            None => self.usual(shown?),
        }
    }

    /// The operation of a request, by the contract or by a template of the configuration: never by
    /// text that a client can choose.
    fn template<'a>(&'a self, call: &'a Call) -> &'a str {
        match (&call.operation, self.operations.of(call)) {
            (Some(matched), _) => matched.route.own_path(),
            (None, Some((_, template))) => template,
            (None, None) => "",
        }
    }

    /// The settings for operations that the contract shows, unless the configuration says
    /// otherwise.
    pub(in crate::throttle) fn usual<'a>(&'a self, sensitivity: &'a Sensitivity) -> Option<Sensitive<'a>> {
        let known = self.attempts.0.iter().find(|known| known.purpose == sensitivity.purpose)?;
        let (mode, certainty) = match sensitivity.evidence {
            Evidence::Known => (self.sensitive, Certainty::Known),
            // An operator who wants the others limited too means all of them.
            _ if self.suspected == Mode::Enforce => (self.sensitive, Certainty::Known),
            Evidence::Inputs => (self.sensitive, Certainty::ByAnswer),
            Evidence::Word => (self.suspected, Certainty::Suspected),
        };
        let accounts = &*sensitivity.accounts;
        (mode != Mode::Off).then_some(Sensitive { known, accounts, each: sensitivity.each, mode, certainty })
    }

    /// The keys of an attempt on a sensitive operation.
    pub(in crate::throttle) async fn trying<'p, B>(
        &'p self,
        call: &'p Call,
        request: &mut Request<RequestBody<B>>,
    ) -> Result<Option<PendingAttempt<'p>>, Reason>
    where
        B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
    {
        let Some(Sensitive { known: remembered, accounts: places, each, mode, certainty }) =
            self.sensitivity(call)
        else {
            return Ok(None);
        };
        // Behind a proxy that is not in `client.trusted` all clients have one address: one of them could lock out all others. Accounts count.
        let is_own = |address: &IpAddr| !is_undeclared_proxy(call, request.headers(), *address);
        let address = call.client.address.filter(is_own).map(|address| self.group(address));
        let mut accounts = Vec::new();
        if remembered.by_account.is_some() && !places.is_empty() {
            if places.iter().any(|place| matches!(place, Place::Body(_))) {
                account::read_ahead(request).await?;
            }
            let named = account::accounts(call, request, places, each);
            let keys = named.iter().map(|name| (account_key(name, None), account_key(name, address)));
            accounts = keys.collect();
        }
        let (template, method) = (self.template(call), call.method.as_str());
        // Of another host it is another operation.
        let host = call.operation.as_ref().and_then(|matched| matched.route.host.as_deref());
        let parts = [&b"operation"[..], template.as_bytes()].into_iter();
        let operation = key::hashed(parts.chain(host.map(str::as_bytes)));
        let is_proven = |proven: &Arc<Table>| proven.value(proven.key(operation)) > 0;
        let unproven = (certainty == Certainty::ByAnswer && !is_proven(&self.proven)).then_some(&self.proven);
        Ok(Some(PendingAttempt {
            remembered,
            mode,
            certainty,
            operation,
            template,
            method,
            address,
            accounts,
            is_answered: false,
            unproven,
        }))
    }

    /// Carries out an attempt that was decided about. Where its account alone refuses it, the answer to
    /// a puzzle lets it pass, and without one it gets a puzzle.
    pub(in crate::throttle) async fn attempt(
        &self,
        trying: PendingAttempt<'_>,
        tried: AttemptDecision,
        (call, headers, spent): (&Call, &HeaderMap, Option<&Arc<dyn SpentByAll>>),
        store: Option<&Arc<dyn Store>>,
        verdict: &mut Verdict,
    ) -> Option<Attempt> {
        let could_pass = !refuses(&verdict.faults) && trying.is_kept_out_by_account(&tried);
        let Some(challenge) = self.challenge.as_ref().filter(|_| could_pass) else {
            return self.tried(&trying, &tried, store, verdict);
        };
        let (flow, asked) = (trying.flow(), (call, headers));
        match challenge.take(&flow, asked, spent).await {
            Ok(()) => {
                let trying = trying.answered();
                let tried = trying.ask(store).await;
                self.tried(&trying, &tried, store, verdict)
            }
            Err(wrong) => {
                let attempt = self.tried(&trying, &tried, store, verdict);
                let refusal = verdict.faults.iter_mut().find(|(mode, _)| *mode == Mode::Enforce);
                if let Some((_, refusal)) = refusal {
                    challenge.offer(refusal, &flow, asked, wrong);
                }
                attempt
            }
        }
    }

    /// Carries out the decision: returns the attempt if it may be made, and adds a refusal to the
    /// verdict, besides those of rules.
    pub(in crate::throttle) fn tried(
        &self,
        trying: &PendingAttempt<'_>,
        tried: &AttemptDecision,
        store: Option<&Arc<dyn Store>>,
        verdict: &mut Verdict,
    ) -> Option<Attempt> {
        let PendingAttempt { remembered, mode, certainty, operation, template, method, .. } = trying;
        let counters = || trying.counters(&tried.accounts);
        // For an operation that only looks sensitive one record is enough, and its usage is not
        // measured.
        let suspected = (*certainty == Certainty::Suspected).then_some(*operation);
        let mut add = |counted: &Counted, key, decision| {
            let shown = Shown { counted: counted.key(*operation, key), key, suspected };
            if let Some(refusal) = verdict.add_shown(self, &counted.counter, *mode, shown, decision) {
                let line = match (certainty, mode) {
                    (Certainty::Suspected, _) => format!("purpose = \"{}\"", remembered.purpose.name()),
                    (_, Mode::Enforce) => "mode = \"report\"".to_owned(),
                    (_, Mode::Report | Mode::Off) => "mode = \"enforce\"".to_owned(),
                };
                refusal.remedy = remedy::of_sensitive(template, method, &line);
            }
        };
        for (counted, key, delay) in trying.of_accounts(&tried.accounts) {
            if let Some(wait) = delay {
                add(counted, key, Decision::wait(wait));
            }
        }
        for ((counted, key), decision) in counters().zip(&tried.decisions) {
            add(counted, key, *decision);
        }
        if suspected.is_none() {
            for ((counted, key), decision) in counters().zip(&tried.decisions) {
                verdict.count(&counted.counter, *mode, counted.key(*operation, key), decision);
            }
        }
        let mut attempt = Attempt {
            attempts: remembered.attempts.clone(),
            store: store.cloned(),
            certainty: *certainty,
            learns: None,
            counted: Vec::new(),
            accounts: Vec::new(),
        };
        let refused = refuses(&verdict.faults);
        if tried.passes() {
            attempt.counted.extend(counters().map(|(counted, key)| Charge {
                counter: counted.counter.clone(),
                key: counted.key(*operation, key),
                of_failures: counted.limit.failures,
            }));
        }
        if refused {
            // It will not be tried.
            attempt.unanswered(true);
            return None;
        }
        if remembered.by_account.as_ref().is_some_and(|counted| counted.limit.failures) {
            attempt.accounts = trying.named(&tried.accounts).collect();
        }
        Some(attempt)
    }
}

/// An account, for strangers or for those at an address.
fn account_key(name: &str, address: Option<Key>) -> Key {
    key::hashed([name.as_bytes(), address.as_ref().map_or(&[][..], |address| &address[..])].into_iter())
}
