//! Reads the lines of a log from its files, in their order, from where it was left.
//!
//! A file is read on through its descriptor, whatever it is called by now. Where it ends and is not the
//! newest one, the file comes next whose first line is linked to its last one.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use mantlet_audit::files::{Folder, LONGEST, Part};

use super::line::{Line, Position, log_of};

/// How long lines that are not there are looked for: a file may be renamed at this moment.
const PATIENCE: Duration = Duration::from_secs(5);

/// The files of a log, and the place in them.
#[derive(Debug)]
pub(super) struct Files {
    /// The newest file.
    path: PathBuf,
    open: Option<Open>,
    last: Option<Position>,
    /// Since when the next lines are looked for.
    missing: Option<Instant>,
}

#[derive(Debug)]
struct Open {
    input: BufReader<File>,
    /// What the log in it is called.
    log: String,
    first: u64,
    /// Bytes of the lines that were read.
    offset: u64,
}

impl Files {
    pub(super) fn new(path: PathBuf, last: Option<Position>) -> Self {
        Self { path, open: None, last, missing: None }
    }

    /// Reads again what came after this line.
    pub(super) fn go_back(&mut self, last: Option<Position>) {
        (self.open, self.last, self.missing) = (None, last, None);
    }

    /// The next line of those that the writer has written: so many of the log of this name. Lines before it
    /// that are not there any more are counted in it.
    pub(super) fn next(&mut self, log: &str, lines: u64) -> io::Result<Option<Line>> {
        let due = self.last.as_ref().filter(|last| last.log == log).map_or(0, |last| last.seq + 1);
        let is_of_it = self.last.as_ref().is_none_or(|last| last.log == log);
        if is_of_it && due > lines && lines > 0 {
            // A power failure has taken lines that were shipped: what is in their place now is not known there.
            self.last = None;
            let newest = Folder::of(&self.path)?.alone(&self.path).and_then(|mut parts| parts.pop());
            self.open = newest.map(|part| Open::of(&part, Some(log))).transpose()?;
        } else if is_of_it && due >= lines {
            return Ok(None);
        }
        if self.open.is_none() {
            self.open = self.find()?;
        }
        loop {
            let newest = self.path.clone();
            if let Some(open) = &mut self.open {
                if let Some(line) = open.line()? {
                    if let Some(line) = self.take(line) {
                        return Ok(Some(line));
                    }
                    continue;
                }
                if open.is_at(&newest)? {
                    return Ok(None);
                }
                // What was written before it was renamed.
                if let Some(line) = open.line()? {
                    if let Some(line) = self.take(line) {
                        return Ok(Some(line));
                    }
                    continue;
                }
            }
            self.open = match self.following()? {
                Some(open) => Some(open),
                None => self.beyond_a_gap()?,
            };
            if self.open.is_none() {
                return Ok(None);
            }
        }
    }

    /// None if the line was shipped before.
    fn take(&mut self, line: Line) -> Option<Line> {
        let last = self.last.as_ref().filter(|last| last.log == line.position.log);
        let due = last.map_or(0, |last| last.seq + 1);
        if last.is_some() && line.seq() < due {
            return None;
        }
        // Where nothing was shipped yet, it begins with what is there.
        let missed = if last.is_some() { line.seq() - due } else { 0 };
        self.last = Some(line.position.clone());
        self.missing = None;
        Some(Line { missed, ..line })
    }

