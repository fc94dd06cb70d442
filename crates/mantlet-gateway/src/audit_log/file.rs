//! The file of records: each line linked to the one before it, all of them sealed from time to time.
//!
//! Lines are made in memory and written together. What could not be written leaves no trace in the file:
//! it is cut to what was there before, and the chain goes back with it.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mantlet_audit::{
    Chain,
    verify::{self, CLOSED},
};

use super::{AuditConfig, Sync, seals::Sealer};
use crate::{
    guarded::{self, Kind},
    tell,
};

/// Bytes that wait in memory, at most.
const BUFFER: usize = 256 << 10;
/// How often a log without records is sealed: so an end that was cut off shows.
const IDLE_SEAL: Duration = Duration::from_mins(15);
/// The event of a line for records that were lost.
const LOST: &str = "records-lost";
/// The event of the first line of a file that is not the first.
const CONTINUED: &str = "log-continued";

/// The end of a log, and the file that it is in.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) file: File,
    /// As far as it is in the file.
    pub(super) chain: Chain,
    /// With what waits.
    next: Chain,
    waiting: Vec<u8>,
    /// Records that wait.
    records: u64,
    /// The number of the first line of the file.
    pub(super) first: u64,
    /// Bytes of whole lines in the file; none if it is a pipe or a device.
    pub(super) length: Option<u64>,
    sealer: Option<Sealer>,
    sync: Sync,
    rotate: u64,
    seal_every: Duration,
    /// Records that were lost and not noted yet.
    lost: u64,
    /// Those of them that are noted in what waits.
    noted: u64,
    unsynced: Option<Instant>,
    sealed: Instant,
    /// Lines at the last seal, with its own.
    sealed_at: u64,
}

impl LogFile {
    pub(super) fn new(
        config: &AuditConfig,
        path: PathBuf,
        (file, first, length): (File, u64, Option<u64>),
        chain: Chain,
        sealer: Option<Sealer>,
    ) -> Self {
        Self {
            path,
            kind: config.kind,
            file,
            next: chain.clone(),
            sealed_at: chain.next_seq(),
            chain,
            waiting: Vec::new(),
            records: 0,
            first,
            length,
            sealer,
            sync: config.sync,
            rotate: config.rotate,
            seal_every: config.seal,
            lost: 0,
            noted: 0,
            unsynced: None,
            sealed: Instant::now(),
        }
    }

    /// Adds a record; it waits to be written.
    pub(super) fn add(&mut self, record: &[u8], now: Timestamp) -> io::Result<()> {
        self.note_lost(now);
        self.waiting.extend(self.next.add(record));
        self.records += 1;
        if self.waiting.len() >= BUFFER { self.flush(now) } else { Ok(()) }
    }

    /// Whether requests wait rather than records are lost.
    pub(super) fn loses_nothing(&self) -> bool {
        self.sync == Sync::Record && self.length.is_some()
    }

    /// Records were lost before they came here.
    pub(super) const fn lose(&mut self, count: u64) {
        self.lost += count;
    }

    fn note_lost(&mut self, now: Timestamp) {
        if self.lost > 0 {
            #[derive(serde::Serialize)]
            struct Lost {
                time: Timestamp,
                security_event: &'static str,
                count: u64,
            }
            let record = Lost { time: now, security_event: LOST, count: self.lost };
            if let Ok(record) = serde_json::to_vec(&record) {
                self.waiting.extend(self.next.add(&record));
                self.noted += std::mem::take(&mut self.lost);
            }
        }
    }

    /// Writes what waits. What cannot be written is lost, or waits on where none may be lost.
    pub(super) fn flush(&mut self, now: Timestamp) -> io::Result<()> {
        self.note_lost(now);
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.mend_length();
        if let Err(error) = self.file.write_all(&self.waiting) {
            if let Some(length) = self.length {
                // A line that was written in part.
                let _ = self.file.set_len(length);
            }
            if !self.loses_nothing() {
                self.next = self.chain.clone();
                self.lost += std::mem::take(&mut self.records) + std::mem::take(&mut self.noted);
                self.waiting.clear();
            }
            return Err(error);
        }
        if let Some(length) = &mut self.length {
            *length += self.waiting.len() as u64;
        }
        self.chain = self.next.clone();
        self.waiting.clear();
        (self.records, self.noted) = (0, 0);
        self.unsynced.get_or_insert_with(Instant::now);
        if self.sync == Sync::Record { self.sync() } else { Ok(()) }
    }

