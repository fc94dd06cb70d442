//! `mantlet audit verify`: whether the log is as it was written.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use jiff::{SignedDuration, Timestamp};
use mantlet_audit::{
    Seal, files,
    proof::Proof,
    read_seq,
    verify::{Fault, Proven, Verifier, seal_of},
};
use serde::{Deserialize, Serialize};

use super::log::Log;
use crate::{
    cli::AuditVerifyArguments,
    say::{Failure, amount, print, say},
};

/// The log has a fault.
const FAULTY: u8 = 1;
/// There was nothing to verify.
const NOTHING: u8 = 3;

/// What was found.
#[derive(Serialize)]
struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Found>,
    log: String,
    files: usize,
    /// Records that are as they were written.
    records: u64,
    seals: u64,
    /// How many records the last seal covers, and when it was made.
    sealed: u64,
    sealed_at: Option<String>,
    closed: bool,
    /// Seals of the copy that were met.
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<u64>,
}

/// A fault and its place.
#[derive(Serialize)]
struct Found {
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
}

pub(super) fn verify(asked: &AuditVerifyArguments, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let copy = asked.seals.as_deref().map(copy_of).transpose()?;
    if let Some(path) = &asked.proof {
        return verify_proof(path, copy.as_deref());
    }
    let log = match Log::find(&asked.files, config) {
        Ok(log) => log,
        Err(failure) => return Ok(failure.with_code(NOTHING).report()),
    };
    let mut verifier = Verifier::new();
    if let Some(origin) = &asked.log {
        verifier.accept(origin.clone());
    }
    if let Some(copy) = copy {
        verifier.expect(copy);
    }
    if let Some(last) = last_own_seal(&log.newest) {
        verifier.expect_lines(last.size);
    }
    let fault = judge(&log, &mut verifier)?;
    let report = report_of(fault, &log, verifier.proven(), asked.seals.is_some());
    let is_faulty = report.fault.is_some();
    if asked.json {
        print(&serde_json::to_string_pretty(&report).unwrap_or_default())?;
    } else {
        tell(&report)?;
    }
    Ok(if is_faulty { ExitCode::from(FAULTY) } else { ExitCode::SUCCESS })
}

fn judge(log: &Log, verifier: &mut Verifier) -> Result<Option<Found>, Failure> {
    let mut found = None;
    // The place of the line before: it may be that one.
    let mut before: Option<(PathBuf, u64)> = None;
    log.lines(|path, number, line| {
        let Err(fault) = verifier.line(line) else {
            match &mut before {
                Some((file, at)) if file == path => *at = number,
                before => *before = Some((path.to_owned(), number)),
            }
            return Ok(true);
        };
        found = Some(placed(log, &fault, Some((path.to_owned(), number)), before.take())?);
        Ok(false)
    })?;
    if found.is_none()
        && let Err(fault) = verifier.end()
    {
        found = Some(placed(log, &fault, None, None)?);
    }
    Ok(found)
}

/// A fault with the line that it is in. Of a changed record it is known only from those after it.
fn placed(
    log: &Log,
    fault: &Fault,
    at: Option<(PathBuf, u64)>,
    before: Option<(PathBuf, u64)>,
) -> Result<Found, Failure> {
    let place = match fault {
        Fault::Changed(seq) | Fault::ChangedOrNext(seq) => place_of(log, *seq)?.or(before),
        Fault::CutTail { .. } | Fault::Empty => None,
        _ => at,
    };
    let (file, line) = place.unzip();
    Ok(Found { what: fault.to_string(), file, line })
}

fn place_of(log: &Log, seq: u64) -> Result<Option<(PathBuf, u64)>, Failure> {
    let (mut place, mut due) = (None, log.parts.first().map_or(0, |part| part.first));
    log.lines(|path, number, line| {
        // A changed line may not say its number any more: it stands where its number is due.
        due = read_seq(line).map_or(due, |(found, _)| found.min(due));
        if due == seq {
            place = Some((path.to_owned(), number));
        }
        due += 1;
        Ok(place.is_none())
    })?;
    Ok(place)
}

fn report_of(fault: Option<Found>, log: &Log, proven: &Proven, has_copy: bool) -> Report {
    Report {
        fault,
        log: proven.origin.clone(),
        files: log.parts.len(),
        records: proven.lines,
        seals: proven.seals,
        sealed: proven.sealed,
        sealed_at: proven.sealed_at.map(|time| time.to_string()),
        closed: proven.is_closed,
        copy: has_copy.then_some(proven.met),
    }
}

