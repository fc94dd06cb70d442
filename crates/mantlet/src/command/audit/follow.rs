//! The last records of the log, and then those that come: for the operator's page, which asks now and then.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use mantlet_audit::files::LONGEST;
use serde_json::Value;

use super::{log::Log, tail::replaced};
use crate::say::Failure;

/// Bytes of the log that are read at the first time: those at its end.
const FIRST: u64 = 16 << 20;

/// A place in the log of a configuration.
#[derive(Debug, Default)]
pub(in crate::command) struct Follow {
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    newest: PathBuf,
    file: File,
    at: u64,
}

impl Follow {
    /// Records that came since the last time, the oldest first; at first the last ones that there are.
    pub(in crate::command) fn records(&mut self, config: Option<&Path>) -> Result<Vec<Value>, Failure> {
        let mut records = Vec::new();
        let place = if let Some(place) = &mut self.place {
            place
        } else {
            let begun = begin(&Log::find(&[], config)?, &mut records);
            self.place.insert(begun.map_err(|error| unreadable(&error))?)
        };
        place.read(&mut records).map_err(|error| unreadable(&error))?;
        if let Some(next) = replaced(&place.newest, &place.file, place.at) {
            // One that was renamed was read to its end.
            (place.file, place.at) = (next, 0);
            place.read(&mut records).map_err(|error| unreadable(&error))?;
        }
        Ok(records)
    }
}

/// Reads the end of the files before the newest one, and finds the place in that.
fn begin(log: &Log, records: &mut Vec<Value>) -> io::Result<Place> {
    let mut left = FIRST;
    let mut ends = Vec::new();
    for part in log.parts.iter().rev() {
        let file = File::open(&part.path)?;
        let length = file.metadata()?.len();
        let at = length.saturating_sub(left);
        left -= length - at;
        ends.push(Place { newest: log.newest.clone(), file, at });
        if at > 0 {
            break;
        }
    }
    ends.reverse();
    // What begins in a line leaves that out: it is not JSON.
    let newest = ends.pop();
    for mut before in ends {
        before.read(records)?;
    }
    match newest {
        Some(newest) => Ok(newest),
        None => Ok(Place { newest: log.newest.clone(), file: File::open(&log.newest)?, at: 0 }),
    }
}

impl Place {
    /// Reads what is whole; half a line waits for its end.
    fn read(&mut self, records: &mut Vec<Value>) -> io::Result<()> {
        let mut input = BufReader::with_capacity(1 << 18, &self.file);
        input.seek(SeekFrom::Start(self.at))?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
            if line.pop_if(|byte| *byte == b'\n').is_none() {
                return Ok(());
            }
            self.at += read as u64;
            records.extend(serde_json::from_slice::<Value>(&line).ok());
        }
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(format!("the audit log cannot be read: {error}"))
}
