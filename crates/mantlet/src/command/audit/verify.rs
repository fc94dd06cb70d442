//! `mantlet audit verify`: whether the log is as it was written.

use std::{
    fs,
    io::BufRead,
    path::{Path, PathBuf},
    process::ExitCode,
};

use jiff::{SignedDuration, Timestamp};
use mantlet_audit::{
    Seal, SealLine,
    proof::Proof,
    read_seq,
    verify::{Fault, Proven, Verifier, seal_of},
};
use mantlet_page::{Tampering, Verified};
use serde::{Deserialize, Serialize};

use super::{log::Log, present::safe};
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
    /// The number of the record after them.
    end: u64,
    /// Bytes of half a line at the end.
    half: usize,
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
    let log = Log::find(&asked.files, config)?;
    let first = log.parts.first().map_or(0, |part| part.first);
    let mut verifier = if asked.partial && first > 0 { partial(&log, first)? } else { Verifier::new() };
    if let Some(origin) = &asked.log {
        verifier.accept(origin.clone());
    }
    if let Some(copy) = copy {
        verifier.expect(copy);
    }
    let has_seals = expect_own(&log, &mut verifier);
    let fault = judge(&log, &mut verifier)?;
    let report = report_of(fault, &log, verifier.proven(), asked.seals.is_some());
    let is_faulty = report.fault.is_some();
    if asked.json {
        print(&serde_json::to_string_pretty(&report).unwrap_or_default())?;
    } else {
        tell(&report, first, has_seals)?;
        if is_faulty && !log.compressed.is_empty() {
            let names: Vec<_> = log.compressed.iter().map(|path| path.display().to_string()).collect();
            say(format!(
                "note: compressed files are not read: unpack them beside the log ({})",
                names.join(", ")
            ));
        }
    }
    Ok(if is_faulty { ExitCode::from(FAULTY) } else { ExitCode::SUCCESS })
}

/// The log of a configuration, for the operator's page.
pub(super) fn of_config(config: Option<&Path>) -> Result<Verified, Failure> {
    let log = Log::find(&[], config)?;
    let mut verifier = Verifier::new();
    expect_own(&log, &mut verifier);
    let fault = judge(&log, &mut verifier)?;
    let report = report_of(fault, &log, verifier.proven(), false);
    let place = |fault: &Found| {
        let file = fault.file.as_ref()?.display();
        Some(fault.line.map_or_else(|| file.to_string(), |line| format!("{file}:{line}")))
    };
    let fault = report.fault.map(|fault| Tampering { place: place(&fault), what: fault.what });
    Ok(Verified {
        log: report.log,
        fault,
        files: u64::try_from(report.files.max(1)).unwrap_or_default(),
        records: report.records,
        seals: report.seals,
        sealed: report.sealed,
        sealed_at: report.sealed_at,
    })
}

/// Expects the seals beside the log; false if there are none.
fn expect_own(log: &Log, verifier: &mut Verifier) -> bool {
    let own = log.seals();
    let has_seals = own.is_some();
    if let Some(own) = own {
        verifier.expect_own(own.lines().map_while(Result::ok).filter_map(|line| seal_in(&line)));
    }
    has_seals
}

/// Begins at the first file that is here, after the seal before it.
fn partial(log: &Log, first: u64) -> Result<Verifier, Failure> {
    let seals = log.seals().into_iter().flat_map(|seals| seals.lines().map_while(Result::ok));
    let kept = seals.filter_map(|line| serde_json::from_str::<SealLine>(&line).ok());
    kept.filter(|kept| Seal::read(&kept.note).is_some_and(|seal| seal.size + 1 == first))
        .find_map(|kept| Verifier::after(&kept))
        .ok_or_else(|| {
            Failure::usage(format!(
                "--partial: there is no seal right before record {first}, with which the log begins here"
            ))
        })
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
        end: proven.end,
        half: log.half(),
        seals: proven.seals,
        sealed: proven.sealed,
        sealed_at: proven.sealed_at.map(|time| time.to_string()),
        closed: proven.is_closed,
        copy: has_copy.then_some(proven.met),
    }
}

