//! The app without the gate, while something is done with it.

use std::pin::pin;

use mantlet_gateway::{
    Address,
    supervisor::{self, Ending, Event, Input, Order, Output},
};
use tokio::sync::{mpsc, watch};

use crate::{app::AppProcess, say::Failure};

/// Runs the app on its private socket until this is done. Of what it prints only errors are shown, and it reads nothing: our
/// output is a report, and our input a person's.
pub(crate) async fn alone<T>(app: &AppProcess, then: impl AsyncFnOnce(&Address) -> T) -> Result<T, Failure> {
    let mut command = app.command.clone();
    let scrubbing = app.scrubbing().map(|scrubbing| scrubbing.scrubbing().clone());
    (command.input, command.output) = (Input::Nothing, Output::ErrorsOnly(scrubbing));
    let (orders, obeyed) = mpsc::channel(1);
    let (ready, mut is_ready) = watch::channel(false);
    let mut supervised = pin!(supervisor::run(&command, obeyed, |event| {
        if matches!(event, Event::Ready(_)) {
            ready.send_replace(true);
        }
    }));
    let done = async {
        // The sender lives as long as the app is supervised.
        let _ = is_ready.wait_for(|ready| *ready).await;
        then(&command.address).await
    };
    let done = tokio::select! {
        ending = &mut supervised => return Err(ended(app, ending)),
        done = done => done,
    };
    // The receiver lives as long as the supervisor.
    let _ = orders.send(Order::Stop).await;
    supervised.await;
    Ok(done)
}

fn ended(app: &AppProcess, ending: Ending) -> Failure {
    match ending {
        Ending::NotStarted(error) => app.not_started(&error),
        Ending::EndedEarly(status) => app.ended_early(status),
        Ending::NeverReady => app.never_ready(),
        _ => Failure::new(format!("{} ended while it was asked", app.found())),
    }
}
