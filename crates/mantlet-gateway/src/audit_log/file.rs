//! The file of records: each line linked to the one before it, all of them sealed from time to time.
//!
//! Lines are made in memory and written together. What could not be written leaves no trace in the file:
//! it is cut to what was there before, and the lines wait. Only where too many wait, records are lost.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mantlet_audit::{
    Chain, Seal, SealLine,
    verify::{self, CLOSED},
};

use super::{AuditConfig, Sync, anchors::Anchors, notes, seals::Sealer, ship::Memory};
use crate::{
    guarded::{self, Kind},
    journal::sync_folder,
    tell,
};

/// Bytes that are written together, and that may wait where they cannot be written.
const BUFFER: usize = 256 << 10;
/// How often a log without records is sealed: so an end that was cut off shows.
const IDLE_SEAL: Duration = Duration::from_mins(15);
/// The event of the first line of a file that is not the first.
const CONTINUED: &str = "log-continued";
/// The event of the first line of a process.
const RESUMED: &str = "log-resumed";

/// A seal whose line is made.
#[derive(Debug)]
struct Made {
    /// The number of its line.
    seq: u64,
    seal: Seal,
    line: SealLine,
}

/// The end of a log, and the file that it is in.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    kind: Kind,
    file: File,
    /// Held for as long as this process writes the log.
    _lock: Option<File>,
    /// As far as it is in the file.
    chain: Chain,
    /// With what waits.
    next: Chain,
    waiting: Vec<u8>,
    /// The number of the first line of the file.
    first: u64,
    /// Bytes of whole lines in the file; none if it is a pipe or a device.
    length: Option<u64>,
    sealer: Option<Sealer>,
    anchors: Option<Anchors>,
    made: Option<Made>,
    sync: Sync,
    rotate: u64,
    seal_every: Duration,
    /// Records that were lost and not noted yet.
    lost: u64,
    unsynced: Option<Instant>,
    sealed: Instant,
    /// When it was last sealed since it was opened.
    pub(super) last_seal: Option<Timestamp>,
    /// Records that were written since it was opened.
    pub(super) written: u64,
    /// Those that wait.
    unwritten: u64,
    /// Records that were lost since it was opened.
    pub(super) lost_in_all: u64,
    /// Lines at the last seal, with its own.
    sealed_at: u64,
    /// The last write has failed.
    is_stuck: bool,
    /// The file was moved away, and no new one could be opened.
    reopens: bool,
    /// The last lines, of a log that cannot be read back and is shipped.
    memory: Option<Arc<Memory>>,
}

/// A file that was opened, and what stands in it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) lock: Option<File>,
    pub(super) first: u64,
    pub(super) length: Option<u64>,
}

impl LogFile {
    pub(super) fn new(
        config: &AuditConfig,
        opened: Opened,
        chain: Chain,
        sealer: Option<Sealer>,
    ) -> io::Result<Self> {
        let Opened { path, file, lock, first, length } = opened;
        Ok(Self {
            path,
            kind: config.kind,
            file,
            _lock: lock,
            next: chain.clone(),
            sealed_at: chain.next_seq(),
            chain,
            waiting: Vec::new(),
            first,
            length,
            anchors: if sealer.is_some() { Anchors::new(&config.anchors)? } else { None },
            sealer,
            made: None,
            sync: config.sync,
            rotate: config.rotate,
            seal_every: config.seal,
            lost: 0,
            unsynced: None,
            sealed: Instant::now(),
            is_stuck: false,
            reopens: false,
            memory: (length.is_none() && !config.ship.is_empty()).then(Arc::default),
            last_seal: None,
            written: 0,
            unwritten: 0,
            lost_in_all: 0,
        })
    }

    /// Whether requests wait rather than records are lost.
    pub(super) fn loses_nothing(&self) -> bool {
        self.sync == Sync::Record && self.length.is_some()
    }

