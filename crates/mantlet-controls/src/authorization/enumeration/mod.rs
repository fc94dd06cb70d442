//! Callers that ask for many ids which no answer has shown them.
//!
//! Who counts ids upwards asks for what nobody has shown them. So does a client that follows a link in a
//! mail, but not for twenty different ones in an hour. That is a suspicion: it is recorded, and refused
//! where the configuration says so.
//!
//! Of each caller the ids are known that answers have shown it (`shown`), and how many others of one
//! operation it has asked for.

mod shown;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use self::shown::{Shown, each_id, normal};
use crate::{
    Call, Mode, Reason, Refusal,
    config::{Mistake, units::Span},
};

/// Callers that are known at once, in each of the [`SHARDS`].
const CALLERS: usize = 256;
const SHARDS: usize = 16;
/// Operations of a caller that are counted at once.
const OPERATIONS: usize = 16;
/// The most ids that a limit may be: so many are remembered of each operation.
const MOST: u32 = 1_000;

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
    unseen: Vec<Unseen>,
    used: Instant,
}

/// Ids of an operation that a caller has asked for and that no answer has shown it.
#[derive(Debug)]
struct Unseen {
    operation: u64,
    since: Instant,
    ids: Vec<u64>,
    /// That there are too many is recorded already.
    is_told: bool,
}

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
    pub(crate) fn asked(&self, call: &Call, caller: &str) -> Option<(Mode, Refusal)> {
        let matched = call.operation.as_ref().filter(|_| self.is_on())?;
        let names = matched.contract.id_parameters(&matched.route);
        let asked = matched.parameters.iter().filter(|(name, ..)| names.iter().any(|own| **own == **name));
        let shards = &self.callers.0;
        let ids: Vec<_> = asked
            .filter_map(|(.., place)| call.path.as_str().get(place.clone()))
            .map(|id| shards.hasher.hash_one(&*normal(id)))
            .collect();
        if ids.is_empty() {
            return None;
        }
        let path = matched.route.own_path();
        let limit = Limit { most: self.most, period: self.period, now: call.clock.instant() };
        let operation = shards.hasher.hash_one(path);
        let too_many = shards.with(caller, limit.now, |known| known.asked(operation, &ids, limit))?;
        if self.mode == Mode::Report && too_many.is_told {
            return None;
        }
        let mut refusal = Refusal::retry(Reason::ObjectEnumeration, too_many.left);
        refusal.subject = Some(path.into());
        Some((self.mode, refusal))
    }

    /// Remembers the ids that an answer shows.
    pub(crate) fn shown(&self, call: &Call, caller: &str, answer: &[u8]) {
        let mut ids = Vec::new();
        each_id(answer, |id| ids.push(self.callers.0.hasher.hash_one(id)));
        if !ids.is_empty() {
            self.callers.0.with(caller, call.clock.instant(), |known| {
                for id in ids {
                    known.shown.add(id);
                }
            });
        }
    }
}

impl Shards {
    /// Does something with what is known of a caller. If too many are known, the one that was away longest is
    /// forgotten.
    fn with<T>(&self, caller: &str, now: Instant, then: impl FnOnce(&mut Caller) -> T) -> T
    where
        T: Default,
    {
        let key = self.hasher.hash_one(caller);
        let shard = usize::try_from(key % SHARDS as u64).ok().and_then(|shard| self.shards.get(shard));
        let Some(shard) = shard else { return T::default() };
        let mut known = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CALLERS
            && !known.contains_key(&key)
            && let Some(oldest) = known.iter().min_by_key(|(_, caller)| caller.used).map(|(key, _)| *key)
        {
            known.remove(&oldest);
        }
        let caller = known.entry(key).or_insert_with(|| {
            let mut shown = Shown::default();
            // Everybody knows their own name.
            shown.add(self.hasher.hash_one(&*normal(caller.rsplit('|').next().unwrap_or_default())));
            Caller { shown, unseen: Vec::new(), used: now }
        });
        caller.used = now;
        then(caller)
    }
}

impl Caller {
    fn asked(&mut self, operation: u64, ids: &[u64], limit: Limit) -> Option<TooMany> {
        let Limit { most, period, now } = limit;
        let is_over = |one: &Unseen| now.saturating_duration_since(one.since) >= period;
        self.unseen.retain(|one| !is_over(one));
        let mut new = ids.iter().copied().filter(|id| !self.shown.has(*id)).peekable();
        let place = if let Some(place) = self.unseen.iter().position(|one| one.operation == operation) {
            place
        } else {
            new.peek()?;
            if self.unseen.len() >= OPERATIONS {
                self.unseen.remove(0);
            }
            self.unseen.push(Unseen { operation, since: now, ids: Vec::new(), is_told: false });
            self.unseen.len() - 1
        };
        let unseen = self.unseen.get_mut(place)?;
        let mut is_asked = false;
        for id in new {
            is_asked = true;
            if unseen.ids.len() <= most && !unseen.ids.contains(&id) {
                unseen.ids.push(id);
            }
        }
        // What the caller has been shown it may ask for all the same.
        if !is_asked || unseen.ids.len() <= most {
            return None;
        }
        let left = period.saturating_sub(now.saturating_duration_since(unseen.since));
        Some(TooMany { left, is_told: std::mem::replace(&mut unseen.is_told, true) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_is_not_counted_and_the_count_ends_with_its_time() {
        let (mut known, now) =
            (Caller { shown: Shown::default(), unseen: Vec::new(), used: Instant::now() }, Instant::now());
        let at = |seconds| Limit {
            most: 3,
            period: Duration::from_mins(1),
            now: now + Duration::from_secs(seconds),
        };
        for id in 100..200 {
            known.shown.add(id);
            assert_eq!(known.asked(7, &[id], at(0)), None);
        }
        for id in [1, 2, 3, 3, 2, 1] {
            assert_eq!(known.asked(7, &[id], at(10)), None);
        }
        // Of another operation.
        assert_eq!(known.asked(8, &[4], at(10)), None);
        let left = Duration::from_secs(40);
        assert_eq!(known.asked(7, &[4], at(30)), Some(TooMany { left, is_told: false }));
        assert_eq!(known.asked(7, &[5], at(30)), Some(TooMany { left, is_told: true }));
        assert_eq!(known.asked(7, &[150], at(30)), None);
        assert_eq!(known.asked(7, &[5], at(70)), None);
    }

    #[test]
    fn of_many_callers_the_ones_that_were_away_longest_are_forgotten() {
        let (shards, now) = (Shards::default(), Instant::now());
        for second in 0..20_000_u64 {
            let now = now + Duration::from_secs(second);
            shards.with(&format!("issuer|{second}"), now, |_| ());
            shards.with("issuer|regular", now, |known| known.shown.add(7));
        }
        let known: usize = shards.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert_eq!(known, CALLERS * SHARDS);
        assert!(shards.with("issuer|regular", now, |known| known.shown.has(7)));
    }
}
