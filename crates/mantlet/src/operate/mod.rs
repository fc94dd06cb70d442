//! From start to end: the gate, the app behind it, signals, reload.

mod admin;
mod certificates;
mod health;

use std::{
    io::{self, IsTerminal},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    pin::{Pin, pin},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use mantlet_controls::{Scheme, https::Required, operation::ContractHandle};
use mantlet_gateway::{
    Address, Gate, Listen, StartError,
    admin::Admin,
    audit_log::{AuditLog, AuditWriter},
    quota_file::QuotaFile,
    supervisor::{self, Ending, Event, Order, exit_code},
    tls::{LoadedTls, acme},
};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
};

use crate::{
    app::AppProcess,
    config::{Checked, Config, Reader, summary},
    contract::{
        Behind, Found, Keeper, PATIENCE_AT_START, Settings, Source, Trouble, agreement, read_url, say_none,
    },
    say::{Failure, say},
    settings::{Loaded, Origin},
    state,
};

/// An app that takes longer to start may be one that never will.
const LONG_START: Duration = Duration::from_secs(30);

/// What is used up of quotas, in the state folder.
const QUOTAS: &str = "quotas.jsonl";

/// Everything that is needed to operate.
#[derive(Debug)]
pub(crate) struct Operation {
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
pub(crate) fn operate(operation: Operation) -> Result<ExitCode, Failure> {
    raise_descriptor_limit();
    let Operation { reader, checked, address, idle_timeout, behind, source, app } = operation;
    let Checked { mut loaded, policy, listen, tls } = checked;
    let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
    prepare_state_folder(&mut loaded)?;
    let admin = admin::open(&loaded)?;
    let certificates = watch::Sender::new(tls.as_ref().and_then(LoadedTls::acme).cloned());
    let settings = Settings::of(&loaded);
    let config = loaded.config;
    let audit = config.audit.log(&config.state_folder);
    let (log, writer) = AuditLog::open(&audit).map_err(|error| {
        let file = audit.file.as_deref().unwrap_or(Path::new("")).display();
        Failure::new(format!("the audit file `{file}` cannot be opened: {error}"))
    })?;
    let quotas = QuotaFile::open(config.state_folder.join(QUOTAS), reader.kept.get(), config.throttle.keys);
    let quotas = quotas.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    if app.as_ref().is_some_and(AppProcess::tells_its_contract) {
        reader.kept.get::<ContractHandle>().await_contract();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    // What was named must be good, or nothing starts; an address may have nobody there yet, and is not waited for.
    let named = match &source {
        Source::Url(url) => Some(runtime.block_on(read_url(url, PATIENCE_AT_START))),
        other => other.read_file(),
    };
    let named = match named {
        Some(Err(Trouble::Broken(why))) => return Err(Failure::new(why)),
        Some(Err(Trouble::Away(_))) | None => None,
        Some(Ok(found)) => Some(found),
    };
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
    keeper.heed(settings);
    let is_found = named.is_some();
    if let Some(found) = named {
        keeper.put(found);
    }
    let gate = config.gate(listen, address, idle_timeout, reader.server);
    let also_listen = gate.also_listen.clone();
    let gate =
        Gate::start(gate, tls, policy, log).map_err(|error| not_listening(error, also_listen.as_ref()))?;
    let drain = (config.shutdown.quiet.0, config.shutdown.drain.0);
    // What was found already is read again only when somebody asks; an app of ours is asked when it is ready.
    let asks_at_once = !is_found && (is_named || app.is_none());
    let operator = Operator {
        gate: &gate,
        audit: &writer,
        reader,
        keeper,
        asks_at_once,
        certificates,
        admin,
        scheme,
        behind,
        app,
        drain,
    };
    let outcome = runtime.block_on(operator.run());
    gate.end();
    if let Some(contract) = contract.known() {
        agreement::keep(&agreement, &contract, routes.fallback().rules);
    }
    quotas.finish();
    writer.finish();
    outcome
}

struct Operator<'a> {
    gate: &'a Gate,
    audit: &'a AuditWriter,
    reader: Reader,
    keeper: Keeper,
    /// Whether the contract is still to be read.
    asks_at_once: bool,
    /// What is to be fetched.
    certificates: watch::Sender<Option<acme::Settings>>,
    admin: Option<Admin>,
    scheme: Scheme,
    behind: String,
    app: Option<AppProcess>,
    /// How long it must be quiet, and how long draining may take.
    drain: (Duration, Duration),
}

impl Operator<'_> {
    async fn run(self) -> Result<ExitCode, Failure> {
        let mut signals = Signals::new().map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        let terminal = terminal();
        let (orders, obeyed) = mpsc::channel(16);
        let supervised = async {
            if let Some(app) = &self.app {
                return supervisor::run(&app.command, obeyed, |event| self.tell(event)).await;
            }
            match health::watch(self.gate, &self.behind, &self.listen()).await {}
        };
        let mut supervised = pin!(supervised);
        let fetching =
            self.gate.keep_certificates(self.certificates.subscribe(), |event| self.tell_of(&event));
        let mut fetching = pin!(fetching);
        let keeping = self.keeper.keep(self.asks_at_once, async || self.gate.app_returned().await);
        let mut keeping = pin!(keeping);
        let mut administering = pin!(self.gate.administer(self.admin.as_ref()));
        let mut measuring = pin!(self.gate.keep_usage());
        let (quiet, limit) = loop {
            tokio::select! {
                ending = &mut supervised => return self.ended(ending).await,
                () = &mut fetching => {}
                () = &mut keeping => {}
                () = &mut administering => {}
                () = &mut measuring => {}
                name = signals.next() => match name {
                    // The terminal is gone, and with it the person who could stop us there.
                    Received::Reload if terminal.as_ref().is_some_and(has_hung_up) => break self.drain,
                    Received::Reload => self.reload(),
                    Received::Forward(number) => drop(orders.try_send(Order::Signal(number))),
                    // Ctrl-C is somebody who waits; SIGTERM is a scheduler that still sends clients here.
                    Received::Interrupt => break (Duration::ZERO, self.drain.1),
                    Received::Terminate => break self.drain,
                }
            }
        };
        let mut stopping = pin!(self.stop(&mut signals, supervised, &orders, quiet, limit));
        loop {
            // Draining may take long, and who is banned may be asked for meanwhile.
            tokio::select! {
                outcome = &mut stopping => return outcome,
                () = &mut administering => {}
            }
        }
    }

