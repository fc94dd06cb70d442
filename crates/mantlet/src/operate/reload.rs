//! The configuration, read again.

use std::sync::Arc;

use super::{events::learn, parts::Parts};
use crate::{
    accounts::Accounts,
    app::AppProcess,
    config::{AccountsConfig, Checked, Config, summary},
    contract::{EffectCheck, Source},
    say::say,
};

/// Puts another configuration in force, if it has no mistakes.
pub(super) fn reload(parts: &Parts<'_>) {
    parts.audit.reopen();
    match parts.reader.read() {
        Ok(checked) => {
            if put(parts, checked) {
                say(
                    "configuration reloaded; changes to sockets, threads, the app, files and shutdown take effect at \
                     the next start",
                );
            }
        }
        Err(mistakes) => {
            parts.records.not_reloaded();
            say(format!("error: {}", summary(&mistakes, "the running one stays in force")));
        }
    }
}

/// Puts the secrets of now in force, with the settings as they are. Whether that was possible.
pub(super) fn take_secrets(parts: &Parts<'_>) -> bool {
    let loaded = parts.loaded.borrow().clone();
    match parts.reader.again(loaded) {
        Ok(checked) => put(parts, checked),
        Err(mistakes) => {
            parts.records.not_reloaded();
            say(format!("error: {}", summary(&mistakes, "the former secrets stay in force")));
            false
        }
    }
}

/// Of the accounts only what is public is taken from a configuration that is read again.
fn say_of_accounts(parts: &Parts<'_>, now: &Config) {
    let (started, login) = parts.accounts.map(Accounts::config).unwrap_or_default();
    let as_at_start = AccountsConfig {
        public: started.public.clone(),
        public_docs: started.public_docs,
        ..now.accounts.clone()
    };
    if as_at_start != started {
        say(
            "note: of `[accounts]`, only `public` and `public-docs` are taken; the rest takes effect at the next start",
        );
    }
    if now.login != login {
        say("note: changes to `[login]` take effect at the next start");
    }
}

fn put(parts: &Parts<'_>, checked: Checked) -> bool {
    if let Some(tls) = checked.tls {
        let fetched = tls.acme().cloned();
        if let Err(error) = parts.gate.reload_tls(tls) {
            parts.records.not_reloaded();
            say(format!("error: {error}; the running configuration stays in force"));
            return false;
        }
        parts.certificates.send_replace(fetched);
    }
    let loaded = checked.loaded;
    let tells = parts.app.as_ref().is_some_and(AppProcess::tells_its_contract);
    let source = Source::of(&loaded.config.contract, tells);
    let of_every_route = Arc::new(checked.policy.routes.clone());
    parts.keeper.heed(EffectCheck::of(&loaded));
    if let Err(error) = parts.audit.ship(loaded.config.audit.destinations()) {
        say(format!("error: the audit log cannot be shipped: {error}"));
    }
    // Checked when it was read. Another store takes effect at the next start.
    if let Ok(Some(store)) = loaded.config.store.read() {
        parts.gate.reload_store(&store);
    }
    say_of_accounts(parts, &loaded.config);
    parts.gate.reload(checked.policy);
    if let Some(scrubbing) = parts.app.as_ref().and_then(AppProcess::scrubbing) {
        scrubbing.renew(&loaded.config);
    }
    parts.records.reloaded(loaded.digest());
    parts.loaded.replace(loaded);
    // What the app said when it got ready holds again. One that is not ready yet says it then.
    let is_apps_again = source == Source::App && parts.keeper.source() != Source::App;
    parts.keeper.reload(source, of_every_route);
    if is_apps_again
        && let Some(app) = &parts.app
        && matches!(app.contract(), Some(Ok(_)))
    {
        learn(parts, &app.found());
    }
    true
}
