//! An address with too many refusals is banned for a while.
//!
//! Defends the app, and the operator who reads its records, against scanners and password guessing
//! that stay below every rate: after too many refusals of any kind, all requests of an address are
//! refused before they are judged.
//!
//! A refusal counts if
//! 1. it is the client's fault, by its status, and not a request that a foreign page made a browser
//!    send or that the client broke off;
//! 2. it is Mantlet's own, or the app's response has 401, 403, 404, 405 or 422;
//! 3. the address is not banned already, and the configuration neither trusts nor exempts it.
//!
//! A request for a path that is a [trap](traps) leads to a ban at once.
//!
//! Each request asks a [`Table`]; the list is for people, and touched when a ban begins or ends.

pub mod traps;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::throttle::{
    Key, Memory, Policy, RateText,
    config::rate_of,
    group, is_undeclared_proxy,
    rate::{Rate, Table},
};
use crate::{
    Call, Mode, Reason, Refusal,
    audit::Record,
    config::{Clock, Mistake, Networks, units::Span},
};

/// Bans that people see. More are in force, and not listed.
const MOST_LISTED: usize = 4_096;
/// A further ban within this time of the last one is twice as long.
const REPEATED: Duration = Duration::from_hours(24);
/// The longest that doubling leads to.
const LONGEST: Duration = Duration::from_hours(24);
/// Names that no rule can have.
const REFUSALS: &str = "ban:refusals";
const UNTIL: &str = "ban:until";
const WOULD: &str = "ban:would";

/// The `[throttle.ban]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What to do about too many refusals of an address. Default `off`: many people may share an
    /// address.
    pub mode: Mode,
    /// Refusals of one address in a time that lead to a ban. Default `50/10m`.
    pub after: RateText,
    /// How long the first ban lasts; each further one within a day of the last is twice as long, up to a day. Default 1 h.
    #[serde(rename = "for")]
    pub duration: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            after: RateText { count: 50, period: Duration::from_mins(10) },
            duration: Span(Duration::from_hours(1)),
        }
    }
}

impl Config {
    /// Checks the section; none if it bans no address.
    pub(in crate::throttle) fn check(
        &self,
        throttle: &crate::throttle::Config,
        memory: &Memory,
        report_only: bool,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Bans> {
        self.check_as("ban", throttle, memory, report_only, mistakes)
    }

    /// The same for a section with this name.
    fn check_as(
        &self,
        section: &str,
        throttle: &crate::throttle::Config,
        memory: &Memory,
        report_only: bool,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Bans> {
        let after = rate_of(self.after, None, &format!("{section}.after"), mistakes);
        let longest = Duration::from_hours(400 * 24);
        if self.duration.0 < Duration::from_secs(1) || self.duration.0 > longest {
            let message = format!("`{}` is outside 1s to 400days", self.duration);
            mistakes.push(Mistake::new(format!("{section}.for"), message));
        }
        let mode = match throttle.mode {
            Mode::Off => Mode::Off,
            mode => self.mode.under(report_only || mode == Mode::Report),
        };
        let until = match mode {
            Mode::Off => return None,
            Mode::Enforce => UNTIL,
            Mode::Report => WOULD,
        };
        Some(Bans {
            mode,
            after: after?,
            duration: self.duration.0,
            ipv6_prefix: throttle.ipv6_prefix,
            refusals: memory.table(REFUSALS, throttle.keys),
            until: memory.table(until, throttle.keys),
            list: Arc::clone(&memory.banned),
            clock: memory.clock,
        })
    }
}

/// A ban, as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The address, or the network of IPv6 that counts as one.
    pub address: String,
    /// When it began.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// The last refusal: the code of a reason, or a status of the app.
    pub why: String,
    /// The first, the second and so on of those that follow each other within a day.
    pub count: u64,
}

/// The banned addresses, to be shown to the operator.
#[derive(Debug, Default)]
pub(in crate::throttle) struct List(Mutex<BTreeMap<Key, Listed>>);

#[derive(Debug)]
struct Listed {
    address: String,
    since: Timestamp,
    /// Milliseconds, by the table's clock: wall clocks jump.
    until: u64,
    why: String,
    count: u64,
}

/// Bans, and refusals that may lead to one.
#[derive(Debug)]
pub struct Bans {
    mode: Mode,
    after: Rate,
    duration: Duration,
    ipv6_prefix: u8,
    refusals: Arc<Table>,
    /// When a ban ends, and its `count`: milliseconds, then eight bits.
    until: Arc<Table>,
    list: Arc<List>,
    clock: Clock,
}

/// The result of lifting a ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lift {
    /// It has ended.
    Lifted(String),
    /// That address is not banned.
    NotBanned,
    /// The text is not an address.
    NoAddress,
}

