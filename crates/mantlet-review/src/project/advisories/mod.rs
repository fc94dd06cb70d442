//! Known weaknesses of locked packages, by records in the format of OSV.
//!
//! Records come from a [`Source`]: a [`Database`] on disk, or a client of a service. Either way, each record is
//! judged here. So what a source hands over need not affect the version; and one that cannot be read is a note.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    locks::{Dependencies, Format, Lock, Locked, Origin, ROWS},
    requirement::normal,
};
use crate::{
    finding::{Finding, Place},
    review::Review,
    rule::{Level, project as rules},
};

mod database;
mod record;
mod severity;

pub use database::Database;
pub use record::{Affected, Range, Record};

/// Where records come from.
pub trait Source {
    /// The records about any of these packages: names as PEP 503 compares them, with the locked version.
    ///
    /// # Errors
    /// Why they could not be asked for, as a sentence without a period.
    fn query(&self, packages: &[(&str, &str)]) -> Result<Vec<Record>, String>;

    /// What could not be read, and why.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Records that are about one weakness of one package.
#[derive(Debug, Default)]
struct Weakness<'a> {
    names: BTreeSet<&'a str>,
    records: Vec<&'a Record>,
    fixed: BTreeSet<String>,
}

pub(super) fn review(all: &[Dependencies], source: Option<&dyn Source>, review: &mut Review) {
    let packages: BTreeSet<(&str, &str)> =
        all.iter().flat_map(|one| &one.locks).flat_map(|lock| &lock.packages).filter_map(asked).collect();
    let Some(source) = source else {
        if !packages.is_empty() {
            review.unjudged(
                ROWS[0],
                "known weaknesses were not looked for, because no database was given (`--osv-db`)",
            );
        }
        return;
    };
    let packages: Vec<(&str, &str)> = packages.into_iter().collect();
    let records = match source.query(&packages) {
        Ok(records) => records,
        Err(why) => {
            review.unjudged(ROWS[0], format!("known weaknesses were not looked for: {why}"));
            return;
        }
    };
    for note in source.notes() {
        review.note(note);
    }
    for row in ROWS {
        review.looked(row, "packages held against advisories", packages.len());
    }
    let mut notes = BTreeSet::new();
    for dependencies in all {
        for lock in &dependencies.locks {
            let production = lock.in_production(&dependencies.manifest);
            for package in &lock.packages {
                let Some((name, version)) = asked(package) else { continue };
                for weakness in weaknesses(&records, name, version, &mut notes) {
                    review.found(found(&weakness, lock, package, version, production.contains(name)));
                }
            }
        }
    }
    for note in notes {
        review.note(note);
    }
}

/// What a source can be asked about: not the folders of the project itself.
fn asked(package: &Locked) -> Option<(&str, &str)> {
    let is_own = matches!(package.origin, Origin::Folder(_));
    (!is_own).then_some((package.name.as_str(), package.version.as_deref()?))
}

/// Those that this version has, each once however many records tell of it.
fn weaknesses<'a>(
    records: &'a [Record],
    name: &str,
    version: &str,
    notes: &mut BTreeSet<String>,
) -> Vec<Weakness<'a>> {
    let mut groups = Vec::<Weakness<'a>>::new();
    for record in records.iter().filter(|record| !record.withdrawn) {
        let mut fixed = BTreeSet::new();
        let mut hits = false;
        for affected in record.affected.iter().filter(|affected| normal(&affected.name) == name) {
            match affected.judge(version) {
                Ok(Some(by)) => {
                    hits = true;
                    fixed.extend(by);
                }
                Ok(None) => {}
                Err(why) => {
                    notes.insert(format!(
                        "advisory `{}` was not judged for `{name} {version}`: {why}",
                        record.id
                    ));
                }
            }
        }
        if !hits {
            continue;
        }
        let mut one = Weakness { names: record.names().collect(), records: vec![record], fixed };
        // Records tell of one weakness if they share a name, perhaps by a third record.
        let (same, others) =
            groups.into_iter().partition::<Vec<_>, _>(|other| !other.names.is_disjoint(&one.names));
        groups = others;
        for other in same {
            one.names.extend(other.names);
            one.records.extend(other.records);
            one.fixed.extend(other.fixed);
        }
        groups.push(one);
    }
    groups
}

