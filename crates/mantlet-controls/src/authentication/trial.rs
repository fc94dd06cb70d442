//! The key by trial: a token that the app has just handed out is tried against what may be its key.
//!
//! A match proves the key: no other text verifies the token. No match changes nothing.

use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, jwk::Jwk};

use super::{guess::is_guessable, public_keys::PUBLIC_KEYS};
use crate::{
    identity::{Verdict, principal},
    token::{Algorithm, Candidate, Claims, Jws, Key, TokenFault},
};

/// Seconds by which clocks may differ.
const LEEWAY: i64 = 30;

/// What the app signs its tokens with.
#[derive(Debug, Clone)]
pub(super) struct Pinned {
    key: Key,
    /// Other texts of the app with names of keys: one may be its former key.
    others: Vec<Key>,
    /// The `iss` and `kid` of its tokens.
    issuer: Option<Box<str>>,
    key_id: Option<Box<str>>,
    /// Where the key is.
    pub(super) name: Arc<str>,
    /// What is wrong with it.
    pub(super) weakness: Option<Weakness>,
    /// The app's code shows that it verifies tokens with no other key.
    pub(super) is_only: bool,
    /// The start of the app that it belongs to.
    pub(super) generation: u64,
}

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It is printed in a tutorial or in many public repositories.
    Public,
    /// It is a short number, or made of words that people put there until they choose a key.
    Guessable,
    /// It is shorter than the hash of its algorithm (RFC 7518 section 3.2).
    Short,
}

impl Weakness {
    /// The finding's code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Public => "jwt-key-public",
            Self::Guessable => "jwt-key-guessable",
            Self::Short => "jwt-key-short",
        }
    }
}

/// Looks for the key of a token that the app has handed out.
pub(super) fn search(
    token: &str,
    generation: u64,
    candidates: &[Candidate],
    is_complete: bool,
    with_public: bool,
) -> Option<Pinned> {
    let jws = Jws::read(token).ok()?;
    let algorithm = jws.algorithm?;
    let key_of = |bytes: &[u8]| key_of(bytes, algorithm);
    let verifies = |key: &Key| jws.verify(key).is_ok();
    let mut found = candidates.iter().find_map(|candidate| {
        let bytes = candidate.secret.expose();
        let decoded = || decoded_key(bytes).find(verifies).filter(|_| algorithm.is_symmetric());
        let key = key_of(bytes).filter(verifies).or_else(decoded)?;
        Some((key, Arc::clone(&candidate.name), (bytes.len(), known_as(bytes)), candidate.verifies))
    });
    if found.is_none() && with_public && algorithm.is_symmetric() {
        let public = PUBLIC_KEYS.iter().find_map(|text| {
            let key = key_of(text.as_bytes()).filter(verifies)?;
            Some((key, Arc::from("a key that is published"), (text.len(), Some(Weakness::Public)), false))
        });
        found = public;
    }
    let (key, name, (length, known), verifies_tokens) = found?;
    let claims = Claims::read(&jws).ok()?;
    let is_short = length < algorithm.length_of_secret();
    let weakness = known.or(is_short.then_some(Weakness::Short)).filter(|_| algorithm.is_symmetric());
    let others = candidates
        .iter()
        .filter(|candidate| (candidate.is_named_like_a_key || candidate.verifies) && candidate.name != name);
    let others = others.filter_map(|candidate| key_of(candidate.secret.expose())).take(MOST_OTHERS).collect();
    Some(Pinned {
        key: key.only(algorithm),
        others,
        issuer: claims.text("iss").map(Into::into),
        key_id: jws.key_id.clone(),
        is_only: is_complete && verifies_tokens,
        name,
        weakness,
        generation,
    })
}

