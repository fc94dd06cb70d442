//! What must be read again, and not by a reader of the database: AES-256-GCM with a key beside it.
//!
//! The key is not in the database. So a backup of the database alone gives away neither the keys that sign
//! tokens nor the secrets of second factors. Where several gates share a database, each is given the same key.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mantlet_controls::config::Secret;
use zeroize::Zeroizing;

use crate::{Fault, opaque};

/// Bytes of a key.
const LENGTH: usize = 32;

/// The keys that seal and open: the first seals, all open. A clone shares them.
#[derive(Clone)]
pub struct SealingKeys(Arc<[SealingKey]>);

struct SealingKey {
    id: String,
    key: LessSafeKey,
}

impl std::fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl SealingKeys {
    /// Takes keys, the one that seals first. A key is 32 random bytes as base64url without padding (43 characters).
    pub fn new(keys: &[Secret<String>]) -> Result<Self, Fault> {
        if keys.is_empty() {
            return Err(Fault::Unusable("no key was given that secrets are sealed with".to_owned()));
        }
        keys.iter().map(|key| SealingKey::of(key.expose())).collect::<Result<_, _>>().map(Self)
    }

    /// Reads the key of a file, one key a line, the one that seals first. Where there is no file, one is made with a
    /// new key. Only its owner may read it.
    pub fn of_file(path: &Path) -> Result<Self, Fault> {
        let shown = path.display();
        let unusable = |error| Fault::Unusable(format!("the key of the accounts, `{shown}`: {error}"));
        let text = match read_or_make(path) {
            Ok(text) => text,
            Err(error) => return Err(unusable(error.to_string())),
        };
        let mode = fs::metadata(path).map_err(|error| unusable(error.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(unusable(format!(
                "others may read it (mode {:o}): run `chmod 600` on it",
                mode & 0o777
            )));
        }
        let keys: Vec<_> = text.lines().map(|line| Secret::new(line.to_owned())).collect();
        Self::new(&keys)
    }

    /// Seals bytes for a purpose and a row, so that they open nowhere else. The text names the key.
    pub fn seal(&self, what: &str, bytes: &[u8]) -> Result<String, Fault> {
        let failed = |_| Fault::Failed("sealing");
        let key = self.0.first().ok_or(Fault::Failed("sealing"))?;
        seal_with(&key.key, what, bytes).map(|sealed| format!("{}.{sealed}", key.id)).map_err(failed)
    }

    /// Opens what was sealed.
    pub fn open(&self, what: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let (id, sealed) = sealed.split_once('.').ok_or(Fault::Corrupt("a sealed secret"))?;
        let key = self.0.iter().find(|key| key.id == id).ok_or_else(|| Fault::NoKey(id.to_owned()))?;
        open_with(&key.key, what, sealed).ok_or(Fault::Corrupt("a sealed secret"))
    }
}

impl SealingKey {
    fn of(text: &str) -> Result<Self, Fault> {
        let unusable = "a key that secrets are sealed with is 32 random bytes as base64url, 43 characters without padding";
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).unwrap_or_default());
        if bytes.len() != LENGTH {
            return Err(Fault::Unusable(unusable.to_owned()));
        }
        // Names the key and says nothing of it: 32 bits of a digest.
        let mut id = opaque::digest(&[b"mantlet accounts key ".as_slice(), &bytes].concat());
        id.truncate(6);
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| Fault::Failed("reading a key"))?;
        Ok(Self { id, key: LessSafeKey::new(key) })
    }
}

/// A key out of 32 bytes that are used for nothing else.
pub(crate) fn key_of(bytes: &[u8]) -> Result<LessSafeKey, Fault> {
    UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new).map_err(|_| Fault::Failed("making a key"))
}

/// Seals with a key: nonce, text and tag as base64url. `what` has to be the same to open it.
pub(crate) fn seal_with(key: &LessSafeKey, what: &str, bytes: &[u8]) -> Result<String, Fault> {
    let nonce = opaque::random::<NONCE_LEN>()?;
    // Sealed in place: the text stands nowhere else.
    let mut sealed = Vec::with_capacity(bytes.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(bytes);
    let used = Nonce::assume_unique_for_key(*nonce);
    key.seal_in_place_append_tag(used, Aad::from(what.as_bytes()), &mut sealed)
        .map_err(|_| Fault::Failed("sealing"))?;
    Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
}

/// Opens what this key has sealed.
pub(crate) fn open_with(key: &LessSafeKey, what: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = key.open_in_place(nonce, Aad::from(what.as_bytes()), &mut sealed).ok()?.len();
    sealed.truncate(length);
    Some(sealed)
}

/// The text of the file. A new one appears whole: it is written beside its place and linked there, so that of two
/// processes that start at once both read the same key.
fn read_or_make(path: &Path) -> std::io::Result<Zeroizing<String>> {
    match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found,
    }
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let key = opaque::token().map_err(|error| std::io::Error::other(error.to_string()))?;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(format!("{}\n", key.expose()).as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => {
            if let Some(folder) = path.parent() {
                fs::File::open(folder)?.sync_all()?;
            }
            read(path)
        }
    }
}

fn read(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    fs::File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_for_its_purpose_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.key");
        let keys = SealingKeys::of_file(&path).unwrap();
        let sealed = keys.seal("totp 1", b"secret").unwrap();
        let again = SealingKeys::of_file(&path).unwrap();
        assert_eq!(&again.open("totp 1", &sealed).unwrap()[..], b"secret");
        assert!(matches!(again.open("totp 2", &sealed), Err(Fault::Corrupt(_))));
        let other = SealingKeys::new(&[opaque::token().unwrap()]).unwrap();
        assert!(matches!(other.open("totp 1", &sealed), Err(Fault::NoKey(_))));
        // A new key in front: what the old one sealed still opens.
        let old = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{}\n{old}", opaque::token().unwrap().expose())).unwrap();
        let both = SealingKeys::of_file(&path).unwrap();
        assert_eq!(&both.open("totp 1", &sealed).unwrap()[..], b"secret");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = SealingKeys::of_file(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
