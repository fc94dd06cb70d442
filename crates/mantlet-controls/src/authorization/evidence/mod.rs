//! What traffic says of rules about owners: how many objects were their callers', and how many were not.
//! Each operation of a rule is counted by itself.
//!
//! Accounts cost an attacker nothing, so no number of them is a proof. What follows from what they do:
//! 1. One account alone moves nothing. Of its answers six count, and what it alone contradicts is shown, and
//!    not believed.
//! 2. A rule that is wrong, because objects are in truth shared, could be confirmed by five accounts of
//!    one attacker. So a rule is only enforced by itself after a day: callers that share objects contradict it
//!    in that time. What no caller shares in a day may be refused afterwards; that is recorded.
//! 3. A rule that is right could be contradicted by two accounts, which looks the same as sharing. Then it is
//!    not enforced by itself: the app hands out what it hands out without Mantlet. That is recorded with
//!    the requests, and the operator decides.
//! 4. What a rule refuses proves nothing, so no account disarms a rule that is enforced.
//!
//! Of callers only keyed hashes are kept.

mod all;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
};

use jiff::Timestamp;
use serde::Serialize;

use self::all::Shared;
pub use self::all::{AllEvidence, KeptEvidence};
pub(super) use self::all::{RuleEvidence, operation};

/// Answers by which a rule is confirmed, and how many of them may be of one caller: so there are five at least.
const ENOUGH_ANSWERS: u32 = 30;
const MOST_OF_ONE: u8 = 6;
/// Callers that are told apart on each side.
const MOST_CALLERS: usize = 64;
/// Requests that are named.
const MOST_NAMED: usize = 10;
/// So many answers are all looked at, and after them one of so many.
const FIRST: u64 = 512;
const EACH: u64 = 16;
/// Seconds for which answers are watched before a rule is enforced by itself.
const WATCHED: i64 = 24 * 60 * 60;

/// What traffic says of a rule at one operation.
#[derive(Debug)]
pub(crate) struct Evidence {
    asked: AtomicU64,
    own: AtomicU64,
    /// The [`Verdict`] of what was seen.
    verdict: AtomicU8,
    /// It is enforced without a line of configuration, wherever that may be.
    is_enforced: AtomicBool,
    seen: Mutex<Seen>,
    shared: Arc<Shared>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    /// Callers whose objects they were, and how often, as far as it counts.
    own: Vec<(u64, u8)>,
    foreign: u64,
    /// Callers whose objects they were not.
    foreign_callers: Vec<u64>,
    /// The last requests of them.
    named: Vec<Box<str>>,
    unclear: u64,
    /// Callers that have got them.
    unclear_callers: Vec<u64>,
    why: Option<Box<str>>,
    /// When the first of this run and the last of all came, in Unix seconds.
    since: i64,
    last: i64,
    /// Seconds for which earlier runs have watched. While none ran, nothing could contradict it.
    watched: i64,
}

/// What is known of a rule at one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counted {
    /// The operation: `GET /orders/{order_id}`.
    pub operation: String,
    /// Answers with an object of their caller.
    pub own: u64,
    /// Callers that have got them, up to 64.
    pub callers: usize,
    /// Answers with an object of another.
    pub foreign: u64,
    /// Callers that have got them, up to 64.
    pub foreign_callers: usize,
    /// The last requests that have got them, by their ids.
    pub foreign_requests: Vec<String>,
    /// Answers in which the owner was not clear.
    pub unclear: u64,
    /// Callers that have got them, up to 64.
    pub unclear_callers: usize,
    /// Why, in one of them.
    pub unclear_why: Option<String>,
    /// What follows.
    pub verdict: Verdict,
    /// It is enforced without a line of configuration.
    pub enforced: bool,
    /// From when on it will be, if nothing contradicts it.
    pub enforced_from: Option<Timestamp>,
}

/// What traffic says of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// There was not enough of it: 30 answers, of which six of one caller count.
    Unknown,
    /// Objects are their callers'; one caller alone may have got others.
    Confirmed,
    /// Several callers get objects whose owner is not clear: the rule would refuse them.
    Unclear,
    /// Several callers get objects of others: these are shared, or this is the hole in use.
    Contradicted,
}

/// What one more answer has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// From now on the rule is enforced.
    Enforced,
    /// It will not be enforced by itself, although it could have been.
    Contradicted,
}

