//! Proofs (DPoP) that any of several gates has seen.
//!
//! | key | holds | until |
//! |---|---|---|
//! | `PREFIX:dpop:PROOF` | nothing; `PROOF` is a part of a hash | a proof is too old for all gates |

use std::fmt::{self, Write as _};

use futures_util::future::BoxFuture;
use mantlet_controls::dpop::{ProofId, REMEMBERED, SeenByAll};

use super::{RedisStore, millis};

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}

impl SeenByAll for RedisStore {
    fn is_new(&self, proof: ProofId) -> BoxFuture<'_, Option<bool>> {
        let mut name = format!("{}:dpop:", self.0.config.prefix);
        for byte in proof {
            // Writing to a text cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        Box::pin(self.ask(async move |mut link| {
            let mut set = redis::cmd("SET");
            set.arg(name).arg("").arg("NX").arg("PX").arg(millis(REMEMBERED));
            let done: Option<String> = set.query_async(&mut link).await?;
            Ok(done.is_some())
        }))
    }
}
