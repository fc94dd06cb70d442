//! The content of a token, and its signature.
//!
//! `base64url(time ‖ nonce ‖ previous nonce ‖ HMAC-SHA-256(key, time ‖ nonce ‖ previous ‖
//! SHA-256(session)))`. The signature ties the cookie to one session, so that a cookie planted by a
//! neighbouring host is useless. The page sends back the nonce.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::config::{KEY_LENGTH, Key};

const TIME: usize = 8;
const NONCE: usize = 16;
const PAYLOAD: usize = TIME + 2 * NONCE;
/// HMAC-SHA-256.
const SIGNATURE: usize = 32;
/// The purpose of the signature, so that a key that is also used elsewhere reveals nothing.
const PURPOSE: &[u8] = b"mantlet csrf token 1\0";

/// A token whose signature has been checked, or that has just been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    payload: [u8; PAYLOAD],
}

impl Value {
    fn of(nonce: &[u8; NONCE], previous: &[u8], time: Timestamp) -> Self {
        let mut payload = [0; PAYLOAD];
        let seconds = u64::try_from(time.as_second()).unwrap_or_default();
        let parts = seconds.to_be_bytes().into_iter().chain(*nonce).chain(previous.iter().copied());
        payload.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        Self { payload }
    }

    /// How old it is at a time; one from the future is new.
    pub(super) fn age(&self, time: Timestamp) -> Duration {
        let seconds = self.payload.first_chunk::<TIME>().map_or(0, |time| u64::from_be_bytes(*time));
        let issued = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let age = issued.and_then(|issued| Duration::try_from(time.duration_since(issued)).ok());
        age.unwrap_or_default()
    }

    fn nonce(&self) -> &[u8] {
        self.payload.get(TIME..TIME + NONCE).unwrap_or_default()
    }

    fn previous(&self) -> &[u8] {
        self.payload.get(TIME + NONCE..).unwrap_or_default()
    }

    /// Whether a page that sent this has read our cookie: this one, or the one before it.
    pub(super) fn is_answered_by(&self, submitted: &[u8]) -> bool {
        let Some((submitted, _)) = decode(submitted) else { return false };
        let submitted = Self { payload: submitted };
        bool::from(submitted.nonce().ct_eq(self.nonce()) | submitted.nonce().ct_eq(self.previous()))
    }
}

/// A session, as the digest of its cookies: its length does not depend on theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session([u8; 32]);

impl Session {
    /// Not a digest of a session: its substitute when a token is made from another.
    const SUCCESSOR: Self = Self(*b"successor of another token, none");

    /// Of the session cookies, each with its place in the configuration.
    pub(super) fn of(cookies: &[(usize, Vec<u8>)]) -> Self {
        let mut digest = Sha256::new();
        for (index, value) in cookies {
            digest.update((*index as u64).to_be_bytes());
            digest.update((value.len() as u64).to_be_bytes());
            digest.update(value);
        }
        Self(digest.finalize().into())
    }
}

/// Signs and checks.
#[derive(Debug, Clone)]
pub(super) struct Signer {
    /// The first signs; all are accepted.
    keys: Vec<Key>,
}

impl Signer {
    pub(super) fn new(keys: &[Key]) -> Result<Self, getrandom::Error> {
        if !keys.is_empty() {
            return Ok(Self { keys: keys.to_vec() });
        }
        let mut own = [0; KEY_LENGTH];
        getrandom::fill(&mut own)?;
        Ok(Self { keys: Key::new(&own).into_iter().collect() })
    }

    /// The first token of a session. Parallel requests get the same one. It cannot be known without
    /// the session.
    pub(super) fn first(&self, session: &Session, time: Timestamp) -> Option<Value> {
        let nonce = mac(self.keys.first()?, b"first", session)?.finalize().into_bytes();
        let nonce = nonce.first_chunk()?;
        Some(Value::of(nonce, nonce, time))
    }

    /// The token that replaces another one, whose nonce is still accepted. Parallel requests that
    /// replace the same token get the same new one.
    pub(super) fn successor(&self, before: &Value, time: Timestamp) -> Option<Value> {
        let next = mac(self.keys.first()?, &before.payload, &Session::SUCCESSOR)?.finalize().into_bytes();
        Some(Value::of(next.first_chunk()?, before.nonce(), time))
    }

    /// The token as a cookie's value, bound to this session.
    pub(super) fn sign(&self, value: &Value, session: &Session) -> Option<String> {
        let mac = mac(self.keys.first()?, &value.payload, session)?;
        let mut token = value.payload.to_vec();
        token.extend_from_slice(&mac.finalize().into_bytes());
        Some(BASE64.encode(token))
    }

    /// The token in a cookie, if we signed it for this session.
    pub(super) fn verify(&self, cookie: &[u8], session: &Session) -> Option<Value> {
        let (payload, signature) = decode(cookie)?;
        let is_ours =
            |key| mac(key, &payload, session).is_some_and(|mac| mac.verify_slice(&signature).is_ok());
        self.keys.iter().any(is_ours).then_some(Value { payload })
    }
}

fn decode(text: &[u8]) -> Option<([u8; PAYLOAD], [u8; SIGNATURE])> {
    let mut token = [0; PAYLOAD + SIGNATURE];
    let length = BASE64.decode_slice(text, &mut token).ok()?;
    if length != token.len() {
        return None;
    }
    let (payload, signature) = token.split_first_chunk::<PAYLOAD>()?;
    Some((*payload, *signature.first_chunk()?))
}

fn mac(key: &Key, payload: &[u8], session: &Session) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).ok()?;
    mac.update(PURPOSE);
    mac.update(payload);
    mac.update(&session.0);
    Some(mac)
}
