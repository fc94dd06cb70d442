//! The app as a process: which command, where it listens, and what its failures mean.

use std::{
    ffi::{OsStr, OsString},
    future::pending,
    io::{self, IsTerminal},
    net::TcpListener,
    path::Path,
    process::ExitStatus,
    time::Duration,
};

use mantlet_contract::model::Contract;
use mantlet_controls::{audit::Actions, authentication::PrincipalKey, token::Candidates};
use mantlet_gateway::{
    Address,
    app_events::AppEvents,
    supervisor::{AppCommand, Input, exit_code},
};

use super::{
    candidates::Hearing,
    environment::{self, withheld},
    folder::{PrivateFolder, cannot_write},
    interpreter::{interpreter, interpreter_not_started, not_started},
    package::{CONTRACT, LAUNCHER, reading_arguments, write_files, written},
    scrubbing::AppScrubbing,
    status::{STATUS, Status},
};
use crate::{
    config::{AUDIT_SOCKET, Config, PRINCIPAL_KEY},
    say::Failure,
    settings::Loaded,
};

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
    folder: PrivateFolder,
    /// What the launcher says of keys; another server has no launcher.
    hearing: Option<Hearing>,
    /// Where it says what has happened, if that is recorded.
    events: Option<AppEvents>,
    scrubbing: Option<AppScrubbing>,
    is_own_server: bool,
    tells_its_contract: bool,
}

