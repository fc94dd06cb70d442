//! The `[admin]` section, the socket that is served for it, and the client of the commands that ask there.

use std::{
    io,
    path::{Path, PathBuf},
};

use http::Method;
use mantlet_gateway::admin::{self, Admin};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    cli::Running,
    config::{self, Reader, summary},
    say::{Failure, say},
    settings::Loaded,
    state,
};

/// In the state folder.
const FILE: &str = "admin.sock";
const REMEDY: &str = "set another path with `socket` under `[admin]`, or `off`";

/// `[admin]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The unix socket that `mantlet bans` and the like ask; `off` for none. Default `admin.sock` in the state folder.
    pub(crate) socket: String,
}

/// Where the socket is, if there is to be one.
fn path(config: &config::Config) -> Option<PathBuf> {
    match config.admin.socket.as_str() {
        "off" => None,
        "" => Some(config.state_folder.join(FILE)),
        path => Some(path.into()),
    }
}

/// Listens. The default socket is nothing that a gate could not do without; one that was asked for must be there.
pub(crate) fn open(loaded: &Loaded<config::Config>) -> Result<Option<Admin>, Failure> {
    let config = &loaded.config;
    let Some(path) = path(config) else { return Ok(None) };
    let is_default = config.admin.socket.is_empty();
    let prepared = if is_default { state::prepare(&config.state_folder) } else { Ok(()) };
    let opened = prepared
        .map_err(|error| format!("its folder cannot be created ({error})"))
        .and_then(|()| Admin::open(&path).map_err(|error| why_none(&error)));
    match opened {
        Ok(admin) => Ok(Some(admin)),
        Err(why) => {
            let why = format!("cannot open the admin socket `{}`: {why}", path.display());
            if !is_default {
                return Err(Failure::new(format!("{why}\n{REMEDY}")));
            }
            say(format!("note: {why}\n{REMEDY}"));
            Ok(None)
        }
    }
}

fn why_none(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another Mantlet already serves it".to_owned(),
        io::ErrorKind::AlreadyExists => "there is a file that is not a socket".to_owned(),
        io::ErrorKind::InvalidInput => "the path is too long for a socket".to_owned(),
        io::ErrorKind::NotFound => "its folder does not exist".to_owned(),
        _ => error.to_string(),
    }
}

/// The Mantlet that runs with a configuration.
#[derive(Debug)]
pub(crate) struct Client {
    socket: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    pub(crate) fn of(running: &Running) -> Result<Self, Failure> {
        let loaded = Reader::of_file(running.config.clone())
            .load()
            .map_err(|mistakes| Failure::usage(summary(&mistakes, "no request was sent")))?;
        let socket = path(&loaded.config).ok_or_else(|| {
            Failure::usage(
                "the configuration switches the admin socket off\nremove `socket` under `[admin]`, and restart Mantlet",
            )
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        Ok(Self { socket, runtime })
    }

    /// Asks for a path of these segments.
    pub(crate) fn ask(&self, method: Method, segments: &[&str]) -> Result<Value, Failure> {
        let asked = self.runtime.block_on(admin::ask(&self.socket, method, segments));
        let (status, answer) = asked.map_err(|error| nobody(&self.socket, &error))?;
        if status.is_success() {
            return Ok(answer);
        }
        let why = answer.get("error").and_then(Value::as_str);
        Err(Failure::new(why.map_or_else(|| format!("unexpected response: {status}"), str::to_owned)))
    }
}

fn nobody(socket: &Path, error: &io::Error) -> Failure {
    let socket = socket.display();
    Failure::new(match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::ConnectionRefused => format!(
            "no Mantlet answers at `{socket}`\n\
             start one, run this in its folder, or name its configuration with `--config`"
        ),
        io::ErrorKind::PermissionDenied => {
            format!("`{socket}` belongs to another user\nrun this as the user that Mantlet runs as")
        }
        io::ErrorKind::TimedOut => format!("the Mantlet at `{socket}` does not answer; is it stopped?"),
        _ => format!("cannot reach the Mantlet at `{socket}`: {error}"),
    })
}
