//! Proof of work: a puzzle that a person's browser solves in a moment, and that makes each guess of
//! an attacker cost work.
//!
//! The puzzle is that of ALTCHA, version 1: find the number for which SHA-256 of the salt followed
//! by the number is the challenge. Its widget and its libraries solve and verify it.
//!
//! An answer lets through if
//!
//! 1. it is a JSON object in base64 with exactly the fields of ALTCHA,
//! 2. its signature is that of the challenge by our key, so that the puzzle is ours,
//! 3. the hash of its salt and its number is the challenge, so that the work was done,
//! 4. the time in its salt has not passed, and its flow is the one that is asked for,
//! 5. it was not used before ([`Spent`]).
//!
//! The number is drawn at random up to [`ProofOfWork::most`], so an answer costs half as many hashes
//! on average, and at most all of them. Verification costs two. A graphics card hashes far
//! faster than a page does: the work raises the price of a guess, and bounds nothing.

mod spent;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fmt::Write,
    sync::{Arc, OnceLock},
    time::Duration,
};
use subtle::ConstantTimeEq;

pub use self::spent::{Sight, Spent, SpentByAll};
use crate::config::Secret;

/// The shortest key, in bytes (RFC 2104 section 3: the length of the hash).
pub const SHORTEST_KEY: usize = 32;
/// The longest answer that is read, in bytes. One of ours has about 400.
const LONGEST_ANSWER: usize = 2048;
/// The only algorithm, as ALTCHA names it.
const SHA_256: &str = "SHA-256";

/// An answer, as it is remembered: 16 bytes of its challenge.
pub type AnswerId = [u8; 16];

/// Makes puzzles and verifies answers. All gates with the same key take each other's.
#[derive(Debug)]
pub struct ProofOfWork {
    key: Secret<Vec<u8>>,
    most: u32,
    lifetime: Duration,
}

/// The key of a process for which none is configured. A reload keeps it; a restart makes another one,
/// so that no answer of before is taken twice.
#[derive(Debug, Clone, Default)]
pub struct OwnKey(Arc<OnceLock<Secret<Vec<u8>>>>);

impl OwnKey {
    /// The key; made now if it is missing. None if the system gives no random bytes.
    pub fn get(&self) -> Option<Secret<Vec<u8>>> {
        if let Some(known) = self.0.get() {
            return Some(known.clone());
        }
        let mut random = vec![0; SHORTEST_KEY];
        getrandom::fill(&mut random).ok()?;
        Some(self.0.get_or_init(|| Secret::new(random)).clone())
    }
}

/// A puzzle, as ALTCHA has it in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Puzzle {
    algorithm: &'static str,
    challenge: String,
    maxnumber: u32,
    salt: String,
    signature: String,
}

/// An answer, as ALTCHA has it in JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    algorithm: String,
    challenge: String,
    number: u32,
    salt: String,
    signature: String,
    /// Milliseconds that the client needed, as it says. The widget adds it.
    #[serde(default, rename = "took")]
    _took: Option<f64>,
}

/// A good answer, unless it was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solved {
    /// Which answer it is, for [`Spent`].
    pub id: AnswerId,
    /// After this time it is refused in any case.
    pub expires: Timestamp,
}

/// Why an answer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not an answer as ALTCHA has it.
    Malformed,
    /// Its puzzle is not ours.
    Forged,
    /// The number does not solve the puzzle.
    Unsolved,
    /// Its time has passed.
    Expired,
    /// Its puzzle was made for another flow.
    OtherFlow,
}

impl Fault {
    /// A word for the client.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Forged => "unknown",
            Self::Unsolved => "unsolved",
            Self::Expired => "expired",
            Self::OtherFlow => "other-request",
        }
    }
}

impl ProofOfWork {
    /// With a key that is used for nothing else, numbers up to `most`, and puzzles that are good for
    /// `lifetime`. None if the key has fewer than [`SHORTEST_KEY`] bytes.
    pub fn new(key: Secret<Vec<u8>>, most: u32, lifetime: Duration) -> Option<Self> {
        (key.expose().len() >= SHORTEST_KEY).then_some(Self { key, most, lifetime })
    }

    /// The largest number that solves a puzzle: the hashes that an answer costs at most.
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// A new puzzle for a flow (`login`, `reset` and so on: letters, digits and hyphens). None if the
    /// flow has another name, or the system gives no random bytes.
    pub fn puzzle(&self, flow: &str, now: Timestamp) -> Option<Puzzle> {
        let mut random = [0; 20];
        getrandom::fill(&mut random).ok()?;
        let (nonce, number) = random.split_first_chunk::<12>()?;
        // 64 bits for a number of 32: no number is more likely in a way that could be noticed.
        let number = u64::from_be_bytes(number.try_into().ok()?) % (u64::from(self.most) + 1);
        self.puzzle_of(flow, now, nonce, u32::try_from(number).ok()?)
    }

    fn puzzle_of(&self, flow: &str, now: Timestamp, nonce: &[u8], number: u32) -> Option<Puzzle> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if flow.is_empty() || !flow.bytes().all(is_name) {
            return None;
        }
        let expires = now.checked_add(self.lifetime).ok()?.as_second();
        // INVARIANT: it ends with `&`. Otherwise digits could move from the number into the time, and
        // the hash of both would stay the same, as in ALTCHA's libraries before they did the same.
        let salt = format!("{}?expires={expires}&flow={flow}&", hex(nonce));
        let challenge = hash(&salt, number);
        let signature = hex(&self.sign(&challenge)?);
        Some(Puzzle { algorithm: SHA_256, challenge, maxnumber: self.most, salt, signature })
    }

    /// Judges an answer for a flow.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn verify(&self, flow: &str, answer: &str, now: Timestamp) -> Result<Solved, Fault> {
        if answer.len() > LONGEST_ANSWER {
            return Err(Fault::Malformed);
        }
        let json = STANDARD.decode(answer).map_err(|_| Fault::Malformed)?;
        let answer: Answer = serde_json::from_slice(&json).map_err(|_| Fault::Malformed)?;
        if answer.algorithm != SHA_256 {
            return Err(Fault::Malformed);
        }
        let signature = hex(&self.sign(&answer.challenge).ok_or(Fault::Forged)?);
        if !bool::from(signature.as_bytes().ct_eq(answer.signature.as_bytes())) {
            return Err(Fault::Forged);
        }
        if !answer.salt.ends_with('&') || hash(&answer.salt, answer.number) != answer.challenge {
            return Err(Fault::Unsolved);
        }
        // From here on the salt is ours, word for word.
        let (_, parameters) = answer.salt.split_once('?').ok_or(Fault::Malformed)?;
        let parameter = |name| {
            let mut pairs = parameters.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value).ok_or(Fault::Malformed)
        };
        let seconds = parameter("expires")?.parse().map_err(|_| Fault::Malformed)?;
        let expires = Timestamp::from_second(seconds).map_err(|_| Fault::Malformed)?;
        if expires <= now {
            return Err(Fault::Expired);
        }
        if parameter("flow")? != flow {
            return Err(Fault::OtherFlow);
        }
        let id = Sha256::digest(&answer.challenge).first_chunk().copied().ok_or(Fault::Malformed)?;
        Ok(Solved { id, expires })
    }

    fn sign(&self, challenge: &str) -> Option<[u8; 32]> {
        // A key may have any length.
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.key.expose()).ok()?;
        mac.update(challenge.as_bytes());
        Some(mac.finalize().into_bytes().into())
    }
}

fn hash(salt: &str, number: u32) -> String {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(number.to_string());
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
