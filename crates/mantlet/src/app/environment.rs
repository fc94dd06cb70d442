//! Which variables the app is given.

use mantlet_controls::config::Posture;

use crate::{
    config::{AppConfig, Config, app_env},
    say::{Failure, say},
    settings::Loaded,
};

/// Variables that the configuration gives the app (`[app.env]`). They were read when the configuration was
/// checked; what has gone since then ends the command.
pub(crate) fn of_app(config: &AppConfig) -> Result<app_env::Variables, Failure> {
    app_env::read(&config.env).map_err(|mistakes| {
        let told: Vec<String> =
            mistakes.into_iter().map(|one| format!("`{}`: {}", one.key, one.message)).collect();
        Failure::usage(told.join("\n"))
    })
}

/// Variables that the app is not given: our own settings, and what the configuration keeps from it.
///
/// A variable that `env:NAME` names may be the app's own, too, so by default it is handed on, and
/// that is said.
pub(crate) fn withheld(loaded: &Loaded<Config>) -> Vec<String> {
    let config = &loaded.config;
    let is_strict = config.contract.posture == Posture::Strict;
    let mut withheld = loaded.own_variables.clone();
    match &config.app.withhold_env {
        Some(names) => withheld.extend_from_slice(names),
        None if is_strict => withheld.extend(referenced(loaded).cloned()),
        None => {}
    }
    withheld
}

/// Variables that `env:NAME` names, but for the key that the app itself expects.
fn referenced(loaded: &Loaded<Config>) -> impl Iterator<Item = &String> {
    let of_app = loaded.config.api_keys.upstream_key.strip_prefix("env:");
    loaded.referenced.iter().filter(move |name| Some(name.as_str()) != of_app)
}

/// Says once which secrets the app is given.
pub(crate) fn say_handed_on(loaded: &Loaded<Config>) {
    let withheld = withheld(loaded);
    let handed_on: Vec<&str> = referenced(loaded)
        .map(String::as_str)
        .filter(|name| !withheld.iter().any(|other| other == name))
        .collect();
    if loaded.config.app.withhold_env.is_some() || handed_on.is_empty() {
        return;
    }
    let named = handed_on.join("`, `");
    say(format!(
        "note: the app gets `{named}` too, which the configuration names as `env:…`\n\
         if the app does not need it, set `withhold-env = {handed_on:?}` under `[app]`; if it does, `withhold-env = []`"
    ));
}
