//! What is kept of a family can be read only with a handle of it: AES-256-GCM under a key that is
//! derived from the handle (HKDF-SHA256).

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    constant_time::verify_slices_are_equal,
    digest, hkdf,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

/// What is sealed.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// The app's own token, under the handle that is good for it.
    Token,
    /// A handle, under the one that it has followed.
    Successor,
}

impl What {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Token => b"mantlet refresh-tokens token",
            Self::Successor => b"mantlet refresh-tokens successor",
        }
    }
}

/// There are no random bytes, or what was sealed is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed;

/// 32 random bytes of a family: the key of its handles, and the salt of what is sealed under them.
#[derive(Clone)]
pub(super) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    pub(super) fn random() -> Result<Self, Failed> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut bytes[..]).map_err(|_| Failed)?;
        Ok(Self(bytes))
    }

    pub(super) fn expose(&self) -> &[u8] {
        &self.0[..]
    }

    fn of(&self, handle: &str, what: What) -> Result<LessSafeKey, Failed> {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, self.expose()).extract(handle.as_bytes());
        let labels = [what.label()];
        let expanded = extracted.expand(&labels, &AES_256_GCM).map_err(|_| Failed)?;
        Ok(LessSafeKey::new(UnboundKey::from(expanded)))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(URL_SAFE_NO_PAD.encode(self.expose())))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Zeroizing::new(decoded(deserializer)?);
        let bytes = <[u8; 32]>::try_from(&bytes[..]).map_err(D::Error::custom)?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

/// The SHA-256 of a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HandleDigest([u8; 32]);

impl HandleDigest {
    pub(super) fn of(handle: &str) -> Self {
        let digest = digest::digest(&digest::SHA256, handle.as_bytes());
        Self(digest.as_ref().first_chunk().copied().unwrap_or_default())
    }

    pub(super) fn is_of(&self, handle: &str) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(handle).0).is_ok()
    }
}

impl Serialize for HandleDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for HandleDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = decoded(deserializer)?;
        bytes.try_into().map(Self).map_err(|_| D::Error::custom("expected 32 bytes"))
    }
}

/// A text that only a handle opens: a nonce, the text and its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed(Vec<u8>);

impl Sealed {
    pub(super) fn new(what: What, key: &Key, handle: &str, text: &str) -> Result<Self, Failed> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| Failed)?;
        // Sealed in place: the text stands nowhere else.
        let mut bytes = Vec::with_capacity(text.len() + AES_256_GCM.tag_len());
        bytes.extend_from_slice(text.as_bytes());
        let nonce_of_it = Nonce::assume_unique_for_key(nonce);
        let sealed = key.of(handle, what)?.seal_in_place_append_tag(nonce_of_it, Aad::empty(), &mut bytes);
        sealed.map_err(|_| Failed)?;
        Ok(Self([&nonce[..], &bytes].concat()))
    }

    pub(super) fn open(&self, what: What, key: &Key, handle: &str) -> Result<Zeroizing<String>, Failed> {
        let (nonce, sealed) = self.0.split_first_chunk().ok_or(Failed)?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = key.of(handle, what)?.open_in_place(nonce, Aad::empty(), &mut bytes[..]);
        let text = std::str::from_utf8(opened.map_err(|_| Failed)?).map_err(|_| Failed)?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decoded(deserializer).map(Self)
    }
}

fn decoded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    URL_SAFE_NO_PAD.decode(text.as_bytes()).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_handle_opens_what_is_sealed() {
        let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
        let sealed = Sealed::new(What::Token, &key, "handle", "the token").unwrap();
        assert_eq!(&**sealed.open(What::Token, &key, "handle").unwrap(), "the token");
        assert_eq!(sealed.open(What::Token, &key, "handlf"), Err(Failed));
        assert_eq!(sealed.open(What::Successor, &key, "handle"), Err(Failed));
        assert_eq!(sealed.open(What::Token, &other, "handle"), Err(Failed));
        let again = Sealed::new(What::Token, &key, "handle", "the token").unwrap();
        assert_ne!(again, sealed);
        let written = serde_json::to_string(&(&sealed, &key)).unwrap();
        let (read, _): (Sealed, Key) = serde_json::from_str(&written).unwrap();
        assert_eq!(read, sealed);
        assert!(!written.contains("token"), "{written}");
        assert_eq!(format!("{key:?}"), "Key(…)");
    }
}