impl Bans {
    /// Whether bans are enforced or only reported.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// How long an address is still banned.
    pub fn left(&self, address: IpAddr) -> Option<Duration> {
        self.left_of(group(address, self.ipv6_prefix))
    }

    /// Counts a refusal of an address. Returns the length of the ban, if this refusal causes one. A
    /// banned address is not counted.
    pub fn refused(&self, address: IpAddr, why: impl Fn() -> String) -> Option<Duration> {
        let key = group(address, self.ipv6_prefix);
        if self.left_of(key).is_some() {
            return None;
        }
        let slot = self.refusals.key(key);
        let counted = self.refusals.take(slot, &self.after);
        if counted.wait.is_none() && counted.remaining > 0 {
            return None;
        }
        // When the ban has ended, all begins anew.
        self.refusals.change(slot, |_| Some(0));
        self.begin(key, address, self.now(), why)
    }

    /// Bans an address, unless it is banned. Returns the length of the ban.
    fn begin_at_once(&self, address: IpAddr, why: impl Fn() -> String) -> Option<Duration> {
        let key = group(address, self.ipv6_prefix);
        let begun = self.begin(key, address, self.now(), why);
        if begun.is_some() {
            // When the ban has ended, all begins anew.
            self.refusals.change(self.refusals.key(key), |_| Some(0));
        }
        begun
    }

    /// Those in force, the last to end first.
    pub fn list(&self) -> Vec<Ban> {
        if self.mode != Mode::Enforce {
            return Vec::new();
        }
        let (now, millis) = (self.clock.time(), self.now());
        let mut list = self.list.lock();
        list.retain(|_, listed| listed.until > millis);
        let mut bans: Vec<_> = list.values().map(|listed| listed.at(now, millis)).collect();
        drop(list);
        bans.sort_by(|a, b| b.until.cmp(&a.until).then_with(|| a.address.cmp(&b.address)));
        bans
    }

    /// Ends the ban of an address, or of what stands in the list.
    pub fn lift(&self, text: &str) -> Lift {
        let mut list = self.list.lock();
        let listed = list.iter().find(|(_, listed)| listed.address == text).map(|(key, _)| *key);
        let key = match (listed, text.parse::<IpAddr>()) {
            (Some(key), _) => key,
            (None, Ok(address)) => group(address.to_canonical(), self.ipv6_prefix),
            (None, Err(_)) => return Lift::NoAddress,
        };
        let was_banned = self.left_of(key).is_some();
        self.until.change(self.until.key(key), |_| Some(0));
        let name = list.remove(&key).map_or_else(|| text.to_owned(), |listed| listed.address);
        if was_banned && self.mode == Mode::Enforce { Lift::Lifted(name) } else { Lift::NotBanned }
    }

    /// Ends all bans; says which, as far as they are listed.
    pub fn lift_all(&self) -> Vec<String> {
        let bans = self.list();
        self.list.lock().clear();
        self.until.clear();
        bans.into_iter().map(|ban| ban.address).collect()
    }

    fn left_of(&self, key: Key) -> Option<Duration> {
        if self.until.is_unused() {
            return None;
        }
        let until = self.until.value(self.until.key(key)) >> 8;
        let now = self.now();
        (until > now).then(|| Duration::from_millis(until - now))
    }

    fn begin(&self, key: Key, address: IpAddr, now: u64, why: impl Fn() -> String) -> Option<Duration> {
        let mut begun = None;
        self.until.change(self.until.key(key), |value| {
            let (until, count) = (value >> 8, value & 0xff);
            begun = None;
            // Of several refusals at once, one was the first.
            if until > now {
                return None;
            }
            let is_repeated = until > 0 && now < until + millis(REPEATED);
            let count = if is_repeated { (count + 1).min(0xff) } else { 1 };
            let until = now + millis(self.duration_of(count));
            begun = Some((until, count));
            Some(until << 8 | count)
        });
        let (until, count) = begun?;
        if self.mode == Mode::Enforce {
            let address = shown(key, address, self.ipv6_prefix);
            self.list.add(key, Listed { address, since: self.clock.time(), until, why: why(), count }, now);
        }
        Some(Duration::from_millis(until - now))
    }

