//! Whether the app that others run can be reached: asked at start, and said whenever it changes.

use std::{convert::Infallible, future, time::Duration};

use mantlet_gateway::Gate;

use crate::say::say;

/// How long an app may take to accept a connection when it is asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pauses between two attempts at one that is away.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Says that the app is ready as soon as it is, then whenever it goes and comes. While it answers
/// it is not asked: requests tell.
pub(crate) async fn watch(gate: &Gate, app: &str, listen: &str) -> Infallible {
    let mut trouble = gate.app_trouble();
    let is_ready = || say(format!("{app} is ready behind {listen}"));
    let mut was_ready = gate.probe_app(PATIENCE).await;
    if was_ready {
        is_ready();
    } else {
        let why = trouble.borrow_and_update().clone().unwrap_or_default();
        say(format!(
            "{app} does not answer yet ({why}): requests get 503 until it does; then it is ready behind {listen}"
        ));
    }
    let mut is_away = !was_ready;
    loop {
        let mut pause = FIRST_PAUSE;
        while is_away {
            tokio::select! {
                // A request may find it before we do.
                _ = trouble.changed() => {}
                () = tokio::time::sleep(pause) => {
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    gate.probe_app(PATIENCE).await;
                }
            }
            is_away = trouble.borrow_and_update().is_some();
            if !is_away && was_ready {
                say(format!("{app} answers again"));
            } else if !is_away {
                was_ready = true;
                is_ready();
            }
        }
        if trouble.changed().await.is_err() {
            // The gate is gone.
            return future::pending().await;
        }
        if let Some(why) = trouble.borrow_and_update().as_ref() {
            is_away = true;
            say(format!("{app} does not answer ({why}): requests get 503 until it does"));
        }
    }
}
