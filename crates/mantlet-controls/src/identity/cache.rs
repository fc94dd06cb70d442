//! Verdicts on tokens, for each thread: a token that was verified is not verified again.
//!
//! A token has a place in one small set, as in the cache of a processor: whatever clients send, a
//! look-up compares a few numbers, and only one verdict makes room for a new one, of the same kind. So
//! forged tokens push out no verdict on a good one.

use std::{
    cell::RefCell,
    hash::{BuildHasher, RandomState},
};

use super::Verdict;

/// Sets of one thread, and good and bad verdicts in each: 16,384 good ones, each with 1.5 KiB for its
/// caller's claims.
const SETS: usize = 2_048;
const MOST_GOOD: usize = 8;
const MOST_BAD: usize = 2;
/// Seconds for which a bad verdict is remembered.
const BAD: i64 = 5;
/// The longest token whose bad verdict is remembered: any client can make such tokens.
const LONGEST_BAD: usize = 2_048;
/// The last bytes of a token that choose its set: of its signature, which differ in all good ones.
const CHOOSING: usize = 32;

struct Entry {
    hash: u64,
    token: Box<str>,
    /// The issuer that its verdict is about; empty: the app itself.
    by: Box<str>,
    /// What was known of keys when it was made.
    epoch: u64,
    until: i64,
    verdict: Verdict,
}

#[derive(Default)]
struct Cache {
    /// Empty until a verdict is kept.
    sets: Vec<Vec<Entry>>,
    /// With a secret seed: no client can choose the set of a token.
    hasher: RandomState,
}

thread_local! {
    /// INVARIANT: borrowed only within a function that does not await.
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// A verdict on a token that was given before: what `is_still` makes of its issuer, of what was known
/// of keys then, and of the verdict.
pub(crate) fn recall<T>(
    token: &str,
    now: i64,
    is_still: impl FnOnce(&str, u64, &Verdict) -> Option<T>,
) -> Option<T> {
    CACHE.with_borrow(|cache| {
        let hash = cache.hash(token);
        let entry = cache.sets.get(index(hash))?.iter().find(|entry| entry.is_of(hash, token))?;
        if now < entry.until { is_still(&entry.by, entry.epoch, &entry.verdict) } else { None }
    })
}

/// Remembers a verdict, a good one until the token expires.
pub(crate) fn keep(token: &str, by: &str, epoch: u64, now: i64, verdict: &Verdict) {
    let (until, most) = match verdict {
        Verdict::Good(principal) => (principal.expires.unwrap_or(i64::MAX), MOST_GOOD),
        Verdict::Bad(..) if token.len() <= LONGEST_BAD => (now + BAD, MOST_BAD),
        Verdict::Bad(..) | Verdict::Unjudged => return,
    };
    CACHE.with_borrow_mut(|cache| {
        if cache.sets.is_empty() {
            cache.sets.resize_with(SETS, Vec::new);
        }
        let hash = cache.hash(token);
        let Some(set) = cache.sets.get_mut(index(hash)) else { return };
        let (token, by, verdict) = (token.into(), by.into(), verdict.clone());
        let entry = Entry { hash, token, by, epoch, until, verdict };
        set.retain(|known| !known.is_of(hash, &entry.token));
        let of_kind = set.iter().enumerate().filter(|(_, known)| known.is_good() == entry.is_good());
        if of_kind.clone().count() >= most
            // Of those that end together the first is the oldest.
            && let Some((first, _)) = of_kind.min_by_key(|(_, known)| known.until)
        {
            set.remove(first);
        }
        set.push(entry);
    });
}

impl Cache {
    fn hash(&self, token: &str) -> u64 {
        let token = token.as_bytes();
        self.hasher.hash_one(token.last_chunk::<CHOOSING>().map_or(token, |last| last))
    }
}

impl Entry {
    /// Whole tokens are compared: what chooses a set may be the same in two of them.
    fn is_of(&self, hash: u64, token: &str) -> bool {
        self.hash == hash && *self.token == *token
    }

    const fn is_good(&self) -> bool {
        matches!(self.verdict, Verdict::Good(_))
    }
}

fn index(hash: u64) -> usize {
    usize::try_from(hash % SETS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{call::Principal, token::TokenFault};

    fn good(expires: i64) -> Verdict {
        let (issuer, subject, attributes) = ("app".into(), "alice".into(), Vec::new());
        let expires = Some(expires);
        Verdict::Good(Arc::new(Principal { issuer, subject, is_of_app: true, attributes, expires }))
    }

    fn is_known(token: &str, now: i64) -> bool {
        recall(token, now, |_, _, _| Some(())).is_some()
    }

    #[test]
    fn verdicts_make_room_for_others_of_their_kind() {
        let good_ones: Vec<_> = (0..1_000).map(|number| format!("good{number:060}")).collect();
        for token in &good_ones {
            keep(token, "", 1, 0, &good(1_000));
        }
        for number in 0..100_000 {
            keep(&format!("forged{number:060}"), "", 1, 1, &Verdict::Bad(TokenFault::Signature, None));
        }
        assert!(good_ones.iter().all(|token| is_known(token, 2)));
        for number in 0..100_000 {
            keep(&format!("another{number:060}"), "", 1, 2, &good(2_000));
        }
        let last = format!("forged{:060}", 99_999);
        assert!(is_known(&last, 5) && !is_known(&last, 6), "a bad verdict ends soon");
        assert!(!good_ones.iter().any(|token| is_known(token, 2)), "good ones make room for each other");
        let count = CACHE.with_borrow(|cache| cache.sets.iter().map(Vec::len).sum::<usize>());
        assert_eq!(count, SETS * (MOST_GOOD + MOST_BAD));
    }

    #[test]
    fn a_token_with_the_signature_of_another_has_a_verdict_of_its_own() {
        let signature = "x".repeat(CHOOSING);
        let bad = Verdict::Bad(TokenFault::Signature, None);
        keep(&format!("good.{signature}"), "", 1, 0, &good(1_000));
        for number in 0..100 {
            keep(&format!("{number}.{signature}"), "", 1, 0, &bad);
        }
        let is_good = |verdict: &Verdict| matches!(verdict, Verdict::Good(_));
        let known = recall(&format!("good.{signature}"), 1, |_, _, verdict| Some(is_good(verdict)));
        assert_eq!(known, Some(true));
        assert!(!is_known(&format!("0.{signature}"), 1), "few of them are remembered");
        let long = "x".repeat(LONGEST_BAD + 1);
        keep(&long, "", 1, 0, &bad);
        assert!(!is_known(&long, 1));
    }
}
