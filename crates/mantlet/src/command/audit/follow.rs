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

/// Bytes of the log that are read at once: those at its end. What is before them is skipped.
const MOST: u64 = 16 << 20;

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
    /// It is within a line, whose beginning was skipped: the rest of that line is, too.
    is_within: bool,
}

impl Follow {
    /// Records that came since the last time, the oldest first; at first the last ones that there are. Of more than
    /// 16 MiB, those at the end.
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
            (place.file, place.at, place.is_within) = (next, 0, false);
            place.read(&mut records).map_err(|error| unreadable(&error))?;
        }
        Ok(records)
    }
}

/// Reads the end of the files before the newest one, and finds the place in that.
fn begin(log: &Log, records: &mut Vec<Value>) -> io::Result<Place> {
    let mut left = MOST;
    let mut ends = Vec::new();
    for part in log.parts.iter().rev() {
        let file = File::open(&part.path)?;
        let length = file.metadata()?.len();
        let at = length.saturating_sub(left);
        left -= length - at;
        ends.push(Place { newest: log.newest.clone(), file, at, is_within: at > 0 });
        if at > 0 {
            break;
        }
    }
    ends.reverse();
    let newest = ends.pop();
    for mut before in ends {
        before.read(records)?;
    }
    match newest {
        Some(newest) => Ok(newest),
        None => {
            Ok(Place { newest: log.newest.clone(), file: File::open(&log.newest)?, at: 0, is_within: false })
        }
    }
}

impl Place {
    /// Reads what is whole; half a line waits for its end. Lines that are longer than any record are skipped.
    fn read(&mut self, records: &mut Vec<Value>) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if length.saturating_sub(self.at) > MOST {
            (self.at, self.is_within) = (length - MOST, true);
        }
        // A log that grows while it is read has an end, too: what comes then is for the next time.
        let mut input = BufReader::with_capacity(1 << 18, &self.file);
        input.seek(SeekFrom::Start(self.at))?;
        let mut line = Vec::new();
        while self.at < length {
            line.clear();
            let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line)? as u64;
            let is_whole = line.pop_if(|byte| *byte == b'\n').is_some();
            if !is_whole && read < LONGEST && !self.is_within {
                break;
            }
            if read == 0 {
                break;
            }
            self.at += read;
            if is_whole && !self.is_within {
                records.extend(serde_json::from_slice::<Value>(&line).ok());
            }
            self.is_within = !is_whole;
        }
        Ok(())
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(format!("the audit log cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    struct Written {
        file: tempfile::NamedTempFile,
        place: Place,
    }

    impl Written {
        fn new() -> Self {
            let file = tempfile::NamedTempFile::new().unwrap();
            let place = Place {
                newest: file.path().to_owned(),
                file: File::open(file.path()).unwrap(),
                at: 0,
                is_within: false,
            };
            Self { file, place }
        }

        fn write(&mut self, text: &str) {
            self.file.write_all(text.as_bytes()).unwrap();
        }

        fn read(&mut self) -> Vec<Value> {
            let mut records = Vec::new();
            self.place.read(&mut records).unwrap();
            records
        }

        fn numbers(&mut self) -> Vec<u64> {
            self.read().iter().map(|record| record["n"].as_u64().unwrap()).collect()
        }
    }

    #[test]
    fn a_place_that_is_far_behind_is_skipped_to_the_end() {
        let mut log = Written::new();
        let fill = "x".repeat(1_000);
        let lines = |numbers: std::ops::Range<u64>| -> String {
            numbers.fold(String::new(), |text, n| text + &format!("{{\"n\":{n},\"fill\":\"{fill}\"}}\n"))
        };
        log.write(&lines(0..100));
        assert_eq!(log.numbers(), (0..100).collect::<Vec<_>>());
        log.write(&lines(100..40_000));
        let numbers = log.numbers();
        assert_eq!(numbers.last(), Some(&39_999));
        let first = 40_000 - numbers.len() as u64;
        assert_eq!(numbers, (first..40_000).collect::<Vec<_>>());
        assert!((15_000..17_000).contains(&numbers.len()), "{}", numbers.len());
        log.write(&lines(40_000..40_003));
        assert_eq!(log.numbers(), [40_000, 40_001, 40_002]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_half_a_line_waits() {
        let mut log = Written::new();
        log.write("{\"n\":1}\n");
        log.write(&"y".repeat(3 << 20));
        assert_eq!(log.numbers(), [1]);
        log.write("{\"n\":2}\n{\"n\":3}\n{\"n\"");
        assert_eq!(log.numbers(), [3], "the end of the long line is not a record");
        log.write(":4}\n");
        assert_eq!(log.numbers(), [4]);
    }
}
