//! The app as a process: which interpreter, which command, where it listens, and what its failures mean.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, Permissions},
    io,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use mantlet_gateway::{
    Address,
    supervisor::{AppCommand, exit_code},
};
use serde::Deserialize;
use tempfile::TempDir;

use mantlet_contract::model::Contract;

use crate::{
    config::AppConfig,
    inspector::{self, CONTRACT},
    say::Failure,
};

/// Runs in the app's own interpreter; finds the app and serves it on uvicorn.
pub(crate) const LAUNCHER: &str = include_str!("../../../python/mantlet/launcher.py");

/// The file in which the launcher says what it found.
pub(crate) const STATUS: &str = "status.json";

/// Shorter than the 75 s for which the launcher has uvicorn keep connections.
const UVICORN_IDLE: Duration = Duration::from_mins(1);

/// What will be run.
#[derive(Debug)]
pub(crate) struct AppProcess {
    pub(crate) command: AppCommand,
    /// How to speak of it.
    pub(crate) name: String,
    pub(crate) idle_timeout: Duration,
    /// 0700; holds the socket, the launcher and its status. Removed at the end.
    folder: TempDir,
    is_own_server: bool,
    tells_its_contract: bool,
}

/// What the launcher found, or why it did not.
#[derive(Debug, Deserialize)]
pub(crate) struct Status {
    state: String,
    #[serde(default)]
    message: String,
    #[serde(default, rename = "where")]
    place: Option<String>,
    #[serde(default)]
    app: Option<String>,
    #[serde(default)]
    title: Option<String>,
}

impl Status {
    /// Reads it from the folder that the launcher was told.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(STATUS)).ok()?).ok()
    }

    /// The app, with its title.
    pub(crate) fn found(&self) -> Option<String> {
        let app = self.app.clone()?;
        Some(self.title.as_ref().map_or_else(|| app.clone(), |title| format!("{app} ({title})")))
    }

    /// Why there is no app, and where.
    pub(crate) fn failure(&self) -> Option<String> {
        let Self { state, message, place, .. } = self;
        (state == "failed").then(|| match place {
            Some(place) if !message.contains(place.as_str()) => format!("{message}\nat {place}"),
            _ => message.clone(),
        })
    }
}

/// A folder of mode 0700 that is removed when it is dropped.
pub(crate) fn private_folder() -> Result<TempDir, Failure> {
    // uvicorn creates its socket for everybody; the folder keeps everybody out.
    let own = Permissions::from_mode(0o700);
    // Not $XDG_RUNTIME_DIR, which goes when its user logs out.
    tempfile::Builder::new()
        .prefix("mantlet-")
        .permissions(own)
        .tempdir_in(env::temp_dir())
        .map_err(|error| cannot_make_folder(&error))
}

pub(crate) fn cannot_make_folder(error: &io::Error) -> Failure {
    Failure::new(format!("cannot make a private folder: {error}"))
}

impl AppProcess {
    /// What will be run; `tells_its_contract` if it is asked for it: a command of the user's cannot be.
    pub(crate) fn prepare(
        config: &AppConfig,
        state_folder: &Path,
        server: &[OsString],
        tells_its_contract: bool,
    ) -> Result<Self, Failure> {
        let cannot = |error: io::Error| cannot_make_folder(&error);
        let folder = private_folder()?;
        let socket = folder.path().join("app.sock");
        let command = |program, arguments, address| AppCommand {
            program,
            arguments,
            environment: Vec::new(),
            address,
            ready_timeout: config.ready_timeout.map(|span| span.0),
            stop_timeout: config.stop_timeout.0,
        };
        if let [program, arguments @ ..] = server {
            let port = free_port().map_err(cannot)?;
            let (filled, address) = fill_in(arguments, &socket, port)?;
            return Ok(Self {
                command: command(program.clone(), filled, address),
                name: program.to_string_lossy().into_owned(),
                idle_timeout: config.idle_timeout.0,
                folder,
                is_own_server: true,
                tells_its_contract: false,
            });
        }
        let launcher = folder.path().join("launcher.py");
        inspector::write_files(folder.path()).map_err(cannot)?;
        let mut arguments: Vec<OsString> = vec![launcher.into()];
        if !config.entrypoint.is_empty() {
            arguments.push(config.entrypoint.clone().into());
        }
        arguments.extend(["--uds".into(), socket.clone().into()]);
        arguments.extend(["--workers".into(), config.workers.to_string().into()]);
        arguments.extend(["--status".into(), folder.path().join(STATUS).into()]);
        if tells_its_contract {
            arguments.extend(["--contract".into(), folder.path().join(CONTRACT).into()]);
            arguments.extend(inspector::reading(config, state_folder));
        }
        arguments.extend(["--parent".into(), std::process::id().to_string().into()]);
        let name = if config.entrypoint.is_empty() { "the app" } else { &config.entrypoint };
        Ok(Self {
            command: command(interpreter(config), arguments, Address::Unix(socket)),
            name: name.to_owned(),
            idle_timeout: UVICORN_IDLE,
            folder,
            is_own_server: false,
            tells_its_contract,
        })
    }

