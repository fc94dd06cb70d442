//! Keys that verify tokens.

use jsonwebtoken::{
    AlgorithmFamily, DecodingKey, crypto,
    jwk::{Jwk, ThumbprintHash},
};
use serde_json::Value;

use super::TokenFault;

/// The shortest RSA key, in bytes of its modulus (RFC 7518 section 3.3: 2048 bits).
const SHORTEST_RSA: usize = 256;
/// Keys of one set that are kept, and that are tried for a token that does not name its key.
const MOST_KEYS: usize = 64;
const MOST_TRIED: usize = 16;

/// What tokens are signed with (RFC 7518 section 3.1). `none` is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Algorithm(jsonwebtoken::Algorithm);

impl Algorithm {
    /// HMAC with SHA-256.
    pub const HS256: Self = Self(jsonwebtoken::Algorithm::HS256);

    /// The algorithm of a name, as `alg` has it.
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// Its name.
    pub fn name(self) -> String {
        format!("{:?}", self.0)
    }

    /// Whether it takes a secret, with which a verifier can sign, too.
    pub fn is_symmetric(self) -> bool {
        self.0.family() == AlgorithmFamily::Hmac
    }

    /// As the library names it.
    pub(crate) const fn of_library(self) -> jsonwebtoken::Algorithm {
        self.0
    }

    /// The bytes that a secret for it should have (RFC 7518 section 3.2).
    pub const fn length_of_secret(self) -> usize {
        match self.0 {
            jsonwebtoken::Algorithm::HS384 => 48,
            jsonwebtoken::Algorithm::HS512 => 64,
            _ => 32,
        }
    }
}

/// A key, with the algorithms that it takes.
#[derive(Clone)]
pub struct Key {
    /// Its name in its set.
    pub id: Option<Box<str>>,
    verifier: DecodingKey,
    /// The only algorithm that it takes, if it says so; else all of its family.
    only: Option<Algorithm>,
    family: AlgorithmFamily,
    /// An elliptic curve takes one algorithm.
    curve: Option<Algorithm>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("family", &self.family).finish_non_exhaustive()
    }
}

impl Key {
    /// A secret.
    pub fn of_secret(secret: &[u8]) -> Option<Self> {
        let key = DecodingKey::from_secret(secret).ok()?;
        Some(Self { id: None, verifier: key, only: None, family: AlgorithmFamily::Hmac, curve: None })
    }

    /// A public key in PEM: RSA, P-256, P-384 or Ed25519.
    pub fn of_pem(pem: &[u8]) -> Option<Self> {
        let made = |key, family, curve| Self { id: None, verifier: key, only: None, family, curve };
        if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
            return Some(made(key, AlgorithmFamily::Rsa, None));
        }
        if let Ok(key) = DecodingKey::from_ec_pem(pem) {
            let curve = match key.try_get_as_bytes().map(<[u8]>::len) {
                Ok(65) => Algorithm::named("ES256"),
                Ok(97) => Algorithm::named("ES384"),
                _ => return None,
            };
            return Some(made(key, AlgorithmFamily::Ec, curve));
        }
        DecodingKey::from_ed_pem(pem).ok().map(|key| made(key, AlgorithmFamily::Ed, None))
    }

    /// A key of a set. None: it is not for signatures, too short, or of a kind that is not known.
    pub fn of_jwk(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let is_for_signatures = text("use").is_none_or(|purpose| purpose == "sig");
        let verifies = match value.get("key_ops") {
            Some(Value::Array(named)) => named.iter().any(|name| name == "verify"),
            Some(_) => false,
            None => true,
        };
        if !is_for_signatures || !verifies {
            return None;
        }
        let curve = match (text("kty")?, text("crv")) {
            ("EC", Some("P-256")) => Algorithm::named("ES256"),
            ("EC", Some("P-384")) => Algorithm::named("ES384"),
            ("OKP", Some("Ed25519")) | ("RSA" | "oct", _) => None,
            _ => return None,
        };
        let only = match text("alg") {
            Some(name) => Some(Algorithm::named(name)?),
            None => None,
        };
        // `alg` was read above: the library refuses keys whose `alg` it does not know.
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let family = key.family();
        if family == AlgorithmFamily::Rsa && !is_strong(text("n")?) {
            return None;
        }
        if let (AlgorithmFamily::Hmac, Some(own)) = (family, only) {
            // RFC 7518 section 3.2
            key.try_get_as_bytes().ok().filter(|secret| secret.len() >= own.length_of_secret())?;
        }
        let is_its_own = |own: Algorithm| own.0.family() == family && curve.is_none_or(|curve| curve == own);
        if only.is_some_and(|own| !is_its_own(own)) {
            return None;
        }
        Some(Self { id: text("kid").map(Into::into), verifier: key, only, family, curve })
    }

    /// A public key that comes with what it verifies, and its thumbprint (RFC 7638). None also if a
    /// member of it is not public: a key that its owner has shown to others proves nothing.
    pub(crate) fn of_proof(value: &Value) -> Option<(Self, String)> {
        const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        if PRIVATE.iter().any(|name| value.get(name).is_some()) {
            return None;
        }
        let key = Self::of_jwk(value).filter(|key| !key.is_symmetric())?;
        let mut members = value.as_object()?.clone();
        // The library refuses some values here that have no part in the thumbprint.
        members.retain(|name, _| matches!(name.as_str(), "kty" | "crv" | "x" | "y" | "n" | "e"));
        let jwk: Jwk = serde_json::from_value(Value::Object(members)).ok()?;
        Some((key, jwk.thumbprint(ThumbprintHash::SHA256).ok()?))
    }

    /// Whether it takes this algorithm.
    pub fn takes(&self, algorithm: Algorithm) -> bool {
        algorithm.0.family() == self.family
            && self.only.is_none_or(|only| only == algorithm)
            && self.curve.is_none_or(|curve| curve == algorithm)
    }

    /// The same key, for one algorithm only.
    #[must_use]
    pub fn only(self, algorithm: Algorithm) -> Self {
        Self { only: Some(algorithm), ..self }
    }

    /// Whether it is a secret.
    pub fn is_symmetric(&self) -> bool {
        self.family == AlgorithmFamily::Hmac
    }

    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &str) -> bool {
        crypto::verify(signature, signed, &self.verifier, algorithm.0).unwrap_or(false)
    }
}

