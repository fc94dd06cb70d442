//! Which files the log lies in, and its lines.

use std::{
    cell::Cell,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use mantlet_audit::files::{self, Folder, LONGEST, Part};

use crate::{
    config::{Reader, summary},
    say::Failure,
    state,
};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 20;
/// There is no log.
pub(super) const NO_LOG: u8 = 3;

/// The files of a log, in order.
#[derive(Debug)]
pub(super) struct Log {
    /// The newest file, which is written to.
    pub(super) newest: PathBuf,
    /// None for a pipe.
    pub(super) parts: Vec<Part>,
    /// Files beside them that are compressed, and not read.
    pub(super) compressed: Vec<PathBuf>,
    /// Where its seals may be.
    pub(super) seals: Vec<PathBuf>,
    /// Bytes of half a line at the end.
    half: Cell<usize>,
}

impl Log {
    /// The files that were named, or those of the configuration's log.
    pub(super) fn find(named: &[PathBuf], config: Option<&Path>) -> Result<Self, Failure> {
        match named {
            [] => Self::of_config(config),
            // One file: the newest of several.
            [one] => Self::of_newest(one, None),
            several => {
                let mut parts = Vec::new();
                for path in several {
                    let folder = Folder::of(path).map_err(|error| unreadable(path, &error))?;
                    parts.extend(folder.alone(path).ok_or_else(|| not_a_log(path))?);
                }
                parts.sort_by_key(|part| part.first);
                let newest = parts.last().map(|part| part.path.clone()).unwrap_or_default();
                Ok(Self::new(newest, parts, Vec::new(), None))
            }
        }
    }

    fn new(newest: PathBuf, parts: Vec<Part>, compressed: Vec<PathBuf>, state: Option<&Path>) -> Self {
        let there =
            state.zip(newest.file_name()).map(|(state, name)| files::beside(&state.join(name), files::SEALS));
        let seals = [files::beside(&newest, files::SEALS)].into_iter().chain(there).collect();
        Self { newest, parts, compressed, seals, half: Cell::default() }
    }

    fn of_config(config: Option<&Path>) -> Result<Self, Failure> {
        let loaded = Reader::of_file(config.map(Path::to_owned))
            .load()
            .map_err(|mistakes| Failure::usage(summary(&mistakes, "nothing was done")))?;
        let folder = &loaded.config.state_folder;
        let Some(path) = loaded.config.audit.log(folder).file else {
            return Err(Failure::new("no audit file is written: `audit.file` is `off`").with_code(NO_LOG));
        };
        if !path.exists() {
            return Err(Failure::new(format!(
                "there is no audit file `{}`\n{}",
                path.display(),
                state::where_to_run(folder, config)
            ))
            .with_code(NO_LOG));
        }
        Self::of_newest(&path, Some(folder))
    }

    fn of_newest(path: &Path, state: Option<&Path>) -> Result<Self, Failure> {
        let path = &fs::canonicalize(path).map_err(|error| {
            let code = if error.kind() == io::ErrorKind::NotFound { NO_LOG } else { 2 };
            unreadable(path, &error).with_code(code)
        })?;
        let found = path.metadata().map_err(|error| unreadable(path, &error))?;
        if found.is_dir() {
            return Err(Failure::usage(format!("`{}` is a folder: name a file of the log", path.display())));
        }
        if !found.is_file() {
            return Ok(Self::new(path.clone(), Vec::new(), Vec::new(), state));
        }
        // A file that cannot be read is an error, and not one that is left out.
        File::open(path).map_err(|error| unreadable(path, &error))?;
        let mut folder = Folder::of(path).map_err(|error| unreadable(path, &error))?;
        let compressed = std::mem::take(&mut folder.compressed);
        if found.len() > 0 && !folder.has(path) {
            return Err(not_a_log(path));
        }
        Ok(Self::new(path.clone(), folder.up_to(path), compressed, state))
    }

    /// The file of its seals, if there is one.
    pub(super) fn seals(&self) -> Option<BufReader<File>> {
        self.seals.iter().find_map(|path| File::open(path).ok()).map(BufReader::new)
    }

    /// Bytes of half a line at the end, once all lines were read.
    pub(super) fn half(&self) -> usize {
        self.half.get()
    }

    /// Hands over each line with its file and its number in it, until one is not taken.
    pub(super) fn lines(
        &self,
        mut take: impl FnMut(&Path, u64, &[u8]) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        if self.parts.is_empty() {
            let file = File::open(&self.newest).map_err(|error| unreadable(&self.newest, &error))?;
            self.lines_of(&self.newest, file, &mut take)?;
            return Ok(());
        }
        for part in &self.parts {
            let file = part.from(0).map_err(|error| unreadable(&part.path, &error))?;
            if !self.lines_of(&part.path, file, &mut take)? {
                break;
            }
        }
        Ok(())
    }

    fn lines_of(
        &self,
        path: &Path,
        file: File,
        take: &mut impl FnMut(&Path, u64, &[u8]) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let fail = |error: io::Error| unreadable(path, &error);
        let mut input = BufReader::with_capacity(BUFFER, file);
        let mut line = Vec::new();
        self.half.set(0);
        for number in 1.. {
            line.clear();
            let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(fail)?;
            if read == 0 {
                break;
            }
            if line.pop_if(|byte| *byte == b'\n').is_none() && (read as u64) < LONGEST {
                // It is being written, or was not written to its end.
                self.half.set(read);
                break;
            }
            if !take(path, number, &line)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("`{}` cannot be read: {error}", path.display()))
}

fn not_a_log(path: &Path) -> Failure {
    Failure::usage(format!(
        "`{}` is not a file of an audit log: neither its first nor its last line is a record with a number",
        path.display()
    ))
}
