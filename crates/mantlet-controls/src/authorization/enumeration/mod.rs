//! Callers that ask for many ids which no answer has shown them.
//!
//! A caller that counts ids upwards asks for what no answer has shown it. So does a client that follows a link in a
//! mail, but not for twenty different ones in an hour. That is a suspicion: it is recorded, and refused
//! where the configuration says so.
//!
//! Of each caller the ids are known that answers have shown it (`shown`), and the others that it has asked for. A
//! number counts as shown for objects of the kind alone that the answer was about, where its names say that.

mod shown;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

pub(crate) use self::shown::Named;
use self::shown::{Finding, Shown, of_any_kind, of_kind};
use crate::{
    Call, Mode, Reason, Refusal,
    config::{Mistake, units::Span},
};

/// Callers that are known at once, in each of the [`SHARDS`].
const CALLERS: usize = 256;
const SHARDS: usize = 16;
/// The most ids that a limit may be.
const MOST: u32 = 100;
/// Ids that are counted of a caller, of all operations: who asks for more has asked for too many of each.
const COUNTED: usize = 512;
/// Operations of which it is recorded in a period that a caller has asked for too many ids.
const TOLD: usize = 64;

/// The `[authorization.enumeration]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct EnumerationConfig {
    /// What becomes of a caller that asks for too many. Default `off`.
    pub mode: Mode,
    /// How many different ids of one operation a caller may ask for that no answer has shown it. Default 20.
    pub ids: u32,
    /// The time in which these are counted. Default `1h`.
    pub period: Span,
}

impl Default for EnumerationConfig {
    fn default() -> Self {
        Self { mode: Mode::Off, ids: 20, period: Span::secs(3600) }
    }
}

/// The checked section.
#[derive(Debug)]
pub(crate) struct Enumeration {
    mode: Mode,
    most: usize,
    period: Duration,
    callers: AllCallers,
}

/// Who is calling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'w> {
    /// Names the caller, and no other.
    pub(crate) key: &'w str,
    /// The caller's own name, which the caller knows.
    pub(crate) name: Option<&'w str>,
}

/// What is known of callers; a reload forgets nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct AllCallers(Arc<Shards>);

#[derive(Debug, Default)]
struct Shards {
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, Caller>>; SHARDS],
}

#[derive(Debug)]
struct Caller {
    shown: Shown,
    /// Operations and their ids that it has asked for and that no answer has shown it.
    unseen: Vec<Unseen>,
    /// Until when these are counted.
    until: Instant,
    /// Operations of which it is recorded already that there are too many.
    told: Vec<u32>,
    used: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unseen {
    operation: u32,
    id: u32,
}

/// An id in a request: all hashes by which it may have been shown. The first one names it.
type Asked = Vec<u64>;

/// What is asked of a caller, and when.
#[derive(Debug, Clone, Copy)]
struct Limit {
    most: usize,
    period: Duration,
    now: Instant,
}

/// Too many.
#[derive(Debug, PartialEq, Eq)]
struct TooMany {
    /// Until they are counted anew.
    left: Duration,
    /// It was said before.
    is_told: bool,
}

impl EnumerationConfig {
    pub(super) fn check(
        &self,
        is_report_only: bool,
        callers: AllCallers,
        mistakes: &mut Vec<Mistake>,
    ) -> Enumeration {
        if !(1..=MOST).contains(&self.ids) {
            let what = format!("{} is not a number of ids", self.ids);
            mistakes.push(Mistake::new("enumeration.ids", what).help(format!("write 1 to {MOST}")));
        }
        if self.period.0.is_zero() || self.period > Span::secs(24 * 3600) {
            let what = format!("{} is not a time in which ids are counted", self.period);
            mistakes.push(Mistake::new("enumeration.period", what).help("write `1s` to `24h`"));
        }
        Enumeration {
            mode: self.mode.under(is_report_only),
            most: usize::try_from(self.ids).unwrap_or(usize::MAX),
            period: self.period.0,
            callers,
        }
    }
}

impl Enumeration {
    /// Whether anything is counted.
    pub(crate) const fn is_on(&self) -> bool {
        !matches!(self.mode, Mode::Off)
    }

