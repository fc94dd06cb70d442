//! Turns a verdict into an effect: the one place that applies modes.

use crate::{
    Call, Mode, Refusal,
    audit::{Record, Sink},
    refusal::Faults,
};

/// Lets a request pass, unless one of its faults counts in `enforce` mode. Other faults are
/// recorded.
pub(crate) fn pass(audit: &impl Sink, call: &Call, faults: Faults) -> Result<(), Refusal> {
    for (mode, refusal) in faults {
        match mode {
            Mode::Enforce => return Err(refusal),
            Mode::Report => {
                if let Some(trace) = &call.trace {
                    // The first of them.
                    let _ = trace.reported.set(refusal.reason);
                }
                if refusal.repeated {
                    audit.repeated(call, refusal.reason, mode);
                } else {
                    audit.record(Record::of(call, &refusal, mode));
                }
            }
            Mode::Off => {}
        }
    }
    Ok(())
}

/// Runs a control in its mode. Returns its result, if it lets the request through.
pub(super) fn stop<T, E: Into<Refusal>>(
    audit: &impl Sink,
    call: &Call,
    mode: Mode,
    decide: impl FnOnce() -> Result<T, E>,
) -> Result<Option<T>, Refusal> {
    if mode == Mode::Off {
        return Ok(None);
    }
    match decide() {
        Ok(found) => Ok(Some(found)),
        Err(refusal) => pass(audit, call, vec![(mode, refusal.into())]).map(|()| None),
    }
}
