//! The evidence about all rules, by what they say, and what of it outlives a run.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use http::Method;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Counted, Evidence, MOST_CALLERS, MOST_NAMED, MOST_OF_ONE, Seen};

/// Operations of rules whose evidence is kept, about 3 KiB each.
pub(super) const MOST: usize = 1_024;
/// Seconds after which evidence that nothing was added to is forgotten.
const FORGOTTEN: i64 = 90 * 24 * 60 * 60;

/// The evidence about all rules. It outlives a configuration: a proposal that becomes a rule goes on with
/// what is known of it.
#[derive(Debug, Clone, Default)]
pub struct AllEvidence(Arc<All>);

#[derive(Debug, Default)]
struct All {
    rules: Mutex<HashMap<Box<str>, Arc<RuleEvidence>>>,
    shared: Arc<Shared>,
}

/// What all evidence has in common.
pub(super) struct Shared {
    /// Of the hashes of callers.
    key: RwLock<[u8; 32]>,
    /// How many operations there are.
    count: AtomicUsize,
    /// How often something was added.
    changes: AtomicU64,
    /// There was no room for an operation.
    is_full: AtomicBool,
}

/// The methods of a path.
type Methods = Vec<(Method, Arc<Evidence>)>;

/// What traffic says of one rule, for each operation.
#[derive(Debug)]
pub(in crate::authorization) struct RuleEvidence {
    /// By their paths.
    operations: RwLock<HashMap<Box<str>, Methods>>,
    shared: Arc<Shared>,
}

/// What is kept of a rule at one operation. Callers are hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeptEvidence {
    /// What the rule says. That of a rule which has changed since belongs to no rule.
    rule: Box<str>,
    method: Box<str>,
    path: Box<str>,
    own: u64,
    own_callers: Vec<(u64, u8)>,
    foreign: u64,
    foreign_callers: Vec<u64>,
    requests: Vec<Box<str>>,
    unclear: u64,
    unclear_callers: Vec<u64>,
    why: Option<Box<str>>,
    watched: i64,
    last: i64,
    enforced: bool,
}

impl AllEvidence {
    pub(in crate::authorization) fn of(&self, rule: String) -> Arc<RuleEvidence> {
        let mut rules = self.rules();
        if rules.len() >= MOST || self.0.shared.is_full.load(Relaxed) {
            // Rules that are not in force any more.
            rules.retain(|_, evidence| Arc::strong_count(evidence) > 1);
            self.0.shared.is_full.store(false, Relaxed);
        }
        let shared = &self.0.shared;
        let new = || Arc::new(RuleEvidence { operations: RwLock::default(), shared: Arc::clone(shared) });
        Arc::clone(rules.entry(rule.into()).or_insert_with(new))
    }

    /// How often something was added.
    pub fn changes(&self) -> u64 {
        self.0.shared.changes.load(Relaxed)
    }

    /// Sets the key by which callers are hashed. Before anything is added.
    pub fn set_key(&self, key: &str) {
        *self.0.shared.key.write().unwrap_or_else(PoisonError::into_inner) = Sha256::digest(key).into();
    }

    /// The hash of a text that is always the same: by it a file is known that has hashes of another key.
    pub fn check(&self) -> u64 {
        self.0.shared.hash(&["mantlet evidence".to_owned()])
    }

    /// All that is to be kept.
    pub fn kept(&self) -> Vec<KeptEvidence> {
        let rules: Vec<_> =
            self.rules().iter().map(|(words, rule)| (words.clone(), Arc::clone(rule))).collect();
        let mut kept = Vec::new();
        for (words, rule) in rules {
            for (path, method, evidence) in rule.all() {
                let seen = evidence.lock().clone();
                if seen.last != 0 {
                    kept.push(KeptEvidence::of(&words, (method, path), &evidence, seen));
                }
            }
        }
        kept.sort_unstable_by(|a, b| (&a.rule, &a.path, &a.method).cmp(&(&b.rule, &b.path, &b.method)));
        kept
    }

    /// Takes what was kept, unless it is too old, or something is known already.
    pub fn restore(&self, kept: KeptEvidence, now: i64) {
        let is_old = now.saturating_sub(kept.last) > FORGOTTEN;
        let Ok(method) = Method::from_bytes(kept.method.as_bytes()) else { return };
        if is_old || self.rules().len() >= MOST {
            return;
        }
        if let Some(evidence) = self.of(kept.rule.clone().into()).of(&method, &kept.path) {
            kept.put_into(&evidence);
        }
    }

