//! Command-line arguments.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser};
use mantlet_review::{Level, formats::Format};

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
    /// Stand in front of an app that runs elsewhere
    Serve(ServeArguments),
    /// Review an app: what is weak, how that is known, and what closes it
    Check(CheckArguments),
    /// Print what an app accepts and returns, as JSON
    Contract(DescribeArguments),
    /// Print the SQL of row level security for the models that an app scopes
    Rls(RlsArguments),
    /// List the sensitive operations of an app and their limits
    Throttles(ThrottlesArguments),
    /// Make, list and revoke API keys
    Keys(KeysArguments),
    /// List, disable, export, delete and import the accounts that Mantlet keeps
    Accounts(AccountsArguments),
    /// List and revoke sessions
    Sessions(SessionsArguments),
    /// Show whose objects are, by proposed rules and by traffic, and accept a rule
    Objects(ObjectsArguments),
    /// List and lift bans
    Bans(BansArguments),
    /// Show quota usage and reset it
    Quotas(QuotasArguments),
    /// Verify, search, follow and export the audit log
    Audit(AuditArguments),
    /// Show a running Mantlet as a page, on this machine alone
    Open(OpenArguments),
    /// Show the metrics of a running Mantlet
    Metrics(MetricsArguments),
    /// Tell which secrets of the configuration exist, without showing them
    Secrets(SecretsArguments),
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
  mantlet run main:app --contract contract.json
  mantlet run -- gunicorn -k uvicorn_worker.UvicornWorker -b unix:{socket} main:app
  mantlet run -- hypercorn main:app --bind 127.0.0.1:{port}")]
pub(crate) struct RunArguments {
    /// The app: `main:app`, `package.module:app`, `main:create_app()` or `path/to/main.py`
    pub(crate) app: Option<String>,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    #[command(flatten)]
    pub(crate) contract: ContractSource,
    /// Worker processes of uvicorn [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<i64>,
    /// The Python interpreter to use [default: $VIRTUAL_ENV, ./.venv, the one beside mantlet, python3]
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<String>,
    /// Another server to run; `{socket}` or `{port}` stands for the address that it must listen on
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) server: Vec<OsString>,
}

/// Stand in front of an app that runs elsewhere
#[derive(Debug, Args)]
#[command(after_help = "\
The contract comes from --contract or --openapi; without either, from the app's own OpenAPI
document, which Mantlet looks for at /openapi.json and the other usual places. Input that does not
fit a document is only recorded, unless you trust the document.

Examples:
  mantlet serve --upstream http://127.0.0.1:9000
  mantlet serve --upstream unix:/run/app/app.sock --listen 0.0.0.0:8000
  mantlet serve --upstream http://app:9000 --contract contract.json
  mantlet serve --upstream http://app:9000 --openapi openapi.yaml --trust-document")]
pub(crate) struct ServeArguments {
    /// Where the app listens: `http://HOST:PORT` or `unix:PATH`
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    #[command(flatten)]
    pub(crate) contract: ContractSource,
}

/// Where the contract comes from, and what counts as one.
#[derive(Debug, Args)]
pub(crate) struct ContractSource {
    /// A contract file written by `mantlet contract`; the app is not asked
    #[arg(long, value_name = "FILE")]
    pub(crate) contract: Option<String>,
    /// An OpenAPI document of the app, JSON or YAML; `off`: none [default: the app is asked]
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) openapi: Option<String>,
    /// Enforce an OpenAPI document instead of only recording what does not fit it; --strict implies this
    #[arg(long)]
    pub(crate) trust_document: bool,
}

impl ContractSource {
    /// The flags that were given, as settings: one takes the place of whatever the file says. Both at once are a mistake that
    /// the section finds.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let mut flags = Vec::new();
        if self.contract.is_some() || self.openapi.is_some() {
            for (key, own, value, other) in [
                ("contract.file", "--contract", &self.contract, "--openapi"),
                ("contract.openapi", "--openapi", &self.openapi, "--contract"),
            ] {
                let name = if value.is_some() { own } else { other };
                flags.push(Flag::new(key, name, value.as_deref().unwrap_or_default()));
            }
        }
        if self.trust_document {
            flags.push(Flag::new("contract.trust", "--trust-document", "document"));
        }
        flags
    }
}

