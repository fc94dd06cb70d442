//! Proofs that were seen: each is good once.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};

/// How long a proof is remembered. It is accepted for 60 s before and after its `iat`; two more
/// seconds are for times that are rounded.
pub const REMEMBERED: Duration = Duration::from_secs(122);
/// Proofs that a gate remembers, in about 20 MB for each half.
const MOST: usize = 1 << 20;

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
pub struct Seen(Arc<Mutex<Halves>>);

/// Proofs by the time in which they were seen: the half that is filled now, and the one before.
#[derive(Debug, Default)]
struct Halves {
    now: HashSet<ProofId>,
    before: HashSet<ProofId>,
    began: Option<Instant>,
}

impl Seen {
    pub(super) fn see(&self, proof: ProofId, now: Instant) -> Sight {
        self.see_of(MOST, proof, now)
    }

    fn see_of(&self, most: usize, proof: ProofId, now: Instant) -> Sight {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let age = halves.began.map(|began| now.saturating_duration_since(began));
        match age {
            None => halves.began = Some(now),
            Some(age) if age > REMEMBERED => {
                let former = std::mem::take(&mut halves.now);
                // Nothing came for so long that the half before it is over, too.
                halves.before = if age > 2 * REMEMBERED { HashSet::new() } else { former };
                halves.began = Some(now);
            }
            Some(_) => {}
        }
        if halves.before.contains(&proof) || halves.now.contains(&proof) {
            return Sight::Again;
        }
        if halves.now.len() + halves.before.len() >= most {
            return Sight::Full;
        }
        halves.now.insert(proof);
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
        assert_eq!(seen.see(other, at(600)), Sight::New);
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
