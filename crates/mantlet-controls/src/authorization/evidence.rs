//! What traffic says of rules about owners: how many objects were their callers', and how many were not.
//!
//! One account alone moves nothing: a rule is confirmed by several callers, and what one caller alone
//! contradicts is shown, and not believed. Of callers only keyed hashes are kept.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use serde::Serialize;

/// Answers and callers by which a rule is confirmed.
const ENOUGH_ANSWERS: u64 = 30;
const ENOUGH_CALLERS: usize = 5;
/// Callers that are told apart on each side.
const MOST_CALLERS: usize = 64;
/// Requests that are named.
const MOST_NAMED: usize = 10;
/// Rules whose evidence is kept. An app has fewer tables.
const MOST_RULES: usize = 1_024;
/// So many answers are all looked at, and after them one of so many.
const FIRST: u64 = 512;
const EACH: u64 = 16;

/// What traffic says of one rule.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    asked: AtomicU64,
    own: AtomicU64,
    /// Callers whose objects they were.
    callers: AtomicUsize,
    seen: Mutex<Seen>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Seen {
    /// Callers whose objects they were.
    own: Vec<u64>,
    foreign: u64,
    /// Callers whose objects they were not, and how often.
    against: HashMap<u64, u64>,
    /// The last requests of them.
    named: Vec<Box<str>>,
    unclear: u64,
    why: Option<&'static str>,
}

/// What is known of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counted {
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
    /// Why, in one of them.
    pub unclear_why: Option<String>,
    /// What follows.
    pub verdict: Verdict,
}

/// What traffic says of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// There was not enough of it: 30 answers to 5 callers.
    Unknown,
    /// Objects are their callers'; one caller alone may have got others.
    Confirmed,
    /// Several callers get objects of others: these are shared, or this is the hole in use.
    Contradicted,
}

impl Evidence {
    /// Whether an answer is to be looked at only to learn from it.
    pub(super) fn is_due(&self) -> bool {
        let number = self.asked.fetch_add(1, Relaxed);
        number < FIRST || number.is_multiple_of(EACH)
    }

    /// An object of its caller.
    pub(super) fn note_own(&self, caller: &[String]) {
        let number = self.own.fetch_add(1, Relaxed);
        // One caller alone, however often it asks, keeps no other from being seen.
        let is_open = self.callers.load(Relaxed) < ENOUGH_CALLERS;
        if is_open || number < FIRST || number.is_multiple_of(EACH) {
            let caller = self.hasher.hash_one(caller);
            let mut seen = self.lock();
            if seen.own.len() < MOST_CALLERS && !seen.own.contains(&caller) {
                seen.own.push(caller);
                self.callers.store(seen.own.len(), Relaxed);
            }
        }
    }

    /// An object of another.
    pub(super) fn note_foreign(&self, caller: &[String], request: &str) {
        let caller = self.hasher.hash_one(caller);
        let mut seen = self.lock();
        seen.foreign += 1;
        if seen.against.len() < MOST_CALLERS || seen.against.contains_key(&caller) {
            *seen.against.entry(caller).or_default() += 1;
        }
        if seen.named.len() >= MOST_NAMED {
            seen.named.remove(0);
        }
        seen.named.push(request.into());
    }

    /// An object whose owner is not clear.
    pub(super) fn note_unclear(&self, why: &'static str) {
        let mut seen = self.lock();
        seen.unclear += 1;
        seen.why = Some(why);
    }

    pub(super) fn verdict(&self) -> Verdict {
        let seen = self.lock();
        if seen.against.len() > 1 {
            Verdict::Contradicted
        } else if self.own.load(Relaxed) >= ENOUGH_ANSWERS && seen.own.len() >= ENOUGH_CALLERS {
            Verdict::Confirmed
        } else {
            Verdict::Unknown
        }
    }

    pub(super) fn counted(&self) -> Counted {
        let verdict = self.verdict();
        let seen = self.lock();
        Counted {
            own: self.own.load(Relaxed),
            callers: seen.own.len(),
            foreign: seen.foreign,
            foreign_callers: seen.against.len(),
            foreign_requests: seen.named.iter().map(|id| (**id).to_owned()).collect(),
            unclear: seen.unclear,
            unclear_why: seen.why.map(str::to_owned),
            verdict,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The evidence about all rules, by what they say. It outlives a configuration: a proposal that becomes
/// a rule goes on with what is known of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllEvidence(Arc<Mutex<HashMap<String, Arc<Evidence>>>>);

impl AllEvidence {
    pub(super) fn of(&self, rule: String) -> Arc<Evidence> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_RULES && !all.contains_key(&rule) {
            // Rules that are not in force any more.
            all.retain(|_, evidence| Arc::strong_count(evidence) > 1);
        }
        Arc::clone(all.entry(rule).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(number: u32) -> [String; 1] {
        [number.to_string()]
    }

    #[test]
    fn one_caller_alone_moves_nothing() {
        let evidence = Evidence::default();
        for number in 0..1_000 {
            evidence.note_own(&caller(1));
            evidence.note_foreign(&caller(1), &format!("request {number}"));
        }
        assert_eq!(evidence.verdict(), Verdict::Unknown, "it asks for everything, its own objects too");
        for number in 2..6 {
            evidence.note_own(&caller(number));
        }
        assert_eq!(evidence.verdict(), Verdict::Confirmed);
        let counted = evidence.counted();
        assert_eq!((counted.own, counted.callers), (1_004, 5));
        assert_eq!((counted.foreign, counted.foreign_callers), (1_000, 1));
        assert_eq!(
            counted.foreign_requests,
            (990..1_000).map(|n| format!("request {n}")).collect::<Vec<_>>()
        );
        evidence.note_foreign(&caller(2), "another");
        assert_eq!(evidence.verdict(), Verdict::Contradicted);
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let evidence = Evidence::default();
        for number in 0..100_000 {
            evidence.note_own(&caller(number % 1_000));
            evidence.note_foreign(&caller(number % 1_000), "01a22abc-631e-7f05-9f91-03d52c0791d5");
        }
        let seen = evidence.lock();
        assert_eq!(
            (seen.own.len(), seen.against.len(), seen.named.len()),
            (MOST_CALLERS, MOST_CALLERS, MOST_NAMED)
        );
        drop(seen);
        assert_eq!(evidence.counted().foreign, 100_000);
    }
}
