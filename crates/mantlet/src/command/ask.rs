//! Asks the Mantlet that runs, through its admin socket, and prints the answer.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use http::Method;
use mantlet_gateway::admin;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    cli::Running,
    config::{Reader, summary},
    say::{Failure, print},
    state,
};

/// Where the Mantlet that runs with a configuration is asked.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
    /// Where to run this if no Mantlet answers.
    place: String,
}

impl Socket {
    pub(super) fn of(running: &Running) -> Result<Self, Failure> {
        let loaded = Reader::of_file(running.config.clone())
            .load()
            .map_err(|mistakes| Failure::usage(summary(&mistakes, "no request was sent")))?;
        let path = loaded.config.admin.path(&loaded.config.state_folder).ok_or_else(|| {
            Failure::usage(
                "the configuration switches the admin socket off\nremove `socket` under `[admin]`, and restart Mantlet",
            )
        })?;
        let place = state::where_to_run(&loaded.config.state_folder, running.config.as_deref());
        Ok(Self { path: state::absolute(&path), place })
    }

    /// Asks as a program that the records of its acts name.
    pub(super) async fn ask_as(
        &self,
        program: &'static str,
        method: Method,
        segments: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let asked = self.exchange(Some(program), method, segments, parameters).await;
        asked.map_err(|error| self.no_answer(&error)).and_then(|answer| answer)
    }

    async fn exchange(
        &self,
        program: Option<&'static str>,
        method: Method,
        segments: &[&str],
        parameters: &[(&str, &str)],
    ) -> io::Result<Result<Value, Failure>> {
        let (status, answer) = admin::ask(&self.path, program, method, segments, parameters).await?;
        if status.is_success() {
            return Ok(Ok(answer));
        }
        let why = answer.get("error").and_then(Value::as_str);
        let why = why.map_or_else(|| format!("unexpected response: {status}"), str::to_owned);
        Ok(Err(Failure::new(why)))
    }

    /// What to say if there is no answer.
    fn no_answer(&self, error: &io::Error) -> Failure {
        let socket = self.path.display();
        Failure::new(match error.kind() {
            _ if is_away(error) => {
                format!("no Mantlet answers at `{socket}`\nstart one, or {}", self.place)
            }
            io::ErrorKind::PermissionDenied => {
                format!("`{socket}` belongs to another user\nrun this as the user that Mantlet runs as")
            }
            io::ErrorKind::TimedOut => format!("the Mantlet at `{socket}` does not answer; is it stopped?"),
            _ => format!("cannot reach the Mantlet at `{socket}`: {error}"),
        })
    }
}

/// The Mantlet that runs with a configuration, asked one thing at a time.
#[derive(Debug)]
pub(super) struct Client {
    socket: Socket,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    pub(super) fn of(running: &Running) -> Result<Self, Failure> {
        Self::over(Socket::of(running)?)
    }

    /// The one that serves this socket.
    pub(super) fn at(socket: &Path, place: String) -> Result<Self, Failure> {
        Self::over(Socket { path: state::absolute(socket), place })
    }

    fn over(socket: Socket) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        Ok(Self { socket, runtime })
    }

    /// Asks for a path of these segments.
    pub(super) fn ask(&self, method: Method, segments: &[&str]) -> Result<Value, Failure> {
        self.ask_with(method, segments, &[])
    }

    /// The same, with a query of these parameters.
    pub(super) fn ask_with(
        &self,
        method: Method,
        segments: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let asked = self.exchange(method, segments, parameters);
        asked.map_err(|error| self.socket.no_answer(&error)).and_then(|answer| answer)
    }

    /// The same; none if no Mantlet runs there.
    pub(super) fn ask_if_it_runs(
        &self,
        method: Method,
        segments: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<Option<Value>, Failure> {
        match self.exchange(method, segments, parameters) {
            Ok(answer) => answer.map(Some),
            Err(error) if is_away(&error) => Ok(None),
            Err(error) => Err(self.socket.no_answer(&error)),
        }
    }

    fn exchange(
        &self,
        method: Method,
        segments: &[&str],
        parameters: &[(&str, &str)],
    ) -> io::Result<Result<Value, Failure>> {
        self.runtime.block_on(self.socket.exchange(None, method, segments, parameters))
    }
}

/// Whether no Mantlet runs.
fn is_away(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::ConnectionRefused
    )
}

/// Prints an answer: as it came, if JSON is wanted, or what `told` makes of it.
pub(super) fn print_answer<T: DeserializeOwned>(
    answer: Value,
    as_json: bool,
    told: impl FnOnce(&T) -> String,
) -> Result<ExitCode, Failure> {
    let text = if as_json { answer.to_string() } else { told(&understood(answer)?) };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What an answer says.
pub(super) fn understood<T: DeserializeOwned>(answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|error| {
        Failure::new(format!(
            "cannot understand the response of the running Mantlet: {error}\nis it another version?"
        ))
    })
}