/// A modulus in base64url of at least [`SHORTEST_RSA`] bytes, without zeros in front, that is not one of a broken generator.
fn is_strong(modulus: &str) -> bool {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(modulus) else { return false };
    bytes.iter().skip_while(|byte| **byte == 0).count() >= SHORTEST_RSA && !is_of_roca(&bytes)
}

/// Whether a modulus has the fingerprint of keys that were generated by the library of CVE-2017-15361
/// ("ROCA"), and can be factored: modulo each of these primes it is a power of 65537.
fn is_of_roca(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
        103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.into_iter().all(|prime| {
        let rest = modulus.iter().fold(0, |rest, byte| ((rest << 8) | u32::from(*byte)) % prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * (65_537 % prime) % prime));
        powers.take(prime as usize).any(|power| power == rest)
    })
}

/// The keys of an issuer.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// One key.
    pub fn of(key: Key) -> Self {
        Self { keys: vec![key] }
    }

    /// The same, with further keys.
    #[must_use]
    pub fn with(mut self, keys: impl IntoIterator<Item = Key>) -> Self {
        self.keys.extend(keys);
        self
    }

    /// A JSON Web Key Set. Keys that cannot verify tokens are passed over. None: it is not a set.
    pub fn of_jwks(text: &[u8]) -> Option<Self> {
        let set: Value = serde_json::from_slice(text).ok()?;
        let keys = set.get("keys")?.as_array()?;
        // A secret in a public set is known to all.
        let keys = keys.iter().filter_map(Key::of_jwk).filter(|key| !key.is_symmetric());
        Some(Self { keys: keys.take(MOST_KEYS).collect() })
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Verifies a token with the key that it names, or with each that takes its algorithm.
    pub fn verify(&self, token: &super::Jws<'_>) -> Result<(), TokenFault> {
        let Some(algorithm) = token.algorithm else { return Err(TokenFault::Algorithm) };
        let named = |key: &&Key| match (&token.key_id, &key.id) {
            (Some(asked), Some(own)) => asked == own,
            // A set of one key need not name it.
            (Some(_), None) | (None, _) => true,
        };
        let mut fault = TokenFault::KeyUnknown;
        let mut tried = 0;
        for key in self.keys.iter().filter(named) {
            if !key.takes(algorithm) {
                fault = if fault == TokenFault::KeyUnknown { TokenFault::Algorithm } else { fault };
                continue;
            }
            match token.verify(key) {
                Ok(()) => return Ok(()),
                Err(found) => fault = found,
            }
            tried += 1;
            if tried == MOST_TRIED {
                break;
            }
        }
        Err(fault)
    }
}
