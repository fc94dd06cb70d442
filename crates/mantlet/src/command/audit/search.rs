//! `mantlet audit search`: the records that fit.

use std::{
    collections::VecDeque,
    io::{self, BufWriter, Write},
    path::Path,
    process::ExitCode,
};

use serde_json::Value;

use super::{
    filter::Filter,
    log::Log,
    present::{Line, line_of},
};
use crate::say::{Failure, amount, say};

pub(super) fn search(log: &Log, filter: &Filter, json: bool) -> Result<ExitCode, Failure> {
    let mut output = BufWriter::new(io::stdout().lock());
    let mut found = 0_usize;
    let mut is_open = true;
    log.lines(|_, _, line| {
        let Some(record) = filter.fits(line) else { return Ok(true) };
        found += 1;
        is_open = written(&mut output, line, &record, json)?;
        Ok(is_open)
    })?;
    if is_open {
        let _ = output.flush();
    }
    if !json {
        drop(output);
        say(amount(found, "record"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The last records that fit in the log of a configuration, the newest first, for the operator's page.
pub(super) fn of_config(config: Option<&Path>, filter: &Filter, most: usize) -> Result<Vec<Value>, Failure> {
    let log = Log::find(&[], config)?;
    let mut found = VecDeque::new();
    log.lines(|_, _, line| {
        if let Some(record) = filter.fits(line).filter(|record| !is_seal(record)) {
            if found.len() >= most {
                found.pop_back();
            }
            found.push_front(record);
        }
        Ok(true)
    })?;
    Ok(found.into())
}

/// Seals come every minute, and say nothing to a person.
fn is_seal(record: &Value) -> bool {
    record.get("security_event").is_some_and(|event| event == "log-sealed")
}

/// Writes a record; false if its reader has seen enough.
pub(super) fn written(
    output: &mut impl Write,
    line: &[u8],
    record: &Value,
    json: bool,
) -> Result<bool, Failure> {
    if !json && is_seal(record) {
        return Ok(true);
    }
    let outcome = if json {
        output.write_all(line).and_then(|()| output.write_all(b"\n"))
    } else {
        writeln!(output, "{}", line_of(&Line(record)))
    };
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(format!("cannot write to standard output: {error}"))),
    }
}
