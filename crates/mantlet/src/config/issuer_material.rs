//! The keys and passwords of issuers, the app's own API key, the keys of nonces, of puzzles and of the
//! header with the caller, read from where they are.

use std::fs;

use mantlet_controls::{
    api_keys::{self, UpstreamKey},
    authentication::PrincipalKey,
    config::{Material, Mistake, Secret},
    dpop,
    issuer::Config,
    throttle,
};

use std::time::Duration;

use super::{
    reference::{REMEDY, secret},
    retired::Retired,
};

/// Reads them into the sections. Tokens that a former key has signed are accepted for a while.
pub(super) fn read(config: &mut Config, retired: &Retired, overlap: Duration, mistakes: &mut Vec<Mistake>) {
    for (index, issuer) in config.0.iter_mut().enumerate() {
        let (key, found) = if !issuer.public_key.is_empty() {
            let read = fs::read(&issuer.public_key);
            ("public-key", read.map_err(|error| format!("`{}` cannot be read: {error}", issuer.public_key)))
        } else if !issuer.secret.is_empty() {
            ("secret", secret(&issuer.secret))
        } else if !issuer.client_secret.is_empty() {
            ("client-secret", secret(&issuer.client_secret))
        } else {
            continue;
        };
        match found {
            Ok(bytes) => {
                if key != "client-secret" {
                    let place = format!("issuer {} {key}", issuer.issuer);
                    let before = retired.before(&place, &bytes, overlap);
                    issuer.previous = before.into_iter().map(Material).collect();
                }
                issuer.material = Some(Material(Secret::new(bytes)));
            }
            Err(message) => {
                let mistake = Mistake::new(format!("issuer[{index}].{key}"), message);
                mistakes.push(if key == "public-key" {
                    mistake.help("write the path of a PEM file")
                } else {
                    mistake.help(REMEDY)
                });
            }
        }
    }
}

/// Reads the key that the app itself expects.
pub(crate) fn read_upstream_key(config: &mut api_keys::Config) -> Option<Mistake> {
    if config.upstream_key.is_empty() {
        return None;
    }
    let text = secret(&config.upstream_key).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|_| format!("`{}` is not text", config.upstream_key))
    });
    match text {
        Ok(text) => {
            config.upstream = Some(UpstreamKey::new(text.into()));
            None
        }
        Err(message) => Some(Mistake::new("api-keys.upstream-key", message).help(REMEDY)),
    }
}

/// Reads the key of the gate's nonces.
pub(crate) fn read_nonce_key(config: &mut dpop::Config) -> Option<Mistake> {
    if config.nonce_key.is_empty() {
        return None;
    }
    match secret(&config.nonce_key) {
        Ok(bytes) => {
            config.nonce_material = Some(Material(Secret::new(bytes)));
            None
        }
        Err(message) => Some(Mistake::new("dpop.nonce-key", message).help(REMEDY)),
    }
}

/// Reads the key that signs puzzles.
pub(crate) fn read_challenge_key(config: &mut throttle::challenge::Config) -> Option<Mistake> {
    if config.key.is_empty() {
        return None;
    }
    match secret(&config.key) {
        Ok(bytes) => {
            config.key_material = Some(Material(Secret::new(bytes)));
            None
        }
        Err(message) => Some(Mistake::new("throttle.challenge.key", message).help(REMEDY)),
    }
}

/// Reads the key that signs the header with the caller. None where none is configured.
pub(crate) fn read_principal_key(place: &str) -> Result<Option<PrincipalKey>, Mistake> {
    if place.is_empty() {
        return Ok(None);
    }
    let text = secret(place).and_then(|bytes| {
        // A variable of the app's environment holds it, too.
        let is_text = bytes.is_ascii() && !bytes.contains(&0);
        if is_text { Ok(bytes) } else { Err(format!("`{place}` is not text in ASCII")) }
    });
    text.map(|bytes| Some(PrincipalKey::new(bytes)))
        .map_err(|message| Mistake::new("authentication.principal-key", message).help(REMEDY))
}
