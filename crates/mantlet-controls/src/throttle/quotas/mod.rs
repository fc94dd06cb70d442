//! How much of its quota has a user used?
//!
//! A quota is a number of requests in calendar windows of UTC: an hour, a day, a month. It does not
//! limit speed, as rates do. It guarantees a number of requests that is never exceeded, even if the
//! gate is restarted.
//!
//! 1. Only requests that the app accepts are counted. A request counts before it is forwarded, so
//!    that many at once cannot exceed the quota; it is given back if the app answers 401 or 403, if
//!    another stop refuses it, and if the app cannot be reached.
//! 2. A key costs lasting memory once the app has accepted it. Made-up keys leave nothing behind.
//! 3. API keys and values of headers are known by their hash alone.
//!
//! To mind in deployment: the windows are by the wall clock of this machine, or by that of the store.

mod config;
mod ledger;
mod window;

use std::{
    cmp::Reverse,
    fmt::{self, Write as _},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use http::{Request, StatusCode};
use http_body::Body;

pub use config::QuotaConfig;
pub use ledger::{Ledger, QuotaUse};
pub use window::{CalendarWindow, Count, UnixSeconds, Window, moment};

use self::window::second_of;
use crate::throttle::{
    CLOSED, HeaderPolicy, Key, Policy, RateLimitStatus, Store, Verdict, bans, key,
    rate::{Decision, Rate},
    rules::{KeyPart, Rule},
    store::Fail,
};
use crate::{Call, Mode, Reason, Refusal, RequestBody, audit::Record, refusal::refuses};

/// Longest name of a key that is shown, in bytes: a path may be long.
const MAX_LABEL: usize = 128;

/// One quota.
#[derive(Debug)]
pub struct Quota {
    /// Its name.
    pub name: Arc<str>,
    /// How much there is.
    pub limits: Limits,
    /// What is counted on this machine.
    pub ledger: Arc<Ledger>,
    mode: Mode,
    fail: Fail,
}

impl Quota {
    /// Whether it refuses.
    pub const fn mode(&self) -> Mode {
        self.mode
    }
}

/// How many requests there are in which window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For each window of [`Window::ALL`], if it is limited.
    pub of: [Option<u32>; 3],
    /// Percentage of a window that causes a warning.
    pub warn: u8,
}

impl Limits {
    /// Requests in a window that lead to a warning.
    pub fn warning_at(&self, limit: u32) -> u32 {
        let at = (u64::from(limit) * u64::from(self.warn)).div_ceil(100);
        u32::try_from(at).unwrap_or(limit).max(1)
    }
}

/// The decision about a request under a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaDecision {
    /// There was something left, and the request is counted.
    pub passes: bool,
    /// It is the one with which the key is warned, where a store knows that.
    pub warns: bool,
    /// For each window of [`Window::ALL`] that is limited.
    pub windows: [Option<WindowUse>; 3],
}

/// The usage of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowUse {
    /// When it began.
    pub from: UnixSeconds,
    /// Seconds to its end.
    pub rest: UnixSeconds,
    /// Requests, with this one if it is counted.
    pub used: u32,
}

impl QuotaDecision {
    /// Not counted.
    const NOTHING: Self = Self { passes: true, warns: false, windows: [None; 3] };

    /// Where the key stands in the window that is nearest to its end: of those that are used up, in the one that ends last.
    fn standing(&self, quota: &Quota) -> Option<RateLimitStatus> {
        let windows = Window::ALL.into_iter().zip(self.windows).zip(quota.limits.of);
        let told = windows.filter_map(|((window, used), limit)| {
            let (used, limit) = (used?, limit?);
            let remaining = limit.saturating_sub(used.used);
            let reset = Duration::from_secs(used.rest.max(1));
            let rate = Rate::new(limit, window.at(used.from).length(), limit)?;
            let wait = (!self.passes && remaining == 0).then_some(reset);
            let decision = Decision { wait, remaining, reset };
            let near = used.used >= quota.limits.warning_at(limit);
            Some(RateLimitStatus { rule: Arc::clone(&quota.name), rate, decision, near })
        });
        told.min_by_key(|standing| (standing.decision.remaining, Reverse(standing.decision.reset)))
    }
}

