//! The end: of the gate, and of the app behind it.

use std::{pin::Pin, process::ExitCode, time::Duration};

use mantlet_gateway::supervisor::{Ending, Order, exit_code};
use tokio::sync::mpsc;

use super::{parts::Parts, signals::Signals};
use crate::say::{Failure, say};

/// Lets requests finish, then stops the app. A second signal cuts both short.
pub(super) async fn stop(
    parts: &Parts<'_>,
    signals: &mut Signals,
    mut supervised: Pin<&mut impl Future<Output = Ending>>,
    orders: &mpsc::Sender<Order>,
    quiet: Duration,
    limit: Duration,
) -> Result<ExitCode, Failure> {
    let busy = parts.gate.busy();
    if busy > 0 {
        let noun = if busy == 1 { "request" } else { "requests" };
        say(format!(
            "stopping: {busy} {noun} under way may take up to {} s; interrupt again to stop now",
            limit.as_secs()
        ));
    }
    let order = tokio::select! {
        ending = &mut supervised => return ended(parts, ending).await,
        () = parts.gate.drain(quiet, limit) => Order::Stop,
        () = signals.stop_again() => {
            say("stopping now");
            Order::Kill
        }
    };
    // Streams that have not ended by now would hold up the end of the app until it is killed.
    parts.gate.cut_off();
    if parts.app.is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    // The receiver lives as long as the supervisor.
    let _ = orders.send(order).await;
    let ending = tokio::select! {
        ending = &mut supervised => ending,
        () = signals.stop_again() => {
            let _ = orders.send(Order::Kill).await;
            supervised.await
        }
    };
    match ending {
        Ending::Ended(status) => Ok(ExitCode::from(exit_code(status))),
        other => ended(parts, other).await,
    }
}

/// The app has ended for good.
pub(super) async fn ended(parts: &Parts<'_>, ending: Ending) -> Result<ExitCode, Failure> {
    parts.gate.drain(Duration::ZERO, Duration::from_secs(1)).await;
    let app = parts.app.as_ref().ok_or_else(|| Failure::new("nothing to run"))?;
    match ending {
        Ending::NotStarted(error) => Err(app.not_started(&error)),
        Ending::EndedEarly(status) => Err(app.ended_early(status)),
        Ending::NeverReady => Err(app.never_ready()),
        Ending::Ended(status) => {
            say(format!("{} ended ({status})", app.found()));
            Ok(ExitCode::from(exit_code(status)))
        }
        _ => Err(Failure::new("the app ended")),
    }
}