#[derive(Debug, Args)]
pub(crate) struct CommonArguments {
    /// Where to listen: `HOST:PORT`, `:PORT` for all addresses, or `unix:PATH` [default: 127.0.0.1:8000]
    #[arg(long, short, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Configuration file [default: mantlet.toml, then [tool.mantlet] in pyproject.toml]
    #[arg(long, short, value_name = "FILE", env = "MANTLET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Certificate chain (PEM); switches TLS on
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<String>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<String>,
    /// TLS for development: create a local authority and a certificate for localhost
    #[arg(long)]
    pub(crate) tls_dev: bool,
    /// Refuse everything that the contract does not name: unknown routes and fields, hidden routes, documentation
    #[arg(long)]
    pub(crate) strict: bool,
    /// Refuse nothing; only record what would be refused
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
        if self.strict {
            flags.push(Flag::new("contract.posture", "--strict", "strict"));
        }
        if self.report_only {
            flags.push(Flag::new("report-only", "--report-only", true));
        }
        flags
    }
}

/// Print what an app accepts and returns, as JSON
#[derive(Debug, Args)]
#[command(after_help = "\
The app's own interpreter imports the app without starting it, and reads its routes and the input
that FastAPI validates for each. With --openapi a document is read instead, and nothing is run. A
report on standard error says what is known, and names every place where only the app can decide.

Examples:
  mantlet contract
  mantlet contract main:app > contract.json
  mantlet contract --openapi https://api.example.com/openapi.json > /dev/null
  mantlet contract --agreement")]
pub(crate) struct DescribeArguments {
    #[command(flatten)]
    pub(crate) contract: ContractArguments,
    /// Ask the running Mantlet how often its app agrees on invalid input; print the lines that enforce it
    #[arg(long, conflicts_with_all = ["app", "openapi", "python"])]
    pub(crate) agreement: bool,
    /// With --agreement: print JSON
    #[arg(long, requires = "agreement")]
    pub(crate) json: bool,
}

/// Review an app: what is weak, how that is known, and what closes it
///
/// Goes through the OWASP API Security Top 10 and a checklist for production, row by row. Reads the app's contract and the
/// configuration as `mantlet contract` does. No request is sent.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 a mistake in the arguments or a file,
3 not reviewed: the app cannot be imported, or has no operations.

Examples:
  mantlet check
  mantlet check main:app --fail-on medium
  mantlet check main:app --output report.html --output report.sarif
  mantlet check main:app --accept \"known before the first review\" --until 2027-06-30
  mantlet check --explain object-without-rule")]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) contract: ContractArguments,
    /// Print the report in this format, or write it to --output in it [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = named(Format::ALL.map(Format::name)))]
    pub(crate) format: Option<String>,
    /// Write the report to a file; its suffix says the format: .txt .json .sarif .html .md .xml; repeat it for several
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Vec<PathBuf>,
    /// Fail from this level on: info, low, medium, high or critical
    #[arg(long, value_name = "LEVEL", default_value = "high", hide_possible_values = true,
        value_parser = named(Level::ALL.map(Level::name)))]
    pub(crate) fail_on: String,
    /// Annotate the lines of a pull request on GitHub, and write the summary of the job
    #[arg(long)]
    pub(crate) github: bool,
    /// Findings that are accepted [default: mantlet-check.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Accept what fails the review, for this reason: write it into the baseline
    #[arg(long, value_name = "REASON")]
    pub(crate) accept: Option<String>,
    /// With --accept: the last day, such as 2027-01-31; `fixed`: until the finding is gone [default: fixed]
    #[arg(long, value_name = "DATE", requires = "accept")]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) asking: AskingArguments,
    #[command(flatten)]
    pub(crate) closing: ClosingArguments,
    /// Known weaknesses of packages: OSV records, a folder, a file of JSON or a zip
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) osv_db: Option<PathBuf>,
    /// Ask a service with the API of OSV for known weaknesses: it learns which packages you use [default: `https://api.osv.dev`]
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "https://api.osv.dev",
        conflicts_with = "osv_db")]
    pub(crate) osv: Option<String>,
    /// Write a list of what the app is made of (SBOM), as `CycloneDX`
    #[arg(long, value_name = "FILE")]
    pub(crate) sbom: Option<PathBuf>,
    /// Say what a rule looks for and how to mend it; without RULE, list all rules
    #[arg(long, value_name = "RULE", num_args = 0..=1, exclusive = true)]
    #[expect(clippy::option_option, reason = "not given, given alone, given with a value")]
    pub(crate) explain: Option<Option<String>>,
}

