//! The quota usage of this machine, in a file that outlives the process.
//!
//! A thread of its own appends the changes of each second, one line of JSON for each key. The last
//! line of a key counts. Now and then, and at the end, a new file is written beside the old one and
//! replaces it as a whole. A killed process loses at most one second of counting. The process that
//! writes the file holds a lock beside it, so a second gate in the same folder does not overwrite
//! the counts of the first.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use mantlet_controls::throttle::{
    Memory,
    quotas::{Count, QuotaUse, UnixSeconds, hex_of_key, key_of_hex},
};
use serde::{Deserialize, Serialize};

use crate::{
    clock,
    guarded::{self, Kind},
    journal::{self, Claim, Claimed},
    tell,
};

/// How often changes are written.
const EVERY: Duration = Duration::from_secs(1);
/// How often the file is rewritten, in seconds, and how many lines may be appended before that.
const ANEW: UnixSeconds = 3_600;
const ADDED: usize = 4_096;

/// The usage of a key. A line without any window deletes the key.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    quota: Cow<'a, str>,
    key: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    month: Option<Count>,
}

impl Line<'_> {
    fn holder(self) -> Option<(String, QuotaUse)> {
        let counts = [self.hour, self.day, self.month].map(Option::unwrap_or_default);
        let holder = QuotaUse { key: key_of_hex(&self.key)?, label: self.label, counts };
        Some((self.quota.into_owned(), holder))
    }
}

/// The thread that writes. It ends when told to, after it has written everything.
#[derive(Debug)]
pub struct QuotaFile {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl QuotaFile {
    /// Reads the file, if there is one, and starts to write it. If that fails, quotas count in
    /// memory for as long as the process lives.
    pub fn open(path: PathBuf, memory: Memory, keys: usize) -> io::Result<Self> {
        let claim = Claim::default();
        let writer =
            Writer { path, memory, claim, file: None, lines: 0, added: 0, since: 0, complained: false };
        let writer = writer.begin(keys);
        let (end, ended) = channel();
        let thread = std::thread::Builder::new().name("quotas".into()).spawn(move || writer.run(&ended))?;
        Ok(Self { end, thread })
    }

    /// Writes everything and ends.
    pub fn finish(self) {
        // Either fails only if the thread is gone already.
        let _ = self.end.send(());
        let _ = self.thread.join();
    }
}

/// Restores the counts from the file. Returns false if the file has lines and none can be read.
fn restore(text: &[u8], path: &Path, memory: &Memory, keys: usize) -> bool {
    let (mut damaged, mut restored) = (0, 0);
    let mut lines = text.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        // The last line is empty, or incomplete because the process was killed.
        if lines.peek().is_none() {
            break;
        }
        match serde_json::from_slice::<Line<'_>>(line).ok().and_then(Line::holder) {
            Some((quota, holder)) => {
                memory.ledger(&quota, keys).restore(holder);
                restored += 1;
            }
            None => damaged += 1,
        }
    }
    if damaged > 0 && restored == 0 {
        return false;
    }
    if damaged > 0 {
        tell(&format!("{damaged} lines of `{}` cannot be read and are ignored", path.display()));
    }
    true
}

struct Writer {
    path: PathBuf,
    memory: Memory,
    claim: Claim,
    /// Open until an error occurs.
    file: Option<File>,
    /// Lines that the file had when it was last rewritten, and lines appended since.
    lines: usize,
    added: usize,
    /// When the file was last rewritten.
    since: UnixSeconds,
    complained: bool,
}

impl Writer {
    /// Reads what was kept.
    fn begin(mut self, keys: usize) -> Self {
        // An error with the lock is reported when something has to be written.
        let is_ours = self.memory.ledgers().is_empty() || self.is_ours().unwrap_or(true);
        let why = match guarded::read(&self.path, Kind::Own) {
            Ok(text) if restore(&text, &self.path, &self.memory, keys) => return self,
            Ok(_) => "it has no valid line".to_owned(),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return self;
            }
            Err(error) => error.to_string(),
        };
        let (path, moved) = (self.path.display(), journal::set_aside(&self.path, is_ours));
        tell(&format!("`{path}` cannot be read: {why}; quotas start again at zero{moved}"));
        self
    }

    /// Takes the lock. If another Mantlet has it, that is reported once. This process does not know what
    /// that one writes, so it never takes the file over.
    fn is_ours(&mut self) -> io::Result<bool> {
        if self.claim.is_elsewhere() {
            return Ok(false);
        }
        let claimed = self.claim.take(&self.path)?;
        if claimed != Claimed::Here {
            let folder = journal::folder_of(&self.path).display();
            tell(&format!(
                "another Mantlet uses the quota file in `{folder}`; this one counts in memory and loses its \
                 counts when it ends\n  set another `state-folder`, or use one `[store]` for both"
            ));
        }
        Ok(claimed == Claimed::Here)
    }

    fn run(mut self, ended: &Receiver<()>) {
        loop {
            let is_last = !matches!(ended.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout));
            let written = self.write(is_last);
            if let Err(error) = &written {
                // The file may be damaged, so it is rewritten.
                self.file = None;
                if !self.complained {
                    let path = self.path.display();
                    tell(&format!(
                        "`{path}` cannot be written: {error}; quotas are counted in memory and lost when Mantlet ends"
                    ));
                }
            }
            self.complained = written.is_err();
            if is_last {
                return;
            }
        }
    }

    fn write(&mut self, is_last: bool) -> io::Result<()> {
        let now = clock::now().as_second().unsigned_abs();
        let is_old = now.abs_diff(self.since) >= ANEW || self.added > ADDED.max(2 * self.lines);
        let Some(file) = self.file.as_mut().filter(|_| !is_old && !is_last) else {
            return self.write_anew(now);
        };
        let mut text = Vec::new();
        for (quota, ledger) in self.memory.ledgers() {
            self.added += push(&mut text, &quota, ledger.changes())?;
        }
        if text.is_empty() {
            return Ok(());
        }
        file.write_all(&text)?;
        file.sync_data()
    }

    fn write_anew(&mut self, now: UnixSeconds) -> io::Result<()> {
        let (mut text, mut lines) = (Vec::new(), 0);
        for (quota, ledger) in self.memory.ledgers() {
            lines += push(&mut text, &quota, ledger.everything(now))?;
        }
        // An empty file is not needed.
        if lines == 0 && !self.path.exists() {
            return Ok(());
        }
        // A gate without quotas does not touch the quotas of another.
        if self.memory.ledgers().is_empty() || !self.is_ours()? {
            return Ok(());
        }
        let file = guarded::replace(&self.path, &text)?;
        (self.file, self.lines, self.added, self.since) = (Some(file), lines, 0, now);
        Ok(())
    }
}

