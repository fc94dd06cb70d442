//! What is said and done when something happens to the app or to a certificate.

use std::time::Duration;

use mantlet_gateway::{supervisor::Event, tls::acme};

use super::{certificates, parts::Parts};
use crate::{
    app::AppProcess,
    contract::{Found, Source},
    say::say,
};

/// An app that takes longer to start may be one that never will.
const LONG_START: Duration = Duration::from_secs(30);

/// Something has happened to the app.
pub(super) fn of_app(parts: &Parts<'_>, event: Event) {
    let name = parts.app.as_ref().map_or_else(|| parts.behind.clone(), AppProcess::found);
    match event {
        Event::Waiting(age) => {
            let has_limit = parts.app.as_ref().is_some_and(|app| app.command.ready_timeout.is_some());
            let hint = if has_limit || age < LONG_START { "" } else { "; `app.ready-timeout` sets a limit" };
            say(format!("waiting for {name} to get ready ({} s){hint}", age.as_secs()));
        }
        Event::Ready(_) => {
            parts.gate.app_started();
            parts.records.ready();
            learn(parts, &name);
            say(format!("{name} is ready behind {}", parts.listen()));
        }
        Event::Crashed(status, pause) => {
            parts.records.crashed(status);
            parts.gate.app_crashed();
            let how =
                status.map_or_else(|| "did not get ready".to_owned(), |status| format!("crashed ({status})"));
            let why = parts.app.as_ref().zip(status).and_then(|(app, status)| app.why_crashed(status));
            let why = why.map_or_else(String::new, |why| format!("\n{why}"));
            say(format!("{name} {how}; restarting it in {:.1} s{why}", pause.as_secs_f64()));
        }
        _ => {}
    }
}

/// Something has happened to a certificate that is fetched.
pub(super) fn of_certificate(parts: &Parts<'_>, event: &acme::Event) {
    if let Some(settings) = &*parts.certificates.borrow() {
        say(certificates::of(event, settings, parts.gate.listen()));
    }
}

/// Puts the contract of the app that is ready in force, unless another source is named by now.
pub(super) fn learn(parts: &Parts<'_>, name: &str) {
    match parts.keeper.source() {
        // Its document may be another one than before.
        Source::Behind => parts.keeper.asked.notify_one(),
        Source::App => match parts.app.as_ref().and_then(AppProcess::contract) {
            Some(Ok((text, model))) => parts.keeper.put(Found::of_app(name, &text, model)),
            Some(Err(why)) => {
                parts.keeper.go_on_without(&format!("the contract of {name} cannot be read: {why}"));
            }
            None => {}
        },
        Source::None | Source::File(_) | Source::Document(_) | Source::Url(_) => {}
    }
}