    /// Has the disk keep what was written, if that is due.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let is_due = match (self.sync, self.unsynced) {
            (_, None) | (Sync::Os, _) => false,
            (Sync::Record, Some(_)) => true,
            (Sync::Every(span), Some(since)) => since.elapsed() >= span,
        };
        if is_due { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.length.is_some() {
            self.file.sync_data()?;
        }
        self.unsynced = None;
        Ok(())
    }

    /// Another program has cut the file (`copytruncate`): that is said, and the log goes on.
    fn mend_length(&mut self) {
        let Some(length) = self.length else { return };
        let Ok(found) = self.file.metadata() else { return };
        if found.len() < length {
            tell(&format!(
                "error: `{}` was cut by another program, from {length} to {} bytes. Rotate it by renaming and SIGHUP, not by `copytruncate`: else records are lost",
                self.path.display(),
                found.len()
            ));
            self.length = Some(found.len());
            self.first = if found.len() == 0 { self.chain.next_seq() } else { self.first };
        }
    }

    /// Seals the log, if that is due: after a minute with records, after a quarter of an hour without.
    pub(super) fn seal_if_due(&mut self, now: Timestamp) -> io::Result<()> {
        let is_new = self.chain.next_seq() > self.sealed_at || !self.waiting.is_empty();
        let due = if is_new { self.seal_every } else { IDLE_SEAL.max(self.seal_every) };
        if self.sealed.elapsed() >= due { self.seal(now) } else { Ok(()) }
    }

    fn seal(&mut self, now: Timestamp) -> io::Result<()> {
        if self.sealer.is_none() {
            return Ok(());
        }
        self.sealed = Instant::now();
        self.flush(now)?;
        let Some(sealer) = &mut self.sealer else { return Ok(()) };
        let made = self.chain.seal(now, sealer.key());
        let (seal, record) = made.map_err(|_| io::Error::other("the seal cannot be signed"))?;
        let line = self.chain.kept(&seal, self.first, self.length.unwrap_or_default());
        self.waiting.extend(self.next.add(&record));
        self.flush(now)?;
        self.sync()?;
        self.sealed_at = self.chain.next_seq();
        if let Some(sealer) = &mut self.sealer {
            sealer.sealed(&seal, &line);
        }
        self.rotate_if_due(now)
    }

    /// Ends the log for now.
    pub(super) fn close(&mut self, now: Timestamp) -> io::Result<()> {
        if self.length.is_some() {
            self.waiting.extend(self.next.add(&verify::record(CLOSED, now, &[])));
        }
        self.flush(now)?;
        self.seal(now)?;
        self.sync()
    }

    /// The file may have been moved away: goes on in a new one.
    pub(super) fn reopen(&mut self, now: Timestamp) -> io::Result<()> {
        self.flush(now)?;
        let file = open_file(&self.path, self.kind)?;
        let (new, old) = (file.metadata()?, self.file.metadata()?);
        if (new.dev(), new.ino()) == (old.dev(), old.ino()) {
            return Ok(());
        }
        self.seal(now)?;
        self.go_on_in(file, now)
    }

    fn go_on_in(&mut self, file: File, now: Timestamp) -> io::Result<()> {
        let found = file.metadata()?;
        if found.is_file() {
            // The lock of the log.
            let _ = file.try_lock();
        }
        self.length = found.is_file().then_some(found.len());
        self.file = file;
        self.first = self.chain.next_seq();
        self.continued(now);
        self.flush(now)
    }

    /// The first line of a file that is not the first.
    pub(super) fn continued(&mut self, now: Timestamp) {
        let log = [("log", self.chain.origin().to_owned())];
        self.waiting.extend(self.next.add(&verify::record(CONTINUED, now, &log)));
    }

    /// A file that has grown large is renamed after its first line.
    fn rotate_if_due(&mut self, now: Timestamp) -> io::Result<()> {
        if self.rotate == 0 || self.length.is_none_or(|length| length < self.rotate) {
            return Ok(());
        }
        let extension = self.path.extension().and_then(|extension| extension.to_str()).unwrap_or("jsonl");
        let aside = self.path.with_extension(format!("{:012}.{extension}", self.first));
        if fs::symlink_metadata(&aside).is_ok() {
            return Ok(());
        }
        fs::rename(&self.path, &aside)?;
        let file = open_file(&self.path, self.kind)?;
        self.go_on_in(file, now)
    }
}

/// Checked each time: the file or its folder may have been replaced since it was last opened.
pub(super) fn open_file(path: &Path, kind: Kind) -> io::Result<File> {
    match path.parent() {
        Some(folder) if kind == Kind::Own => drop(guarded::prepare_folder(folder)?),
        Some(folder) => fs::create_dir_all(folder)?,
        None => {}
    }
    guarded::open_to_append(path, kind)
}
