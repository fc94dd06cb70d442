//! `[audit]`: where records go.

mod ship;

use std::{path::Path, time::Duration};

use mantlet_controls::{
    audit::Actions,
    config::{
        Mistake,
        units::{Size, Span},
    },
};
use mantlet_gateway::{
    audit_log::{Anchor, AuditConfig, Destination, Sync},
    guarded::Kind,
};
use serde::{Deserialize, Serialize};

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The file of JSON lines; `off` for none. Default `audit.jsonl` in the state folder.
    pub(crate) file: String,
    /// Whether refusals are shown on the terminal. Default yes.
    pub(crate) terminal: bool,
    /// Which actions are recorded beside refusals. Default `sensitive`.
    pub(crate) actions: Actions,
    /// When the disk has to have a record: `record` (before the response; if the disk cannot take it,
    /// requests are refused), a time, or `os`. Default `100ms`.
    pub(crate) fsync: Fsync,
    /// The size from which on the file is renamed after its first record, and a new one begun; `0` for
    /// never. Default 256 MiB.
    pub(crate) rotate: Size,
    /// How often a log with new records is sealed. Default 1 min.
    pub(crate) seal: Span,
    /// Where seals go beside the file of seals: `terminal`, or the path of a file. Default nowhere.
    pub(crate) anchors: Vec<String>,
    /// Where the log is shipped to. Default nowhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ship: Vec<ship::Config>,
}

/// When the disk has to have a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Fsync {
    Named(Named),
    Every(Span),
}

/// A word in the place of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Named {
    Record,
    Os,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: String::new(),
            terminal: true,
            actions: Actions::default(),
            fsync: Fsync::Every(Span(Duration::from_millis(100))),
            rotate: Size(256 << 20),
            seal: Span::secs(60),
            anchors: Vec::new(),
            ship: Vec::new(),
        }
    }
}

/// Seals are made no more often.
const SHORTEST: Duration = Duration::from_millis(100);
/// Ends of names that are those of our own files beside a log.
const TAKEN: [&str; 3] = [".key", ".seals", ".lock"];

impl Config {
    pub(super) fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if let Some(end) = TAKEN.iter().find(|end| self.file.ends_with(**end)) {
            let message =
                format!("`{}` ends with `{end}`, as a file that Mantlet keeps beside a log", self.file);
            mistakes
                .push(Mistake::new("audit.file", message).help("write another name, such as `audit.jsonl`"));
        }
        if self.seal.0 < SHORTEST {
            mistakes.push(Mistake::new("audit.seal", format!("`{}` is less than `100ms`", self.seal)));
        }
        for (index, anchor) in self.anchors.iter().enumerate().filter(|(_, anchor)| anchor.is_empty()) {
            let message = format!("`{anchor}` is neither `terminal` nor a path");
            mistakes.push(Mistake::new(format!("audit.anchors[{index}]"), message));
        }
        mistakes.extend(ship::destinations(&self.ship).1);
        mistakes
    }

    /// Where the log is shipped to, with the secrets that are needed there, read now.
    pub(crate) fn destinations(&self) -> Vec<Destination> {
        ship::destinations(&self.ship).0
    }

    /// What is written where. Where it is shipped to is left out.
    pub(crate) fn log(&self, state_folder: &Path) -> AuditConfig {
        let (file, kind) = match self.file.as_str() {
            "off" => (None, Kind::Named),
            "" => (Some(state_folder.join("audit.jsonl")), Kind::Own),
            path => (Some(path.into()), Kind::Named),
        };
        AuditConfig {
            file,
            kind,
            terminal: self.terminal,
            state: Some(state_folder.to_owned()),
            sync: match self.fsync {
                Fsync::Named(Named::Record) => Sync::Record,
                Fsync::Named(Named::Os) => Sync::Os,
                Fsync::Every(span) => Sync::Every(span.0),
            },
            rotate: self.rotate.0,
            seal: self.seal.0,
            anchors: self.anchors.iter().map(|anchor| anchor_of(anchor)).collect(),
            ship: Vec::new(),
        }
    }
}

fn anchor_of(text: &str) -> Anchor {
    if text == "terminal" { Anchor::Terminal } else { Anchor::File(text.into()) }
}
