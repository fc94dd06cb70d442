//! The contract of an app, read by the inspector in the app's own interpreter; and what else is asked
//! of an app there.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use mantlet_contract::model::Contract;
use mantlet_gateway::{output::Outlets, supervisor::exit_code};

use super::{description::Description, router::is_empty};
use crate::{
    app::{
        AppScrubbing, CONTRACT, INSPECTOR, PrivateFolder, STATUS, Status, cannot_write, interpreter,
        interpreter_not_started, of_app, reading_arguments, withheld, write_files,
    },
    config::{AppConfig, Config},
    say::Failure,
    settings::Loaded,
};

/// How often it is asked whether it is done.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// Imports the app in its own interpreter and reads its contract.
pub(crate) fn inspect(loaded: &Loaded<Config>) -> Result<Description, Failure> {
    let (name, json) = ask_app(loaded, INSPECTOR, "the contract")?;
    let model: Contract = serde_json::from_str(&json).map_err(|error| {
        Failure::new(format!(
            "the contract of {name} cannot be understood: {error}\nthis is a defect in Mantlet: please report it"
        ))
    })?;
    if is_empty(&model.router) {
        return Err(Failure::new(format!(
            "{name} has no operations: nothing would be checked\n\
             if its routes are added when it starts, or by another module, name the app that has them"
        )));
    }
    Ok(Description { name, from: "read from the app".into(), model, json })
}

/// Imports the app in its own interpreter, and has a program of ours write `what` is asked for: the name
/// of the app, and the text.
pub(crate) fn ask_app(loaded: &Loaded<Config>, asker: &str, what: &str) -> Result<(String, String), Failure> {
    let config = &loaded.config.app;
    let folder = PrivateFolder::make(Some(&loaded.config.state_folder))?;
    write_files(folder.path()).map_err(|error| cannot_write(&error))?;
    let written = folder.path().join(CONTRACT);
    let program = interpreter(config);
    let mut command = Command::new(&program);
    // The app is imported as it would be in `run`.
    for name in withheld(loaded) {
        command.env_remove(name);
    }
    for (name, value) in of_app(config)? {
        command.env(name, OsStr::from_bytes(value.expose()));
    }
    command.arg(folder.path().join(asker));
    if !config.entrypoint.is_empty() {
        command.arg(&config.entrypoint);
    }
    command.args(reading_arguments(config, &loaded.config.state_folder));
    command.arg("--contract").arg(&written).arg("--status").arg(folder.path().join(STATUS));
    // What the app prints is not what was asked for.
    command.stdin(Stdio::null()).stdout(io::stderr());
    let scrubbing = AppScrubbing::of(&loaded.config, Vec::new())?;
    let outlets = scrubbing.as_ref().map(|scrubbing| {
        let outlets = Outlets::open_to_errors(scrubbing.scrubbing())?;
        outlets.connect(&mut command, false)?;
        Ok(outlets)
    });
    let outlets = outlets.transpose().map_err(|error| interpreter_not_started(&program, &error))?;
    let ended = run(&mut command, config.ready_timeout.map_or(Duration::MAX, |span| span.0));
    if let Some(outlets) = outlets {
        outlets.settle_blocking();
    }
    let ended = ended
        .map_err(|error| interpreter_not_started(&program, &error))?
        .ok_or_else(|| never_imported(config))?;
    let status = Status::read(folder.path());
    if let Some(message) = status.as_ref().and_then(Status::failure) {
        let message = AppScrubbing::text(scrubbing.as_ref(), message);
        return Err(Failure::new(message).with_code(exit_code(ended).max(1)));
    }
    let name = status.and_then(|status| status.found()).unwrap_or_else(|| spoken(config));
    let text = fs::read_to_string(&written).map_err(|_| {
        let why = "its own output above says why";
        Failure::new(format!("{what} of {name} was not written ({ended}); {why}"))
            .with_code(exit_code(ended).max(1))
    })?;
    Ok((name, text))
}

/// How it ended; none if it took too long and was killed.
fn run(command: &mut Command, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let mut child = command.spawn()?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(ASK_EVERY);
    }
}

fn never_imported(config: &AppConfig) -> Failure {
    Failure::new(format!(
        "{} was not imported within {} s\n\
         if it needs longer, set `ready-timeout` under `[app]`, or MANTLET_APP__READY_TIMEOUT=5m",
        spoken(config),
        config.ready_timeout.map_or(0, |span| span.0.as_secs())
    ))
}

fn spoken(config: &AppConfig) -> String {
    if config.entrypoint.is_empty() { "the app".to_owned() } else { config.entrypoint.clone() }
}
