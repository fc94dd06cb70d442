//! The files of one log, in their order.
//!
//! A log that is rotated lies in several files of one folder: `audit.jsonl`, `audit.jsonl.1`,
//! `audit.000000004711.jsonl`. Which files are of it, and in which order, their lines say: the first line
//! of a file is linked to the last one of the file before it. So a copy, or the log of another program,
//! is not taken for a part of it.

use std::{
    ffi::OsString,
    fs::{self, File, Metadata},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::line::{Link, link_of, read_seq};

/// Longest line that is read, in bytes.
pub const LONGEST: u64 = 1 << 20;
/// The file of seals, beside a log and with its name.
pub const SEALS: &str = "seals";
/// The key of the next seal, beside a log and with its name.
pub const KEY: &str = "key";
/// The lock of the program that writes a log, beside it and with its name.
pub const LOCK: &str = "lock";

/// A file of a log.
#[derive(Debug)]
pub struct Part {
    /// Where it was found.
    pub path: PathBuf,
    /// Open, so that it is the same file even if it is renamed.
    file: File,
    /// The number of its first line; that of a file whose first line cannot be read is 0.
    pub first: u64,
    /// The link in its first line.
    prev: Link,
    /// The number of its last whole line, and the link to it.
    last: u64,
    link: Link,
}

impl Part {
    /// Reads a file; none if it has no line of a log at its beginning or at its end.
    fn of(path: PathBuf) -> io::Result<Option<Self>> {
        // Before it is opened: a pipe would wait for its writer.
        if !path.metadata()?.is_file() {
            return Ok(None);
        }
        let mut file = File::open(&path)?;
        let mut line = Vec::new();
        BufReader::new(&file).take(LONGEST).read_until(b'\n', &mut line)?;
        let head = line.strip_suffix(b"\n").and_then(read_seq).map(|(first, prev)| (first, prev.to_owned()));
        let tail = last_line(&mut file)?;
        let end = read_seq(&tail).map(|(last, _)| last);
        let (first, prev) = match (head, end) {
            (Some(head), _) => head,
            (None, Some(_)) => (0, Link::new()),
            (None, None) => return Ok(None),
        };
        Ok(Some(Self { path, file, first, prev, last: end.unwrap_or(first), link: link_of(&tail) }))
    }

    /// The same file, read from a place on. Only one reader at a time: they share the place.
    pub fn from(&self, offset: u64) -> io::Result<File> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(file)
    }

    /// Its length.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// The number of its last whole line when it was found.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Whether this is what the system says of the same file.
    pub fn is(&self, found: &Metadata) -> io::Result<bool> {
        let own = self.file.metadata()?;
        Ok((own.dev(), own.ino()) == (found.dev(), found.ino()))
    }

    fn has(&self, seq: u64) -> bool {
        (self.first..=self.last).contains(&seq)
    }
}

/// The last whole line of a file, without its end.
fn last_line(file: &mut File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let mut block = 64 << 10;
    loop {
        let start = length.saturating_sub(block);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        Read::by_ref(file).take(block).read_to_end(&mut tail)?;
        let Some(end) = memchr::memrchr(b'\n', &tail) else {
            if start == 0 || block > LONGEST {
                return Ok(Vec::new());
            }
            block *= 4;
            continue;
        };
        tail.truncate(end);
        match memchr::memrchr(b'\n', &tail) {
            Some(begin) => return Ok(tail.split_off(begin + 1)),
            None if start == 0 => return Ok(tail),
            None if block > LONGEST => return Ok(Vec::new()),
            None => block *= 4,
        }
    }
}

/// All files of logs in a folder whose names begin as that of a log.
#[derive(Debug, Default)]
pub struct Folder {
    parts: Vec<Part>,
    /// Compressed files, which may be parts of the log.
    pub compressed: Vec<PathBuf>,
}

impl Folder {
    /// Those beside this file, and it. What cannot be read is left out.
    pub fn of(log: &Path) -> io::Result<Self> {
        let mut found = Self::default();
        let Some(stem) = log.file_stem() else { return Ok(found) };
        for entry in fs::read_dir(folder_of(log))? {
            let Ok(entry) = entry else { continue };
            let name = entry.file_name();
            let Some(rest) = name.as_encoded_bytes().strip_prefix(stem.as_encoded_bytes()) else { continue };
            if !(rest.is_empty() || rest.starts_with(b".") || rest.starts_with(b"-")) {
                continue;
            }
            let path = folder_of(log).join(&name);
            let is_compressed = [&b".gz"[..], b".zst", b".xz", b".bz2"].iter().any(|end| rest.ends_with(end));
            if is_compressed {
                found.compressed.push(path);
            } else if let Ok(Some(part)) = Part::of(path) {
                found.parts.push(part);
            }
        }
        found.compressed.sort();
        // The file itself before its copies, then by name.
        found.parts.sort_by(|a, b| (a.path != log, &a.path).cmp(&(b.path != log, &b.path)));
        Ok(found)
    }

    /// Whether a file is among them.
    pub fn has(&self, path: &Path) -> bool {
        self.parts.iter().any(|part| part.path == path)
    }