/// A request that a store is asked to count.
#[derive(Debug, Clone)]
pub struct QuotaRequest<'q> {
    /// The name of the quota.
    pub quota: &'q str,
    /// How much there is.
    pub limits: Limits,
    /// The key of the request.
    pub key: Key,
    /// The client or account, if that is not a secret.
    pub label: Option<Box<str>>,
}

/// A count that a store takes back.
#[derive(Debug, Clone)]
pub struct QuotaCharge {
    /// The name of the quota.
    pub quota: Arc<str>,
    /// The key of the request.
    pub key: Key,
    /// When the windows began in which it was counted.
    pub windows: [Option<UnixSeconds>; 3],
    /// It was the one with which the key should have been warned.
    pub warns: bool,
    /// How much there is.
    pub limits: Limits,
}

/// Quotas that a request has been counted for, until it is known what the app says of it.
pub(crate) struct QuotaDebt {
    all: Vec<One>,
    store: Option<Arc<dyn Store>>,
}

struct One {
    spent: QuotaCharge,
    mode: Mode,
    /// The local counter, if this machine counted.
    ledger: Option<Arc<Ledger>>,
}

/// A key has used up most of a quota.
#[derive(Debug)]
pub(crate) struct Warning {
    pub(crate) quota: Arc<str>,
    pub(crate) mode: Mode,
}

impl Warning {
    /// For the audit log.
    pub(crate) fn record(&self, call: &Call) -> Record {
        Record {
            security_event: "quota-warning",
            mode: self.mode.as_str(),
            subject: Some(self.quota.as_ref().to_owned()),
            ..Record::plain(call, Reason::QuotaExceeded)
        }
    }
}

impl fmt::Debug for QuotaDebt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter().map(|one| &one.spent)).finish()
    }
}

impl QuotaDebt {
    /// Learns what the app has answered, and whether by that it has refused what the gate would have refused.
    pub(crate) fn answered(&self, status: StatusCode, is_invalid: bool) -> Vec<Warning> {
        if is_invalid || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            self.give_back();
            return Vec::new();
        }
        let warned = self.all.iter().filter(|one| match &one.ledger {
            Some(ledger) => ledger.accept(one.spent.key, &one.spent.limits),
            None => one.spent.warns,
        });
        warned.map(|one| Warning { quota: Arc::clone(&one.spent.quota), mode: one.mode }).collect()
    }

    /// The app has not received the request, or does not know its caller.
    pub(crate) fn give_back(&self) {
        let mut shared = Vec::new();
        for One { spent, ledger, .. } in &self.all {
            match ledger {
                Some(ledger) => ledger.give_back(spent.key, &spent.windows),
                None => shared.push(spent.clone()),
            }
        }
        if let Some(store) = self.store.as_ref().filter(|_| !shared.is_empty()) {
            store.uncount(shared);
        }
    }
}