impl Evidence {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            asked: AtomicU64::default(),
            own: AtomicU64::default(),
            verdict: AtomicU8::new(Verdict::Unknown as u8),
            is_enforced: AtomicBool::default(),
            seen: Mutex::default(),
            shared,
        }
    }

    /// Whether an answer is to be looked at only to learn from it.
    pub(super) fn is_due(&self) -> bool {
        let number = self.asked.fetch_add(1, Relaxed);
        number < FIRST || number.is_multiple_of(EACH)
    }

    /// Whether it is enforced without a line of configuration.
    pub(super) fn is_enforced(&self) -> bool {
        self.is_enforced.load(Relaxed)
    }

    /// Whether nothing that comes can confirm it.
    pub(super) fn is_against(&self) -> bool {
        self.verdict.load(Relaxed) >= Verdict::Unclear as u8
    }

    /// An object of its caller. `by_itself`: the rule is enforced once this is confirmed for a day.
    pub(super) fn note_own(&self, caller: &[String], now: i64, by_itself: bool) -> Option<News> {
        let number = self.own.fetch_add(1, Relaxed);
        self.shared.changed();
        // One caller alone, however often it asks, keeps no other from being seen.
        let is_open = self.verdict.load(Relaxed) == Verdict::Unknown as u8;
        if !is_open && number >= FIRST && !number.is_multiple_of(EACH) {
            return None;
        }
        let caller = self.shared.hash(caller);
        let mut seen = self.lock();
        seen.at(now);
        seen.add_own(caller);
        let verdict = self.judge(&seen);
        let is_ripe = verdict == Verdict::Confirmed && seen.watched_until(now) >= WATCHED;
        (by_itself && is_ripe && !self.is_enforced.swap(true, Relaxed)).then_some(News::Enforced)
    }

    /// An object of another.
    pub(super) fn note_foreign(&self, caller: &[String], now: i64, request: &str) -> Option<News> {
        self.note_against(caller, now, |seen, caller| {
            seen.foreign += 1;
            add(&mut seen.foreign_callers, caller);
            if seen.named.len() >= MOST_NAMED {
                seen.named.remove(0);
            }
            seen.named.push(request.into());
        })
    }

    /// An object whose owner is not clear.
    pub(super) fn note_unclear(&self, caller: &[String], now: i64, why: &'static str) -> Option<News> {
        self.note_against(caller, now, |seen, caller| {
            seen.unclear += 1;
            add(&mut seen.unclear_callers, caller);
            if seen.why.as_deref() != Some(why) {
                seen.why = Some(why.into());
            }
        })
    }

    fn note_against(&self, caller: &[String], now: i64, note: impl Fn(&mut Seen, u64)) -> Option<News> {
        self.shared.changed();
        let caller = self.shared.hash(caller);
        let mut seen = self.lock();
        let was_against = self.is_against();
        seen.at(now);
        note(&mut seen, caller);
        self.judge(&seen);
        if !self.is_against() {
            return None;
        }
        // Nothing is counted against a rule that is enforced: it was not, in another posture.
        self.is_enforced.store(false, Relaxed);
        (!was_against).then_some(News::Contradicted)
    }

    fn judge(&self, seen: &Seen) -> Verdict {
        let verdict = seen.verdict();
        self.verdict.store(verdict as u8, Relaxed);
        verdict
    }

    /// What is known. `by_itself`: the rule is enforced once it is confirmed for a day.
    pub(super) fn counted(&self, operation: String, by_itself: bool) -> Counted {
        let seen = self.lock();
        let (verdict, enforced) = (seen.verdict(), by_itself && self.is_enforced());
        let waits = by_itself && !enforced && verdict == Verdict::Confirmed;
        let from = seen.since.saturating_add(WATCHED).saturating_sub(seen.watched);
        let from = Timestamp::from_second(from).ok().filter(|_| waits && seen.since != 0);
        Counted {
            operation,
            own: self.own.load(Relaxed),
            callers: seen.own.len(),
            foreign: seen.foreign,
            foreign_callers: seen.foreign_callers.len(),
            foreign_requests: seen.named.iter().map(|id| (**id).to_owned()).collect(),
            unclear: seen.unclear,
            unclear_callers: seen.unclear_callers.len(),
            unclear_why: seen.why.as_deref().map(str::to_owned),
            verdict,
            enforced,
            enforced_from: from,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn at(&mut self, now: i64) {
        if self.since == 0 {
            self.since = now;
        }
        self.last = now;
    }

    /// For how many seconds it was watched.
    const fn watched_until(&self, now: i64) -> i64 {
        let of_this_run = if self.since == 0 { 0 } else { now.saturating_sub(self.since) };
        self.watched.saturating_add(of_this_run)
    }

    fn add_own(&mut self, caller: u64) {
        if let Some((_, count)) = self.own.iter_mut().find(|(known, _)| *known == caller) {
            *count = count.saturating_add(1).min(MOST_OF_ONE);
        } else if self.own.len() < MOST_CALLERS {
            self.own.push((caller, 1));
        }
    }

    fn verdict(&self) -> Verdict {
        let unclear = self.unclear_callers.iter().filter(|one| !self.foreign_callers.contains(one)).count();
        let answers: u32 = self.own.iter().map(|(_, count)| u32::from(*count)).sum();
        if self.foreign_callers.len() > 1 {
            Verdict::Contradicted
        } else if self.foreign_callers.len() + unclear > 1 {
            Verdict::Unclear
        } else if answers >= ENOUGH_ANSWERS {
            Verdict::Confirmed
        } else {
            Verdict::Unknown
        }
    }
}

fn add(callers: &mut Vec<u64>, caller: u64) {
    if callers.len() < MOST_CALLERS && !callers.contains(&caller) {
        callers.push(caller);
    }
}

#[cfg(test)]
mod tests;