/// Appends lines and returns their number.
fn push(text: &mut Vec<u8>, quota: &str, holders: Vec<QuotaUse>) -> io::Result<usize> {
    let count = holders.len();
    for QuotaUse { key, label, counts } in holders {
        let [hour, day, month] = counts.map(|count| (count.used > 0).then_some(count));
        let (quota, key) = (Cow::Borrowed(quota), Cow::Owned(hex_of_key(key)));
        serde_json::to_writer(&mut *text, &Line { quota, key, label, hour, day, month })?;
        text.push(b'\n');
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mantlet_controls::throttle::quotas::Window;

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn used(memory: &Memory, key: &str) -> Option<u32> {
        let now = clock::now().as_second().unsigned_abs();
        let holder = memory.ledger("plan", 1_024).holder(key_of_hex(key)?, now)?;
        Some(holder.counts[1].used)
    }

    fn line(key: &str, used: u32) -> String {
        let from = Window::Day.at(clock::now().as_second().unsigned_abs()).from;
        format!("{{\"quota\":\"plan\",\"key\":\"{key}\",\"day\":{{\"from\":{from},\"used\":{used}}}}}\n")
    }

    #[test]
    fn the_last_whole_line_of_a_key_counts_and_the_file_comes_out_as_it_went_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quotas.jsonl");
        let other = KEY.replace('0', "f");
        let gone = format!("{{\"quota\":\"plan\",\"key\":\"{other}\"}}\n");
        let text = [line(KEY, 3), line(&other, 9), "no line\n".into(), line(KEY, 5), gone].concat();
        // The process was killed while it wrote.
        fs::write(&path, text + line(KEY, 7).trim_end()).unwrap();
        let memory = Memory::default();
        QuotaFile::open(path.clone(), memory.clone(), 1_024).unwrap().finish();
        assert_eq!(used(&memory, KEY), Some(5));
        assert_eq!(used(&memory, &other), None);
        assert_eq!(fs::read_to_string(&path).unwrap(), line(KEY, 5));
        let again = Memory::default();
        QuotaFile::open(path, again.clone(), 1_024).unwrap().finish();
        assert_eq!(used(&again, KEY), Some(5));
    }

    #[test]
    fn of_two_in_one_folder_the_second_does_not_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quotas.jsonl");
        fs::write(&path, line(KEY, 3)).unwrap();
        let [first, second] = [(); 2].map(|()| Memory::default());
        for memory in [&first, &second] {
            memory.ledger("plan", 1_024);
        }
        let files =
            [&first, &second].map(|memory| QuotaFile::open(path.clone(), memory.clone(), 1_024).unwrap());
        second.ledger("plan", 1_024).reset(key_of_hex(KEY).unwrap());
        let [kept, other] = files;
        other.finish();
        assert_eq!(fs::read_to_string(&path).unwrap(), line(KEY, 3));
        first.ledger("plan", 1_024).reset(key_of_hex(KEY).unwrap());
        kept.finish();
        assert_eq!(fs::read_to_string(&path).unwrap(), "", "the first does");
    }

    #[test]
    fn what_cannot_be_read_is_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quotas.jsonl");
        fs::write(&path, "somebody's notes\nand more\n").unwrap();
        let memory = Memory::default();
        memory.ledger("plan", 1_024);
        QuotaFile::open(path.clone(), memory, 1_024).unwrap().finish();
        let aside = fs::read_to_string(folder.path().join("quotas.jsonl.unreadable")).unwrap();
        assert_eq!(aside, "somebody's notes\nand more\n");
    }

    #[test]
    fn without_quotas_there_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quotas.jsonl");
        QuotaFile::open(path.clone(), Memory::default(), 1_024).unwrap().finish();
        assert!(!path.exists());
    }
}