fn tell(report: &Report, first: u64, has_seals: bool) -> Result<(), Failure> {
    let files = amount(report.files.max(1), "file");
    let seals = counted(report.seals, "seal");
    let open = report.end - report.sealed.min(report.end);
    let sealed = report.sealed_at.as_deref().map_or_else(
        || "no seal yet".to_owned(),
        |time| {
            let after = match open {
                0 | 1 => String::new(),
                open => format!("; {} after it are linked, and not sealed yet", counted(open - 1, "record")),
            };
            format!("{seals}; the last one covers the first {} and is of {time}{after}", report.sealed)
        },
    );
    let copy = report.copy.map_or_else(String::new, |met| {
        format!("\nthe copy of the seals agrees: {} of it", counted(met, "seal"))
    });
    let name = safe(&report.log);
    if let Some(fault) = &report.fault {
        let place = match (&fault.file, fault.line) {
            (Some(file), Some(line)) => format!("{}:{line}: ", file.display()),
            _ => String::new(),
        };
        say(format!("error: {place}{}", safe(&fault.what)));
        return print(&format!(
            "{name}: {files}, NOT as it was written\n{} before the fault are linked to each other; {sealed}{copy}",
            counted(report.records, "record")
        ));
    }
    print(&format!(
        "{name}: {files}, as it was written\n{}, {sealed}{copy}",
        counted(report.records, "record")
    ))?;
    if first > 0 {
        say(format!("note: the records before {first} are not here; the seal before them fits"));
    }
    if report.half > 0 {
        say(format!(
            "note: after the last record there are {} bytes without a line end: a record that is being written, or half of one",
            report.half
        ));
    }
    if let Some(quiet) = quiet_since(report) {
        say(format!(
            "note: the log was not closed, and its last seal is of {quiet}. A Mantlet that runs seals it every 15 minutes at least: it was killed, or the end of the log was cut off"
        ));
    }
    if !has_seals {
        say("note: there is no file of seals beside the log, so an end that was cut off does not show");
    }
    if report.copy.is_none() {
        say(
            "note: this is what the log proves by itself. A log that was replaced as a whole, or from its last seal on, only a copy of the seals from another place shows: `audit.anchors` and `--seals`",
        );
    }
    Ok(())
}

fn counted(count: u64, what: &str) -> String {
    amount(usize::try_from(count).unwrap_or(usize::MAX), what)
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
        .map_err(|error| Failure::usage(format!("the seals `{}` cannot be read: {error}", path.display())))?;
    let seals: Vec<Seal> = text.lines().filter_map(seal_in).collect();
    if seals.is_empty() {
        return Err(Failure::usage(format!("there are no seals in `{}`", path.display())));
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

fn verify_proof(path: &Path, copy: Option<&[Seal]>) -> Result<ExitCode, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("the proof `{}` cannot be read: {error}", path.display())))?;
    let proof = match Proof::read(&text) {
        Ok(proof) => proof,
        Err(why) => {
            say(format!("error: {}: {why}", path.display()));
            return Ok(ExitCode::from(FAULTY));
        }
    };
    let Proof { line, index, seal, .. } = proof;
    let is_known = copy.map(|copy| copy.iter().any(|kept| kept.note == seal.note));
    if is_known == Some(false) {
        say(format!("error: {}: its seal is not among the copy of the seals", path.display()));
        return Ok(ExitCode::from(FAULTY));
    }
    print(&format!("{}\n", safe(&String::from_utf8_lossy(&line))))?;
    let which = format!(
        "record {index} is among the {} records of {} that were sealed at {}",
        seal.size,
        safe(&seal.origin),
        seal.time
    );
    if is_known == Some(true) {
        say(which);
        return Ok(ExitCode::SUCCESS);
    }
    say(format!(
        "not verified: if its seal is true, {which}. Whether it is, only a copy of the seals shows: `--seals FILE`"
    ));
    Ok(ExitCode::from(NOTHING))
}
