//! Seals of a log: the key of the next one, and the file of seals.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mantlet_audit::{Key, Seal, SealLine, files};
use rustix::process::geteuid;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    guarded::{self, Kind},
    journal::sync_folder,
};

/// Bytes at the end of the file of seals in which its last line is.
const TAIL: u64 = 64 << 10;
/// Only its owner reads it.
const SECRET: u32 = 0o600;

/// What the file of the key holds.
#[derive(Deserialize)]
struct Kept {
    seed: String,
}

/// What makes seals.
#[derive(Debug)]
pub(super) struct Sealer {
    key: Key,
    key_path: PathBuf,
    seals: File,
    /// Bytes of whole lines in the file of seals.
    length: u64,
}

impl Sealer {
    /// Opens the file of seals, and keeps the key of the next seal.
    pub(super) fn new(seals: &Path, key_path: &Path, key: Key) -> io::Result<Self> {
        let mut seals = guarded::open_to_append(seals, Kind::Own)?;
        let length = seals.metadata()?.len();
        if length > 0 && !ends_with_a_line(seals.try_clone()?, length) {
            // A line that a killed process has left.
            seals.write_all(b"\n")?;
        }
        let length = seals.metadata()?.len();
        let made = Self { key, key_path: key_path.to_owned(), seals, length };
        made.keep_key()?;
        Ok(made)
    }

    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    /// Replaces the key. The file beside it has always the same name: what a killed process has left of it
    /// is overwritten by the next one.
    fn keep_key(&self) -> io::Result<()> {
        let seed = Zeroizing::new(STANDARD.encode(self.key.seed()));
        let kept = Zeroizing::new(format!("{{\"seed\":\"{}\"}}\n", *seed));
        let new = new_key(&self.key_path);
        remove(&new)?;
        let mut file = guarded::open_to_append(&new, Kind::Secret)?;
        file.write_all(kept.as_bytes())?;
        file.sync_data()?;
        fs::rename(&new, &self.key_path)?;
        sync_folder(&self.key_path)
    }

    /// The line of a seal is on the disk: its key is forgotten. Each step is tried, whatever the others do.
    pub(super) fn sealed(&mut self, line: &SealLine) -> io::Result<()> {
        self.key = self.key.next().map_err(|_| io::Error::other("no key can be derived"))?;
        let written = self.write(line);
        self.keep_key()?;
        written
    }

    fn write(&mut self, line: &SealLine) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let written = self.seals.write_all(&text).and_then(|()| self.seals.sync_data());
        if written.is_ok() {
            self.length += text.len() as u64;
        } else {
            // Half a line.
            let _ = self.seals.set_len(self.length);
        }
        written
    }
}

fn new_key(key: &Path) -> PathBuf {
    files::beside(key, "new")
}

/// Removes a key that is of no use any more, and what a killed process has left of one.
pub(super) fn remove_key(path: &Path) {
    let _ = remove(path);
    let _ = remove(&new_key(path));
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn ends_with_a_line(mut file: File, length: u64) -> bool {
    let mut end = [0];
    file.seek(SeekFrom::Start(length - 1))
        .and_then(|_| file.read_exact(&mut end))
        .is_ok_and(|()| end == *b"\n")
}

/// The key that was kept; none if there is none. If others could read it, that is changed, and said: a volume
/// that is mounted for a group makes all files its group's.
pub(super) fn read_key(path: &Path) -> io::Result<Option<(Key, Option<String>)>> {
    let mut note = None;
    if let Ok(found) = fs::symlink_metadata(path)
        && found.is_file()
        && found.uid() == geteuid().as_raw()
        && found.mode() & 0o077 != 0
    {
        fs::set_permissions(path, Permissions::from_mode(SECRET))?;
        note = Some(format!(
            "others could read the key of the audit log (mode {:03o}); it is {SECRET:o} now",
            found.mode() & 0o777
        ));
    }
    let text = match guarded::read(path, Kind::Secret) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "it is not a key of an audit log");
    let kept: Kept = serde_json::from_slice(&text).map_err(|_| broken())?;
    let seed = Zeroizing::new(STANDARD.decode(&*Zeroizing::new(kept.seed)).map_err(|_| broken())?);
    let seed: [u8; 32] = seed.as_slice().try_into().map_err(|_| broken())?;
    Key::of_seed(Zeroizing::new(seed)).map(|key| Some((key, note))).map_err(|_| broken())
}

/// The last seal that was kept; none if there is none. A line that was not written as a whole is left out.
pub(super) fn read_last(path: &Path) -> io::Result<Option<(SealLine, Seal)>> {
    let mut file = match guarded::open_to_read(path, Kind::Own) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(tail.rsplit(|byte| *byte == b'\n').find_map(|line| {
        let line: SealLine = serde_json::from_slice(line).ok()?;
        let seal = Seal::read(&line.note)?;
        Some((line, seal))
    }))
}
