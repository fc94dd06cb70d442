//! What a large contract costs at the start.

use std::time::Instant;

use anyhow::Result;

use super::{
    report::{self, Row},
    server::{Channel, Place, Server},
};
use crate::processes;

/// Operations of a large app.
const OPERATIONS: usize = 1_000;

/// Time until the first answer, and memory, with a contract of 1,000 operations.
pub(super) fn measure(place: &Place, rounds: usize) -> Result<Vec<Row>> {
    place.write_contract(OPERATIONS)?;
    let (mut apart, mut together, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        apart.push(until_ready(|| place.gate(Channel::Plain, true))?);
        together.push(until_ready(|| place.run(OPERATIONS))?);
        alone.push(until_ready(|| place.app(OPERATIONS))?);
    }
    let with = memory(&place.gate(Channel::Plain, true)?)?;
    let without = memory(&place.gate(Channel::Plain, false)?)?;
    // Other rows need the small one.
    place.write_contract(0)?;
    Ok(vec![
        Row::of_times("start, `serve` with 1,000 operations, beside the app alone", &apart, &alone),
        Row::of_times("start, `run` with 1,000 operations, beside the app alone", &together, &alone),
        Row::of_memory("memory with 1,000 operations, beside none", [with, without], false),
    ])
}

/// Milliseconds until a server answers.
fn until_ready(start: impl FnOnce() -> Result<Server>) -> Result<f64> {
    let started = Instant::now();
    let server = start()?;
    let took = started.elapsed();
    drop(server);
    Ok(took.as_secs_f64() * 1e3)
}

fn memory(server: &Server) -> Result<f64> {
    Ok(report::float(processes::memory(server.id())?))
}