    fn rules(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<RuleEvidence>>> {
        self.0.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RuleEvidence {
    /// What is known of an operation; none if there are too many of them.
    pub(in crate::authorization) fn of(&self, method: &Method, path: &str) -> Option<Arc<Evidence>> {
        let find = |all: &[(Method, Arc<Evidence>)]| {
            all.iter().find(|(own, _)| own == method).map(|(_, evidence)| Arc::clone(evidence))
        };
        let known = self.operations.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(path).and_then(|all| find(all)) {
            return Some(found);
        }
        drop(known);
        let mut known = self.operations.write().unwrap_or_else(PoisonError::into_inner);
        let of_path = known.entry(path.into()).or_default();
        if let Some(found) = find(of_path) {
            return Some(found);
        }
        if self.shared.count.fetch_add(1, Relaxed) >= MOST {
            self.shared.count.fetch_sub(1, Relaxed);
            self.shared.is_full.store(true, Relaxed);
            if of_path.is_empty() {
                known.remove(path);
            }
            return None;
        }
        let evidence = Arc::new(Evidence::new(Arc::clone(&self.shared)));
        of_path.push((method.clone(), Arc::clone(&evidence)));
        Some(evidence)
    }

    /// What is known of each operation of which something is.
    pub(in crate::authorization) fn counted(&self) -> Vec<Counted> {
        let all = self.all().into_iter();
        let mut counted: Vec<_> = all
            .map(|(path, method, evidence)| evidence.counted(operation(&method, &path), false))
            .filter(|counted| counted.own + counted.foreign + counted.unclear > 0)
            .collect();
        counted.sort_unstable_by(|a, b| a.operation.cmp(&b.operation));
        counted
    }

    fn all(&self) -> Vec<(Box<str>, Method, Arc<Evidence>)> {
        let known = self.operations.read().unwrap_or_else(PoisonError::into_inner);
        let each = known.iter().flat_map(|(path, all)| all.iter().map(move |one| (path, one)));
        each.map(|(path, (method, evidence))| (path.clone(), method.clone(), Arc::clone(evidence))).collect()
    }
}

impl Drop for RuleEvidence {
    fn drop(&mut self) {
        let count = self.all().len();
        self.shared.count.fetch_sub(count, Relaxed);
    }
}

/// An operation in words. Its path is empty where it is not known.
pub(in crate::authorization) fn operation(method: &Method, path: &str) -> String {
    if path.is_empty() { "operations that are not known".to_owned() } else { format!("{method} {path}") }
}

impl KeptEvidence {
    fn of(words: &str, (method, path): (Method, Box<str>), evidence: &Evidence, seen: Seen) -> Self {
        let watched = seen.watched_until(seen.last);
        Self {
            rule: words.into(),
            method: method.as_str().into(),
            path,
            own: evidence.own.load(Relaxed),
            own_callers: seen.own,
            foreign: seen.foreign,
            foreign_callers: seen.foreign_callers,
            requests: seen.named,
            unclear: seen.unclear,
            unclear_callers: seen.unclear_callers,
            why: seen.why,
            watched,
            last: seen.last,
            enforced: evidence.is_enforced(),
        }
    }

    fn put_into(self, evidence: &Evidence) {
        let mut seen = evidence.lock();
        if seen.last != 0 {
            return;
        }
        let Self { mut own_callers, mut foreign_callers, mut unclear_callers, mut requests, .. } = self;
        own_callers.truncate(MOST_CALLERS);
        for (_, count) in &mut own_callers {
            *count = MOST_OF_ONE.min(*count);
        }
        foreign_callers.truncate(MOST_CALLERS);
        unclear_callers.truncate(MOST_CALLERS);
        requests.truncate(MOST_NAMED);
        *seen = Seen {
            own: own_callers,
            foreign: self.foreign,
            foreign_callers,
            named: requests,
            unclear: self.unclear,
            unclear_callers,
            why: self.why,
            since: 0,
            last: self.last,
            watched: self.watched,
        };
        evidence.judge(&seen);
        evidence.own.store(self.own, Relaxed);
        evidence.asked.store(self.own, Relaxed);
        evidence.is_enforced.store(self.enforced && !evidence.is_against(), Relaxed);
    }
}

impl Shared {
    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Relaxed);
    }

    pub(super) fn hash(&self, caller: &[String]) -> u64 {
        let mut digest = Sha256::new();
        digest.update(*self.key.read().unwrap_or_else(PoisonError::into_inner));
        for part in caller {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        let mut first = [0; 8];
        first.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
        u64::from_le_bytes(first)
    }
}

impl Default for Shared {
    fn default() -> Self {
        let mut key = [0; 32];
        // Without random numbers hashes are not secret; they never leave the memory, then.
        let _ = getrandom::fill(&mut key);
        Self {
            key: RwLock::new(key),
            count: AtomicUsize::default(),
            changes: AtomicU64::default(),
            is_full: AtomicBool::default(),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