/// A key as people and stores write it.
pub fn hex_of_key(key: Key) -> String {
    let mut text = String::with_capacity(2 * key.len());
    for byte in key {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A key that was written so.
pub fn key_of_hex(text: &str) -> Option<Key> {
    let is_hex = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
}

/// A quota, and the key of the request.
pub(in crate::throttle) type Asked<'p> = (&'p Rule<Quota>, Key);

impl Policy {
    /// All quotas.
    pub fn quotas(&self) -> impl Iterator<Item = &Quota> {
        self.quotas.all().map(|rule| &rule.counter)
    }

    /// The key that a text names, for a quota: an address, a user, an API key. A key of several
    /// parts cannot be named so.
    pub fn key_of_text(&self, quota: &str, text: &str) -> Option<Key> {
        let rule = self.quotas.all().find(|rule| *rule.counter.name == *quota)?;
        match &*rule.key {
            [KeyPart::Ip] => {
                let address = text.split_once('/').map_or(text, |(address, _)| address);
                Some(self.group(address.parse::<IpAddr>().ok()?))
            }
            [_] => Some(key::hashed(std::iter::once(text.as_bytes()))),
            _ => None,
        }
    }

    /// The quotas that are about a request.
    pub(in crate::throttle) fn quotas_of<B>(
        &self,
        call: &Call,
        request: &Request<RequestBody<B>>,
        tags: &[String],
    ) -> Vec<Asked<'_>>
    where
        B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
    {
        let rules = self.quotas.of(false, &call.method, call.spellings(), tags);
        rules.into_iter().filter_map(|rule| Some((rule, self.key(rule, call, request)?))).collect()
    }

    /// Counts a request for quotas: for all of them or for none.
    pub(in crate::throttle) async fn spend(
        &self,
        call: &Call,
        asked: Vec<Asked<'_>>,
        store: Option<&Arc<dyn Store>>,
        verdict: &mut Verdict,
    ) -> Option<QuotaDebt> {
        let shared = match store {
            Some(store) => {
                let spends = asked.iter().map(|(rule, key)| QuotaRequest {
                    quota: &rule.counter.name,
                    limits: rule.counter.limits,
                    key: *key,
                    label: self.label(rule, call),
                });
                store.count(&spends.collect::<Vec<_>>()).await
            }
            None => None,
        };
        let mut shared = shared.map(Vec::into_iter);
        let mut taken = QuotaDebt { all: Vec::new(), store: store.cloned() };
        for (rule, key) in asked {
            let quota = &rule.counter;
            let (counted, ledger) = match (&mut shared, store.map(|_| quota.fail)) {
                (Some(counted), _) => (counted.next().unwrap_or(QuotaDecision::NOTHING), None),
                (None, Some(Fail::Open)) => (QuotaDecision::NOTHING, None),
                (None, Some(Fail::Closed)) => {
                    (QuotaDecision { passes: false, ..QuotaDecision::NOTHING }, None)
                }
                (None, None | Some(Fail::Local)) => {
                    let now = second_of(call.clock.time());
                    let counted = quota.ledger.take(key, &quota.limits, now, || self.label(rule, call));
                    (counted, Some(Arc::clone(&quota.ledger)))
                }
            };
            verdict.add_quota(self, quota, key, &counted);
            if counted.passes && counted != QuotaDecision::NOTHING {
                let windows = counted.windows.map(|window| window.map(|window| window.from));
                let spent = QuotaCharge {
                    quota: Arc::clone(&quota.name),
                    key,
                    windows,
                    warns: counted.warns,
                    limits: quota.limits,
                };
                taken.all.push(One { spent, mode: quota.mode, ledger });
            }
        }
        if refuses(&verdict.faults) {
            taken.give_back();
            return None;
        }
        Some(taken)
    }

    /// The client or account of a key, as far as the operator may see it.
    fn label(&self, rule: &Rule<Quota>, call: &Call) -> Option<Box<str>> {
        let shown = rule.key.iter().filter_map(|part| match part {
            KeyPart::Ip => {
                let shown = |address| bans::shown(self.group(address), address, self.ipv6_prefix);
                call.client.address.map(shown)
            }
            KeyPart::User => call.user().map(str::to_owned),
            KeyPart::Route => call.operation.as_ref().map(|matched| matched.route.own_path().to_owned()),
            KeyPart::ApiKey => call.api_key.as_ref().map(|caller| caller.key()),
            KeyPart::Bearer | KeyPart::Header(_) | KeyPart::Field(_) => None,
        });
        let mut text = shown.collect::<Vec<_>>().join(", ");
        while text.len() > MAX_LABEL {
            text.pop();
        }
        (!text.is_empty()).then(|| text.into())
    }
}

impl Verdict {
    fn add_quota(&mut self, policy: &Policy, quota: &Quota, key: Key, counted: &QuotaDecision) {
        let standing = counted.standing(quota);
        if !counted.passes {
            let wait = standing.as_ref().map_or(CLOSED, |standing| standing.decision.reset);
            let repeated = !policy.is_news(&quota.name, key);
            let subject = Some(Arc::clone(&quota.name));
            let mut refusal = Refusal { repeated, subject, ..Refusal::retry(Reason::QuotaExceeded, wait) };
            if let Some(standing) = standing.filter(|_| policy.told != HeaderPolicy::Off) {
                standing.set_headers(refusal.headers_mut());
            }
            self.faults.push((quota.mode, refusal));
        } else if policy.told == HeaderPolicy::Always
            && let Some(standing) = standing
            && self.standing.as_ref().is_none_or(|known| standing.is_nearer_its_end_than(known))
        {
            self.standing = Some(Box::new(standing));
        }
    }
}
