//! Hashes of passwords as they are written, by Mantlet and by others.

use std::fmt::{self, Write};

use argon2::{
    Algorithm, Argon2, Params, PasswordVerifier, Version,
    password_hash::{PasswordHasher, phc},
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use icu_normalizer::ComposingNormalizerBorrowed;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Fault, opaque};

/// Standard base64, with padding or without: Django writes it, passlib does not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a hash of Mantlet's own costs: Argon2id. The default is OWASP's (19 MiB, two passes, one lane).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// KiB of memory.
    pub memory: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory: 19_456, passes: 2, lanes: 1 }
    }
}

impl Cost {
    fn argon2(self) -> Result<Argon2<'static>, Fault> {
        let params = Params::new(self.memory, self.passes, self.lanes, None);
        let params = params.map_err(|_| Fault::Failed("reading the parameters of password hashes"))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    /// A hash with a new salt, as a PHC string.
    pub(super) fn hash(self, password: &str) -> Result<String, Fault> {
        let salt = opaque::random::<16>()?;
        let hash: Result<phc::PasswordHash, _> =
            self.argon2()?.hash_password_with_salt(password.as_bytes(), &salt[..]);
        hash.map(|hash| hash.to_string()).map_err(|_| Fault::Failed("hashing a password"))
    }
}

/// A hash that can be checked.
#[derive(Debug)]
pub(super) enum Hash {
    Argon2(Box<phc::PasswordHash>),
    /// bcrypt, of the password or of its SHA-256 in hex (Django's `bcrypt_sha256`).
    Bcrypt {
        text: String,
        of_sha256: bool,
    },
    Scrypt {
        params: scrypt::Params,
        salt: Vec<u8>,
        output: Vec<u8>,
    },
    Pbkdf2 {
        digest: Sha,
        rounds: u32,
        salt: Vec<u8>,
        output: Vec<u8>,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Sha {
    One,
    Two56,
    Five12,
}

/// Why a hash is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashFault {
    /// No format that is known.
    #[error(
        "its format is not known: it must be argon2, bcrypt, scrypt or pbkdf2 as Django, passlib, pwdlib or Werkzeug \
         write it"
    )]
    Unknown,
    /// It would take more than a login may.
    #[error("checking it would take too much memory or time: reset this password instead of importing it")]
    TooCostly,
}

/// What checking a hash may take at most: 128 MiB (Django takes 100), and about two seconds. A hash may come from a file
/// that is imported.
const MOST_MEMORY_KIB: u64 = 131_072;
const MOST_ARGON2_WORK: u64 = 4 * MOST_MEMORY_KIB;
const MOST_BCRYPT_COST: u32 = 15;
const MOST_ROUNDS: u32 = 4_000_000;
const MOST_SCRYPT_LANES: u32 = 16;

impl Hash {
    /// Reads one.
    pub(super) fn read(text: &str) -> Result<Self, HashFault> {
        let hash = Self::parse(text).ok_or(HashFault::Unknown)?;
        if hash.is_bearable() { Ok(hash) } else { Err(HashFault::TooCostly) }
    }

    fn parse(text: &str) -> Option<Self> {
        // Django names the format in front of what another library has written.
        let text = text.strip_prefix("argon2$").map_or_else(|| text.to_owned(), |rest| format!("${rest}"));
        if let Some(of_sha256) = text.strip_prefix("bcrypt_sha256$") {
            return bcrypt(of_sha256, true);
        }
        if let Some(rest) = text.strip_prefix("bcrypt$") {
            return bcrypt(rest, false);
        }
        let parts: Vec<&str> = text.split('$').collect();
        match *parts.as_slice() {
            ["", "argon2id" | "argon2i" | "argon2d", ..] => {
                let hash = phc::PasswordHash::new(&text).ok()?;
                (hash.hash.is_some() && hash.salt.is_some()).then(|| Self::Argon2(Box::new(hash)))
            }
            ["", "2a" | "2b" | "2x" | "2y", ..] => bcrypt(&text, false),
            ["", "scrypt", params, salt, output] => {
                let [ln, r, p] = three(params.split(','))?;
                let ln = ln.strip_prefix("ln=")?.parse().ok()?;
                let (r, p) = (r.strip_prefix("r=")?.parse().ok()?, p.strip_prefix("p=")?.parse().ok()?);
                let (salt, output) = (BASE64.decode(salt).ok()?, BASE64.decode(output).ok()?);
                scrypt_of(ln, r, p, salt, output)
            }
            // Django: scrypt$N$salt$r$p$base64
            ["scrypt", n, salt, r, p, output] => {
                let output = BASE64.decode(output).ok()?;
                scrypt_of(power(n)?, r.parse().ok()?, p.parse().ok()?, salt.into(), output)
            }
            // passlib: $pbkdf2-sha256$rounds$salt$hash, with `.` for `+`.
            ["", name, rounds, salt, output] => {
                let digest = match name {
                    "pbkdf2" => Sha::One,
                    "pbkdf2-sha256" => Sha::Two56,
                    "pbkdf2-sha512" => Sha::Five12,
                    _ => return None,
                };
                let bytes = |text: &str| BASE64.decode(text.replace('.', "+")).ok();
                pbkdf2_of(digest, rounds, bytes(salt)?, bytes(output)?)
            }
            // Django: pbkdf2_sha256$rounds$salt$base64
            ["pbkdf2_sha256", rounds, salt, output] => {
                pbkdf2_of(Sha::Two56, rounds, salt.into(), BASE64.decode(output).ok()?)
            }
            ["pbkdf2_sha1", rounds, salt, output] => {
                pbkdf2_of(Sha::One, rounds, salt.into(), BASE64.decode(output).ok()?)
            }
            // Werkzeug: method:parameters$salt$hex
            [method, salt, output] => werkzeug(method, salt, output),
            _ => None,
        }
    }