/// A secret that the app keeps as base64 or in hexadecimal digits, and decodes.
fn decoded_key(text: &[u8]) -> impl Iterator<Item = Key> + use<'_> {
    use base64::{Engine, engine::general_purpose as kinds};
    let engines = [&kinds::STANDARD, &kinds::URL_SAFE, &kinds::STANDARD_NO_PAD, &kinds::URL_SAFE_NO_PAD];
    let of_base64 = engines.into_iter().filter_map(move |engine| engine.decode(text).ok());
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.as_chunks::<2>().0.iter();
    let is_even = text.len().is_multiple_of(2);
    let of_hex: Option<Vec<u8>> = pairs
        .map(|[high, low]| u8::try_from(digit(high)? * 16 + digit(low)?).ok())
        .collect::<Option<_>>()
        .filter(|_| is_even);
    of_base64.chain(of_hex).filter_map(|bytes| Key::of_secret(&bytes))
}

/// Other keys that are tried for a token that ours does not verify.
const MOST_OTHERS: usize = 16;

/// How others know a key.
fn known_as(bytes: &[u8]) -> Option<Weakness> {
    let is_public = PUBLIC_KEYS.iter().any(|text| text.as_bytes() == bytes);
    let is_guessable = || is_guessable(bytes).then_some(Weakness::Guessable);
    is_public.then_some(Weakness::Public).or_else(is_guessable)
}

/// A text as a key for an algorithm: a secret, a public key, or the public half of a private one.
fn key_of(bytes: &[u8], algorithm: Algorithm) -> Option<Key> {
    if algorithm.is_symmetric() {
        return Key::of_secret(bytes);
    }
    if !bytes.starts_with(b"-----BEGIN") {
        return None;
    }
    let of_private = || {
        let named = algorithm.of_library();
        let private = EncodingKey::from_rsa_pem(bytes)
            .or_else(|_| EncodingKey::from_ec_pem(bytes))
            .or_else(|_| EncodingKey::from_ed_pem(bytes));
        let jwk = Jwk::from_encoding_key(&private.ok()?, named).ok()?;
        Key::of_jwk(&serde_json::to_value(jwk).ok()?)
    };
    Key::of_pem(bytes).or_else(of_private)
}

impl Pinned {
    /// Whether the app's key, or one that may have been its key, verifies a token; and what it says.
    pub(super) fn judge(&self, token: &str, now: Timestamp) -> Verdict {
        // A token of another form may be another credential of the app.
        let Ok(jws) = Jws::read(token) else { return Verdict::Unjudged };
        match jws.verify(&self.key) {
            Ok(()) => self.judge_claims(&jws, now),
            Err(_) if self.others.iter().any(|key| jws.verify(key).is_ok()) => Verdict::Unjudged,
            Err(_) if self.is_of_another_issuer(&jws) => Verdict::Unjudged,
            Err(TokenFault::Signature) => Verdict::Bad(TokenFault::Signature, None),
            Err(fault) if jws.is_unsigned => Verdict::Bad(fault, None),
            // The app may take several algorithms.
            Err(_) => Verdict::Unjudged,
        }
    }

    fn judge_claims(&self, jws: &Jws<'_>, now: Timestamp) -> Verdict {
        let Ok(claims) = Claims::read(jws) else { return Verdict::Unjudged };
        // The same key signs links in mails and the like.
        if claims.text("iss") != self.issuer.as_deref() {
            return Verdict::Unjudged;
        }
        if let Some(age) = claims.expired_for(now).filter(|age| *age >= LEEWAY) {
            return Verdict::Bad(TokenFault::Expired, Some(age));
        }
        principal(claims, true).map_or(Verdict::Unjudged, Verdict::Good)
    }

    /// Whether a token says that it is of another issuer: the app may know that one, too. What is
    /// said is not verified; so it only leaves the verdict to the app.
    fn is_of_another_issuer(&self, jws: &Jws<'_>) -> bool {
        let names_another_key = self.key_id.is_some() && jws.key_id != self.key_id;
        names_another_key
            || Claims::read(jws).is_ok_and(|claims| claims.text("iss") != self.issuer.as_deref())
    }
}

/// Whether one of the app's own texts verifies a token: the link of a mail, for example.
pub(super) fn is_of_the_app(token: &str, candidates: &[Candidate]) -> bool {
    let Ok(jws) = Jws::read(token) else { return false };
    let Some(algorithm) = jws.algorithm else { return false };
    let keys = candidates.iter().filter_map(|candidate| key_of(candidate.secret.expose(), algorithm));
    keys.into_iter().any(|key| jws.verify(&key).is_ok())
}
