//! The start: everything is opened that is needed, or nothing starts.

use std::{io, path::Path, process::ExitCode, sync::Arc, time::Duration};

use mantlet_controls::{
    Mode, Scheme, api_keys::ApiKeys, audit::Actions, authentication::sessions::Sessions,
    authorization::AllEvidence, https::Required, operation::ContractHandle,
};
use mantlet_gateway::{
    Address, Gate, Listen, StartError,
    audit_log::{AuditLog, AuditWriter},
    evidence_file::EvidenceFile,
    key_file::{KeyFile, KeyThread},
    quota_file::QuotaFile,
    refresh_file::RefreshFile,
    session_file::SessionFile,
    tls::LoadedTls,
};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::watch;

use super::{admin, metrics, parts::Parts, records::Records, run::run, traces};
use crate::{
    accounts::Accounts,
    app::AppProcess,
    config::{Checked, Config, Reader},
    contract::{
        Behind, EffectCheck, Found, Keeper, PATIENCE_AT_START, Source, Trouble, agreement, read_url, say_none,
    },
    say::{Failure, say},
    settings::{Loaded, Origin},
    state::{self, NoSecret},
};

/// What is used up of quotas, in the state folder.
const QUOTAS: &str = "quotas.jsonl";
/// The sessions of the app, in the state folder.
const SESSIONS: &str = "sessions.jsonl";
/// What traffic has said of rules about owners, and the key of its hashes, in the state folder.
const EVIDENCE: &str = "evidence.jsonl";
const EVIDENCE_KEY: &str = "evidence.key";
/// The handles of refresh tokens, in the state folder.
const REFRESH_TOKENS: &str = "refresh-tokens.jsonl";

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) reader: Reader,
    pub(crate) checked: Checked,
    pub(crate) address: Address,
    pub(crate) idle_timeout: Duration,
    /// What stands behind the gate, for people.
    pub(crate) behind: String,
    /// Where the contract comes from.
    pub(crate) source: Source,
    /// The app, if it is ours to run.
    pub(crate) app: Option<AppProcess>,
}

