//! What the files of this machine have in common: lines of JSON, most of them after a first line with
//! the format, and a lock beside them.
//!
//! The process that writes a file holds the lock for as long as it may write. It is not the file itself,
//! because that gets replaced as a whole. Any other process in the same folder reads once a second what
//! was added, and takes over when the first has ended.

use std::{
    fs::{self, File, Metadata, TryLockError},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::guarded::{self, Kind};

/// Longest line that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// The format of all files.
const FORMAT: u64 = 1;
/// How often to look whether another process has written a file, and how soon what has failed is tried
/// again.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// Whether this process may write a file.
#[derive(Debug, Default)]
pub(crate) enum Claim {
    /// Not known yet: nothing had to be written.
    #[default]
    Unknown,
    /// This process holds the lock for as long as the file is open.
    Here(#[expect(dead_code, reason = "the lock ends with it")] File),
    /// Another Mantlet holds the lock.
    Elsewhere(File),
}

/// What came of an attempt to take the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claimed {
    Here,
    /// Another Mantlet has it; and whether that is news.
    Elsewhere {
        is_news: bool,
    },
}

impl Claim {
    /// Takes the lock beside this path, if it is free by now.
    pub(crate) fn take(&mut self, path: &Path) -> io::Result<Claimed> {
        let (lock, is_news) = match self {
            Self::Here(_) => return Ok(Claimed::Here),
            Self::Elsewhere(lock) => (lock.try_clone()?, false),
            Self::Unknown => (guarded::open_to_append(&path.with_extension("lock"), Kind::Own)?, true),
        };
        match lock.try_lock() {
            Ok(()) => {
                *self = Self::Here(lock);
                Ok(Claimed::Here)
            }
            Err(TryLockError::WouldBlock) => {
                *self = Self::Elsewhere(lock);
                Ok(Claimed::Elsewhere { is_news })
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub(crate) const fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }

    pub(crate) const fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Elsewhere(_))
    }
}

/// What a file holds: its first line, and what people call it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    pub(crate) name: &'static str,
    pub(crate) holds: &'static str,
}

impl Format {
    /// The first line.
    pub(crate) fn head(self) -> Vec<u8> {
        format!("{{\"{}\":{FORMAT}}}\n", self.name).into_bytes()
    }

    /// Why a first line is not that of this format, if it is not.
    pub(crate) fn check(self, head: &[u8]) -> Result<(), String> {
        let head = serde_json::from_slice::<Value>(head).ok();
        match head.as_ref().and_then(|head| head.get(self.name)).and_then(Value::as_u64) {
            Some(FORMAT) => Ok(()),
            Some(_) => Err("another version of Mantlet has written it".to_owned()),
            None => Err(format!("it is not a file of {}", self.holds)),
        }
    }

    /// Reads a file line by line, from where it was left if it is the same. `take` says whether a line is
    /// a good one.
    pub(crate) fn load(self, path: &Path, left: &mut Place, take: impl FnMut(&[u8]) -> bool) -> Loaded {
        match self.read(path, left, take) {
            Ok(Ok(found)) => Loaded::Found(found),
            Ok(Err(why)) => Loaded::Unreadable(why),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Loaded::Missing
            }
            Err(error) => Loaded::Unreadable(error.to_string()),
        }
    }

    fn read(
        self,
        path: &Path,
        left: &mut Place,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<Result<Found, String>> {
        let mut file = guarded::open_to_read(path, Kind::Own)?;
        let place = std::mem::take(left);
        let goes_on = place.is_in(&file.metadata()?);
        let start = if goes_on { place.length } else { 0 };
        file.seek(SeekFrom::Start(start))?;
        let mut input = BufReader::new(&file);
        let (mut found, mut line) = (Found { goes_on, length: start, ..Found::default() }, Vec::new());
        let mut is_head = !goes_on;
        loop {
            line.clear();
            let length = input.by_ref().take(LONGEST).read_until(b'\n', &mut line)? as u64;
            if line.last() != Some(&b'\n') && length < LONGEST {
                // The end; or a line that is incomplete because the process was killed.
                break;
            }
            found.length += length;
            if std::mem::take(&mut is_head) {
                if let Err(why) = self.check(&line) {
                    return Ok(Err(why));
                }
            } else if take(&line) {
                found.lines += 1;
            } else {
                found.damaged += 1;
            }
        }
        *left = Place { file: Some(file), length: found.length };
        let is_readable = found.damaged == 0 || found.lines > 0 || goes_on;
        Ok(if is_readable { Ok(found) } else { Err("it has no valid line".to_owned()) })
    }
}

/// What came of reading a file.
#[derive(Debug)]
pub(crate) enum Loaded {
    Found(Found),
    Missing,
    /// Why it cannot be read.
    Unreadable(String),
}

/// Up to where a file was read.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Open, so that no other file gets its number.
    file: Option<File>,
    length: u64,
}

