//! A proof that a client has a key (RFC 9449 section 4).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    nonce::Nonces,
    seen::{ProofId, id_of},
    url,
};
use crate::token::{Algorithm, Claims, Jws, Key};

/// Seconds by which the `iat` of a proof may differ from our clock (RFC 9449 section 11.1).
const LEEWAY: i64 = 60;
/// The longest `jti`: those that clients make have 16 to 40 bytes.
const LONGEST_ID: usize = 512;

/// What a proof must be about.
#[derive(Debug)]
pub(super) struct About<'c> {
    pub(super) method: &'c Method,
    pub(super) url: url::Asked<'c>,
    pub(super) token: &'c str,
    /// The thumbprint of the token's key (RFC 7638).
    pub(super) thumbprint: &'c str,
    /// The nonces of the gate, if it has any.
    pub(super) nonces: Option<&'c Nonces>,
    pub(super) now: Timestamp,
}

/// Why a proof is not good. The text is for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not what a proof must be.
    Bad(&'static str),
    /// It is for another URL than this.
    Url(String),
    /// It is of another key than the token.
    OtherKey,
    /// It has no nonce of the gate, or an old one. This is a new one.
    Nonce(String),
}

/// Verifies a proof. What costs little comes first: anyone can make up signatures.
pub(super) fn verify(proof: &str, about: &About<'_>) -> Result<ProofId, Fault> {
    let jws = Jws::read(proof).map_err(|fault| Fault::Bad(fault.text()))?;
    if jws.kind.as_deref() != Some("dpop+jwt") {
        return Err(Fault::Bad("its `typ` is not `dpop+jwt`"));
    }
    if jws.algorithm.is_none_or(Algorithm::is_symmetric) {
        return Err(Fault::Bad("its `alg` is not one for public keys that is known"));
    }
    let key = jws.key_of_proof().and_then(|jwk| Key::of_proof(&jwk));
    let Some((key, thumbprint)) = key else {
        return Err(Fault::Bad("its `jwk` is not a public key, or not one that is known"));
    };
    if !bool::from(thumbprint.as_bytes().ct_eq(about.thumbprint.as_bytes())) {
        return Err(Fault::OtherKey);
    }
    // What it says is read before it is verified, and used only if it is.
    let claims = Claims::read(&jws).map_err(|fault| Fault::Bad(fault.text()))?;
    let jti = claims.text("jti").filter(|jti| !jti.is_empty() && jti.len() <= LONGEST_ID);
    let Some(jti) = jti else { return Err(Fault::Bad("it has no `jti`")) };
    // Methods are case-sensitive (RFC 9110 section 9.1).
    if claims.text("htm") != Some(about.method.as_str()) {
        return Err(Fault::Bad("its `htm` is not the method of the request"));
    }
    if !claims.text("htu").is_some_and(|htu| about.url.is(htu)) {
        return Err(Fault::Url(format!(
            "its `htu` is not the URL of the request, which is on {}",
            about.url
        )));
    }
    let Some(issued) = claims.issued else { return Err(Fault::Bad("it has no `iat`")) };
    let age = about.now.as_second().saturating_sub(issued);
    if age > LEEWAY {
        return Err(Fault::Bad("it was made more than 60 s ago, or a clock is wrong"));
    }
    if age < -LEEWAY {
        return Err(Fault::Bad("it was made more than 60 s in the future: a clock is wrong"));
    }
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(about.token));
    if claims.text("ath") != Some(&*hash) {
        return Err(Fault::Bad("its `ath` is not that of the token"));
    }
    jws.verify(&key).map_err(|fault| Fault::Bad(fault.text()))?;
    // Last: whose proof is bad learns nothing by a nonce.
    if let Some(nonces) = about.nonces
        && !claims.text("nonce").is_some_and(|nonce| nonces.is_good(nonce, about.now))
    {
        return Err(Fault::Nonce(nonces.now(about.now)));
    }
    Ok(id_of(&thumbprint, jti))
}
