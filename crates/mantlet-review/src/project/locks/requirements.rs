//! Requirements files, as pip reads them. One in which each line names one version is a lock.

use super::{Artifact, Format, Lock, Locked, Origin};
use crate::project::requirement::Requirement;

/// What a requirements file says.
#[derive(Debug)]
pub(super) struct Read {
    /// All that it asks for.
    pub(super) asked: Vec<Requirement>,
    /// It, as a lock, if each line names one version.
    pub(super) lock: Option<Lock>,
    /// Lines that name no version, with their number.
    pub(super) unpinned: Vec<(String, u32)>,
}

pub(super) fn read(file: &str, source: &str) -> Read {
    let mut read = Read { asked: Vec::new(), lock: None, unpinned: Vec::new() };
    let mut lock = Lock::of(file, Format::Requirements);
    for (line, text) in logical_lines(source) {
        let (requirement, options) = text.split_once(" --").unwrap_or((&text, ""));
        if requirement.starts_with('-') {
            continue;
        }
        let Some(requirement) = Requirement::parse(requirement) else { continue };
        let artifacts: Vec<Artifact> = format!(" --{options}")
            .split_whitespace()
            .filter_map(|option| option.strip_prefix("--hash=")?.split_once(':'))
            .map(|(algorithm, digest)| Artifact {
                url: None,
                digest: (algorithm.to_owned(), digest.to_owned()),
            })
            .collect();
        let version = requirement.pinned();
        if version.is_none() && requirement.url.is_none() {
            read.unpinned.push((requirement.name.clone(), line));
        }
        lock.packages.push(Locked {
            name: requirement.name.clone(),
            version,
            line,
            origin: requirement.url.clone().map_or(Origin::Index, Origin::Url),
            artifacts,
            dependencies: Vec::new(),
            for_development: false,
        });
        read.asked.push(requirement);
    }
    if read.unpinned.is_empty() && !lock.packages.is_empty() {
        read.lock = Some(lock);
    }
    read
}

/// Lines without comments, those that end with `\` joined.
fn logical_lines(source: &str) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(u32, String)> = None;
    for (number, line) in (1..).zip(source.lines()) {
        let line = line.trim();
        let line = if line.starts_with('#') {
            ""
        } else {
            line.split_once(" #").map_or(line, |(line, _)| line).trim_end()
        };
        let (line, goes_on) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
        let (start, text) = open.take().unwrap_or((number, String::new()));
        let text = if text.is_empty() {
            line.trim().to_owned()
        } else {
            format!("{} {}", text.trim_end(), line.trim())
        };
        if goes_on {
            open = Some((start, text));
        } else if !text.trim().is_empty() {
            lines.push((start, text));
        }
    }
    lines.extend(open.filter(|(_, text)| !text.trim().is_empty()));
    lines
}
