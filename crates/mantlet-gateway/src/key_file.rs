//! The API keys of this machine, in a file that outlives the process.
//!
//! One line of JSON for each change, after a first line with the format. There are few keys, and they
//! change rarely, so a change is written by the task that brings it, and counts as kept when the disk
//! has it. When a key was last used is written once in a minute. Once most lines say nothing new, a
//! new file is written beside the old one and replaces it as a whole.
//!
//! The process that writes holds a lock beside the file: a gate for as long as it runs, a command for
//! as long as it takes. Any other gate in the same folder reads the file whenever it has changed, and
//! takes over when the first has ended. A key is in the file as a digest alone.
//!
//! A file that cannot be read ends the start: without its keys, all would be treated as made by the
//! app itself.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use mantlet_controls::api_keys::{ApiKeys, Change};

use crate::{
    guarded::{self, Kind},
    journal::{self, Claim, Claimed, Format},
    tell,
};

/// How often to look whether another process has changed the file, and whether keys were used.
const EVERY: Duration = Duration::from_secs(1);
/// Lines that may be added before the file is replaced, beside twice as many as it needs.
const ADDED: usize = 1_000;
const FORMAT: Format = Format { name: "mantlet-keys", holds: "API keys" };

/// The file. A clone is the same one.
#[derive(Debug, Clone)]
pub struct KeyFile(Arc<Mutex<Writer>>);

/// The thread that follows the file. It ends when told to, after it has written everything.
#[derive(Debug)]
pub struct KeyThread {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl KeyFile {
    /// Reads the file into the memory, if there is one. An error is a reason not to go on.
    pub fn open(path: PathBuf, keys: ApiKeys) -> io::Result<Self> {
        let mut writer = Writer {
            path,
            keys,
            claim: Claim::default(),
            file: None,
            seen: None,
            length: 0,
            lines: 0,
            most: ADDED,
            is_torn: false,
            is_lacking: false,
            complained: false,
        };
        writer.look(false)?;
        Ok(Self(Arc::new(Mutex::new(writer))))
    }

    /// The keys of the file.
    pub(crate) fn keys(&self) -> ApiKeys {
        self.lock().keys.clone()
    }

    /// Writes changes; afterwards they outlive this process. They need not be in the memory. An error
    /// of the kind `WouldBlock` says that another process writes this file. It waits for the disk.
    pub fn add(&self, changes: &[Change]) -> io::Result<()> {
        self.lock().add(changes)
    }

    /// What the memory lacks or the file lacks is made good by and by. For a gate, not for a command.
    pub fn follow(&self) -> io::Result<KeyThread> {
        self.lock().look(true)?;
        let (end, ended) = channel();
        let file = self.clone();
        let thread = std::thread::Builder::new().name("keys".into()).spawn(move || {
            loop {
                let is_last = !matches!(ended.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout));
                file.lock().tick();
                if is_last {
                    return;
                }
            }
        })?;
        Ok(KeyThread { end, thread })
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyThread {
    /// Writes everything and ends.
    pub fn finish(self) {
        // Either fails only if the thread is gone already.
        let _ = self.end.send(());
        let _ = self.thread.join();
    }
}

/// By which it is known whether a file has changed: its device, its number, its length.
type Stamp = (u64, u64, u64);

#[derive(Debug)]
struct Writer {
    path: PathBuf,
    keys: ApiKeys,
    claim: Claim,
    /// Open for as long as it can be appended to.
    file: Option<File>,
    /// What was read last.
    seen: Option<Stamp>,
    /// Bytes of whole lines in it, and lines.
    length: u64,
    lines: usize,
    /// Lines with which it is replaced.
    most: usize,
    /// Something may follow the last whole line.
    is_torn: bool,
    /// The file lacks something that the memory has.
    is_lacking: bool,
    complained: bool,
}

impl Writer {
    /// Reads what another process has written, and takes over if none does any more.
    fn look(&mut self, may_take_over: bool) -> io::Result<()> {
        if self.claim.is_here() {
            return Ok(());
        }
        let stamp = match stamp_of(&self.path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            stamp => stamp?,
        };
        // Where nothing can be written, it is only read.
        let has_taken_over = may_take_over && self.take_lock().unwrap_or(false);
        if has_taken_over || self.seen != Some(stamp) { self.load() } else { Ok(()) }
    }

    /// Takes the lock. False if another process has it.
    fn take_lock(&mut self) -> io::Result<bool> {
        Ok(self.claim.take(&self.path)? == Claimed::Here)
    }

