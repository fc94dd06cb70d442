//! A running app is asked: one that runs already, or one that is started for it, alone or behind the gate.
//!
//! The gate that stands before it is this program again, with a folder of its own: nothing that it learns or counts
//! is kept, and no record of the review gets into the audit file of production.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, IsTerminal as _, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use http::HeaderValue;
use mantlet_contract::model::Contract;
use mantlet_controls::authentication::PrincipalKey;
use mantlet_gateway::Address;
use mantlet_review::{
    Review,
    client::{Client, Target},
    live::{self, Facts, Identity, Options},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use super::NOT_REVIEWED;
use crate::{
    app::AppProcess,
    cli::CheckArguments,
    config::{Config, Reference},
    operate::alone,
    say::{Failure, say},
    settings::Loaded,
};

/// How often it is asked whether the gate is ready.
const ASK_EVERY: Duration = Duration::from_millis(25);
/// How long the gate has to stop.
const STOP: Duration = Duration::from_secs(15);
/// A review that takes longer shows how far it is.
const LONG: Duration = Duration::from_secs(1);
/// Requests between two words about that.
const EACH: usize = 16;

/// What the operator wants to be asked, and as whom.
pub(super) struct Wish {
    pub(super) identities: Vec<Identity>,
    pub(super) writes: bool,
    /// The operator has ended it.
    over: AtomicBool,
    asked: AtomicUsize,
}

/// Where the app is.
pub(super) enum Place<'p> {
    /// It runs somewhere.
    There(Target),
    /// It is started, without the gate.
    Alone,
    /// It is started behind a gate with this configuration, or without any.
    Gated(Option<&'p Path>),
}

impl Wish {
    pub(super) fn of(arguments: &CheckArguments) -> Result<Self, Failure> {
        let identities =
            arguments.asking.identities.iter().map(|text| identity(text)).collect::<Result<_, _>>()?;
        Ok(Self {
            identities,
            writes: arguments.asking.writes,
            over: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
        })
    }

    /// Whether the operator has ended the review.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }
}

/// Reads `--as NAME=CREDENTIAL`; the credential itself does not belong into a command line, which others see.
fn identity(text: &str) -> Result<Identity, Failure> {
    let (name, credential) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
        Failure::usage(format!("`--as {text}` names no identity\nwrite `--as alice=env:ALICE_TOKEN`"))
    })?;
    let wrong = |why: String| Failure::usage(format!("`--as {name}`: {why}"));
    let reference = Reference::of(credential).ok_or_else(|| {
        wrong(format!(
            "a credential in a command line is seen by others\n\
             write `{name}=env:VARIABLE` or `{name}=file:PATH`; it holds a token, `Header: value` or `cookie:NAME=VALUE`"
        ))
    })?;
    let read = reference.and_then(|reference| reference.read()).map_err(wrong)?;
    let text = String::from_utf8(read).map_err(|_| wrong(format!("`{credential}` is not text in UTF-8")))?;
    Identity::read(name, &text).map_err(wrong)
}

/// Where a running app is; only this machine is asked without a word that the app is one's own.
pub(super) fn target(arguments: &CheckArguments) -> Result<Option<Target>, Failure> {
    let Some(url) = &arguments.asking.target else { return Ok(None) };
    let target = Target::read(url).map_err(|why| Failure::usage(format!("`--target`: {why}")))?;
    if !target.is_loopback() && !arguments.asking.i_own_this {
        return Err(Failure::usage(format!(
            "`{url}` is not on this machine\n\
             if you may test it, say so with `--i-own-this`: hundreds of requests are sent, some with wrong passwords"
        )));
    }
    Ok(Some(target))
}

/// Asks the app. What comes of it is written into the review.
pub(super) fn ask(
    place: Place<'_>,
    loaded: &Loaded<Config>,
    contract: &Contract,
    wish: &Wish,
    review: &mut Review,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(format!("cannot start: {error}")).with_code(NOT_REVIEWED))?;
    let progress = Progress::new(wish);
    let done = runtime.block_on(async {
        // Before anything is started: what is started is ended, too.
        let ended = ended(&progress);
        tokio::select! {
            done = at(place, loaded, contract, &progress, review) => done,
            () = ended => Ok(()),
        }
    });
    progress.clear();
    done.map_err(|failure| failure.with_code(NOT_REVIEWED))
}

async fn at(
    place: Place<'_>,
    loaded: &Loaded<Config>,
    contract: &Contract,
    progress: &Progress<'_>,
    review: &mut Review,
) -> Result<(), Failure> {
    match place {
        Place::There(target) => {
            let is_loopback = target.is_loopback();
            let client = Client::new(target);
            // An app on this machine that knows its own name is asked by it. Elsewhere the operator has said the name.
            let client = if is_loopback { by_name(client, loaded) } else { client };
            asked(client, contract, progress, review).await
        }
        Place::Alone => {
            let key = PrincipalKey::random()
                .map_err(|error| Failure::new(format!("there are no random bytes ({error})")))?;
            let app = AppProcess::prepare(loaded, &key, &[], false)?;
            alone(&app, async |address| {
                let target = match address {
                    Address::Unix(socket) => Target::Unix(socket.clone()),
                    Address::Tcp(host, port) => {
                        Target::Tcp { host: host.clone(), port: *port, is_https: false }
                    }
                };
                asked(Client::new(target), contract, progress, review).await
            })
            .await?
        }
        Place::Gated(configuration) => {
            let mut gate = Gate::start(loaded, configuration, progress.wish).await?;
            let client = by_name(Client::new(Target::Unix(gate.socket())), loaded);
            let done = asked(client, contract, progress, review).await;
            gate.stop().await;
            done
        }
    }
}