    /// Counts the ids that a caller asks for. The fault, if there are too many.
    pub(crate) fn asked(&self, call: &Call, who: Who<'_>) -> Option<(Mode, Refusal)> {
        let matched = call.operation.as_ref().filter(|_| self.is_on())?;
        let shards = &self.callers.0;
        let ids = self.in_path(call);
        if ids.is_empty() {
            return None;
        }
        let path = matched.route.own_path();
        let limit = Limit { most: self.most, period: self.period, now: call.clock.instant() };
        let operation = mark(shards.hasher.hash_one(path));
        let too_many = shards.with(who, limit.now, |known| known.asked(operation, &ids, limit))?;
        if self.mode == Mode::Report && too_many.is_told {
            return None;
        }
        let mut refusal = Refusal::retry(Reason::ObjectEnumeration, too_many.left);
        refusal.subject = Some(path.into());
        Some((self.mode, refusal))
    }

    /// The ids in the path of a request.
    fn in_path(&self, call: &Call) -> Vec<Asked> {
        let Some(matched) = &call.operation else { return Vec::new() };
        let (names, hasher) = (matched.contract.id_parameters(&matched.route), &self.callers.0.hasher);
        let asked = matched.parameters.iter().filter_map(|(name, .., place)| {
            let known = names.iter().find(|own| *own.name == **name)?;
            let id = call.path.as_str().get(place.clone())?;
            let kinds = known.kinds.iter().map(|kind| of_kind(hasher, *kind, id));
            Some(kinds.chain([of_any_kind(hasher, id)]).collect())
        });
        asked.collect()
    }

    /// What a request names itself, in its path, its query and its body, which may be JSON. None: its body was not
    /// read.
    pub(crate) fn named(&self, call: &Call, query: Option<&str>, body: Option<(&[u8], bool)>) -> Named {
        let (mut named, hasher) = (Named::default(), &self.callers.0.hasher);
        named.add(hasher, call.path.as_str());
        if let Some(query) = query {
            named.add_body(hasher, query.as_bytes(), false);
        }
        match body {
            Some((body, is_json)) => named.add_body(hasher, body, is_json),
            None => named.is_unread = true,
        }
        named
    }

    /// Remembers the ids in the body of an answer.
    pub(crate) fn shown(&self, call: &Call, who: Who<'_>, named: &Named, answer: &[u8]) {
        let Some(matched) = call.operation.as_ref().filter(|_| !named.is_unread) else { return };
        let mut finding = Finding::new(&self.callers.0.hasher, &matched.contract.kinds, named);
        finding.read(matched.route.own_path(), answer);
        self.remember(call, who, &finding.found);
    }

    /// Remembers what a request has made: what its answer says where it is, and what its path names.
    pub(crate) fn made(&self, call: &Call, who: Who<'_>, named: &Named, location: Option<&str>) {
        let Some(matched) = &call.operation else { return };
        let mut finding = Finding::new(&self.callers.0.hasher, &matched.contract.kinds, named);
        if let Some(location) = location.filter(|_| !named.is_unread) {
            finding.link(location);
        }
        let mut found = finding.found;
        if call.method == http::Method::PUT {
            let own = self.in_path(call).into_iter().filter_map(|id| id.first().copied());
            found.extend(own);
            // It was none of another's.
            let marks: Vec<_> = found.iter().map(|id| mark(*id)).collect();
            self.callers.0.with(who, call.clock.instant(), |known| {
                known.unseen.retain(|one| !marks.contains(&one.id));
            });
        }
        self.remember(call, who, &found);
    }