    /// Where to go on: after the last line, or at the beginning of the oldest file.
    fn find(&mut self) -> io::Result<Option<Open>> {
        let mut folder = Folder::of(&self.path)?;
        let Some(last) = &self.last else {
            return folder.up_to(&self.path).first().map(|part| Open::of(part, None)).transpose();
        };
        if let Some(part) = folder.take_after(last.seq + 1, &last.link) {
            return Open::of(&part, Some(&last.log)).map(Some);
        }
        while let Some(part) = folder.take_with(last.seq, &last.prev, (last.first, last.offset))? {
            let mut open = Open::of(&part, None)?;
            if open.log.is_empty() {
                open.log.clone_from(&last.log);
            }
            // Other logs have lines with these numbers, too.
            if open.log != last.log {
                continue;
            }
            match open.go_to_line(last)? {
                Some(line) if line.position.link == last.link => return Ok(Some(open)),
                Some(_) => {
                    // A power failure has taken the line that was shipped, and another one is in its place.
                    self.last = None;
                    open.go_to(0)?;
                    return Ok(Some(open));
                }
                None => {}
            }
        }
        Ok(None)
    }

    /// The file that begins after the last line.
    fn following(&self) -> io::Result<Option<Open>> {
        let Some(last) = &self.last else { return Ok(None) };
        let part = Folder::of(&self.path)?.take_after(last.seq + 1, &last.link);
        part.map(|part| Open::of(&part, Some(&last.log))).transpose()
    }

    /// The file with the first lines that are there after the last one, if the next ones stay away; or the first
    /// file of another log that has been begun.
    fn beyond_a_gap(&mut self) -> io::Result<Option<Open>> {
        if self.missing.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
            return Ok(None);
        }
        let parts = Folder::of(&self.path)?.up_to(&self.path);
        let Some(oldest) = parts.first() else { return Ok(None) };
        let log = Open::of(oldest, None)?.log;
        let due = match &self.last {
            Some(last) if last.log == log => last.seq + 1,
            _ => 0,
        };
        if due == 0 {
            self.last = None;
        }
        parts.iter().find(|part| part.last() >= due).map(|part| Open::of(part, Some(&log))).transpose()
    }
}

impl Open {
    /// A file from its beginning. What its log is called, its first line says, if nothing else does.
    fn of(part: &Part, log: Option<&str>) -> io::Result<Self> {
        // A descriptor of its own: other readers share the place of the part's.
        let file = File::open(&part.path)
            .and_then(|file| Ok((file.metadata()?, file)))
            .and_then(|(found, file)| if part.is(&found)? { Ok(file) } else { part.from(0) })?;
        let mut open = Self { input: BufReader::new(file), log: String::new(), first: part.first, offset: 0 };
        open.log = match log {
            Some(log) => log.to_owned(),
            None => open.raw()?.and_then(|line| log_of(&line)).unwrap_or_default(),
        };
        open.go_to(0)?;
        Ok(open)
    }

    fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.offset = offset;
        self.input.seek(SeekFrom::Start(offset)).map(drop)
    }

    /// Reads the line with the number of this one, which is looked for first where that one was.
    fn go_to_line(&mut self, last: &Position) -> io::Result<Option<Line>> {
        for offset in [last.offset, 0] {
            self.go_to(offset)?;
            while let Some(line) = self.line()?.filter(|line| line.seq() <= last.seq) {
                if line.seq() == last.seq {
                    return Ok(Some(line));
                }
            }
        }
        Ok(None)
    }

    /// The next whole line; none at the end.
    fn raw(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        self.input.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            // It may be written on.
            self.go_to(self.offset)?;
            return Ok(None);
        }
        self.offset += line.len() as u64 + 1;
        Ok(Some(line))
    }

    /// The next line of a log. What is not one is left out.
    fn line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let at = self.offset;
            let Some(text) = self.raw()? else { return Ok(None) };
            if let Some(line) = Line::of(text, &self.log, self.first, at) {
                return Ok(Some(line));
            }
        }
    }

    /// Whether it is the file at this path, and not shorter than what was read.
    fn is_at(&self, path: &std::path::Path) -> io::Result<bool> {
        let (open, newest) = (self.input.get_ref().metadata()?, fs::metadata(path));
        Ok(open.len() >= self.offset
            && newest.is_ok_and(|newest| (newest.dev(), newest.ino()) == (open.dev(), open.ino())))
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