impl Place {
    fn is_in(&self, found: &Metadata) -> bool {
        let Some(Ok(open)) = self.file.as_ref().map(File::metadata) else { return false };
        (found.dev(), found.ino()) == (open.dev(), open.ino()) && (1..=found.len()).contains(&self.length)
    }
}

/// What was read of a file.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// It was read before, and these are the lines that were added.
    pub(crate) goes_on: bool,
    pub(crate) lines: usize,
    pub(crate) damaged: usize,
    /// Bytes up to the end of the last whole line.
    pub(crate) length: u64,
}

/// The end of a file, to which lines are appended.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// Open for as long as it can be appended to.
    file: Option<File>,
    /// Bytes of whole lines in it.
    length: u64,
}

impl Tail {
    pub(crate) const fn new(file: File, length: u64) -> Self {
        Self { file: Some(file), length }
    }

    /// That of a file that was read.
    pub(crate) fn of_read(path: &Path, length: u64, is_ours: bool) -> Self {
        let opened = is_ours.then(|| guarded::open_to_append(path, Kind::Own).ok()).flatten();
        Self { file: opened.filter(|_| length > 0), length }
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Whether the open file is still the one at the path, and as long as it was.
    pub(crate) fn is_there(&self, path: &Path) -> bool {
        let Some(Ok(open)) = self.file.as_ref().map(File::metadata) else { return false };
        fs::symlink_metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (open.dev(), open.ino()))
            && open.len() >= self.length
    }

    /// Appends whole lines; afterwards the disk has them.
    pub(crate) fn append(&mut self, text: &[u8]) -> io::Result<()> {
        let Some(file) = self.file.as_mut() else { return Err(io::ErrorKind::NotFound.into()) };
        // A line that was not written as a whole.
        if file.metadata()?.len() > self.length {
            file.set_len(self.length)?;
        }
        file.write_all(text)?;
        file.sync_data()?;
        self.length += text.len() as u64;
        Ok(())
    }
}

/// When a replacement that has failed is tried again: the next one may take as long.
#[derive(Debug, Default)]
pub(crate) struct Pause(Option<Instant>);

impl Pause {
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_none_or(|end| Instant::now() >= end)
    }

    /// Passes on the outcome of one that has begun then.
    pub(crate) fn after<T>(&mut self, start: Instant, outcome: io::Result<T>) -> io::Result<T> {
        let pause = EVERY.max(10 * start.elapsed());
        self.0 = outcome.is_err().then(|| Instant::now() + pause);
        outcome
    }
}

/// The folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether files can be made in the folder of a file.
pub(crate) fn try_folder(path: &Path) -> io::Result<()> {
    use rustix::fs::Access;
    Ok(rustix::fs::access(folder_of(path), Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Sees to it that a file that was replaced stays so: else a power failure could bring the old one back.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Moves a file that cannot be read aside, if it is ours. Returns the end of a sentence that says so.
pub(crate) fn set_aside(path: &Path, is_ours: bool) -> String {
    let aside: PathBuf = path.with_extension("jsonl.unreadable");
    if is_ours && fs::rename(path, &aside).is_ok() {
        format!("; the file is kept as `{}`", aside.display())
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_on_from_where_it_was_left() {
        const NUMBERS: Format = Format { name: "numbers", holds: "numbers" };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.jsonl");
        let mut left = Place::default();
        let mut read = || {
            let mut all = Vec::new();
            let take = |line: &[u8]| serde_json::from_slice::<u64>(line).map(|one| all.push(one)).is_ok();
            match NUMBERS.load(&path, &mut left, take) {
                Loaded::Found(found) => Some((found.goes_on, found.length, all)),
                Loaded::Missing | Loaded::Unreadable(_) => None,
            }
        };
        let head = String::from_utf8(NUMBERS.head()).unwrap();
        assert_eq!(read(), None);
        fs::write(&path, format!("{head}1\n2\n3")).unwrap();
        let length = head.len() as u64;
        assert_eq!(read(), Some((false, length + 4, vec![1, 2])));
        assert_eq!(read(), Some((true, length + 4, vec![])));
        fs::write(&path, format!("{head}1\n2\n34\n5\n")).unwrap();
        assert_eq!(read(), Some((true, length + 9, vec![34, 5])));
        // Another file, or less than was there.
        guarded::replace(&path, format!("{head}6\n7\n8\n9\n10\n").as_bytes()).unwrap();
        assert_eq!(read(), Some((false, length + 11, vec![6, 7, 8, 9, 10])));
        fs::write(&path, format!("{head}6\n")).unwrap();
        assert_eq!(read(), Some((false, length + 2, vec![6])));
        fs::write(&path, "{\"others\":1}\n6\n").unwrap();
        assert_eq!(read(), None);
        fs::write(&path, format!("{head}6\n7\n")).unwrap();
        assert_eq!(read(), Some((false, length + 4, vec![6, 7])));
    }
}
