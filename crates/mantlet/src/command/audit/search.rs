//! `mantlet audit search`: the records that fit.

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

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

/// Writes a record; false if its reader has seen enough.
pub(super) fn written(
    output: &mut impl Write,
    line: &[u8],
    record: &serde_json::Value,
    json: bool,
) -> Result<bool, Failure> {
    // Seals come every minute, and say nothing to a person.
    if !json && record.get("security_event").is_some_and(|event| event == "log-sealed") {
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
