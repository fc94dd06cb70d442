//! The thread that sends spans.

use mantlet_gateway::traces::{Tracer, TracesThread};

use crate::{
    config::Config,
    say::{Failure, say},
};

/// Starts it, if that is wanted.
pub(super) fn start(config: &Config, runs_app: bool) -> Result<Option<(Tracer, TracesThread)>, Failure> {
    // Checked when it was read.
    let Some(traces) = config.traces.read(runs_app).ok().flatten() else { return Ok(None) };
    let started = Tracer::start(&traces)
        .map_err(|error| Failure::new(format!("spans cannot be sent to {}: {error}", traces.endpoint)))?;
    say(format!("spans go to {}", traces.endpoint));
    Ok(Some(started))
}

/// Sends what is left, after the gate has ended.
pub(super) fn finish(spans: Option<TracesThread>) {
    if let Some(spans) = spans {
        spans.finish();
    }
}
