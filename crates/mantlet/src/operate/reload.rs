//! The configuration, read again.

use std::sync::Arc;

use super::{events::learn, parts::Parts};
use crate::{
    app::AppProcess,
    config::summary,
    contract::{EffectCheck, Source},
    say::say,
};

/// Puts another configuration in force, if it has no mistakes.
pub(super) fn reload(parts: &Parts<'_>) {
    parts.audit.reopen();
    let checked = match parts.reader.read() {
        Ok(checked) => checked,
        Err(mistakes) => {
            parts.records.not_reloaded();
            return say(format!("error: {}", summary(&mistakes, "the running one stays in force")));
        }
    };
    if let Some(tls) = checked.tls {
        let fetched = tls.acme().cloned();
        if let Err(error) = parts.gate.reload_tls(tls) {
            parts.records.not_reloaded();
            return say(format!("error: {error}; the running configuration stays in force"));
        }
        parts.certificates.send_replace(fetched);
    }
    let tells = parts.app.as_ref().is_some_and(AppProcess::tells_its_contract);
    let source = Source::of(&checked.loaded.config.contract, tells);
    let of_every_route = Arc::new(checked.policy.routes.clone());
    parts.keeper.heed(EffectCheck::of(&checked.loaded));
    if let Err(error) = parts.audit.ship(checked.loaded.config.audit.destinations()) {
        say(format!("error: the audit log cannot be shipped: {error}"));
    }
    parts.gate.reload(checked.policy);
    if let Some(scrubbing) = parts.app.as_ref().and_then(AppProcess::scrubbing) {
        scrubbing.renew(&checked.loaded.config);
    }
    parts.records.reloaded(checked.loaded.digest());
    say(
        "configuration reloaded; changes to sockets, threads, the app, files and shutdown take effect at the \
         next start",
    );
    // What the app said when it got ready holds again. One that is not ready yet says it then.
    let is_apps_again = source == Source::App && parts.keeper.source() != Source::App;
    parts.keeper.reload(source, of_every_route);
    if is_apps_again
        && let Some(app) = &parts.app
        && matches!(app.contract(), Some(Ok(_)))
    {
        learn(parts, &app.found());
    }
}
