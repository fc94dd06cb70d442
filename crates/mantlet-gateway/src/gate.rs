//! The gate as a whole: its threads, how it is reloaded and how it ends.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::JoinHandle,
    time::Duration,
};

use mantlet_controls::{Policy, audit::Sink};
use tokio::{sync::watch, time::Instant};

use crate::{
    admin::{self, Admin},
    audit_log::AuditLog,
    client::{accept, admission},
    clock, condition_files,
    key_file::KeyFile,
    keys::KeptKeys,
    listener::{self, Listen},
    refresh_file::RefreshFile,
    refresh_tokens::KeptFamilies,
    scrape::{self, Scrapes},
    session_file::SessionFile,
    sessions::KeptSessions,
    shared::{GateConfig, Kept, Shared, Stage},
    store::{Opened, StoreConfig},
    tls::{LoadedTls, Tls, TlsError, acme},
};

/// How often to check whether a window of usage is over.
const LOOK_AT_USAGE: Duration = Duration::from_secs(1);

/// Why the gate could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The gate cannot listen on the address.
    #[error("cannot listen on {0}: {1}")]
    Listen(Listen, #[source] io::Error),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A thread or its runtime cannot be created.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// A running gate.
#[derive(Debug)]
pub struct Gate {
    shared: Arc<Shared>,
    stage: watch::Sender<Stage>,
    threads: Vec<JoinHandle<()>>,
    listen: Listen,
}

impl Gate {
    /// Binds the address and starts the threads. End the files of sessions, keys and
    /// refresh tokens after the gate.
    pub fn start(
        config: GateConfig,
        tls: Option<LoadedTls>,
        policy: Policy,
        audit: AuditLog,
        sessions: &SessionFile,
        keys: &KeyFile,
        refresh_tokens: &RefreshFile,
    ) -> Result<Self, StartError> {
        let threads = config.threads.max(1);
        let bind = |listen: &Listen| {
            listener::bind(listen, threads).map_err(|error| StartError::Listen(listen.clone(), error))
        };
        let (sockets, listen) = bind(&config.listen)?;
        let mut sockets: Vec<_> = sockets.into_iter().map(|socket| vec![socket]).collect();
        if let Some(also) = &config.also_listen {
            for (of_thread, socket) in sockets.iter_mut().zip(bind(also)?.0) {
                of_thread.push(socket);
            }
        }
        let (stage, _) = watch::channel(Stage::Serving);
        policy.throttle.usages.begin();
        let open = |store: &StoreConfig| store.open(audit.clone(), sessions, keys);
        let opened = config.store.as_ref().map(open).transpose()?;
        let (of_sessions, of_keys, of_families) = match &opened {
            Some(Opened { sessions, keys, families, .. }) => {
                (Some(Arc::clone(sessions)), Some(Arc::clone(keys)), Some(Arc::clone(families)))
            }
            None => (None, None, None),
        };
        let kept = Kept {
            sessions: KeptSessions::new(sessions, of_sessions),
            keys: KeptKeys::new(keys, of_keys),
            refresh_tokens: KeptFamilies::new(refresh_tokens, of_families),
        };
        let tls = tls.map(Tls::new).transpose()?;
        let ceiling = admission::descriptor_ceiling();
        let shared = Shared::new(config, policy, tls, audit, opened, kept, ceiling);
        let mut handles = Vec::with_capacity(threads);
        for (number, (sockets, busy)) in sockets.into_iter().zip(shared.busy.clone()).enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (shared, stage) = (Arc::clone(&shared), stage.subscribe());
            let thread = std::thread::Builder::new().name(format!("gate-{number}"));
            handles.push(thread.spawn(move || runtime.block_on(accept::work(sockets, shared, busy, stage)))?);
        }
        Ok(Self { shared, stage, threads: handles, listen })
    }

    /// The address where it listens, with the real port.
    pub const fn listen(&self) -> &Listen {
        &self.listen
    }

    /// Swaps the policy. Requests under way keep the one they began with.
    pub fn reload(&self, policy: Policy) {
        self.shared.policy.store(Arc::new(policy));
    }

    /// Swaps the certificates, if there were any at the start. Connections keep those they began
    /// with.
    pub fn reload_tls(&self, loaded: LoadedTls) -> Result<(), TlsError> {
        self.shared.tls.as_ref().map_or(Ok(()), |tls| tls.replace(loaded))
    }

    /// Connects to the store with another user or password from now on. Whether that was possible: another store
    /// needs another start.
    pub fn reload_store(&self, config: &StoreConfig) -> bool {
        self.shared.password.as_ref().is_some_and(|store| store.use_from_now(config))
    }

    /// Keeps the fetched certificate valid for as long as it is polled; without TLS it does
    /// nothing. It reads and writes files, so do not poll it on a thread of the gate.
    pub async fn keep_certificates(
        &self,
        settings: watch::Receiver<Option<acme::Settings>>,
        tell: impl Fn(acme::Event),
    ) {
        match &self.shared.tls {
            Some(tls) => tls.keep_fetched(settings, tell).await,
            None => std::future::pending().await,
        }
    }

    /// Serves the admin socket, if there is one, for as long as it is polled. Do not poll it on a
    /// thread of the gate.
    pub async fn administer(&self, admin: Option<&Admin>) {
        admin::serve(admin, &self.shared).await;
    }

    /// Waits until the app can be reached again after a request could not reach it. It may be
    /// another version of the app by then.
    pub async fn app_returned(&self) {
        self.shared.upstream.returned.notified().await;
    }

    /// Serves metrics, if that is wanted, for as long as it is polled. Do not poll it on a thread of the
    /// gate.
    pub async fn serve_metrics(&self, scrapes: Option<&Scrapes>) {
        scrape::serve(scrapes, &self.shared).await;
    }

    /// The app has crashed, and will be started again.
    pub fn app_crashed(&self) {
        self.shared.health.crashed();
    }

    /// The app was started, for the first time or again: its capacity is not known.
    pub fn app_started(&self) {
        self.shared.health.is_up(true);
        self.shared.upstream.load.start_anew();
    }

    /// Asks whether the app accepts connections; [`Gate::app_trouble`] changes with the outcome.
    pub async fn probe_app(&self, patience: Duration) -> bool {
        let is_up = self.shared.upstream.probe(patience).await.is_ok();
        self.shared.health.is_up(is_up);
        is_up
    }

    /// Why the last request or [`Gate::probe_app`] could not reach the app; none if it could.
    pub fn app_trouble(&self) -> watch::Receiver<Option<String>> {
        self.shared.upstream.trouble()
    }

    /// Records the usage of rules that only report, for as long as it is polled. It reads whole
    /// tables, so do not poll it on a thread of the gate.
    pub async fn keep_usage(&self) {
        loop {
            tokio::time::sleep(LOOK_AT_USAGE).await;
            self.record_usage(false);
        }
    }

    /// Keeps the keys of issuers, for as long as it is polled. It waits for the network, so do not poll it
    /// on a thread of the gate.
    pub async fn keep_issuers(&self) {
        self.shared.issuers.keep(|| self.shared.policy.load().issuer.remotes()).await;
    }

    /// Reads the files that conditions depend on again whenever they change, for as long as it is
    /// polled. Do not poll it on a thread of the gate.
    pub async fn follow_condition_files(&self) {
        condition_files::follow(|| self.shared.policy.load().authorization.files().to_vec()).await;
    }

    /// Learns of API keys that other gates make or revoke, for as long as it is polled. Do not poll it
    /// on a thread of the gate.
    pub async fn follow_keys(&self) {
        self.shared.keys.follow().await;
    }

    /// Tells the store of refresh tokens that it has not taken, for as long as it is polled. Do not poll it
    /// on a thread of the gate.
    pub async fn follow_refresh_tokens(&self) {
        self.shared.families.follow().await;
    }

    fn record_usage(&self, is_end: bool) {
        for used in self.shared.policy.load().throttle.usages.read(is_end) {
            self.shared.audit.record(used.record(clock::now()));
        }
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Relaxed)
    }

    fn enter(&self, stage: Stage) {
        self.shared.enter(stage);
        self.stage.send_replace(stage);
    }

    /// Ends gracefully. At first it still accepts connections, and each response says `Connection:
    /// close`. Once no request has been under way for `quiet`, or after half of `limit`, it refuses
    /// new connections. Requests under way may end until `limit` has passed.
    pub async fn drain(&self, quiet: Duration, limit: Duration) {
        let start = Instant::now();
        let (last_call, deadline) = (start + limit / 2, start + limit);
        self.enter(Stage::Draining);
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < quiet && Instant::now() < last_call {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if self.busy() > 0 {
                quiet_since = Instant::now();
            }
        }
        self.enter(Stage::Closing);
        let is_open = || self.shared.listening.load(Relaxed) > 0 || self.connections() > 0 || self.busy() > 0;
        while is_open() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Cuts off what is still under way.
    pub fn cut_off(&self) {
        self.enter(Stage::Ending);
    }

    /// Cuts off what is still under way and waits for the threads.
    pub fn end(mut self) {
        self.cut_off();
        for thread in self.threads.drain(..) {
            // A thread that panicked outside a connection has already reported it.
            let _ = thread.join();
        }
        self.record_usage(true);
    }

    /// Requests whose response has not ended, without those whose response is endless.
    pub fn busy(&self) -> usize {
        self.shared.busy.iter().map(|busy| busy.load(Relaxed)).sum()
    }
}