    fn is_bearable(&self) -> bool {
        match self {
            Self::Argon2(hash) => Params::try_from(&**hash).is_ok_and(|params| {
                let memory = u64::from(params.m_cost());
                memory <= MOST_MEMORY_KIB && memory.saturating_mul(params.t_cost().into()) <= MOST_ARGON2_WORK
            }),
            Self::Bcrypt { text, .. } => bcrypt_cost(text).is_some_and(|cost| cost <= MOST_BCRYPT_COST),
            Self::Scrypt { params, .. } => {
                let kib = params.n().saturating_mul(params.r().into()) / 8;
                kib <= MOST_MEMORY_KIB && params.p() <= MOST_SCRYPT_LANES && params.r() <= 64
            }
            Self::Pbkdf2 { rounds, .. } => (1..=MOST_ROUNDS).contains(rounds),
        }
    }

    /// Whether it is of a password, as bytes.
    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2(hash) => Argon2::default().verify_password(password, &**hash).is_ok(),
            Self::Bcrypt { text, of_sha256: false } => bcrypt::verify(password, text).unwrap_or(false),
            Self::Bcrypt { text, of_sha256: true } => {
                let mut hex = Zeroizing::new(String::with_capacity(64));
                for byte in Sha256::digest(password) {
                    // Writing to a string does not fail.
                    let _ = write!(hex, "{byte:02x}");
                }
                bcrypt::verify(hex.as_bytes(), text).unwrap_or(false)
            }
            Self::Scrypt { params, salt, output } => {
                let mut found = Zeroizing::new(vec![0; output.len()]);
                scrypt::scrypt(password, salt, params, &mut found).is_ok() && bool::from(found.ct_eq(output))
            }
            Self::Pbkdf2 { digest, rounds, salt, output } => {
                let mut found = Zeroizing::new(vec![0; output.len()]);
                match digest {
                    Sha::One => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, *rounds, &mut found),
                    Sha::Two56 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, *rounds, &mut found),
                    Sha::Five12 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, *rounds, &mut found),
                }
                found.ct_eq(output).into()
            }
        }
    }

    /// Whether it is one of Mantlet's own that costs at least as much as new ones do.
    pub(super) fn is_as_good_as(&self, cost: Cost) -> bool {
        let Self::Argon2(hash) = self else { return false };
        Params::try_from(&**hash).is_ok_and(|params| {
            hash.algorithm.as_str() == "argon2id"
                && params.m_cost() >= cost.memory
                && params.t_cost() >= cost.passes
                && params.p_cost() == cost.lanes
        })
    }
}

/// The format and what it costs: hashes with the same name take the same time.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2(hash) => write!(f, "{} {}", hash.algorithm, hash.params),
            Self::Bcrypt { text, .. } => write!(f, "bcrypt {}", bcrypt_cost(text).unwrap_or(0)),
            Self::Scrypt { params, .. } => {
                write!(f, "scrypt {} {} {}", params.log_n(), params.r(), params.p())
            }
            Self::Pbkdf2 { digest, rounds, .. } => write!(f, "pbkdf2 {digest:?} {rounds}"),
        }
    }
}

fn bcrypt(text: &str, of_sha256: bool) -> Option<Hash> {
    let is_whole = text.len() == 60 && text.is_ascii() && bcrypt_cost(text).is_some();
    (is_whole && text.parse::<bcrypt::HashParts>().is_ok())
        .then(|| Hash::Bcrypt { text: text.to_owned(), of_sha256 })
}

fn bcrypt_cost(text: &str) -> Option<u32> {
    text.split('$').nth(2)?.parse().ok()
}

fn three<'a>(mut parts: impl Iterator<Item = &'a str>) -> Option<[&'a str; 3]> {
    let found = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(found)
}

/// The exponent of a power of two.
fn power(n: &str) -> Option<u8> {
    let n: u64 = n.parse().ok()?;
    n.is_power_of_two().then_some(())?;
    u8::try_from(n.trailing_zeros()).ok()
}

fn scrypt_of(log_n: u8, r: u32, p: u32, salt: Vec<u8>, output: Vec<u8>) -> Option<Hash> {
    let is_plain = (1..=40).contains(&log_n) && r <= 1024 && p <= 1024 && (16..=128).contains(&output.len());
    let params = is_plain.then(|| scrypt::Params::new(log_n, r, p).ok())??;
    Some(Hash::Scrypt { params, salt, output })
}

fn pbkdf2_of(digest: Sha, rounds: &str, salt: Vec<u8>, output: Vec<u8>) -> Option<Hash> {
    let rounds = rounds.parse().ok()?;
    (16..=128).contains(&output.len()).then_some(Hash::Pbkdf2 { digest, rounds, salt, output })
}

fn werkzeug(method: &str, salt: &str, output: &str) -> Option<Hash> {
    let output = from_hex(output)?;
    let parts: Vec<&str> = method.split(':').collect();
    match *parts.as_slice() {
        ["scrypt", n, r, p] => scrypt_of(power(n)?, r.parse().ok()?, p.parse().ok()?, salt.into(), output),
        ["pbkdf2", name, rounds] => {
            let digest = match name {
                "sha1" => Sha::One,
                "sha256" => Sha::Two56,
                "sha512" => Sha::Five12,
                _ => return None,
            };
            pbkdf2_of(digest, rounds, salt.into(), output)
        }
        _ => None,
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect())?
}

/// As it is hashed: NFKC.
pub(super) fn prepare(password: &str) -> Zeroizing<String> {
    Zeroizing::new(ComposingNormalizerBorrowed::new_nfkc().normalize(password).into_owned())
}