fn tell(report: &Report) -> Result<(), Failure> {
    let files = amount(report.files, "file");
    let seals = amount(usize::try_from(report.seals).unwrap_or(usize::MAX), "seal");
    let sealed = report.sealed_at.as_deref().map_or_else(
        || "no seal yet".to_owned(),
        |time| format!("{seals}; the last one covers the first {} and is of {time}", report.sealed),
    );
    let copy = report.copy.map_or_else(String::new, |met| {
        format!(
            "\nthe copy of the seals agrees: {} of it",
            amount(usize::try_from(met).unwrap_or(usize::MAX), "seal")
        )
    });
    if let Some(fault) = &report.fault {
        let place = match (&fault.file, fault.line) {
            (Some(file), Some(line)) => format!("{}:{line}: ", file.display()),
            _ => String::new(),
        };
        say(format!("error: {place}{}", fault.what));
        return print(&format!(
            "{}: {files}, NOT as it was written\n{} records before the fault are linked to each other; {sealed}{copy}",
            report.log, report.records
        ));
    }
    print(&format!(
        "{}: {files}, as it was written\n{} records, {sealed}{copy}",
        report.log, report.records
    ))?;
    if let Some(quiet) = quiet_since(report) {
        say(format!(
            "note: the log was not closed, and its last seal is of {quiet}. A Mantlet that runs seals it every 15 minutes at least: it was killed, or the end of the log was cut off"
        ));
    }
    if report.copy.is_none() {
        say(
            "note: this is what the log proves by itself. A log that was replaced as a whole, or from its last seal on, only a copy of the seals from another place shows: `audit.anchors` and `--seals`",
        );
    }
    Ok(())
}

/// When the last seal was made, if that is longer ago than a log that is written to may go without one.
fn quiet_since(report: &Report) -> Option<String> {
    let sealed: Timestamp = report.sealed_at.as_deref()?.parse().ok()?;
    let is_quiet = Timestamp::now().duration_since(sealed) > SignedDuration::from_mins(20);
    (is_quiet && !report.closed).then(|| sealed.to_string())
}

/// A line of a file of seals, ours or a copy. A log has them in its own lines, too.
#[derive(Deserialize)]
struct Line {
    note: String,
}

/// The seals of a copy: of a file of seals, or of a copy of the log itself.
fn copy_of(path: &Path) -> Result<Vec<Seal>, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("the seals `{}` cannot be read: {error}", path.display())))?;
    let seals: Vec<Seal> = text.lines().filter_map(seal_in).collect();
    if seals.is_empty() {
        return Err(Failure::new(format!("there are no seals in `{}`", path.display())));
    }
    Ok(seals)
}

fn seal_in(line: &str) -> Option<Seal> {
    match serde_json::from_str::<Line>(line) {
        Ok(line) => Seal::read(&line.note),
        Err(_) => seal_of(line.as_bytes()).or_else(|| seal_in_a_message(line)),
    }
}

/// As the terminal shows it: `mantlet: audit seal: …`.
fn seal_in_a_message(line: &str) -> Option<Seal> {
    let (_, note) = line.split_once("audit seal: ")?;
    Seal::read(&note.trim_end().replace("\\n", "\n").replace("\\u{2014}", "\u{2014}"))
}

fn last_own_seal(newest: &Path) -> Option<Seal> {
    let text = fs::read_to_string(files::beside(newest, files::SEALS)).ok()?;
    text.lines().rev().find_map(seal_in)
}

fn verify_proof(path: &Path, copy: Option<&[Seal]>) -> Result<ExitCode, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("the proof `{}` cannot be read: {error}", path.display())))?;
    let proof = match Proof::read(&text) {
        Ok(proof) => proof,
        Err(why) => {
            say(format!("error: {}: {why}", path.display()));
            return Ok(ExitCode::from(FAULTY));
        }
    };
    let Proof { line, index, seal, .. } = proof;
    if let Some(copy) = copy
        && !copy.iter().any(|kept| kept.note == seal.note)
    {
        say(format!("error: {}: its seal is not among the copy of the seals", path.display()));
        return Ok(ExitCode::from(FAULTY));
    }
    print(&format!("{}\n", String::from_utf8_lossy(&line)))?;
    say(format!(
        "record {index} is among the {} records of {} that were sealed at {}",
        seal.size, seal.origin, seal.time
    ));
    if copy.is_none() {
        say("note: whether that seal is of the log itself, only a copy of the seals shows: `--seals`");
    }
    Ok(ExitCode::SUCCESS)
}
