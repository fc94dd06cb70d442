//! `mantlet audit export`: records in the words of other programs, one each line.
//!
//! What is exported is a copy. The lines of the log are what can be verified.

mod cef;
mod ecs;
mod event;
mod ocsf;

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use self::event::Event;
use super::{filter::Filter, log::Log};
use crate::{cli::ExportFormat, say::Failure};

pub(super) fn export(log: &Log, filter: &Filter, format: ExportFormat) -> Result<ExitCode, Failure> {
    let mut output = BufWriter::new(io::stdout().lock());
    let mut wrong = None;
    log.lines(|_, _, line| {
        let Some(record) = filter.fits(line) else { return Ok(true) };
        let event = Event::of(&record);
        let line = match format {
            ExportFormat::Ocsf => ocsf::line_of(&event).to_string(),
            ExportFormat::Ecs => ecs::line_of(&event).to_string(),
            ExportFormat::Cef => cef::line_of(&event),
        };
        if let Err(error) = writeln!(output, "{line}") {
            wrong = Some(error);
        }
        Ok(wrong.is_none())
    })?;
    match wrong.map_or_else(|| output.flush(), Err) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
