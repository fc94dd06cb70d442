//! Who had a credential a moment ago, for each thread: the pages of an app ask many things at once.
//!
//! Only good ones are remembered, for a second. What ends a session in this process ends it here at once; what another gate
//! or a command does is seen a second later.

use std::{
    array,
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use mantlet_controls::accounts::{Caller, Credential};
use sha2::{Digest as _, Sha256};

/// For how long a good credential is not looked up again.
const LASTS: Duration = Duration::from_secs(1);
/// Credentials that a thread remembers.
const MOST: usize = 4096;
/// Accounts are in groups: the end of a session forgets those of its group.
const GROUPS: usize = 256;

/// What is kept of a credential.
pub(super) type Digest = [u8; 32];

struct Entry {
    caller: Arc<Caller>,
    group: usize,
    number: u64,
    until: Instant,
}

thread_local! {
    /// INVARIANT: borrowed only within a function that does not await.
    static KNOWN: RefCell<HashMap<Digest, Entry>> = RefCell::default();
}

/// Counts what ends sessions, for all threads.
#[derive(Debug)]
pub(super) struct Memory {
    all: AtomicU64,
    groups: [AtomicU64; GROUPS],
    hasher: RandomState,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            all: AtomicU64::default(),
            groups: array::from_fn(|_| AtomicU64::default()),
            hasher: RandomState::new(),
        }
    }
}

impl Memory {
    /// The caller of a credential, if that was known a moment ago.
    pub(super) fn recall(&self, digest: &Digest, now: Instant) -> Option<Arc<Caller>> {
        KNOWN.with_borrow(|known| {
            let entry = known.get(digest)?;
            let is_still = now < entry.until && entry.number == self.number(entry.group);
            is_still.then(|| Arc::clone(&entry.caller))
        })
    }

    /// The moment before something is asked.
    pub(super) fn mark(&self) -> u64 {
        self.all.load(SeqCst)
    }

    /// Keeps an answer, unless a session has ended since it was asked for: that may have been this one.
    pub(super) fn keep(&self, digest: Digest, caller: &Arc<Caller>, mark: u64, now: Instant) {
        let group = self.group(&caller.principal.subject);
        let number = self.number(group);
        if self.mark() != mark {
            return;
        }
        KNOWN.with_borrow_mut(|known| {
            if known.len() >= MOST {
                known.retain(|_, entry| now < entry.until);
            }
            if known.len() >= MOST {
                known.clear();
            }
            let entry = Entry { caller: Arc::clone(caller), group, number, until: now + LASTS };
            known.insert(digest, entry);
        });
    }

    /// Something has ended sessions of an account, or has changed it; without one, of any.
    pub(super) fn end(&self, account: Option<&str>) {
        // First the groups: what is kept from here on has seen the change.
        let groups: &[AtomicU64] = match account.and_then(|account| self.groups.get(self.group(account))) {
            Some(group) => std::slice::from_ref(group),
            None => &self.groups,
        };
        for group in groups {
            group.fetch_add(1, SeqCst);
        }
        self.all.fetch_add(1, SeqCst);
    }

    /// Counts the ends that concern an account.
    pub(super) fn number_of(&self, account: &str) -> u64 {
        self.number(self.group(account))
    }

    fn group(&self, account: &str) -> usize {
        usize::try_from(self.hasher.hash_one(account) % GROUPS as u64).unwrap_or_default()
    }

    fn number(&self, group: usize) -> u64 {
        self.groups.get(group).map_or(0, |group| group.load(SeqCst))
    }
}

/// What is kept of a credential: a cookie is never taken for a token.
pub(super) fn digest(credential: &Credential) -> Digest {
    let (kind, text) = match credential {
        Credential::Cookie(value) => ("cookie ", value),
        Credential::Token(value) => ("token ", value),
    };
    Sha256::new().chain_update(kind).chain_update(text.expose().as_bytes()).finalize().into()
}

#[cfg(test)]
mod tests {
    use mantlet_accounts::Secret;
    use mantlet_controls::call::Principal;

    use super::*;

    fn caller(account: &str) -> Arc<Caller> {
        let (issuer, subject) = ("https://orchard.example".into(), account.into());
        let principal =
            Principal { issuer, subject, is_of_app: false, attributes: Vec::new(), expires: None };
        Arc::new(Caller { principal: Arc::new(principal), session: 1, id: "1".into() })
    }

    #[test]
    fn a_credential_is_known_for_a_second_unless_its_session_ends() {
        let (memory, start) = (Memory::default(), Instant::now());
        let cookie = digest(&Credential::Cookie(Secret::new("ada".to_owned())));
        memory.keep(cookie, &caller("ada"), memory.mark(), start);
        assert!(memory.recall(&cookie, start).is_some());
        assert!(memory.recall(&cookie, start + LASTS).is_none());
        memory.end(Some("ada"));
        assert!(memory.recall(&cookie, start).is_none());
        memory.keep(cookie, &caller("ada"), memory.mark(), start);
        memory.end(None);
        assert!(memory.recall(&cookie, start).is_none());
    }

    #[test]
    fn what_was_asked_before_an_end_is_not_kept_after_it() {
        let (memory, start) = (Memory::default(), Instant::now());
        let cookie = digest(&Credential::Cookie(Secret::new("ben".to_owned())));
        let mark = memory.mark();
        memory.end(Some("ben"));
        memory.keep(cookie, &caller("ben"), mark, start);
        assert!(memory.recall(&cookie, start).is_none());
    }

    #[test]
    fn a_cookie_is_not_a_token_and_memory_is_bounded() {
        let text = || Secret::new("same".to_owned());
        assert_ne!(digest(&Credential::Cookie(text())), digest(&Credential::Token(text())));
        let (memory, start) = (Memory::default(), Instant::now());
        for number in 0..=2 * MOST {
            let cookie = digest(&Credential::Cookie(Secret::new(number.to_string())));
            memory.keep(cookie, &caller("cy"), memory.mark(), start);
            assert!(memory.recall(&cookie, start).is_some());
        }
        assert!(KNOWN.with_borrow(HashMap::len) <= MOST);
    }
}
