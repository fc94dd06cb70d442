//! The clock of a connection in use.

use std::{future::Future, pin::Pin, task::Context, time::Duration};

use tokio::time::{Instant, Sleep};

/// How often a connection in use looks at its clocks. Limits are kept to this precision.
pub(super) const TICK: Duration = Duration::from_millis(500);

/// Whether a tick has passed; sets the next one.
pub(super) fn ticked(mut tick: Pin<&mut Sleep>, cx: &mut Context<'_>) -> bool {
    let passed = tick.as_mut().poll(cx).is_ready();
    if passed {
        tick.reset(Instant::now() + TICK);
    }
    passed
}
