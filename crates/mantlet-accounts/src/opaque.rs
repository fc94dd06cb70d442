//! Opaque tokens: 256 random bits that say nothing. Only their digest is kept.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mantlet_controls::config::Secret;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Fault;

/// Bytes of a token.
pub(crate) const LENGTH: usize = 32;

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, Fault> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut bytes[..]).map_err(|_| Fault::Failed("reading random bytes"))?;
    Ok(bytes)
}

/// A new token: 43 characters of base64url.
pub(crate) fn token() -> Result<Secret<String>, Fault> {
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(&random::<LENGTH>()?[..])))
}

/// SHA-256, as base64url. What has 80 random bits or more needs no slower one.
pub(crate) fn digest(of: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(of))
}

/// An id that sorts by when it was made (UUID version 7, RFC 9562). Its time is the one that was handed in.
pub(crate) fn id(now: jiff::Timestamp) -> String {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    let time = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
    uuid::Uuid::new_v7(time).to_string()
}
