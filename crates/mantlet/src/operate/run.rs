//! The run: everything that goes on at once, until a signal or the app's end.

use std::{future::pending, pin::pin, process::ExitCode, time::Duration};

use mantlet_controls::{audit::Vouchers, token::Candidates};
use mantlet_gateway::{
    app_events::AppEvents,
    audit_log::AuditLog,
    supervisor::{self, Order},
};
use tokio::sync::mpsc;

use super::{
    events, health,
    parts::Parts,
    reload::reload,
    rotation,
    signals::{Received, Signals, has_hung_up, terminal},
    stop::{ended, stop},
};
use crate::say::Failure;

/// Runs, reloads whenever that is asked for, and stops. What the app has said last is recorded.
pub(super) async fn run(parts: Parts<'_>) -> Result<ExitCode, Failure> {
    let outcome = run_all(&parts).await;
    if let Some((events, log)) = said_by_app(&parts) {
        events.finish(&parts.reader.kept.get(), log);
    }
    match parts.keeper.conflict() {
        Some(why) => Err(Failure::new(why)),
        None => outcome,
    }
}

/// Where the app says what has happened, and where that goes.
fn said_by_app<'p>(parts: &'p Parts<'_>) -> Option<(&'p AppEvents, &'p AuditLog)> {
    Some((parts.app.as_ref()?.events()?, parts.records.log()?))
}

async fn run_all(parts: &Parts<'_>) -> Result<ExitCode, Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let terminal = terminal();
    let (orders, obeyed) = mpsc::channel(16);
    let supervised = async {
        if let Some(app) = &parts.app {
            return supervisor::run(&app.command, obeyed, |event| events::of_app(parts, event)).await;
        }
        match health::watch(parts.gate, &parts.behind, &parts.listen()).await {}
    };
    let mut supervised = pin!(supervised);
    let fetching = parts
        .gate
        .keep_certificates(parts.certificates.subscribe(), |event| events::of_certificate(parts, &event));
    let mut fetching = pin!(fetching);
    let keeping = parts.keeper.keep(parts.asks_at_once, async || parts.gate.app_returned().await);
    let mut keeping = pin!(keeping);
    let candidates = parts.reader.kept.get::<Candidates>();
    let hearing = async {
        match &parts.app {
            Some(app) => app.hear(&candidates).await,
            None => pending().await,
        }
    };
    let mut hearing = pin!(hearing);
    let mut administering = pin!(parts.gate.administer(parts.admin.as_ref()));
    let mut scraping = pin!(parts.gate.serve_metrics(parts.metrics.as_ref()));
    let mut measuring = pin!(parts.gate.keep_usage());
    let mut asking = pin!(parts.gate.keep_issuers());
    let mut following = pin!(async {
        let gate = parts.gate;
        tokio::join!(gate.follow_keys(), gate.follow_refresh_tokens(), gate.follow_condition_files());
    });
    let mut rotating = pin!(rotation::follow(parts));
    let vouchers = parts.reader.kept.get::<Vouchers>();
    let mut heeding = pin!(async {
        match said_by_app(parts) {
            Some((events, log)) => events.listen(&vouchers, log).await,
            None => pending().await,
        }
    });
    let (quiet, limit) = loop {
        tokio::select! {
            ending = &mut supervised => return ended(parts, ending).await,
            () = parts.keeper.in_conflict.notified() => break (Duration::ZERO, parts.drain.1),
            () = &mut fetching => {}
            () = &mut keeping => {}
            () = &mut hearing => {}
            () = &mut administering => {}
            () = &mut scraping => {}
            () = &mut measuring => {}
            () = &mut asking => {}
            () = &mut following => {}
            () = &mut rotating => {}
            () = &mut heeding => {}
            name = signals.next() => match name {
                // The terminal is gone, and with it the person who could stop us there.
                Received::Reload if terminal.as_ref().is_some_and(has_hung_up) => break parts.drain,
                Received::Reload => reload(parts),
                Received::Forward(number) => drop(orders.try_send(Order::Signal(number))),
                // Ctrl-C comes from a person who waits; SIGTERM from a scheduler that still sends
                // clients here.
                Received::Interrupt => break (Duration::ZERO, parts.drain.1),
                Received::Terminate => break parts.drain,
            }
        }
    };
    let mut stopping = pin!(stop(parts, &mut signals, supervised, &orders, quiet, limit));
    loop {
        // Draining may take long, and who is banned may be asked for meanwhile.
        tokio::select! {
            outcome = &mut stopping => return outcome,
            () = &mut administering => {}
            () = &mut scraping => {}
            () = &mut following => {}
            () = &mut heeding => {}
        }
    }
}