    /// Whether the app says what it accepts.
    pub(crate) const fn tells_its_contract(&self) -> bool {
        self.tells_its_contract
    }

    /// What the app accepts, as it says itself.
    pub(crate) fn contract(&self) -> Option<Result<(String, Contract), String>> {
        self.tells_its_contract().then(|| inspector::written(self.folder.path()))
    }

    fn status(&self) -> Option<Status> {
        Status::read(self.folder.path())
    }

    /// What was found, for the line that says that the app is ready.
    pub(crate) fn found(&self) -> String {
        self.status().and_then(|status| status.found()).unwrap_or_else(|| self.name.clone())
    }

    /// What to say of an app that ended before it was ready.
    pub(crate) fn ended_early(&self, status: ExitStatus) -> Failure {
        let code = match exit_code(status) {
            0 => 1,
            code => code,
        };
        let message = self.status().and_then(|status| status.failure()).unwrap_or_else(|| {
            let hint = if self.is_own_server {
                "its own output above says why; it must listen on `{socket}` or `{port}`"
            } else {
                "its own output above says why"
            };
            format!("{} ended before it was ready ({status}); {hint}", self.found())
        });
        Failure::new(message).with_code(code)
    }

    /// What to say of an app that did not get ready.
    pub(crate) fn never_ready(&self) -> Failure {
        let seconds = self.command.ready_timeout.unwrap_or_default().as_secs();
        let place = match &self.command.address {
            Address::Unix(_) => "its socket".to_owned(),
            Address::Tcp(host, port) => format!("{host}:{port}"),
        };
        let name = self.found();
        Failure::new(format!(
            "{name} did not accept connections on {place} within {seconds} s and was stopped\n\
             if it needs longer to start, set `ready-timeout` under `[app]`, or MANTLET_APP__READY_TIMEOUT=5m"
        ))
    }

    /// What to say if the program itself could not be started.
    pub(crate) fn not_started(&self, error: &io::Error) -> Failure {
        if !self.is_own_server {
            return interpreter_not_started(&self.command.program, error);
        }
        let hint =
            if error.kind() == io::ErrorKind::NotFound { "; is it installed and in PATH?" } else { "" };
        not_started("the command", &self.command.program, error, hint)
    }
}

/// What to say if the app's interpreter could not be started.
pub(crate) fn interpreter_not_started(program: &OsStr, error: &io::Error) -> Failure {
    let hint = if error.kind() == io::ErrorKind::NotFound {
        "; name another with `--python PATH`, or activate the app's environment"
    } else {
        ""
    };
    not_started("the Python interpreter", program, error, hint)
}

fn not_started(what: &str, program: &OsStr, error: &io::Error, hint: &str) -> Failure {
    let program = Path::new(program).display();
    // 127 is what shells say for a command that is not there.
    Failure::new(format!("{what} `{program}` cannot be started: {error}{hint}")).with_code(127)
}

/// The app's interpreter: as configured, of the active environment, of the folder's, the one Mantlet is installed beside, any.
pub(crate) fn interpreter(config: &AppConfig) -> OsString {
    if !config.python.is_empty() {
        return config.python.clone().into();
    }
    let active = env::var_os("VIRTUAL_ENV")
        .filter(|folder| !folder.is_empty())
        .map(|folder| PathBuf::from(folder).join("bin/python"));
    let local = env::current_dir().ok().map(|folder| folder.join(".venv/bin/python"));
    let beside = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("python")));
    let found = [active, local, beside].into_iter().flatten().find(|python| python.is_file());
    found.map_or_else(|| "python3".into(), PathBuf::into_os_string)
}

/// Puts the socket's path or the port into the command.
fn fill_in(arguments: &[OsString], socket: &Path, port: u16) -> Result<(Vec<OsString>, Address), Failure> {
    let mut address = None;
    let mut filled = Vec::new();
    for argument in arguments {
        let Some(text) = argument.to_str() else {
            filled.push(argument.clone());
            continue;
        };
        if text.contains("{socket}") {
            address = Some(Address::Unix(socket.to_owned()));
        } else if text.contains("{port}") {
            address.get_or_insert_with(|| Address::Tcp("127.0.0.1".to_owned(), port));
        }
        let text = text.replace("{socket}", &socket.to_string_lossy()).replace("{port}", &port.to_string());
        filled.push(OsStr::new(&text).to_owned());
    }
    let address = address.ok_or_else(|| {
        Failure::usage(
            "the command does not say where it listens; write `{socket}` or `{port}` where its address belongs\n\
             for example: mantlet run -- uvicorn main:app --uds {socket}",
        )
    })?;
    Ok((filled, address))
}

/// A port that was free a moment ago.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
