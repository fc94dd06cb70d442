//! What every thread of the gate sees.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use mantlet_controls::{
    Policy, accounts::Callers, authentication::sessions::Keeper, dpop::SeenByAll, issuer::Client,
    proof_of_work::SpentByAll, refresh_tokens, throttle::Store,
};

use crate::{
    app::{Upstream, UpstreamConfig},
    audit_log::AuditLog,
    guests::Guests,
    house::House,
    issuers::Issuers,
    keys::KeptKeys,
    listener::Listen,
    metrics::{AppHealth, Requests},
    refresh_tokens::KeptFamilies,
    sessions::KeptSessions,
    store::{NewPassword, Opened, StoreConfig},
    tls::Tls,
    traces::Tracer,
};

/// The setup of the gate. A change here needs a restart; a change of the policy does not.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct GateConfig {
    /// Where to listen.
    pub listen: Listen,
    /// A second address to listen on, such as the port for plain HTTP.
    pub also_listen: Option<Listen>,
    /// Threads; each has its own runtime.
    pub threads: usize,
    /// Whether HTTP/2 is spoken.
    pub http2: bool,
    /// Whether connections begin with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// The app.
    pub upstream: UpstreamConfig,
    /// The store in which several gates count together.
    pub store: Option<StoreConfig>,
    /// Whether requests are measured.
    pub measures: bool,
    /// What becomes of requests that are recorded as traces.
    pub tracer: Option<Tracer>,
    /// Who has accounts beside the app, if there are any.
    pub callers: Option<Arc<dyn Callers>>,
    /// What answers requests for the accounts.
    pub house: Option<Arc<dyn House>>,
    /// Whether the app is ours to run, so that [`Gate::app_started`](crate::Gate::app_started) is called.
    pub runs_app: bool,
}

/// What outlives the gate.
pub(crate) struct Kept {
    pub(crate) sessions: KeptSessions,
    pub(crate) keys: KeptKeys,
    pub(crate) refresh_tokens: KeptFamilies,
}

pub(crate) struct Shared {
    pub(crate) config: GateConfig,
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) tls: Option<Tls>,
    pub(crate) upstream: Upstream,
    pub(crate) audit: AuditLog,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) proofs: Option<Arc<dyn SeenByAll>>,
    pub(crate) answers: Option<Arc<dyn SpentByAll>>,
    pub(crate) password: Option<Arc<dyn NewPassword>>,
    pub(crate) issuers: Arc<Issuers>,
    pub(crate) issuer_client: Arc<dyn Client>,
    pub(crate) keys: KeptKeys,
    pub(crate) sessions: Arc<KeptSessions>,
    /// The same, as the controls see it.
    pub(crate) keeper: Arc<dyn Keeper>,
    pub(crate) families: Arc<KeptFamilies>,
    /// The same, as the controls see it.
    pub(crate) refresh_tokens: Arc<dyn refresh_tokens::Keeper>,
    /// How long requests take, if that is measured.
    pub(crate) requests: Option<Requests>,
    pub(crate) health: AppHealth,
    stage: AtomicU8,
    /// Threads that still accept connections.
    pub(crate) listening: AtomicUsize,
    /// Connections of all threads.
    pub(crate) connections: AtomicUsize,
    /// Requests under way, one counter for each thread.
    pub(crate) busy: Vec<Arc<AtomicUsize>>,
    guests: Mutex<Guests>,
    /// The number of connections that the descriptor limit allows.
    pub(crate) ceiling: usize,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(
        config: GateConfig,
        policy: Policy,
        tls: Option<Tls>,
        audit: AuditLog,
        store: Option<Opened>,
        kept: Kept,
        ceiling: usize,
    ) -> Arc<Self> {
        let threads = config.threads.max(1);
        let issuers = Arc::new(Issuers::new(audit.clone()));
        let Kept { sessions, keys, refresh_tokens } = kept;
        let (sessions, families) = (Arc::new(sessions), Arc::new(refresh_tokens));
        Arc::new(Self {
            issuer_client: Arc::clone(&issuers) as Arc<dyn Client>,
            issuers,
            upstream: Upstream::new(config.upstream.clone()),
            requests: config.measures.then(Requests::default),
            health: AppHealth::default(),
            config,
            policy: ArcSwap::from_pointee(policy),
            tls,
            audit,
            answers: store.as_ref().map(|store| Arc::clone(&store.answers)),
            proofs: store.as_ref().map(|store| Arc::clone(&store.proofs)),
            password: store.as_ref().map(|store| Arc::clone(&store.password)),
            store: store.map(|store| store.counters),
            keeper: Arc::clone(&sessions) as Arc<dyn Keeper>,
            sessions,
            refresh_tokens: Arc::clone(&families) as Arc<dyn refresh_tokens::Keeper>,
            families,
            keys,
            stage: AtomicU8::new(Stage::Serving as u8),
            listening: AtomicUsize::new(threads),
            connections: AtomicUsize::new(0),
            busy: (0..threads).map(|_| Arc::default()).collect(),
            guests: Mutex::default(),
            ceiling,
        })
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.stage.load(Relaxed) != Stage::Serving as u8
    }

    pub(crate) fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The life of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    Serving,
    /// New connections are still accepted; every response says `Connection: close`.
    Draining,
    /// New connections are refused; requests under way may finish.
    Closing,
    /// What is still under way is cut off.
    Ending,
}
