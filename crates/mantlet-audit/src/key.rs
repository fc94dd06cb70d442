//! The key of the next seal. Each key is derived from the one before it, and that one is forgotten.

use aws_lc_rs::{
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Salt},
    rand::{SecureRandom as _, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use zeroize::Zeroizing;

/// Length of a public key.
const LENGTH: usize = 32;
/// What keys are derived for.
const PURPOSE: &[u8] = b"mantlet audit seal";

/// The key that verifies a seal.
pub type PublicKey = [u8; LENGTH];

/// The key that signs one seal.
pub struct Key {
    seed: Zeroizing<[u8; LENGTH]>,
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("public", &self.public).finish_non_exhaustive()
    }
}

/// A length, as the derivation asks for it.
struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        LENGTH
    }
}

impl Key {
    /// The first key of a log. Fails if the system has no randomness.
    pub fn random() -> Result<Self, Unspecified> {
        let mut seed = Zeroizing::new([0; LENGTH]);
        SystemRandom::new().fill(seed.as_mut())?;
        Self::of_seed(seed)
    }

    /// The key of a seed that was kept.
    pub fn of_seed(seed: Zeroizing<[u8; LENGTH]>) -> Result<Self, Unspecified> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| Unspecified)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| Unspecified)?;
        Ok(Self { seed, pair, public })
    }

    /// The seed, to be kept where no other user reads it.
    pub fn seed(&self) -> &[u8; LENGTH] {
        &self.seed
    }

    /// The key that verifies its seal.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// The key of the seal after this one. From it this one cannot be found.
    pub fn next(&self) -> Result<Self, Unspecified> {
        let mut seed = Zeroizing::new([0; LENGTH]);
        let from = Salt::new(HKDF_SHA256, &[]).extract(self.seed.as_ref());
        from.expand(&[PURPOSE], Length)?.fill(seed.as_mut())?;
        Self::of_seed(seed)
    }

    pub(crate) fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.pair.sign(text).as_ref().to_vec()
    }
}

pub(crate) fn is_signed_by(key: &PublicKey, text: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(text, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_signs_for_itself() {
        let first = Key::random().unwrap();
        let second = first.next().unwrap();
        assert_ne!(first.public(), second.public());
        assert_eq!(first.next().unwrap().public(), second.public());
        let signature = first.sign(b"text");
        assert!(is_signed_by(&first.public(), b"text", &signature));
        assert!(!is_signed_by(&first.public(), b"texts", &signature));
        assert!(!is_signed_by(&second.public(), b"text", &signature));
        let kept = Key::of_seed(Zeroizing::new(*first.seed())).unwrap();
        assert_eq!(kept.public(), first.public());
        assert!(!format!("{first:?}").contains("seed"));
    }
}
