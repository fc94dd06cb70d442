//! Proofs that were seen: each is good once.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};

/// How long a proof is remembered. It is accepted for 60 s before and after its `iat`; two more
/// seconds are for times that are rounded.
pub const REMEMBERED: Duration = Duration::from_secs(122);
/// How long proofs are put together, which are forgotten together.
const STEP: Duration = Duration::from_secs(31);
/// Proofs that a gate remembers, in about 75 MB. Those of two and a half minutes: more than 13,000 a
/// second, and one of the gate's cores verifies about that many.
const MOST: usize = 1 << 21;

/// A proof, as it is remembered: 16 bytes of a hash of its key and its `jti`.
pub type ProofId = [u8; 16];

/// Remembers proofs for several gates.
pub trait SeenByAll: Send + Sync + std::fmt::Debug {
    /// Whether no gate has seen it within [`REMEMBERED`]; from now on it counts as seen. None if the
    /// store does not respond.
    fn is_new(&self, proof: ProofId) -> BoxFuture<'_, Option<bool>>;
}

/// What is known of a proof by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    New,
    Again,
    /// Nothing more can be remembered, and nothing that is remembered may be forgotten.
    Full,
}

/// The proofs that this gate has seen. A clone shares them, and they outlive a policy.
///
/// INVARIANT: none is forgotten before [`REMEMBERED`] has passed. So there is no replay, not even
/// under load.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<VecDeque<Step>>>);

/// Proofs that were seen within [`STEP`] after it began.
#[derive(Debug)]
struct Step {
    began: Instant,
    proofs: HashSet<ProofId>,
}

impl Seen {
    pub(super) fn see(&self, proof: ProofId, now: Instant) -> Sight {
        self.see_of(MOST, proof, now)
    }

    fn see_of(&self, most: usize, proof: ProofId, now: Instant) -> Sight {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let age = |step: &Step| now.saturating_duration_since(step.began);
        while steps.front().is_some_and(|oldest| age(oldest) > STEP + REMEMBERED) {
            steps.pop_front();
        }
        if steps.iter().any(|step| step.proofs.contains(&proof)) {
            return Sight::Again;
        }
        if steps.iter().map(|step| step.proofs.len()).sum::<usize>() >= most {
            return Sight::Full;
        }
        match steps.back_mut().filter(|newest| age(newest) <= STEP) {
            Some(newest) => drop(newest.proofs.insert(proof)),
            None => steps.push_back(Step { began: now, proofs: [proof].into() }),
        }
        Sight::New
    }
}

pub(super) fn id_of(thumbprint: &str, jti: &str) -> ProofId {
    let mut hash = Sha256::new();
    hash.update((thumbprint.len() as u64).to_be_bytes());
    hash.update(thumbprint);
    hash.update(jti);
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_new_once_and_for_as_long_as_it_could_be_accepted() {
        let (seen, start) = (Seen::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let (one, other) = (id_of("key", "1"), id_of("key", "2"));
        assert_eq!(seen.see(one, at(0)), Sight::New);
        assert_eq!(seen.see(one, at(0)), Sight::Again);
        assert_eq!(seen.see(other, at(120)), Sight::New);
        assert_eq!(seen.see(one, at(121)), Sight::Again);
        for seconds in [123, 180, 240, 242] {
            assert_eq!(seen.see(other, at(seconds)), Sight::Again, "{seconds}");
        }
        assert_eq!(seen.see(other, at(120 + 122 + 31 + 1)), Sight::New);
        assert_ne!(id_of("ab", "c"), id_of("a", "bc"));
    }

    #[test]
    fn none_is_forgotten_early_however_many_come() {
        let (seen, start) = (Seen::default(), Instant::now());
        let ids = || (0..4_u8).map(|number| id_of("key", &number.to_string()));
        assert!(ids().all(|id| seen.see_of(4, id, start) == Sight::New));
        assert_eq!(seen.see_of(4, id_of("key", "4"), start), Sight::Full);
        assert!(ids().all(|id| seen.see_of(4, id, start) == Sight::Again));
        let later = start + 3 * REMEMBERED;
        assert_eq!(seen.see_of(4, id_of("key", "4"), later), Sight::New);
    }
}
