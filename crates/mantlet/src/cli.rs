//! What can be typed.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::settings::Flag;

/// A security gate in front of an unmodified FastAPI app
#[derive(Debug, Parser)]
#[command(name = "mantlet", version, propagate_version = true, subcommand_required = true)]
#[command(after_help = "Start here: `mantlet run main:app` in the folder of your app.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start an app and stand in front of it
    Run(RunArguments),
    /// Stand in front of an app that somebody else runs
    Serve(ServeArguments),
    /// Print what an app accepts and promises, as JSON
    Contract(ContractArguments),
    /// Show or check the configuration
    Config(ConfigArguments),
}

/// Start an app and stand in front of it
///
/// APP is found as `fastapi run` finds it: `[tool.fastapi] entrypoint` in pyproject.toml, then main.py, app.py, api.py,
/// app/main.py and so on. It runs on uvicorn, on a private unix socket that only Mantlet can reach.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet run
  mantlet run main:app --listen 0.0.0.0:8000 --workers 4
  mantlet run -- gunicorn -k uvicorn_worker.UvicornWorker -b unix:{socket} main:app
  mantlet run -- hypercorn main:app --bind 127.0.0.1:{port}")]
pub(crate) struct RunArguments {
    /// The app: `main:app`, `package.module:app`, `main:create_app()` or `path/to/main.py`
    pub(crate) app: Option<String>,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    /// Worker processes of uvicorn [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<i64>,
    /// The Python interpreter to use [default: $VIRTUAL_ENV, ./.venv, the one beside mantlet, python3]
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<String>,
    /// Another server to run: `{socket}` or `{port}` in it says where to listen
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) server: Vec<OsString>,
}

/// Stand in front of an app that somebody else runs
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet serve --upstream http://127.0.0.1:9000
  mantlet serve --upstream unix:/run/app/app.sock --listen 0.0.0.0:8000")]
pub(crate) struct ServeArguments {
    /// Where the app listens: `http://HOST:PORT` or `unix:PATH`
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CommonArguments {
    /// Where to listen: `HOST:PORT`, `:PORT` for all addresses, or `unix:PATH` [default: 127.0.0.1:8000]
    #[arg(long, short, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Configuration file [default: mantlet.toml, then [tool.mantlet] in pyproject.toml]
    #[arg(long, short, value_name = "FILE", env = "MANTLET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Certificate chain (PEM): switches TLS on
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<String>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<String>,
    /// TLS for development: makes a local authority and a certificate for localhost
    #[arg(long)]
    pub(crate) tls_dev: bool,
    /// Record what would be refused, refuse nothing
    #[arg(long)]
    pub(crate) report_only: bool,
}

impl CommonArguments {
    /// The flags that were given, as settings.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let mut flags = Vec::new();
        if let Some(listen) = &self.listen {
            flags.push(Flag::new("listen", "--listen", listen.as_str()));
        }
        if let Some(file) = &self.tls_cert {
            flags.push(Flag::new("tls.certificate", "--tls-cert", file.as_str()));
        }
        if let Some(file) = &self.tls_key {
            flags.push(Flag::new("tls.key", "--tls-key", file.as_str()));
        }
        if self.tls_dev {
            flags.push(Flag::new("tls.dev", "--tls-dev", true));
        }
        if self.report_only {
            flags.push(Flag::new("report-only", "--report-only", true));
        }
        flags
    }
}

/// Print what an app accepts and promises, as JSON
///
/// The app's own interpreter imports the app, without starting it, and reads its routes and what FastAPI validates for
/// each. A report for people goes to standard error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet contract
  mantlet contract main:app > contract.json")]
pub(crate) struct ContractArguments {
    /// The app: `main:app`, `package.module:app`, `main:create_app()` or `path/to/main.py`
    pub(crate) app: Option<String>,
    /// Configuration file [default: mantlet.toml, then [tool.mantlet] in pyproject.toml]
    #[arg(long, short, value_name = "FILE", env = "MANTLET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The Python interpreter to use [default: $VIRTUAL_ENV, ./.venv, the one beside mantlet, python3]
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<String>,
}

/// Show or check the configuration
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Print the effective values and where each came from
    Show(ConfigFile),
    /// Say whether the configuration is valid; all mistakes at once
    Check(ConfigFile),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// Configuration file [default: mantlet.toml, then [tool.mantlet] in pyproject.toml]
    #[arg(long, short, value_name = "FILE", env = "MANTLET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}