    /// Lets requests finish, then stops the app. A second signal cuts both short.
    async fn stop(
        &self,
        signals: &mut Signals,
        mut supervised: Pin<&mut impl Future<Output = Ending>>,
        orders: &mpsc::Sender<Order>,
        quiet: Duration,
        limit: Duration,
    ) -> Result<ExitCode, Failure> {
        let busy = self.gate.busy();
        if busy > 0 {
            let noun = if busy == 1 { "request" } else { "requests" };
            say(format!(
                "stopping: {busy} {noun} under way may take up to {} s; interrupt again to stop now",
                limit.as_secs()
            ));
        }
        let order = tokio::select! {
            ending = &mut supervised => return self.ended(ending).await,
            () = self.gate.drain(quiet, limit) => Order::Stop,
            () = signals.stop_again() => {
                say("stopping now");
                Order::Kill
            }
        };
        // Streams that have not ended by now would hold up the end of the app until it is killed.
        self.gate.cut_off();
        if self.app.is_none() {
            return Ok(ExitCode::SUCCESS);
        }
        // The receiver lives as long as the supervisor.
        let _ = orders.send(order).await;
        let ending = tokio::select! {
            ending = &mut supervised => ending,
            () = signals.stop_again() => {
                let _ = orders.send(Order::Kill).await;
                supervised.await
            }
        };
        match ending {
            Ending::Ended(status) => Ok(ExitCode::from(exit_code(status))),
            other => self.ended(other).await,
        }
    }

    fn tell(&self, event: Event) {
        let name = self.app.as_ref().map_or_else(|| self.behind.clone(), AppProcess::found);
        match event {
            Event::Waiting(age) => {
                let has_limit = self.app.as_ref().is_some_and(|app| app.command.ready_timeout.is_some());
                let hint =
                    if has_limit || age < LONG_START { "" } else { "; `app.ready-timeout` sets a limit" };
                say(format!("waiting for {name} to get ready ({} s){hint}", age.as_secs()));
            }
            Event::Ready(_) => {
                self.gate.app_started();
                self.learn(&name);
                self.say_ready(&name);
            }
            Event::Crashed(status, pause) => {
                let how = status
                    .map_or_else(|| "did not get ready".to_owned(), |status| format!("crashed ({status})"));
                let why = self.app.as_ref().zip(status).and_then(|(app, status)| app.why_crashed(status));
                let why = why.map_or_else(String::new, |why| format!("\n{why}"));
                say(format!("{name} {how}; restarting it in {:.1} s{why}", pause.as_secs_f64()));
            }
            _ => {}
        }
    }

    fn tell_of(&self, event: &acme::Event) {
        if let Some(settings) = &*self.certificates.borrow() {
            say(certificates::of(event, settings, self.gate.listen()));
        }
    }