impl AppProcess {
    /// What will be run; `tells_its_contract` if it is asked for it: a command of the user's cannot
    /// be. The app gets the `key` of the header with the caller, if there is such a header.
    pub(crate) fn prepare(
        loaded: &Loaded<Config>,
        key: &PrincipalKey,
        server: &[OsString],
        tells_its_contract: bool,
    ) -> Result<Self, Failure> {
        let cannot = |error: io::Error| cannot_write(&error);
        let config = &loaded.config.app;
        let folder = PrivateFolder::make(Some(&loaded.config.state_folder))?;
        let socket = folder.socket();
        let withheld = withheld(loaded);
        let names_caller = !loaded.config.authentication.principal_header.is_empty();
        let key = key.secret().filter(|_| names_caller);
        let mut variables = environment::of_app(config)?;
        variables.extend(key.map(|key| (PRINCIPAL_KEY.to_owned(), key.clone())));
        let own = key.map(|key| ("authentication.principal-key".to_owned(), key.clone()));
        let scrubbing = AppScrubbing::of(&loaded.config, own.into_iter().collect())?;
        let output = AppScrubbing::output(scrubbing.as_ref());
        let events = if loaded.config.audit.actions == Actions::Off {
            None
        } else {
            let path = folder.event_socket();
            let events = AppEvents::open(&path).map_err(cannot)?;
            variables.push((AUDIT_SOCKET.to_owned(), path.into_os_string().into_encoded_bytes().into()));
            Some(events)
        };
        let input = input(server.is_empty());
        let command = |program, arguments, address| AppCommand {
            program,
            arguments,
            withheld: withheld.clone(),
            variables: variables.clone(),
            input,
            output: output.clone(),
            leads_its_own_session: server.is_empty(),
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
                hearing: None,
                events,
                scrubbing,
                is_own_server: true,
                tells_its_contract: false,
            });
        }
        let launcher = folder.path().join(LAUNCHER);
        write_files(folder.path()).map_err(cannot)?;
        // Before the app is started: a launcher that finds nothing goes on without.
        let hearing = Hearing::begin(folder.key_socket()).map_err(cannot)?;
        let mut arguments: Vec<OsString> = vec![launcher.into()];
        if !config.entrypoint.is_empty() {
            arguments.push(config.entrypoint.clone().into());
        }
        arguments.extend(["--uds".into(), socket.clone().into()]);
        arguments.extend(["--workers".into(), config.workers.to_string().into()]);
        arguments.extend(["--status".into(), folder.path().join(STATUS).into()]);
        arguments.extend(["--uvicorn".into(), uvicorn_options(&loaded.config).into()]);
        arguments.extend(["--candidates".into(), hearing.path().into()]);
        if tells_its_contract {
            arguments.extend(["--contract".into(), folder.path().join(CONTRACT).into()]);
            arguments.extend(reading_arguments(config, &loaded.config.state_folder));
        }
        arguments.extend(["--parent".into(), std::process::id().to_string().into()]);
        let name = if config.entrypoint.is_empty() { "the app" } else { &config.entrypoint };
        Ok(Self {
            command: command(interpreter(config), arguments, Address::Unix(socket)),
            name: name.to_owned(),
            idle_timeout: UVICORN_IDLE,
            folder,
            hearing: Some(hearing),
            events,
            scrubbing,
            is_own_server: false,
            tells_its_contract,
        })
    }

    /// Whether the app says what it accepts.
    pub(crate) const fn tells_its_contract(&self) -> bool {
        self.tells_its_contract
    }

    /// Takes what may be the key of the app's tokens, at every start of the app.
    pub(crate) async fn hear(&self, candidates: &Candidates) {
        match &self.hearing {
            Some(hearing) => hearing.listen(candidates).await,
            None => pending().await,
        }
    }

    /// Where the app says what has happened, if that is recorded.
    pub(crate) const fn events(&self) -> Option<&AppEvents> {
        self.events.as_ref()
    }

    /// What is taken out of what it prints, unless that is switched off.
    pub(crate) const fn scrubbing(&self) -> Option<&AppScrubbing> {
        self.scrubbing.as_ref()
    }

    /// What the app accepts, as it says itself.
    pub(crate) fn contract(&self) -> Option<Result<(String, Contract), String>> {
        self.tells_its_contract().then(|| written(self.folder.path()))
    }

    fn status(&self) -> Option<Status> {
        Status::read(self.folder.path())
    }

    /// What it says of its failure.
    fn failure(&self) -> Option<String> {
        let text = self.status()?.failure()?;
        Some(AppScrubbing::text(self.scrubbing(), text))
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
        let message = self.failure().unwrap_or_else(|| {
            let hint = if self.is_own_server {
                "its own output above says why; it must listen on `{socket}` or `{port}`"
            } else {
                "its own output above says why"
            };
            format!("{} ended before it was ready ({status}); {hint}", self.found())
        });
        Failure::new(message).with_code(code)
    }

    /// What is known of why it crashed; its own output says the most.
    pub(crate) fn why_crashed(&self, status: ExitStatus) -> Option<String> {
        use std::os::unix::process::ExitStatusExt;
        match status.signal() {
            // Sent by a person or by the system.
            Some(9) => Some(
                "it was killed from outside; if memory ran out, the kernel's log says so (`dmesg`)".into(),
            ),
            Some(4 | 7 | 8 | 11) => Some("a native extension of the app is the likeliest cause".into()),
            Some(_) => None,
            None => self.failure(),
        }
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

/// Where the app reads from. A terminal is the app's, so that a debugger works in it, unless we run
/// in the background: reading would stop us. Another server stays in a group that may not read it,
/// and finds its end.
fn input(leads_its_own_session: bool) -> Input {
    let terminal = io::stdin();
    if !terminal.is_terminal() {
        return Input::Ours;
    }
    let is_in_front =
        rustix::termios::tcgetpgrp(&terminal).is_ok_and(|group| group == rustix::process::getpgrp());
    if leads_its_own_session && is_in_front { Input::Ours } else { Input::Nothing }
}

/// What of our limits uvicorn has to know: what the gate lets through, it must not refuse.
fn uvicorn_options(config: &Config) -> String {
    serde_json::json!({
        "ws_max_size": config.limits.websocket_message.0,
        // A head as it came, and what the gate adds to it.
        "h11_max_incomplete_event_size": config.limits.head_size.0.saturating_add(16 << 10).max(64 << 10),
        "backlog": config.app.max_concurrent.clamp(2_048, 65_535),
    })
    .to_string()
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
            "the command does not say where to listen; write `{socket}` or `{port}` in place of its address\n\
             for example: mantlet run -- uvicorn main:app --uds {socket}",
        )
    })?;
    Ok((filled, address))
}

/// A port that was free a moment ago.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
