//! Seals of a log: the key of the next one, the file of seals, and where else they go.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mantlet_audit::{Key, Seal, SealLine};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Anchor;
use crate::{
    guarded::{self, Kind},
    journal::sync_folder,
    tell,
};

/// Bytes at the end of the file of seals in which its last line is.
const TAIL: u64 = 64 << 10;

/// What the file of the key holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    seed: String,
}

/// What makes seals.
#[derive(Debug)]
pub(super) struct Sealer {
    key: Key,
    key_path: PathBuf,
    seals: File,
    anchors: Vec<Anchor>,
    /// What could not be written was said.
    complained: bool,
}

impl Sealer {
    /// Opens the file of seals, and keeps the key of the next seal.
    pub(super) fn new(seals: &Path, key_path: &Path, key: Key, anchors: &[Anchor]) -> io::Result<Self> {
        let seals = guarded::open_to_append(seals, Kind::Own)?;
        let made =
            Self { key, key_path: key_path.to_owned(), seals, anchors: anchors.to_vec(), complained: false };
        made.keep_key()?;
        Ok(made)
    }

    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    fn keep_key(&self) -> io::Result<()> {
        let seed = Zeroizing::new(STANDARD.encode(self.key.seed()));
        let kept = Zeroizing::new(format!("{{\"seed\":\"{}\"}}\n", *seed));
        guarded::replace(&self.key_path, kept.as_bytes())?;
        sync_folder(&self.key_path)
    }

    /// A seal stands in the log and on the disk: its key is forgotten, and it goes wherever seals go.
    pub(super) fn sealed(&mut self, seal: &Seal, line: &SealLine) {
        match self.key.next() {
            Ok(next) => self.key = next,
            Err(_) => return self.complain("a seal", "no key could be derived"),
        }
        if let Err(error) = self.write(line) {
            self.complain("the file of seals", &error.to_string());
        } else if let Err(error) = self.keep_key() {
            self.complain("the key of the next seal", &error.to_string());
        } else {
            self.complained = false;
        }
        for anchor in &self.anchors {
            anchor.take(seal);
        }
    }

    fn write(&mut self, line: &SealLine) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.seals.write_all(&text)?;
        self.seals.sync_data()
    }

    fn complain(&mut self, what: &str, why: &str) {
        if !self.complained {
            tell(&format!("error: {what} of the audit log cannot be written: {why}; records go on"));
            self.complained = true;
        }
    }
}

impl Anchor {
    /// Writes a seal to a place of its own.
    fn take(&self, seal: &Seal) {
        match self {
            Self::Terminal => tell(&format!("audit seal: {}", seal.note.escape_debug())),
            Self::File(path) => {
                let written = guarded::open_to_append(path, Kind::Named).and_then(|mut file| {
                    let mut line = serde_json::to_vec(&Copied { note: &seal.note })?;
                    line.push(b'\n');
                    file.write_all(&line)?;
                    file.sync_data()
                });
                if let Err(error) = written {
                    let path = path.display();
                    tell(&format!("error: the copy of the audit seals `{path}` cannot be written: {error}"));
                }
            }
        }
    }
}

/// A line of a copy of the seals.
#[derive(Serialize)]
struct Copied<'a> {
    note: &'a str,
}

/// The key that was kept; none if there is none.
pub(super) fn read_key(path: &Path) -> io::Result<Option<Key>> {
    let text = match guarded::read(path, Kind::Secret) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "it is not a key of an audit log");
    let kept: Kept = serde_json::from_slice(&text).map_err(|_| broken())?;
    let seed = Zeroizing::new(STANDARD.decode(&*Zeroizing::new(kept.seed)).map_err(|_| broken())?);
    let seed: [u8; 32] = seed.as_slice().try_into().map_err(|_| broken())?;
    Key::of_seed(Zeroizing::new(seed)).map(Some).map_err(|_| broken())
}

/// The last seal that was kept; none if there is none. A line that was not written as a whole is left out.
pub(super) fn read_last(path: &Path) -> io::Result<Option<SealLine>> {
    let mut file = match guarded::open_to_read(path, Kind::Own) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(tail.rsplit(|byte| *byte == b'\n').find_map(|line| serde_json::from_slice(line).ok()))
}