    /// Puts the contract of the app that is ready in force, unless another source is named by now.
    fn learn(&self, name: &str) {
        match self.keeper.source() {
            // Its document may be another one than before.
            Source::Behind => self.keeper.asked.notify_one(),
            Source::App => match self.app.as_ref().and_then(AppProcess::contract) {
                Some(Ok((text, model))) => self.keeper.put(Found::of_app(name, &text, model)),
                Some(Err(why)) => {
                    self.keeper.go_on_without(&format!("the contract of {name} cannot be read: {why}"));
                }
                None => {}
            },
            Source::None | Source::File(_) | Source::Document(_) | Source::Url(_) => {}
        }
    }

    fn say_ready(&self, name: &str) {
        say(format!("{name} is ready behind {}", self.listen()));
    }

    /// Where clients find us.
    fn listen(&self) -> String {
        match self.gate.listen() {
            Listen::Tcp(address) => format!("{}://{address}", self.scheme.as_str()),
            unix @ Listen::Unix(_) => unix.to_string(),
        }
    }

    /// The app has ended for good.
    async fn ended(&self, ending: Ending) -> Result<ExitCode, Failure> {
        self.gate.drain(Duration::ZERO, Duration::from_secs(1)).await;
        let app = self.app.as_ref().ok_or_else(|| Failure::new("nothing to run"))?;
        match ending {
            Ending::NotStarted(error) => Err(app.not_started(&error)),
            Ending::EndedEarly(status) => Err(app.ended_early(status)),
            Ending::NeverReady => Err(app.never_ready()),
            Ending::Ended(status) => {
                say(format!("{} ended ({status})", app.found()));
                Ok(ExitCode::from(exit_code(status)))
            }
            _ => Err(Failure::new("the app ended")),
        }
    }

    fn reload(&self) {
        self.audit.reopen();
        match self.reader.read() {
            Ok(checked) => {
                if let Some(tls) = checked.tls {
                    let fetched = tls.acme().cloned();
                    if let Err(error) = self.gate.reload_tls(tls) {
                        return say(format!("error: {error}; the running configuration stays in force"));
                    }
                    self.certificates.send_replace(fetched);
                }
                let tells = self.app.as_ref().is_some_and(AppProcess::tells_its_contract);
                let source = Source::of(&checked.loaded.config.contract, tells);
                let of_every_route = Arc::new(checked.policy.routes.clone());
                self.keeper.heed(Settings::of(&checked.loaded));
                self.gate.reload(checked.policy);
                say(
                    "configuration reloaded; changes to sockets, threads, the app, files and shutdown take effect at the \
                     next start",
                );
                // What the app said when it got ready holds again. One that is not ready yet says it then.
                let is_apps_again = source == Source::App && self.keeper.source() != Source::App;
                self.keeper.reload(source, of_every_route);
                if is_apps_again
                    && let Some(app) = &self.app
                    && matches!(app.contract(), Some(Ok(_)))
                {
                    self.learn(&app.found());
                }
            }
            Err(mistakes) => say(format!("error: {}", summary(&mistakes, "the running one stays in force"))),
        }
    }
}

/// The terminal that we were started from, if there is one.
fn terminal() -> Option<OwnedFd> {
    let (input, errors) = (io::stdin(), io::stderr());
    let found = if input.is_terminal() {
        input.as_fd()
    } else if errors.is_terminal() {
        errors.as_fd()
    } else {
        return None;
    };
    found.try_clone_to_owned().ok()
}

fn has_hung_up(terminal: &OwnedFd) -> bool {
    rustix::termios::tcgetattr(terminal).is_err_and(|error| error == rustix::io::Errno::IO)
}

/// What a signal asks for.
enum Received {
    Interrupt,
    Terminate,
    Reload,
    Forward(i32),
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    user1: Signal,
    user2: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.interrupt.recv() => Received::Interrupt,
            _ = self.terminate.recv() => Received::Terminate,
            _ = self.hangup.recv() => Received::Reload,
            _ = self.user1.recv() => Received::Forward(SignalKind::user_defined1().as_raw_value()),
            _ = self.user2.recv() => Received::Forward(SignalKind::user_defined2().as_raw_value()),
        }
    }

    /// Waits for another signal to stop.
    async fn stop_again(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
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

/// Makes the folder for what outlives a run, ignored by git. Where the default one cannot be made, as in a read-only container,
/// nothing is kept and that is said; one that was asked for must be there.
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
    // A certificate that could not be kept would be asked for at every start, until the server has had enough.
    if fetches || loaded.origins.of("state-folder") != Origin::Default {
        return Err(Failure::new(format!("cannot create the state folder `{name}`: {error}\n{remedy}")));
    }
    say(format!("note: cannot create the state folder `{name}` ({error}); there is no audit file\n{remedy}"));
    config.audit.file = "off".into();
    Ok(())
}