    fn load(&mut self) -> io::Result<()> {
        let stamp = stamp_of(&self.path)?;
        let text = guarded::read(&self.path, Kind::Own)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (lines, rest) = text.split_at_checked(whole).unwrap_or((&text, &[]));
        let mut lines = lines.split_inclusive(|byte| *byte == b'\n');
        // None: it was killed before the first line was whole.
        if let Some(head) = lines.next() {
            FORMAT.check(head).map_err(io::Error::other)?;
        }
        let (mut changes, mut damaged) = (Vec::new(), 0_usize);
        for line in lines {
            match serde_json::from_slice::<Change>(line) {
                Ok(change) => changes.push(change),
                Err(_) => damaged += 1,
            }
        }
        if damaged > 0 {
            let (path, lines) = (self.path.display(), if damaged == 1 { "line" } else { "lines" });
            tell(&format!(
                "{damaged} {lines} of `{path}` cannot be read; keys and revocations may be missing"
            ));
        }
        self.keys.apply(&changes);
        (self.seen, self.length) = (Some(stamp), u64::try_from(whole).unwrap_or(u64::MAX));
        (self.lines, self.is_torn) = (changes.len() + damaged, !rest.is_empty());
        self.most = 2 * self.keys.everything().len() + ADDED;
        let opened = self.claim.is_here().then(|| guarded::open_to_append(&self.path, Kind::Own));
        self.file = opened.transpose()?.filter(|_| whole > 0);
        Ok(())
    }

    fn add(&mut self, changes: &[Change]) -> io::Result<()> {
        let was_ours = self.claim.is_here();
        if !self.take_lock()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // What was written before the lock was ours.
        if !was_ours && stamp_of(&self.path).is_ok() {
            self.load()?;
        }
        let written = if self.is_there() && !self.is_lacking && self.lines <= self.most {
            self.append(changes)
        } else {
            self.replace(changes)
        };
        (self.is_lacking, self.is_torn) = (written.is_err(), self.is_torn || written.is_err());
        self.complained &= written.is_err();
        written
    }

    /// Whether the open file is still the one at the path.
    fn is_there(&self) -> bool {
        let Some(Ok(open)) = self.file.as_ref().map(File::metadata) else { return false };
        stamp_of(&self.path).is_ok_and(|(device, number, _)| (device, number) == (open.dev(), open.ino()))
    }

    fn append(&mut self, changes: &[Change]) -> io::Result<()> {
        let Some(file) = self.file.as_mut() else { return Err(io::ErrorKind::NotFound.into()) };
        let text = text_of(changes)?;
        if self.is_torn {
            file.set_len(self.length)?;
            self.is_torn = false;
        }
        file.write_all(&text)?;
        file.sync_data()?;
        self.length += text.len() as u64;
        self.lines += changes.len();
        Ok(())
    }

    /// Writes a new file from the memory and these changes.
    fn replace(&mut self, changes: &[Change]) -> io::Result<()> {
        let mut text = FORMAT.head();
        let known = self.keys.everything();
        text.extend(text_of(&known)?);
        text.extend(text_of(changes)?);
        guarded::replace(&self.path, &text)?;
        journal::sync_folder(&self.path)?;
        self.file = Some(guarded::open_to_append(&self.path, Kind::Own)?);
        (self.length, self.is_torn) = (text.len() as u64, false);
        (self.lines, self.most) = (known.len() + changes.len(), 2 * known.len() + ADDED);
        Ok(())
    }

    fn tick(&mut self) {
        if let Err(error) = self.look(true) {
            self.complain(&format!("cannot be read: {error}; keys that another Mantlet makes are not known"));
        }
        let uses = self.keys.uses();
        // Another process writes; it does not know when keys were used here.
        if !self.claim.is_here() || (uses.is_empty() && !self.is_lacking) {
            return;
        }
        if let Err(error) = self.add(&uses) {
            let what = "cannot be written: {}; revocations hold until Mantlet ends";
            self.complain(&what.replace("{}", &error.to_string()));
        }
    }

    fn complain(&mut self, what: &str) {
        if !self.complained {
            self.complained = true;
            tell(&format!("`{}` {what}", self.path.display()));
        }
    }
}

fn stamp_of(path: &Path) -> io::Result<Stamp> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino(), found.len()))
}

fn text_of(changes: &[Change]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for change in changes {
        serde_json::to_writer(&mut text, change)?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
#[path = "key_file_tests.rs"]
mod tests;