/// How a running app is asked.
#[derive(Debug, Args)]
pub(crate) struct AskingArguments {
    /// Start the app behind the gate as it is configured, and ask it
    #[arg(long, conflicts_with = "target")]
    pub(crate) live: bool,
    /// Ask an app that runs, such as `http://127.0.0.1:8000`
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<String>,
    /// The target is not on this machine, and you may test it
    #[arg(long, requires = "target")]
    pub(crate) i_own_this: bool,
    /// Ask as a user: NAME=env:VARIABLE or NAME=file:PATH, with a token, `Header: value` or `cookie:NAME=VALUE`; `admin` is an administrator; repeat it
    #[arg(long = "as", value_name = "NAME=CREDENTIAL")]
    pub(crate) identities: Vec<String>,
    /// Make accounts and objects in the app, change those alone, and remove them
    #[arg(long)]
    pub(crate) writes: bool,
}

/// What becomes of what closes findings.
#[derive(Debug, Args)]
pub(crate) struct ClosingArguments {
    /// Ask the app alone, and behind the gate with the configuration that closes what was found; compare
    #[arg(long, conflicts_with_all = ["target", "live"])]
    pub(crate) prove: bool,
    /// Put the configuration that closes what was found into mantlet.toml
    #[arg(long)]
    pub(crate) write: bool,
    /// What --write and --prove close: findings from this level on
    #[arg(long, value_name = "LEVEL", default_value = "medium", hide_possible_values = true,
        value_parser = named(Level::ALL.map(Level::name)))]
    pub(crate) close: String,
}

fn named(names: impl IntoIterator<Item = &'static str>) -> PossibleValuesParser {
    PossibleValuesParser::new(names)
}

/// Print the SQL of row level security for the models that an app scopes
///
/// For apps that call `mantlet.scope`: policies for PostgreSQL, by which the database itself shows each caller its own rows
/// alone. Imports the app; nothing else of it runs, and the database is not asked.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mantlet rls main:app | psql --single-transaction mydatabase")]
pub(crate) struct RlsArguments {
    /// The app: `main:app`, `package.module:app`, `main:create_app()` or `path/to/main.py`
    pub(crate) app: Option<String>,
    /// Configuration file [default: mantlet.toml, then [tool.mantlet] in pyproject.toml]
    #[arg(long, short, value_name = "FILE", env = "MANTLET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The Python interpreter to use [default: $VIRTUAL_ENV, ./.venv, the one beside mantlet, python3]
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<String>,
}

/// Whose contract it is.
#[derive(Debug, Args)]
pub(crate) struct ContractArguments {
    /// The app: `main:app`, `package.module:app`, `main:create_app()` or `path/to/main.py`
    #[arg(conflicts_with = "openapi")]
    pub(crate) app: Option<String>,
    /// An OpenAPI document, JSON or YAML, in place of an app
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) openapi: Option<String>,
    /// Configuration file [default: mantlet.toml, then [tool.mantlet] in pyproject.toml]
    #[arg(long, short, value_name = "FILE", env = "MANTLET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The Python interpreter to use [default: $VIRTUAL_ENV, ./.venv, the one beside mantlet, python3]
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<String>,
}

/// List the sensitive operations of an app and their limits
///
/// With --from, suggest limits instead, from the requests of clients while rules only reported.
///
/// Logins, password resets, registrations and the like are found in the app's contract, and get limits for each client
/// address and each account. `[throttle]` changes them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet throttles
  mantlet throttles main:app
  mantlet throttles --openapi openapi.json
  mantlet throttles --from .mantlet/audit.jsonl")]
pub(crate) struct ThrottlesArguments {
    #[command(flatten)]
    pub(crate) contract: ContractArguments,
    /// Suggest limits, as TOML, from audit files with records of use; `-` is standard input
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["app", "openapi", "python"])]
    pub(crate) from: Vec<PathBuf>,
}

/// List, disable, export, delete and import the accounts that Mantlet keeps
///
/// The database is asked, whether a Mantlet runs or not. What is done here is in force within a second.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet accounts list
  mantlet accounts show ada@example.com
  mantlet accounts disable ada@example.com
  mantlet accounts export ada@example.com > ada.json
  mantlet accounts import accounts.jsonl")]
