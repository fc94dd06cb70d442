//! The contract of an app, read by the inspector in the app's own interpreter.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use mantlet_contract::model::{Contract, Route, Router};
use mantlet_gateway::supervisor::exit_code;
use serde::Deserialize;

use crate::{
    app::{STATUS, Status, cannot_write, interpreter, interpreter_not_started, withheld},
    config::{AppConfig, Config},
    private::PrivateFolder,
    say::Failure,
    settings::Loaded,
};

/// The package that the app's interpreter runs: the name and the text of each file. `build.rs` lists them.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/inspector_files.rs"));

/// Runs in the app's own interpreter; finds the app and serves it on uvicorn.
pub(crate) const LAUNCHER: &str = "mantlet_inspector/launcher.py";

/// Runs there too; only reads the app.
const INSPECTOR: &str = "mantlet_inspector/__main__.py";

/// The file in which the contract is written.
pub(crate) const CONTRACT: &str = "contract.json";

/// How often it is asked whether it is done.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// What the inspector found.
#[derive(Debug)]
pub(crate) struct Inspected {
    /// The app, with its title.
    pub(crate) name: String,
    /// As it was written.
    pub(crate) json: String,
    pub(crate) contract: Contract,
}

/// What is remembered of the app's code from one start to the next, in the state folder.
const MEMORY: &str = "code.json";

/// How the inspector is told how long it may read, and what it may remember where. A relative folder counts from where the app starts, which is
/// here.
pub(crate) fn reading(config: &AppConfig, state_folder: &Path) -> [OsString; 4] {
    let memory = env::current_dir().unwrap_or_default().join(state_folder).join(MEMORY);
    let bound = config.read_timeout.0.as_secs_f64().to_string();
    ["--memory".into(), memory.into(), "--read-timeout".into(), bound.into()]
}

/// Imports the app in its own interpreter and reads its contract.
pub(crate) fn inspect(loaded: &Loaded<Config>) -> Result<Inspected, Failure> {
    let config = &loaded.config.app;
    let folder = PrivateFolder::make(Some(&loaded.config.state_folder))?;
    write_files(folder.path()).map_err(|error| cannot_write(&error))?;
    let contract = folder.path().join(CONTRACT);
    let program = interpreter(config);
    let mut command = Command::new(&program);
    // The app is imported as it would be in `run`.
    for name in withheld(loaded) {
        command.env_remove(name);
    }
    command.arg(folder.path().join(INSPECTOR));
    if !config.entrypoint.is_empty() {
        command.arg(&config.entrypoint);
    }
    command.args(reading(config, &loaded.config.state_folder));
    command.arg("--contract").arg(&contract).arg("--status").arg(folder.path().join(STATUS));
    // What the app prints is not the contract.
    command.stdin(Stdio::null()).stdout(io::stderr());
    let ended = run(&mut command, config.ready_timeout.map_or(Duration::MAX, |span| span.0))
        .map_err(|error| interpreter_not_started(&program, &error))?
        .ok_or_else(|| never_imported(config))?;
    let status = Status::read(folder.path());
    if let Some(message) = status.as_ref().and_then(Status::failure) {
        return Err(Failure::new(message).with_code(exit_code(ended).max(1)));
    }
    let name = status.and_then(|status| status.found()).unwrap_or_else(|| spoken(config));
    let json = fs::read_to_string(&contract).map_err(|_| {
        let why = "its own output above says why";
        Failure::new(format!("the contract of {name} was not written ({ended}); {why}"))
            .with_code(exit_code(ended).max(1))
    })?;
    let contract: Contract = serde_json::from_str(&json).map_err(|error| {
        Failure::new(format!(
            "the contract of {name} cannot be understood: {error}\nthis is a defect in Mantlet: please report it"
        ))
    })?;
    if is_empty(&contract.router) {
        return Err(Failure::new(format!(
            "{name} has no operations: nothing would be checked\n\
             if its routes are added when it starts, or by another module, name the app that has them"
        )));
    }
    Ok(Inspected { name, json, contract })
}

/// Puts what the app's interpreter runs into a folder.
pub(crate) fn write_files(folder: &Path) -> io::Result<()> {
    for (name, content) in FILES {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap_or(folder))?;
        fs::write(file, content)?;
    }
    Ok(())
}

/// The contract that the launcher of a running app has written, as text and understood.
pub(crate) fn written(folder: &Path) -> Result<(String, Contract), String> {
    #[derive(Deserialize)]
    struct Failed {
        failure: String,
    }
    let text = fs::read_to_string(folder.join(CONTRACT)).map_err(|error| error.to_string())?;
    if let Ok(Failed { failure }) = serde_json::from_str(&text) {
        return Err(failure);
    }
    let contract =
        serde_json::from_str(&text).map_err(|error| format!("it cannot be understood: {error}"))?;
    Ok((text, contract))
}

/// How many operations there are, below mounts too.
pub(crate) fn operations(router: &Router) -> usize {
    router
        .routes
        .iter()
        .map(|route| match route {
            Route::Http { operation, .. } => usize::from(operation.is_some()),
            Route::Mount { router: Some(router), .. } | Route::Host { router: Some(router), .. } => {
                operations(router)
            }
            Route::Mount { router: None, .. }
            | Route::Host { router: None, .. }
            | Route::WebSocket { .. }
            | Route::Opaque { .. } => 0,
        })
        .sum()
}

/// Whether there is nothing but pages of documentation. An app that only opens WebSockets or mounts others is an app.
pub(crate) fn is_empty(router: &Router) -> bool {
    router.routes.iter().all(|route| match route {
        Route::Http { docs, .. } => *docs,
        Route::Mount { .. } | Route::Host { .. } | Route::WebSocket { .. } | Route::Opaque { .. } => false,
    })
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

#[cfg(test)]
mod tests {
    use super::FILES;

    /// The package's own files stand above its rooms.
    const FLOORS: [&str; 4] = ["source", "proof", "contract", ""];

    fn floor(path: &str) -> usize {
        let room = path.split('.').next().unwrap();
        FLOORS.iter().position(|floor| *floor == room).unwrap_or(FLOORS.len() - 1)
    }

    #[test]
    fn a_room_imports_nothing_from_a_floor_above_it() {
        let mut seen = 0;
        for (name, text) in FILES {
            let own = floor(&name.trim_start_matches("mantlet_inspector/").replace('/', "."));
            for line in text.lines().map(str::trim_start) {
                let Some(from) = line.strip_prefix("from mantlet_inspector") else { continue };
                seen += 1;
                assert!(
                    floor(from.split_whitespace().next().unwrap().trim_start_matches('.')) <= own,
                    "{name}: {line}"
                );
            }
        }
        assert!(seen > 100, "{seen} imports in {} files", FILES.len());
    }
}
