//! `mantlet run`: starts the app and stands in front of it.

use std::process::ExitCode;

use mantlet_controls::{authentication::PrincipalKey, config::Server};

use crate::{
    app::{AppProcess, AppScrubbing, say_handed_on},
    cli::RunArguments,
    config::Reader,
    contract::Source,
    operate::{Plan, operate},
    say::{Failure, say},
    settings::Flag,
    state,
};

pub(crate) fn run(arguments: &RunArguments) -> Result<ExitCode, Failure> {
    let mut flags = arguments.common.flags();
    if let Some(app) = &arguments.app {
        flags.push(Flag::new("app.entrypoint", "APP", app.as_str()));
    }
    if let Some(workers) = arguments.workers {
        flags.push(Flag::new("app.workers", "--workers", workers));
    }
    if let Some(python) = &arguments.python {
        flags.push(Flag::new("app.python", "--python", python.as_str()));
    }
    flags.extend(arguments.contract.flags());
    let server = if arguments.server.is_empty() { Server::Uvicorn } else { Server::Unknown };
    let reader = Reader::of_file(arguments.common.config.clone()).with_flags(flags).in_front_of(server);
    // A key of the configuration takes its place.
    let key = PrincipalKey::random();
    let key =
        key.map_err(|error| Failure::new(format!("cannot start: there are no random bytes ({error})")))?;
    reader.kept.put(key);
    let checked = reader.read_at_start()?;
    let config = &checked.loaded.config;
    let source = Source::of(&config.contract, arguments.server.is_empty());
    if source == Source::App {
        // What is read of the app's code is kept there. Without it all of it is read at each start,
        // which is no failure.
        let _ = state::prepare(&config.state_folder);
    }
    let process = AppProcess::prepare(
        &checked.loaded,
        &reader.kept.get::<PrincipalKey>(),
        &arguments.server,
        source == Source::App,
    )?;
    say_handed_on(&checked.loaded);
    if let Some(scrubbing) = process.scrubbing() {
        say_unfit(scrubbing);
    }
    operate(Plan {
        reader: reader.with_key_given(),
        checked,
        address: process.command.address.clone(),
        // The launcher tells uvicorn to keep connections for 75 s; another server is not told.
        idle_timeout: process.idle_timeout,
        behind: process.name.clone(),
        source,
        app: Some(process),
    })
}

/// Says once of which secrets what the app prints is not scrubbed.
fn say_unfit(scrubbing: &AppScrubbing) {
    let unfit = scrubbing.unfit();
    if !unfit.is_empty() {
        say(format!(
            "note: if the app prints `{}`, that is not replaced: it is too short or a mere word, as ordinary text has it\n\
             a secret is replaced from 8 bytes on, and one of letters alone or digits alone from 12 on; \
             a variable that is not secret may stand in `not-secret` under `[app.output]`",
            unfit.join("`, `")
        ));
    }
}