/// Asks by the first name in `host.allow` that is one.
fn by_name(client: Client, loaded: &Loaded<Config>) -> Client {
    let host = loaded.config.host.allow.iter().find(|host| !host.contains(['*', '/']));
    match host.and_then(|host| HeaderValue::try_from(host.as_str()).ok()) {
        Some(host) => client.to_host(host),
        None => client,
    }
}

/// Takes signals. They end no request, but what follows is not begun.
async fn ended(progress: &Progress<'_>) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        progress.clear();
        if !progress.wish.over.swap(true, Relaxed) {
            say("ending: what was created is removed, and the report follows");
        }
    }
}

async fn asked(
    client: Client,
    contract: &Contract,
    progress: &Progress<'_>,
    review: &mut Review,
) -> Result<(), Failure> {
    let wish = progress.wish;
    let is_over = || {
        progress.step();
        wish.is_over()
    };
    let options = Options {
        identities: wish.identities.clone(),
        writes: wish.writes,
        secrets: live::of_environment(std::env::vars_os().filter_map(as_text)),
        is_over: &is_over,
    };
    let address = client.target().base();
    let done = live::review(&Facts { contract }, client, &options, review).await;
    done.map_err(|why| Failure::new(format!("not reviewed: the app at {address} does not answer: {why}")))
}

/// A variable of the environment, if it is text. The app that is started has the same ones.
fn as_text((name, value): (OsString, OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// How far it is, on a terminal.
struct Progress<'w> {
    wish: &'w Wish,
    since: Instant,
    is_terminal: bool,
    is_shown: AtomicBool,
}

impl<'w> Progress<'w> {
    fn new(wish: &'w Wish) -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self { wish, since: Instant::now(), is_terminal, is_shown: AtomicBool::new(false) }
    }

    fn step(&self) {
        let asked = self.wish.asked.fetch_add(1, Relaxed);
        if self.is_terminal && asked.is_multiple_of(EACH) && self.since.elapsed() > LONG {
            self.is_shown.store(true, Relaxed);
            let _ =
                write!(io::stderr(), "\rmantlet: {asked} requests, {} s ", self.since.elapsed().as_secs());
        }
    }

    fn clear(&self) {
        if self.is_shown.swap(false, Relaxed) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// A gate before the app, for the time of the review.
struct Gate {
    child: Child,
    folder: tempfile::TempDir,
}

impl Gate {
    async fn start(
        loaded: &Loaded<Config>,
        configuration: Option<&Path>,
        wish: &Wish,
    ) -> Result<Self, Failure> {
        let cannot = |error: io::Error| Failure::new(format!("the gate cannot be started: {error}"));
        let folder = tempfile::tempdir().map_err(cannot)?;
        let words = File::create(folder.path().join("words")).map_err(cannot)?;
        let app = &loaded.config.app;
        let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
        command.arg("run");
        if !app.entrypoint.is_empty() {
            command.arg(&app.entrypoint);
        }
        if !app.python.is_empty() {
            command.arg("--python").arg(&app.python);
        }
        if let Some(configuration) = configuration {
            command.arg("--config").arg(configuration);
        }
        command.arg("--listen").arg(format!("unix:{}", folder.path().join("gate.sock").display()));
        for (name, value) in [
            ("MANTLET_STATE_FOLDER", folder.path().join("state").into_os_string()),
            ("MANTLET_AUDIT__FILE", "off".into()),
            ("MANTLET_AUDIT__TERMINAL", "false".into()),
            ("MANTLET_STORE__URL", "".into()),
            // There is no TLS on its socket.
            ("MANTLET_HTTPS__REQUIRED", "never".into()),
        ] {
            command.env(name, value);
        }
        // Ctrl-C is for the review, which ends the gate when it has removed what it made.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(words);
        let mut gate = Self { child: command.spawn().map_err(cannot)?, folder };
        loop {
            let words = gate.words();
            if words.contains("ready behind ") || wish.is_over() {
                return Ok(gate);
            }
            if gate.child.try_wait().map_err(cannot)?.is_some() {
                return Err(Failure::new(format!(
                    "the app did not start behind the gate:\n{}",
                    words.trim_end()
                )));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    fn words(&self) -> String {
        let words = std::fs::read(self.folder.path().join("words")).unwrap_or_default();
        String::from_utf8_lossy(&words).into_owned()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("gate.sock")
    }

    /// Ends it and the app behind it.
    async fn stop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let since = Instant::now();
        while since.elapsed() < STOP && matches!(self.child.try_wait(), Ok(None)) {
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

impl Drop for Gate {
    /// A gate that is left behind would keep the app.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
