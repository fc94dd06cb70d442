//! Nonces of the gate (RFC 9449 section 9): a proof that has one was not made long before.
//!
//! A nonce is an HMAC of the time, by a key that all gates have. So none is kept, and each gate takes
//! those of the others.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::config::Secret;

/// Seconds after which there is another nonce. The former one is good for as long again.
const STEP: i64 = 150;
/// The shortest key, in bytes (RFC 2104 section 3: the length of the hash).
pub(super) const SHORTEST_KEY: usize = 32;

/// The nonces of a key.
#[derive(Debug)]
pub(super) struct Nonces(Secret<Vec<u8>>);

impl Nonces {
    pub(super) const fn new(key: Secret<Vec<u8>>) -> Self {
        Self(key)
    }

    /// The one for proofs that are made now.
    pub(super) fn now(&self, now: Timestamp) -> String {
        self.of(now.as_second().div_euclid(STEP))
    }

    pub(super) fn is_good(&self, nonce: &str, now: Timestamp) -> bool {
        let step = now.as_second().div_euclid(STEP);
        // The next one, too: the clocks of gates differ.
        [step - 1, step, step + 1]
            .iter()
            .any(|step| bool::from(self.of(*step).as_bytes().ct_eq(nonce.as_bytes())))
    }

    fn of(&self, step: i64) -> String {
        // A key may have any length.
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.expose()) else {
            return String::new();
        };
        mac.update(b"dpop-nonce");
        mac.update(&step.to_be_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_a_few_minutes_at_all_gates_with_the_key() {
        let [one, other, foreign] = [7, 7, 8].map(|byte| Nonces::new(Secret::new(vec![byte; SHORTEST_KEY])));
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let nonce = one.now(at(0));
        for (seconds, is_good) in
            [(-150, true), (-151, false), (0, true), (149, true), (299, true), (300, false)]
        {
            assert_eq!(other.is_good(&nonce, at(seconds)), is_good, "{seconds}");
        }
        assert_ne!(nonce, one.now(at(150)));
        assert!(!foreign.is_good(&nonce, at(0)) && !one.is_good("", at(0)));
    }
}