/// Runs until a signal or the app's end.
pub(crate) fn operate(plan: Plan) -> Result<ExitCode, Failure> {
    raise_descriptor_limit();
    let Plan { reader, checked, address, idle_timeout, behind, source, app } = plan;
    let Checked { mut loaded, policy, listen, tls } = checked;
    let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
    prepare_state_folder(&mut loaded)?;
    let admin = admin::open(&loaded)?;
    let metrics = metrics::open(&loaded.config)?;
    let certificates = watch::Sender::new(tls.as_ref().and_then(LoadedTls::acme).cloned());
    let effect = EffectCheck::of(&loaded);
    let digest = loaded.digest();
    let config = loaded.config.clone();
    let (log, writer) = open_log(&config)?;
    let quotas = QuotaFile::open(config.state_folder.join(QUOTAS), reader.kept.get(), config.throttle.keys);
    let quotas = quotas.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let learns = config.authentication.mode != Mode::Off;
    let sessions =
        SessionFile::open(config.state_folder.join(SESSIONS), reader.kept.get::<Sessions>(), learns);
    let sessions = sessions.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let evidence = open_evidence(&config.state_folder, reader.kept.get())?;
    let (keys, following) = open_keys(&config.state_folder.join(state::KEYS), reader.kept.get())?;
    let wraps = config.refresh_tokens.mode != Mode::Off;
    let refresh_tokens = open_refresh_tokens(&config.state_folder, wraps)?;
    let accounts = open_accounts(&config, &log)?;
    // Without it, a handle would go to the app as it is, and its client would be logged out.
    let needs_contract = wraps && source != Source::None;
    if needs_contract || app.as_ref().is_some_and(AppProcess::tells_its_contract) {
        reader.kept.get::<ContractHandle>().await_contract();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let named = read_named(&runtime, &source)?;
    let asked = Behind {
        address: address.clone(),
        host: config.host_to_ask(&address),
        is_https: scheme == Scheme::Https || config.https.required == Required::Always,
        name: behind.clone(),
    };
    let is_named = source != Source::Behind;
    if source == Source::None {
        say_none();
    }
    let agreement = config.state_folder.join(agreement::FILE);
    let routes = Arc::new(policy.routes.clone());
    let contract = reader.kept.get::<ContractHandle>();
    let keeper =
        Keeper::new(contract.clone(), source, asked, Arc::clone(&routes)).recalling(agreement.clone());
    let keeper = keeper.reserving(accounts.as_ref().map(Accounts::reserved));
    keeper.heed(effect);
    let is_found = named.is_some();
    if let Some(found) = named {
        keeper.put(found);
    }
    if let Some(why) = keeper.conflict() {
        return Err(Failure::new(why));
    }
    let (tracer, spans) = traces::start(&config, app.is_some())?.unzip();
    let mut gate = config.gate(listen, address, idle_timeout, reader.server, app.is_some(), tracer);
    (gate.callers, gate.house) = accounts.as_ref().map(Accounts::doors).unzip();
    let also_listen = gate.also_listen.clone();
    let gate = Gate::start(gate, tls, policy, log.clone(), &sessions, &keys, &refresh_tokens)
        .map_err(|error| not_listening(error, also_listen.as_ref()))?;
    let records = Records::begin(&log, config.audit.actions, digest, &behind);
    let drain = (config.shutdown.quiet.0, config.shutdown.drain.0);
    // What was found already is read again only when that is asked for; an app of ours is asked
    // when it is ready.
    let asks_at_once = !is_found && (is_named || app.is_none());
    let parts = Parts {
        gate: &gate,
        audit: &writer,
        records: &records,
        reader,
        keeper,
        loaded: loaded.into(),
        asks_at_once,
        certificates,
        accounts: accounts.as_ref(),
        admin,
        metrics,
        scheme,
        behind,
        app,
        drain,
    };
    let outcome = runtime.block_on(run(parts));
    gate.end();
    records.end(outcome.is_err());
    if let Some(contract) = contract.known() {
        agreement::keep(&agreement, &contract, routes.fallback().rules);
    }
    quotas.finish();
    sessions.finish();
    if let Some(evidence) = evidence {
        evidence.finish();
    }
    traces::finish(spans);
    if let Some(accounts) = accounts {
        accounts.finish();
    }
    refresh_tokens.finish();
    following.finish();
    writer.finish();
    outcome
}

/// What was named must be good, or nothing starts; an address may not answer yet, and is not waited for.
fn read_named(runtime: &tokio::runtime::Runtime, source: &Source) -> Result<Option<Found>, Failure> {
    let named = match source {
        Source::Url(url) => Some(runtime.block_on(read_url(url, PATIENCE_AT_START))),
        other => other.read_file(),
    };
    match named {
        Some(Err(Trouble::Broken(why))) => Err(Failure::new(why)),
        Some(Err(Trouble::Away(_))) | None => Ok(None),
        Some(Ok(found)) => Ok(Some(found)),
    }
}

/// Opens the audit log, and ships it where that is configured.
fn open_log(config: &Config) -> Result<(AuditLog, AuditWriter), Failure> {
    let mut audit = config.audit.log(&config.state_folder);
    audit.ship = config.audit.destinations();
    AuditLog::open(&audit).map_err(|error| {
        let file = audit.file.as_deref().unwrap_or(Path::new("")).display();
        Failure::new(format!("the audit file `{file}` cannot be opened: {error}"))
    })
}

/// Reads what traffic has said of rules. Without a key for its hashes nothing is kept beyond this run.
fn open_evidence(folder: &Path, evidence: AllEvidence) -> Result<Option<EvidenceFile>, Failure> {
    let failed = |error: io::Error| Failure::new(format!("cannot start: {error}"));
    let new = state::random_text().map_err(|error| failed(io::Error::other(error)))?;
    match state::secret(folder, EVIDENCE_KEY, &new) {
        Ok(key) => EvidenceFile::open(folder.join(EVIDENCE), evidence, &key).map(Some).map_err(failed),
        // It was said that the folder cannot be used.
        Err(NoSecret::Unkept(_)) => Ok(None),
        Err(NoSecret::Refused(error)) => {
            let file = folder.join(EVIDENCE_KEY);
            say(format!(
                "note: `{}` cannot be used: {error}; what traffic says of rules is lost when Mantlet ends",
                file.display()
            ));
            Ok(None)
        }
    }
}

/// Reads the keys. Without them all would be treated as the app's own, so they must be readable.
fn open_keys(path: &Path, keys: ApiKeys) -> Result<(KeyFile, KeyThread), Failure> {
    let file = KeyFile::open(path.to_owned(), keys).and_then(|file| {
        let following = file.follow()?;
        Ok((file, following))
    });
    file.map_err(|error| {
        Failure::new(format!("the API keys in `{}` cannot be read: {error}", path.display()))
    })
}

fn open_refresh_tokens(folder: &Path, wraps: bool) -> Result<RefreshFile, Failure> {
    let opened = RefreshFile::open(folder.join(REFRESH_TOKENS), wraps);
    opened.map_err(|error| Failure::new(format!("cannot start: {error}")))
}

/// Opens the accounts beside the app and the logins at providers, if there are any.
fn open_accounts(config: &Config, log: &AuditLog) -> Result<Option<Accounts>, Failure> {
    if !config.accounts.is_wanted(&config.login) {
        return Ok(None);
    }
    let log = (config.audit.actions != Actions::Off).then(|| log.clone());
    Accounts::start(config, log).map(Some).map_err(Failure::new)
}

fn not_listening(error: StartError, also_listen: Option<&Listen>) -> Failure {
    match error {
        StartError::Listen(listen, error) => {
            let setting = if Some(&listen) == also_listen { "`tls.acme.http-listen`" } else { "`--listen`" };
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    format!(
                        "another program listens there already; stop it, or choose another address with {setting}"
                    )
                }
                io::ErrorKind::PermissionDenied => format!(
                    "ports below 1024 need a privilege; choose another with {setting}, or grant CAP_NET_BIND_SERVICE"
                ),
                io::ErrorKind::AlreadyExists => {
                    format!("there is a file that is not a socket; choose another path with {setting}")
                }
                io::ErrorKind::AddrNotAvailable => {
                    format!("this machine does not have that address; choose another with {setting}")
                }
                _ => format!("choose another address with {setting}"),
            };
            Failure::new(format!("cannot listen on {listen}: {error}\n{hint}"))
        }
        error @ (StartError::System(_) | StartError::Tls(_)) => Failure::new(error.to_string()),
    }
}

/// As many descriptors as the system lets us have: two for each request.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it cannot be raised, the gate takes fewer connections.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Makes the folder for what outlives a run, ignored by git. Where the default one cannot be made,
/// as in a read-only container, nothing is kept and that is said; one that was asked for must be
/// there.
fn prepare_state_folder(loaded: &mut Loaded<Config>) -> Result<(), Failure> {
    let config = &mut loaded.config;
    let fetches = config.tls.acme.is_wanted();
    if !config.audit.file.is_empty() && !fetches {
        // What else is kept there sees to itself.
        return Ok(());
    }
    let folder = &config.state_folder;
    let Err(error) = state::prepare(folder) else { return Ok(()) };
    let name = folder.display();
    let remedy = "name another with `state-folder`, or a file with `[audit] file`";
    // A certificate that could not be kept would be asked for at every start, until the server has
    // had enough.
    if fetches || loaded.origins.of("state-folder") != Origin::Default {
        return Err(Failure::new(format!("cannot create the state folder `{name}`: {error}\n{remedy}")));
    }
    say(format!("note: cannot create the state folder `{name}` ({error}); there is no audit file\n{remedy}"));
    config.audit.file = "off".into();
    Ok(())
}