    /// This file alone, if it is one of a log.
    pub fn alone(mut self, path: &Path) -> Option<Vec<Part>> {
        let index = self.parts.iter().position(|part| part.path == path)?;
        Some(vec![self.parts.remove(index)])
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The file that has a line with this number and this link to the one before it. It is looked for first at
    /// a place in a file that begins with a given line.
    pub fn take_with(
        &mut self,
        seq: u64,
        prev: &str,
        (first, offset): (u64, u64),
    ) -> io::Result<Option<Part>> {
        for index in 0..self.parts.len() {
            let Some(part) = self.parts.get(index) else { break };
            let is_there =
                part.first == first && line_at(part, offset)?.is_some_and(|line| is_line(&line, seq, prev));
            if part.has(seq) && (is_there || has_line(part, seq, prev)?) {
                return Ok(Some(self.parts.remove(index)));
            }
        }
        Ok(None)
    }

    /// The file that begins with this line.
    pub fn take_after(&mut self, due: u64, link: &str) -> Option<Part> {
        let fits = |part: &Part| part.first == due && part.prev == link;
        self.parts.iter().position(fits).map(|index| self.parts.remove(index))
    }

    /// The files of the log that ends with this one, in order. Where the link does not fit, the file with the
    /// nearest lines before is taken: a verifier finds what is wrong there.
    pub fn up_to(mut self, newest: &Path) -> Vec<Part> {
        let Some(index) = self.parts.iter().position(|part| part.path == newest) else {
            // It is empty, or not there: the file with the last lines.
            let last = self.parts.iter().enumerate().max_by_key(|(_, part)| part.last);
            return last.map(|(index, _)| index).map_or_else(Vec::new, |index| self.back_from(index));
        };
        self.back_from(index)
    }

    fn back_from(&mut self, index: usize) -> Vec<Part> {
        let mut parts = vec![self.parts.remove(index)];
        while let Some(part) = parts.last().filter(|part| part.first > 0) {
            let fits = |other: &Part| other.last + 1 == part.first && other.link == part.prev;
            let near = self
                .parts
                .iter()
                .enumerate()
                .filter(|(_, other)| other.first < part.first && other.last < part.first);
            let near = near.max_by_key(|(_, other)| other.last).map(|(index, _)| index);
            match self.parts.iter().position(fits).or(near) {
                Some(index) => parts.push(self.parts.remove(index)),
                None => break,
            }
        }
        parts.reverse();
        parts
    }
}

/// The whole line at a place.
fn line_at(part: &Part, offset: u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    BufReader::new(part.from(offset)?).take(LONGEST).read_until(b'\n', &mut line)?;
    Ok(line.pop_if(|byte| *byte == b'\n').map(|_| line))
}

fn is_line(line: &[u8], seq: u64, prev: &str) -> bool {
    read_seq(line) == Some((seq, prev))
}

fn has_line(part: &Part, seq: u64, prev: &str) -> io::Result<bool> {
    if part.first == seq {
        return Ok(part.prev == prev);
    }
    let mut input = BufReader::new(part.from(0)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        match read_seq(line.strip_suffix(b"\n").unwrap_or(&line)) {
            Some((found, link)) if found == seq => return Ok(link == prev),
            Some((found, _)) if found > seq => return Ok(false),
            _ => {}
        }
    }
}

/// The folder of a file.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where something of a log is, beside it: its name with another end.
pub fn beside(log: &Path, what: &str) -> PathBuf {
    let mut name: OsString = log.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chain, Key};

    #[test]
    fn files_are_found_by_what_is_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let key = Key::random().unwrap();
        let mut chain = Chain::new(&key);
        let mut write = |name: &str| {
            let lines: Vec<u8> =
                (0..3).flat_map(|n| chain.add(format!("{{\"n\":{n}}}").as_bytes())).collect();
            fs::write(path(name), lines).unwrap();
        };
        for name in ["audit.000000000000.jsonl", "audit-20261130.jsonl", "audit.1.jsonl", "audit.jsonl"] {
            write(name);
        }
        // Copies, other logs, and what is not a log.
        fs::copy(path("audit.jsonl"), path("audit.jsonl.bak")).unwrap();
        fs::copy(path("audit.1.jsonl"), path("audit.jsonl~")).unwrap();
        fs::write(path("audit.2.jsonl"), Chain::new(&key).add(b"{\"another\":1}")).unwrap();
        fs::write(path("audit.jsonl.seals"), "{\"note\":\"\"}\n").unwrap();
        fs::write(path("audit.jsonl.2.gz"), [31, 139, 8]).unwrap();
        fs::write(path("audit.jsonl.3"), "").unwrap();
        fs::write(path("auditor.jsonl"), Chain::new(&key).add(b"{}")).unwrap();
        let found = Folder::of(&path("audit.jsonl")).unwrap();
        assert_eq!(found.compressed, [path("audit.jsonl.2.gz")]);
        let names: Vec<_> = found
            .up_to(&path("audit.jsonl"))
            .iter()
            .map(|part| part.path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            names,
            ["audit.000000000000.jsonl", "audit-20261130.jsonl", "audit.1.jsonl", "audit.jsonl"]
        );
        // One is missing: the nearest before it is taken.
        fs::remove_file(path("audit.1.jsonl")).unwrap();
        fs::remove_file(path("audit.jsonl~")).ok();
        let found = Folder::of(&path("audit.jsonl")).unwrap().up_to(&path("audit.jsonl"));
        assert_eq!(found.iter().map(|part| part.first).collect::<Vec<_>>(), [0, 3, 9]);
    }
}