    fn remember(&self, call: &Call, who: Who<'_>, ids: &[u64]) {
        if !ids.is_empty() {
            let add = |known: &mut Caller| ids.iter().for_each(|id| known.shown.add(*id));
            self.callers.0.with(who, call.clock.instant(), add);
        }
    }
}

const fn mark(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

impl Shards {
    /// Does something with what is known of a caller. If too many are known, the one that was away longest is
    /// forgotten: first among those of which nothing is counted.
    fn with<T: Default>(&self, who: Who<'_>, now: Instant, then: impl FnOnce(&mut Caller) -> T) -> T {
        let key = self.hasher.hash_one(who.key);
        let shard = usize::try_from(key % SHARDS as u64).ok().and_then(|shard| self.shards.get(shard));
        let Some(shard) = shard else { return T::default() };
        let mut known = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CALLERS
            && !known.contains_key(&key)
            && let Some(oldest) = known.iter().min_by_key(|(_, caller)| caller.rank(now)).map(|(key, _)| *key)
        {
            known.remove(&oldest);
        }
        let caller = known.entry(key).or_insert_with(|| {
            let mut caller = Caller::new(now);
            // Every caller knows its own name.
            if let Some(name) = who.name {
                caller.shown.add(of_any_kind(&self.hasher, name));
            }
            caller
        });
        caller.used = now;
        then(caller)
    }
}

impl Caller {
    fn new(now: Instant) -> Self {
        Self { shown: Shown::default(), unseen: Vec::new(), until: now, told: Vec::new(), used: now }
    }

    /// The lowest is forgotten first.
    fn rank(&self, now: Instant) -> (bool, Instant) {
        (!self.unseen.is_empty() && self.until > now, self.used)
    }

    fn asked(&mut self, operation: u32, ids: &[Asked], limit: Limit) -> Option<TooMany> {
        let Limit { most, period, now } = limit;
        if self.until <= now {
            self.unseen.clear();
            self.told.clear();
        }
        let mut is_too_many = false;
        for hashes in ids.iter().filter(|id| !id.iter().any(|hash| self.shown.has(*hash))) {
            let unseen = Unseen { operation, id: hashes.first().map_or(0, |hash| mark(*hash)) };
            // What is counted already may be asked for again.
            if self.unseen.contains(&unseen) {
                continue;
            }
            let counted = self.unseen.iter().filter(|one| one.operation == operation).count();
            if counted >= most || self.unseen.len() >= COUNTED {
                is_too_many = true;
                continue;
            }
            if self.unseen.is_empty() {
                self.until = now + period;
            }
            self.unseen.push(unseen);
        }
        if !is_too_many {
            return None;
        }
        let is_told = self.told.contains(&operation) || self.told.len() >= TOLD;
        if !is_told {
            self.told.push(operation);
        }
        Some(TooMany { left: self.until.saturating_duration_since(now), is_told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(start: Instant, seconds: u64) -> Limit {
        Limit { most: 3, period: Duration::from_mins(1), now: start + Duration::from_secs(seconds) }
    }

    #[test]
    fn what_was_shown_is_not_counted_and_the_count_ends_with_its_time() {
        let now = Instant::now();
        let (mut known, at) = (Caller::new(now), |seconds| limit(now, seconds));
        for id in 100..200 {
            known.shown.add(id);
            assert_eq!(known.asked(7, &[vec![id + 1_000, id]], at(0)), None);
        }
        for id in [1, 2, 3, 3, 2, 1] {
            assert_eq!(known.asked(7, &[vec![id]], at(10)), None);
        }
        // Of another operation.
        assert_eq!(known.asked(8, &[vec![4]], at(10)), None);
        let left = Duration::from_secs(40);
        assert_eq!(known.asked(7, &[vec![4]], at(30)), Some(TooMany { left, is_told: false }));
        assert_eq!(known.asked(7, &[vec![5]], at(30)), Some(TooMany { left, is_told: true }));
        // What was shown, and what is counted, may be asked for again.
        for id in [150, 1, 2, 3] {
            assert_eq!(known.asked(7, &[vec![id]], at(30)), None);
        }
        assert_eq!(known.asked(7, &[vec![1], vec![6]], at(30)), Some(TooMany { left, is_told: true }));
        assert_eq!(known.asked(7, &[vec![5]], at(70)), None);
    }

    #[test]
    fn other_operations_do_not_make_a_count_forgotten() {
        let now = Instant::now();
        let (mut known, at) = (Caller::new(now), limit(now, 0));
        for id in 1..=3 {
            assert_eq!(known.asked(0, &[vec![id]], at), None);
        }
        let mut refused = 0;
        for operation in 1..1_000 {
            refused += usize::from(known.asked(operation, &[vec![9]], at).is_some());
            assert!(known.asked(0, &[vec![4]], at).is_some(), "{operation}");
        }
        assert_eq!(refused, 999 - (COUNTED - 3));
        assert_eq!((known.told.len(), known.unseen.len()), (TOLD, COUNTED));
    }

    #[test]
    fn of_many_callers_the_ones_that_nothing_is_counted_of_are_forgotten_first() {
        let (shards, now) = (Shards::default(), Instant::now());
        let counts = Who { key: "issuer|counts", name: Some("7") };
        for id in [1, 2] {
            assert!(shards.with(counts, now, |known| known.asked(1, &[vec![id]], limit(now, 0))).is_none());
        }
        for number in 0..20_000_u32 {
            let now = now + Duration::from_millis(number.into());
            let key = format!("issuer|{number}");
            shards.with(Who { key: &key, name: None }, now, |_| ());
            shards.with(Who { key: "issuer|regular", name: None }, now, |known| known.shown.add(7));
        }
        let known: usize = shards.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert_eq!(known, CALLERS * SHARDS);
        assert!(shards.with(Who { key: "issuer|regular", name: None }, now, |known| known.shown.has(7)));
        assert_eq!(shards.with(counts, now, |known| known.unseen.len()), 2);
        let own = of_any_kind(&shards.hasher, "7");
        assert!(shards.with(counts, now, |known| known.shown.has(own)));
    }
}