fn found(weakness: &Weakness<'_>, lock: &Lock, package: &Locked, version: &str, runs: bool) -> Finding {
    let name = &package.name;
    let mut records = weakness.records.clone();
    records.sort_by(|one, other| one.id.cmp(&other.id));
    // The name that all databases know, so that a baseline outlives the database.
    let id = weakness
        .names
        .iter()
        .find(|name| name.starts_with("CVE-"))
        .or(weakness.names.first())
        .copied()
        .unwrap_or_default();
    let others: Vec<&str> = weakness.names.iter().copied().filter(|other| *other != id).collect();
    let also = if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
    let summary = records.iter().find_map(|record| record.summary.as_deref()).unwrap_or_default();
    let summary = summary.trim().trim_end_matches('.');
    let told = if summary.is_empty() { String::new() } else { format!(": {summary}") };
    let mut level =
        records.iter().map(|record| record.level.unwrap_or(Level::Medium)).max().unwrap_or(Level::Medium);
    let mut message = format!("`{name} {version}` has the known weakness {id}{also}{told}.");
    // It does its harm where it is installed, on the machine of a developer, too.
    if records.iter().any(|record| record.is_malicious()) {
        level = Level::Critical;
        message = format!("`{name} {version}` was published to do harm: {id}{also}{told}.");
    } else if !runs {
        level = level.min(Level::Low);
        message.push_str(" It is needed only to work on the app.");
    }
    let fixed: Vec<String> = earliest(&weakness.fixed);
    let mend = match fixed.as_slice() {
        [] => format!(
            "No version without it is known. Replace `{name}`, or see whether the app uses what is weak."
        ),
        fixed => format!(
            "Update `{name}` to {} or later: change what asks for it, then run `{}`.",
            fixed.join(" or "),
            update(lock, name)
        ),
    };
    let mut finding = Finding::new(&rules::VULNERABLE_DEPENDENCY, format!("{name} {version}"), message)
        .part(id)
        .level(level)
        .at(Some(Place { file: lock.file.clone(), line: Some(package.line) }))
        .mended_by(mend);
    for record in records {
        let severity =
            record.severity.as_ref().map(|severity| format!(", severity {severity}")).unwrap_or_default();
        finding = finding.fact(format!("{}{severity}", record.id));
    }
    finding
}

/// Versions in their order, by what PEP 440 says.
fn earliest(versions: &BTreeSet<String>) -> Vec<String> {
    let mut sorted: Vec<String> = versions.iter().cloned().collect();
    sorted.sort_by_key(|version| version.parse::<pep440_rs::Version>().ok());
    sorted
}

fn update(lock: &Lock, name: &str) -> String {
    match lock.format {
        Format::Uv => format!("uv lock --upgrade-package {name}"),
        Format::Poetry => format!("poetry update {name}"),
        Format::Pdm => format!("pdm update {name}"),
        Format::Pipenv => format!("pipenv update {name}"),
        Format::Pylock => "pip lock -o pylock.toml .".to_owned(),
        Format::Requirements => format!("pip-compile --upgrade-package {name}"),
    }
}

/// Packages by name, for a source that is asked for many at once.
pub(super) fn by_name(records: Vec<Record>) -> BTreeMap<String, Vec<Record>> {
    let mut by_name = BTreeMap::<String, Vec<Record>>::new();
    for record in records {
        let names: BTreeSet<String> = record.affected.iter().map(|affected| normal(&affected.name)).collect();
        for name in names {
            by_name.entry(name).or_default().push(record.clone());
        }
    }
    by_name
}
