//! Up to where a destination has got the log, in a file beside the seals.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mantlet_audit::{files, link_of};
use serde::{Deserialize, Serialize};

use super::{destination::Destination, line::Position};
use crate::{
    guarded::{self, Kind},
    tell,
};

/// How often it is written, at most. What was shipped since then is shipped again after a kill.
const EVERY: Duration = Duration::from_secs(1);

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    to: String,
    /// Lines that have perhaps not arrived.
    #[serde(default, skip_serializing_if = "is_none")]
    doubtful: u64,
    #[serde(flatten)]
    position: Position,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The position of a destination.
#[derive(Debug)]
pub(super) struct Kept {
    /// None if the log cannot be read back.
    file: Option<PathBuf>,
    to: String,
    position: Option<Position>,
    doubtful: u64,
    is_new: bool,
    written: Option<Instant>,
    complained: bool,
}

impl Kept {
    /// Reads it. `beside` is a log, or a name like that of one, in the folder with its seals.
    pub(super) fn of(beside: Option<&Path>, to: &Destination) -> Self {
        // The hash of the address tells destinations apart, and has only letters that a file may have.
        let file =
            beside.map(|log| files::beside(log, &format!("shipped-{}", link_of(to.address.as_bytes()))));
        let position = file.as_ref().and_then(|file| match guarded::read(file, Kind::Own) {
            Ok(text) => serde_json::from_slice::<Content>(&text).ok(),
            Err(_) => None,
        });
        let doubtful = position.as_ref().map_or(0, |kept| kept.doubtful);
        let position = position.map(|kept| kept.position);
        let to = to.name().to_owned();
        Self { file, to, position, doubtful, is_new: false, written: None, complained: false }
    }

    pub(super) const fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// So many of the lines before the next position have perhaps not arrived.
    pub(super) const fn doubt(&mut self, lines: u64) {
        self.doubtful = self.doubtful.saturating_add(lines);
    }

    /// Everything up to this line has arrived.
    pub(super) fn put(&mut self, position: Position) {
        self.position = Some(position);
        self.is_new = true;
        if self.written.is_none_or(|written| written.elapsed() >= EVERY) {
            self.save();
        }
    }

    /// Writes what is new.
    pub(super) fn save(&mut self) {
        let (Some(file), Some(position), true) = (&self.file, &self.position, self.is_new) else { return };
        let content = Content { to: self.to.clone(), doubtful: self.doubtful, position: position.clone() };
        let saved = serde_json::to_vec(&content)
            .map_err(std::io::Error::from)
            .and_then(|text| guarded::replace(file, &text));
        self.written = Some(Instant::now());
        match saved {
            Ok(_) => (self.is_new, self.complained) = (false, false),
            Err(error) if !std::mem::replace(&mut self.complained, true) => tell(&format!(
                "warning: how far the audit log is shipped cannot be kept in `{}`: {error}. After the next start records are shipped again",
                file.display()
            )),
            Err(_) => {}
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.save();
    }
}