    /// Adds a record; it waits to be written.
    pub(super) fn add(&mut self, record: &[u8], now: Timestamp) -> io::Result<()> {
        if self.is_stuck && self.waiting.len() >= BUFFER {
            self.lose(1);
            return Ok(());
        }
        self.note_lost(now);
        self.waiting.extend(self.next.add(record));
        self.unwritten += 1;
        if self.waiting.len() >= BUFFER { self.flush(now) } else { Ok(()) }
    }

    /// Records were lost before they came here.
    pub(super) const fn lose(&mut self, count: u64) {
        self.lost += count;
        self.lost_in_all += count;
    }

    fn note_lost(&mut self, now: Timestamp) {
        if self.lost > 0 && !self.is_stuck {
            self.say_line(&notes::lost(self.lost, now));
            self.lost = 0;
        }
    }

    /// Writes what waits. What cannot be written waits on.
    pub(super) fn flush(&mut self, now: Timestamp) -> io::Result<()> {
        let written = self.write();
        self.is_stuck = written.is_err();
        written?;
        if self.lost > 0 {
            self.note_lost(now);
            return self.flush(now);
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.mend_length();
        let written = self.file.write_all(&self.waiting);
        // Where a response waits for it, a line is written once the disk has it: after a failure to sync, the
        // system may have forgotten it.
        let kept = written.and_then(|()| if self.loses_nothing() { self.file.sync_data() } else { Ok(()) });
        if let Err(error) = kept {
            if let Some(length) = self.length {
                // A line that was written in part.
                let _ = self.file.set_len(length);
            } else {
                // A pipe or a device: it is not known what has come through.
                self.unwritten = 0;
                self.waiting.clear();
                self.chain = self.next.clone();
            }
            return Err(error);
        }
        if let Some(length) = &mut self.length {
            *length += self.waiting.len() as u64;
        }
        if let Some(memory) = &self.memory {
            memory.push(&self.waiting);
        }
        self.chain = self.next.clone();
        self.waiting.clear();
        self.written += std::mem::take(&mut self.unwritten);
        if !self.loses_nothing() {
            self.unsynced.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Has the disk keep what was written, if that is due.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        match (self.sync, self.unsynced) {
            (Sync::Every(span), Some(since)) if since.elapsed() >= span => self.sync(),
            _ => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.length.is_some() && self.unsynced.is_some() {
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
        self.finish_seal()?;
        let is_new = self.chain.next_seq() > self.sealed_at || !self.waiting.is_empty();
        let due = if is_new { self.seal_every } else { IDLE_SEAL.max(self.seal_every) };
        if self.sealed.elapsed() >= due { self.seal(now) } else { Ok(()) }
    }

    fn seal(&mut self, now: Timestamp) -> io::Result<()> {
        self.seal_as(false, now)
    }

    fn seal_as(&mut self, closed: bool, now: Timestamp) -> io::Result<()> {
        self.sealed = Instant::now();
        // One at a time: the key of the next one is known only when this one is done.
        self.flush(now)?;
        self.finish_seal()?;
        let Some(sealer) = self.sealer.as_ref().filter(|_| self.made.is_none()) else { return Ok(()) };
        let made = self.chain.seal(now, sealer.key());
        let (seal, record) = made.map_err(|_| io::Error::other("the seal cannot be signed"))?;
        let line = self.chain.kept(&seal, self.first, self.length.unwrap_or_default(), closed);
        self.made = Some(Made { seq: self.next.next_seq(), seal, line });
        self.say_line(&record);
        self.flush(now)?;
        self.finish_seal()
    }

    /// A seal whose line is in the file is kept, once the disk has it.
    fn finish_seal(&mut self) -> io::Result<()> {
        if self.made.as_ref().is_none_or(|made| made.seq >= self.chain.next_seq()) {
            return Ok(());
        }
        self.sync()?;
        let (Some(made), Some(sealer)) = (self.made.take(), &mut self.sealer) else { return Ok(()) };
        self.sealed_at = made.seq + 1;
        let kept = sealer.sealed(&made.line);
        if kept.is_ok() {
            self.last_seal = Some(made.seal.time);
        }
        if let Some(anchors) = &mut self.anchors {
            anchors.take(made.seal);
        }
        kept
    }

    /// Ends the log for now.
    pub(super) fn close(&mut self, now: Timestamp) -> io::Result<()> {
        self.say(CLOSED, &[], now);
        self.seal_as(true, now).and_then(|()| self.flush(now)).and_then(|()| self.sync())
    }

    /// Waits for a while until seals are where else they go.
    pub(super) fn end(self) {
        if let Some(anchors) = self.anchors {
            anchors.end();
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the log is called.
    pub(super) fn log(&self) -> &str {
        self.chain.origin()
    }

    /// Lines that are in the file, or were in those before it.
    pub(super) const fn lines(&self) -> u64 {
        self.chain.next_seq()
    }

    /// Whether its lines can be read back.
    pub(super) const fn can_be_read(&self) -> bool {
        self.length.is_some()
    }

    /// The last lines, if they can only be had from memory.
    pub(super) const fn memory(&self) -> Option<&Arc<Memory>> {
        self.memory.as_ref()
    }

    /// The file may have been moved away: goes on in a new one.
    pub(super) fn reopen(&mut self, now: Timestamp) -> io::Result<()> {
        self.reopens = true;
        self.reopen_if_due(now)
    }

    /// The same, if it has not come about yet.
    pub(super) fn reopen_if_due(&mut self, now: Timestamp) -> io::Result<()> {
        if !self.reopens {
            return Ok(());
        }
        let file = open_file(&self.path, self.kind)?;
        let (new, old) = (file.metadata()?, self.file.metadata()?);
        if (new.dev(), new.ino()) != (old.dev(), old.ino()) {
            // Each file ends with a seal.
            self.seal(now)?;
            self.go_on_in(file, now)?;
        }
        self.reopens = false;
        Ok(())
    }

    fn go_on_in(&mut self, file: File, now: Timestamp) -> io::Result<()> {
        let found = file.metadata()?;
        self.length = found.is_file().then_some(found.len());
        self.file = file;
        self.first = self.chain.next_seq();
        let log = self.chain.origin().to_owned();
        self.say(CONTINUED, &[("log", log)], now);
        sync_folder(&self.path)?;
        self.flush(now)
    }

    /// Adds a line of the log itself.
    pub(super) fn say(&mut self, event: &str, fields: &[(&str, String)], now: Timestamp) {
        self.say_line(&verify::record(event, now, fields));
    }

    /// The same, of a line that is made. It is not counted among the records.
    pub(super) fn say_line(&mut self, line: &[u8]) {
        self.waiting.extend(self.next.add(line));
    }

    /// The first line of a process: it makes a seal due for what an earlier one has left.
    pub(super) fn resumed(&mut self, missing: Option<String>, now: Timestamp) {
        let event = if self.length == Some(0) { CONTINUED } else { RESUMED };
        let mut fields = vec![("log", self.chain.origin().to_owned())];
        fields.extend(missing.map(|why| ("missing", why)));
        self.say(event, &fields, now);
        if self.length == Some(0) {
            self.first = self.chain.next_seq();
        }
    }

    /// A file that has grown large is renamed after its first line.
    pub(super) fn rotate_if_due(&mut self, now: Timestamp) -> io::Result<()> {
        if self.rotate == 0 || self.length.is_none_or(|length| length < self.rotate) || self.is_stuck {
            return Ok(());
        }
        // Each file ends with a seal.
        if self.chain.next_seq() > self.sealed_at {
            self.seal(now)?;
        }
        let aside = named(&self.path, &format!("{:012}", self.first));
        if fs::symlink_metadata(&aside).is_ok() {
            self.rotate = 0;
            return Err(io::Error::other(format!("`{}` is there already", aside.display())));
        }
        fs::rename(&self.path, &aside)?;
        let file = open_file(&self.path, self.kind)?;
        self.go_on_in(file, now)
    }
}

/// The path of a log with this before the end of its name.
pub(super) fn named(log: &Path, what: &str) -> PathBuf {
    let extension = log.extension().and_then(|extension| extension.to_str()).unwrap_or("jsonl");
    log.with_extension(format!("{what}.{extension}"))
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
