//! Which files the log lies in, and its lines.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use mantlet_audit::files::{self, LONGEST, Part};

use crate::{
    config::{Reader, summary},
    say::Failure,
    state,
};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 20;

/// The files of a log, in order.
#[derive(Debug)]
pub(super) struct Log {
    /// The newest file, which is written to.
    pub(super) newest: PathBuf,
    pub(super) parts: Vec<Part>,
}

impl Log {
    /// The files that were named, or those of the configuration's log.
    pub(super) fn find(named: &[PathBuf], config: Option<&Path>) -> Result<Self, Failure> {
        match named {
            [] => Self::of_config(config),
            // One file, or the newest of several.
            [one] => Self::of_newest(one),
            several => {
                let mut parts = Vec::new();
                for path in several {
                    let first = files::first_of(path).map_err(|error| unreadable(path, &error))?;
                    let first = first.ok_or_else(|| not_a_log(path))?;
                    parts.push(Part { path: path.clone(), first });
                }
                parts.sort_by_key(|part| part.first);
                let newest = parts.last().map(|part| part.path.clone()).unwrap_or_default();
                Ok(Self { newest, parts })
            }
        }
    }

    fn of_config(config: Option<&Path>) -> Result<Self, Failure> {
        let loaded = Reader::of_file(config.map(Path::to_owned))
            .load()
            .map_err(|mistakes| Failure::usage(summary(&mistakes, "nothing was done")))?;
        let folder = &loaded.config.state_folder;
        let Some(path) = loaded.config.audit.log(folder).file else {
            return Err(Failure::new("no audit file is written: `audit.file` is `off`"));
        };
        if !path.exists() {
            return Err(Failure::new(format!(
                "there is no audit file `{}`\n{}",
                path.display(),
                state::where_to_run(folder, config)
            )));
        }
        Self::of_newest(&path)
    }

    fn of_newest(path: &Path) -> Result<Self, Failure> {
        // Standard input, a pipe: no other files are beside it.
        if !path.is_file() {
            File::open(path).map_err(|error| unreadable(path, &error))?;
            return Ok(Self {
                newest: path.to_owned(),
                parts: vec![Part { path: path.to_owned(), first: 0 }],
            });
        }
        let mut parts = files::of(path).map_err(|error| unreadable(path, &error))?;
        let first = files::first_of(path).map_err(|error| unreadable(path, &error))?;
        if first.is_none() && path.metadata().is_ok_and(|found| found.len() > 0) {
            // It is judged all the same: its first line may have been changed.
            parts.push(Part { path: path.to_owned(), first: 0 });
        } else if let Some(first) = first {
            parts.retain(|part| part.first <= first);
        }
        for pair in parts.windows(2) {
            if let [one, other] = pair
                && one.first == other.first
            {
                return Err(Failure::new(format!(
                    "`{}` and `{}` both begin with record {}: name the files of the log",
                    one.path.display(),
                    other.path.display(),
                    one.first
                )));
            }
        }
        Ok(Self { newest: path.to_owned(), parts })
    }

    /// Hands over each line with its file and its number in it, until one is not taken.
    pub(super) fn lines(
        &self,
        mut take: impl FnMut(&Path, u64, &[u8]) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let mut line = Vec::new();
        for Part { path, .. } in &self.parts {
            let fail = |error: io::Error| unreadable(path, &error);
            let mut input = BufReader::with_capacity(BUFFER, File::open(path).map_err(fail)?);
            for number in 1.. {
                line.clear();
                let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(fail)?;
                if read == 0 {
                    break;
                }
                if line.pop_if(|byte| *byte == b'\n').is_none() && (read as u64) < LONGEST {
                    // Half a line: it is being written, or was not written to its end.
                    break;
                }
                if !take(path, number, &line)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("`{}` cannot be read: {error}", path.display()))
}

fn not_a_log(path: &Path) -> Failure {
    Failure::new(format!(
        "`{}` is not a file of an audit log: its first line is no record with a number",
        path.display()
    ))
}
