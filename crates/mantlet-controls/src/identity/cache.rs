//! Verdicts on tokens, for each thread: a token that was verified is not verified again.

use std::{cell::RefCell, collections::HashMap};

use super::Verdict;

/// Tokens of one thread. Each has a few hundred bytes.
const MOST: usize = 16_384;
/// Bytes of the longest that is remembered.
const LONGEST: usize = 4 << 10;

struct Entry {
    /// The issuer that its verdict is about; empty: the app itself.
    by: Box<str>,
    /// What was known of keys when it was made.
    epoch: u64,
    until: i64,
    verdict: Verdict,
}

thread_local! {
    /// INVARIANT: borrowed only within a function that does not await. The table hashes with a secret
    /// seed, and compares whole tokens.
    static CACHE: RefCell<HashMap<Box<str>, Entry>> = RefCell::default();
}

/// A verdict on a token that was given before: what `is_still` makes of its issuer, of what was known
/// of keys then, and of the verdict.
pub(crate) fn recall<T>(
    token: &str,
    now: i64,
    is_still: impl FnOnce(&str, u64, &Verdict) -> Option<T>,
) -> Option<T> {
    CACHE.with_borrow(|cache| {
        let entry = cache.get(token).filter(|entry| now < entry.until)?;
        is_still(&entry.by, entry.epoch, &entry.verdict)
    })
}

/// Remembers a verdict, a good one until the token expires.
pub(crate) fn keep(token: &str, by: &str, epoch: u64, now: i64, verdict: &Verdict) {
    let until = match verdict {
        Verdict::Good(principal) => principal.expires.unwrap_or(i64::MAX),
        // Attackers can make up any number of them.
        Verdict::Bad(..) | Verdict::Unjudged => return,
    };
    if token.len() > LONGEST {
        return;
    }
    CACHE.with_borrow_mut(|cache| {
        if cache.len() >= MOST && !cache.contains_key(token) {
            cache.retain(|_, entry| now < entry.until);
            if cache.len() >= MOST {
                cache.clear();
            }
        }
        cache.insert(token.into(), Entry { by: by.into(), epoch, until, verdict: verdict.clone() });
    });
}
