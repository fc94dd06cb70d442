//! `mantlet audit shipping`: how far the log is shipped, as the gate has noted it beside the log.

use std::{fs, process::ExitCode};

use serde::Deserialize;

use super::log::{Log, NO_LOG};
use crate::say::{Failure, amount, print, say, table};

/// What the gate notes of a destination.
#[derive(Deserialize)]
struct Noted {
    to: String,
    seq: u64,
    /// Records after which each connection broke.
    #[serde(default)]
    doubtful: u64,
}

pub(super) fn shipping(log: &Log) -> Result<ExitCode, Failure> {
    let last = log.parts.last().map_or(0, mantlet_audit::files::Part::last);
    let mut rows = Vec::new();
    for noted in noted(log) {
        let behind = match last.saturating_sub(noted.seq) {
            0 => "nothing waits".to_owned(),
            waiting => {
                format!("{} waiting", amount(usize::try_from(waiting).unwrap_or(usize::MAX), "record"))
            }
        };
        let behind = match noted.doubtful {
            0 => behind,
            some => format!(
                "{behind}; {} perhaps not arrived",
                amount(usize::try_from(some).unwrap_or(usize::MAX), "record")
            ),
        };
        rows.push([noted.to, format!("up to record {}", noted.seq), behind]);
    }
    if rows.is_empty() {
        say("this log was not shipped to any destination yet");
        return Ok(ExitCode::from(NO_LOG));
    }
    rows.sort();
    print(&table(&rows))?;
    Ok(ExitCode::SUCCESS)
}

/// What is noted in files whose names begin as that of the log, where its seals are.
fn noted(log: &Log) -> Vec<Noted> {
    let mut found = Vec::new();
    for seals in &log.seals {
        let base = seals.with_extension("");
        let (Some(folder), Some(name)) = (base.parent(), base.file_name()) else { continue };
        let start = format!("{}.shipped-", name.to_string_lossy());
        // A folder that is not there has no notes.
        let entries = fs::read_dir(if folder.as_os_str().is_empty() { ".".as_ref() } else { folder });
        let files = entries.into_iter().flatten().flatten();
        let ours = files.filter(|entry| entry.file_name().to_string_lossy().starts_with(&start));
        found.extend(ours.filter_map(|entry| serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()));
    }
    found
}