pub(crate) struct AccountsArguments {
    #[command(subcommand)]
    pub(crate) action: AccountsAction,
    #[command(flatten)]
    pub(crate) running: Running,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountsAction {
    /// List accounts, the oldest first
    List {
        /// Begin after the account with this id
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// How many to list
        #[arg(long, value_name = "N", default_value_t = 100)]
        most: u32,
    },
    /// Show an account and its sessions
    Show {
        /// Its address or its id
        account: String,
    },
    /// Disable an account: its sessions end, and there is no login
    Disable {
        /// Its address or its id
        account: String,
    },
    /// Enable an account again. Its sessions stay ended
    Enable {
        /// Its address or its id
        account: String,
    },
    /// Print all that is kept of an account, as JSON
    Export {
        /// Its address or its id
        account: String,
    },
    /// Delete an account and all that is kept of it
    Delete {
        /// Its id, which `mantlet accounts show` prints
        id: String,
    },
    /// Import accounts with their hashes of passwords, one JSON object a line
    Import {
        /// The file; `-` for standard input
        file: PathBuf,
    },
    /// Make a list of passwords that are refused, for `blocklist`
    Blocklist {
        /// The file to make
        output: PathBuf,
        /// Files with a password or a SHA-1 in hexadecimal digits on each line
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Make, list and revoke API keys
///
/// Keys for programs, which Mantlet verifies in front of the app. Asks the Mantlet that runs with this configuration; if
/// none runs, changes the keys in its state folder. Run it in the folder where Mantlet is started: a relative
/// `state-folder` begins there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  KEY=$(mantlet keys create ci)
  mantlet keys create reports --scope orders:read --expires 30d --account alice@example.com
  mantlet keys list
  mantlet keys show h4k2m9qxtc
  mantlet keys revoke h4k2m9qxtc")]
pub(crate) struct KeysArguments {
    #[command(subcommand)]
    pub(crate) action: Option<KeysAction>,
    #[command(flatten)]
    pub(crate) running: Running,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Make a key and print it: the only time that it is shown
    Create {
        /// The program that gets the key. Keys of one name are one caller
        name: String,
        /// A scope; repeat it for several
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// The time after which it expires: `90d`, `12h` or `never` [default: 90d]
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// The account in the app that the program acts for: it is the caller in place of NAME
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
    },
    /// List the keys that are not revoked and have not expired
    List {
        /// Also list those that are revoked or have expired
        #[arg(long)]
        all: bool,
    },
    /// Show a key: its caller, its times and its state
    Show {
        /// A key as `mantlet keys` lists it, or what has leaked of it: `mk_prod_h4k2m9qxtc…`
        key: String,
    },
    /// Revoke a key, at once
    Revoke {
        /// A key as `mantlet keys` lists it, or what has leaked of it: `mk_prod_h4k2m9qxtc…`
        key: String,
    },
}

/// List and revoke sessions
///
/// A session is all that the app has handed out since one login: tokens or cookies. Asks the Mantlet that runs with this
/// configuration, through the admin socket in its state folder. Run it in the folder where Mantlet was started: a
/// relative `state-folder` begins there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet sessions
  mantlet sessions --account alice@example.com
  mantlet sessions revoke 5a36dedd4bea2543
  mantlet sessions revoke --account alice@example.com
  mantlet sessions revoke --account alice@example.com --except 5a36dedd4bea2543")]
pub(crate) struct SessionsArguments {
    #[command(subcommand)]
    pub(crate) action: Option<SessionsAction>,
    /// An account: the name at its login, or the `sub` of its tokens
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// Show whose the objects of the app are, and accept rules
///
/// Mantlet proposes rules from the app's own tables, and compares them with its answers. What is shown is what the Mantlet that
/// runs has seen since it started.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet objects
  mantlet objects accept 2 5
  mantlet objects accept all --enforce")]
pub(crate) struct ObjectsArguments {
    #[command(subcommand)]
    pub(crate) action: Option<ObjectsAction>,
    #[command(flatten)]
    pub(crate) running: Running,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ObjectsAction {
    /// List rules, in force and proposed
    List,
    /// Write proposed rules into the configuration file
    Accept {
        /// The numbers of the rules, as `mantlet objects` shows them; `all`: each of them
        #[arg(required = true, value_name = "NUMBER")]
        numbers: Vec<String>,
        /// Refuse at once; without it the rules only report. With `all`, rules with a doubt report all the same
        #[arg(long)]
        enforce: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsAction {
    /// List sessions, the last used first
    List,
    /// Revoke a session, or all sessions of an account
    Revoke {
        /// A session as `mantlet sessions` lists it
        session: Option<String>,
        /// With --account: a session that is not revoked
        #[arg(long, value_name = "SESSION")]
        except: Option<String>,
    },
}

/// Tell which secrets of the configuration exist, without showing them
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet secrets check
  mantlet secrets check --salt file:/etc/mantlet/salt --json > production.json
  mantlet secrets check --salt file:/etc/mantlet/salt --against production.json")]
pub(crate) struct SecretsArguments {
    #[command(subcommand)]
    pub(crate) action: SecretsAction,
    /// Configuration file [default: mantlet.toml, then [tool.mantlet] in pyproject.toml]
    #[arg(long, short, value_name = "FILE", env = "MANTLET_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretsAction {
    /// Read each secret where it is: exit code 0 if all are there, 1 if not
    Check {
        /// Where a salt is that all environments share: with it fingerprints are shown, by which the same secret is
        /// found in two environments
        #[arg(long, value_name = "PLACE")]
        salt: Option<String>,
        /// What `check --salt … --json` has printed in another environment: no secret may be in both
        #[arg(long, value_name = "FILE", requires = "salt")]
        against: Option<PathBuf>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

/// Verify, search, follow and export the audit log
///
/// Reads the files themselves, so it works where no Mantlet runs. Without FILE it reads the log of the configuration;
/// with one, that file and the older ones beside it whose names begin alike.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet audit verify
  mantlet audit verify --seals /mnt/other/audit.jsonl.seals
  mantlet audit search --user alice --since 2h
  mantlet audit tail --follow --event login-failed
  mantlet audit prove 4711 > proof.txt
  mantlet audit verify --proof proof.txt
  mantlet audit export --format ocsf --since 2026-11-30 > events.jsonl")]
pub(crate) struct AuditArguments {
    #[command(subcommand)]
    pub(crate) action: AuditAction,
    /// Configuration file [default: mantlet.toml, then [tool.mantlet] in pyproject.toml]
    #[arg(long, short, value_name = "FILE", env = "MANTLET_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditAction {
    /// Tell whether the log is as it was written: exit code 0 if it is, 1 if not, 3 if there is none
    Verify(AuditVerifyArguments),
    /// Print the records that fit
    Search {
        #[command(flatten)]
        filter: AuditFilter,
        /// The lines themselves, for programs
        #[arg(long)]
        json: bool,
        /// Files of the log
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the last records, and with --follow those that come
    Tail {
        #[command(flatten)]
        filter: AuditFilter,
        /// How many of the last records
        #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
        lines: usize,
        /// Go on with the records that come
        #[arg(long, short)]
        follow: bool,
        /// The lines themselves, for programs
        #[arg(long)]
        json: bool,
        /// A file of the log
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// List how far the log is shipped to each destination
    Shipping {
        /// The log
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print a record with a proof that it is in the sealed log, without any other record
    Prove {
        /// The number of the record: its `seq`
        record: u64,
        /// Files of the log
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print records in the format of another program, one each line
    Export {
        /// The format
        #[arg(long, value_enum)]
        format: ExportFormat,
        #[command(flatten)]
        filter: AuditFilter,
        /// Files of the log
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Which log to verify, and against what.
#[derive(Debug, Args)]
pub(crate) struct AuditVerifyArguments {
    /// A copy of the seals that was kept elsewhere: a file of `audit.anchors`, a copy of `audit.jsonl.seals`, or lines of the
    /// journal
    #[arg(long, value_name = "FILE")]
    pub(crate) seals: Option<PathBuf>,
    /// The log that it has to be, as its first line names it
    #[arg(long, value_name = "NAME")]
    pub(crate) log: Option<String>,
    /// The first files of the log are elsewhere: begin at the first one that is here, after the seal before it
    #[arg(long)]
    pub(crate) partial: bool,
    /// Verify a proof of `mantlet audit prove` instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "log"])]
    pub(crate) proof: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
    /// Files of the log
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Which records are asked for.
#[derive(Debug, Default, Args)]
pub(crate) struct AuditFilter {
    /// The caller, or the account with which something was tried, by its name or the hash of it
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// The address of the client
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<String>,
    /// The code of the reason, such as `rate-limited`
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// The event, such as `login-failed`
    #[arg(long, value_name = "EVENT")]
    pub(crate) event: Option<String>,
    /// The object, such as `orders/17`
    #[arg(long, value_name = "OBJECT")]
    pub(crate) object: Option<String>,
    /// The operation as the app has it, such as `/orders/{order_id}`, or a path
    #[arg(long, value_name = "PATH")]
    pub(crate) operation: Option<String>,
    /// The `X-Request-ID` of a response
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<String>,
    /// A session, by its first eight digits
    #[arg(long, value_name = "SESSION")]
    pub(crate) session: Option<String>,
    /// `success`, `failure` or `denied`
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Option<String>,
    /// From this time on: `2h` ago, a day such as `2026-11-30`, or `2026-11-30T16:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Up to this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Open Cybersecurity Schema Framework 1.6.0
    Ocsf,
    /// Elastic Common Schema 8.17
    Ecs,
    /// Common Event Format 0, as collectors of security events read it
    Cef,
}

/// List and lift bans
///
/// Asks the Mantlet that runs with this configuration, through the admin socket in its state folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet bans
  mantlet bans lift 203.0.113.7
  mantlet bans lift 2001:db8:0:1::/64
  mantlet bans lift all")]
pub(crate) struct BansArguments {
    #[command(subcommand)]
    pub(crate) action: Option<BansAction>,
    #[command(flatten)]
    pub(crate) running: Running,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BansAction {
    /// Lift the ban of an address, or all bans
    Lift {
        /// An address or network as `mantlet bans` lists it, or `all`
        address: String,
    },
}

/// Show quota usage and reset it
///
/// Asks the Mantlet that runs with this configuration, through the admin socket in its state folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet quotas
  mantlet quotas reset free-plan alice
  mantlet quotas reset free-plan 203.0.113.7
  mantlet quotas reset free-plan 8f14e45fceea167a5a36dedd4bea2543")]
pub(crate) struct QuotasArguments {
    #[command(subcommand)]
    pub(crate) action: Option<QuotasAction>,
    #[command(flatten)]
    pub(crate) running: Running,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuotasAction {
    /// Reset the usage of a key
    Reset {
        /// The name of the quota
        quota: String,
        /// A key as `mantlet quotas` lists it, or the API key itself
        key: String,
    },
}

/// Show the metrics of a running Mantlet
///
/// Asks the Mantlet that runs with this configuration, through the admin socket in its state folder, and
/// prints them in the text format of Prometheus.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet metrics
  mantlet metrics | grep mantlet_decisions_total")]
pub(crate) struct MetricsArguments {
    #[command(flatten)]
    pub(crate) running: Running,
}

/// Show a running Mantlet as a page, on this machine alone
///
/// Serves the page on the loopback address for as long as it runs, and prints an address that opens it once. Asks the
/// Mantlet that runs with this configuration, through the admin socket in its state folder, and reads its audit log. To
/// look at a Mantlet on another machine, run it there, and `ssh -L 7070:127.0.0.1:7070`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mantlet open
  mantlet open --browser
  mantlet open --port 7070")]
pub(crate) struct OpenArguments {
    /// The port on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(crate) port: u16,
    /// Open the page in a browser
    #[arg(long)]
    pub(crate) browser: bool,
    /// Configuration file [default: mantlet.toml, then [tool.mantlet] in pyproject.toml]
    #[arg(long, short, value_name = "FILE", env = "MANTLET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// Which Mantlet is asked: the one that runs with this configuration.
#[derive(Debug, Args)]
pub(crate) struct Running {
    /// Configuration file [default: mantlet.toml, then [tool.mantlet] in pyproject.toml]
    #[arg(long, short, value_name = "FILE", env = "MANTLET_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Show or check the configuration
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Print the effective values, each with its source
    Show(ConfigFile),
    /// Check the configuration and report all mistakes
    Check(ConfigFile),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// Configuration file [default: mantlet.toml, then [tool.mantlet] in pyproject.toml]
    #[arg(long, short, value_name = "FILE", env = "MANTLET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}
