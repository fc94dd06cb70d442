//! Verdicts on tokens, for each thread: a token that was verified is not verified again.
//!
//! A token has a place in one small set, as in the cache of a processor: whatever clients send, a
//! look-up compares a few numbers, and only one verdict makes room for a new one. Only good ones are
//! remembered: any client can make up bad tokens.

use std::{
    cell::{OnceCell, RefCell},
    hash::{BuildHasher, RandomState},
};

use super::Verdict;

/// Sets of one thread, and verdicts in each: 16,384, each with 1.5 KiB for its caller's claims.
const SETS: usize = 2_048;
const MOST: usize = 8;
/// Bytes of the longest token that is remembered.
const LONGEST: usize = 4 << 10;
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
    /// What others know the token by.
    digest: OnceCell<[u8; 16]>,
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
        let entry = cache.find(token)?;
        if now < entry.until { is_still(&entry.by, entry.epoch, &entry.verdict) } else { None }
    })
}

/// The digest of a token, which is made once for one that was verified.
pub(crate) fn digest(token: &str, make: impl FnOnce(&[u8]) -> [u8; 16]) -> [u8; 16] {
    let make = || make(token.as_bytes());
    CACHE.with_borrow(|cache| match cache.find(token) {
        Some(entry) => *entry.digest.get_or_init(make),
        None => make(),
    })
}

/// Remembers a good verdict, until the token expires.
pub(crate) fn keep(token: &str, by: &str, epoch: u64, verdict: &Verdict) {
    let until = match verdict {
        Verdict::Good(principal) => principal.expires.unwrap_or(i64::MAX),
        // Attackers can make up any number of them.
        Verdict::Bad(..) | Verdict::Unjudged => return,
    };
    if token.len() > LONGEST {
        return;
    }
    CACHE.with_borrow_mut(|cache| {
        if cache.sets.is_empty() {
            cache.sets.resize_with(SETS, Vec::new);
        }
        let hash = cache.hash(token);
        let Some(set) = cache.sets.get_mut(index(hash)) else { return };
        let (token, by, verdict) = (token.into(), by.into(), verdict.clone());
        let entry = Entry { hash, token, by, epoch, until, verdict, digest: OnceCell::new() };
        set.retain(|known| !known.is_of(hash, &entry.token));
        if set.len() >= MOST
            // Of those that end together the first is the oldest.
            && let Some((first, _)) = set.iter().enumerate().min_by_key(|(_, known)| known.until)
        {
            set.remove(first);
        }
        set.push(entry);
    });
}

impl Cache {
    fn find(&self, token: &str) -> Option<&Entry> {
        let hash = self.hash(token);
        self.sets.get(index(hash))?.iter().find(|entry| entry.is_of(hash, token))
    }

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
    fn a_bad_verdict_is_not_remembered_and_a_good_one_until_its_token_expires() {
        keep("forged", "", 1, &Verdict::Bad(TokenFault::Signature, None));
        keep("good", "", 1, &good(10));
        assert!(!is_known("forged", 1));
        assert!(is_known("good", 9) && !is_known("good", 10));
        let long = "x".repeat(LONGEST + 1);
        keep(&long, "", 1, &good(10));
        assert!(!is_known(&long, 1));
    }

    #[test]
    fn the_digest_of_a_verified_token_is_made_once() {
        keep("good", "", 1, &good(10));
        assert_eq!(digest("good", |_| [1; 16]), [1; 16]);
        assert_eq!(digest("good", |_| [2; 16]), [1; 16]);
        assert_eq!(digest("another", |_| [2; 16]), [2; 16]);
    }

    #[test]
    fn the_ones_that_expire_first_make_room() {
        for number in 0..100_000 {
            keep(&format!("soon{number:060}"), "", 1, &good(1_000));
        }
        keep("late", "", 1, &good(2_000));
        for number in 0..100_000 {
            keep(&format!("sooner{number:060}"), "", 1, &good(500));
        }
        assert!(is_known("late", 2));
        let count = CACHE.with_borrow(|cache| cache.sets.iter().map(Vec::len).sum::<usize>());
        assert_eq!(count, SETS * MOST);
    }

    #[test]
    fn a_token_with_the_signature_of_another_is_another() {
        let signature = "x".repeat(CHOOSING);
        keep(&format!("good.{signature}"), "", 1, &good(1_000));
        assert!(is_known(&format!("good.{signature}"), 1));
        assert!(!is_known(&format!("forged.{signature}"), 1));
    }
}