    fn duration_of(&self, count: u64) -> Duration {
        let doubled = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
        self.duration.saturating_mul(1 << doubled).min(LONGEST.max(self.duration))
    }

    /// Milliseconds; a new table is a moment old.
    fn now(&self) -> u64 {
        self.until.now() / 1_000_000 + 1
    }
}

impl Listed {
    fn at(&self, now: Timestamp, millis: u64) -> Ban {
        Ban {
            address: self.address.clone(),
            since: self.since,
            until: after(now, Duration::from_millis(self.until.saturating_sub(millis))),
            why: self.why.clone(),
            count: self.count,
        }
    }
}

impl List {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Listed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, key: Key, listed: Listed, now: u64) {
        let mut list = self.lock();
        if list.len() >= MOST_LISTED && !list.contains_key(&key) {
            list.retain(|_, listed| listed.until > now);
        }
        if list.len() >= MOST_LISTED
            && let Some(first) = list.iter().min_by_key(|(_, listed)| listed.until).map(|(key, _)| *key)
        {
            list.remove(&first);
        }
        list.insert(key, listed);
    }
}

impl Policy {
    /// Whether throttles are in force at all.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The bans, if there can be any: those that are in force, if some are.
    pub fn bans(&self) -> Option<&Bans> {
        let of_traps = self.traps.as_ref().map(|traps| &traps.bans);
        let all = || [self.bans.as_ref(), of_traps].into_iter().flatten();
        all().find(|bans| bans.mode == Mode::Enforce).or_else(|| all().next())
    }

    /// Refuses a client that is banned; says whether refusals of this request count towards a ban.
    pub(crate) fn banned(
        &self,
        call: &Call,
        headers: &HeaderMap,
        trusted: &Networks,
    ) -> Result<bool, Refusal> {
        let (Some(bans), Some(address)) = (self.bans(), call.client.address) else { return Ok(false) };
        if self.is_exempt(call) || trusted.contains(address) {
            return Ok(false);
        }
        let Some(left) = bans.left(address).filter(|_| bans.mode == Mode::Enforce) else {
            // A ban applies even to an address that looks like a proxy.
            return Ok(!is_undeclared_proxy(call, headers, address));
        };
        let repeated = !self.is_news(UNTIL, group(address, self.ipv6_prefix));
        // Only traps ban.
        let is_of_trap = self.bans.as_ref().is_none_or(|bans| bans.mode != Mode::Enforce);
        let remedy = is_of_trap.then(|| traps::REMEDY.into());
        Err(Refusal { repeated, remedy, ..Refusal::retry(Reason::ClientBanned, left) })
    }

    /// Counts a refusal, by Mantlet for a reason or else by the app. Returns the record of the ban
    /// that it causes, if any.
    pub(crate) fn note_refused(
        &self,
        call: &Call,
        status: StatusCode,
        reason: Option<Reason>,
    ) -> Option<Record> {
        let bans = self.bans.as_ref()?;
        if !reason.map_or_else(|| is_refusal_of_app(status), |reason| reason.is_clients_fault(status)) {
            return None;
        }
        let why = || {
            reason
                .map_or_else(|| format!("{} of the app", status.as_u16()), |reason| reason.code().to_owned())
        };
        let length = bans.refused(call.client.address?, why)?;
        Some(Record::of_ban(call, bans.mode, why(), after(call.clock.time(), length), None))
    }
}

fn is_refusal_of_app(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 404 | 405 | 422)
}

/// An address or network that counts as one, as people write it.
pub(in crate::throttle) fn shown(key: Key, address: IpAddr, ipv6_prefix: u8) -> String {
    match address {
        IpAddr::V6(_) if ipv6_prefix < 128 => format!("{}/{ipv6_prefix}", Ipv6Addr::from(key)),
        address => address.to_string(),
    }
}

/// A time that long after another.
fn after(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX >> 10)
}

#[cfg(test)]
mod tests;
