//! The gate as a whole: its threads, what they share, how it is reloaded and how it ends.

use std::{
    cell::RefCell,
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use arc_swap::ArcSwap;
use mantlet_controls::{Peer, Policy, Reason};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::watch,
    time::Instant,
};

use crate::{
    audit_log::AuditLog,
    connection,
    flow::{Flow, Phase},
    listener::{self, Bound, Listen},
    upstream::{Upstream, UpstreamConfig},
};

/// Connections looked at when one must make room. Enough to find an old one, few enough to cost nothing.
const EVICTION_SAMPLE: usize = 8;
/// Descriptors kept free of connections: listening sockets, logs, the app's pipes.
const RESERVED_DESCRIPTORS: usize = 64;

/// How the gate is set up. What is here needs a restart to change; the policy does not.
#[derive(Debug, Clone)]
pub struct GateConfig {
    /// Where to listen.
    pub listen: Listen,
    /// Threads; each has its own runtime.
    pub threads: usize,
    /// Whether HTTP/2 is spoken.
    pub http2: bool,
    /// Whether connections begin with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// The app.
    pub upstream: UpstreamConfig,
}

/// Why the gate could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(Listen, #[source] io::Error),
    /// The machine gives no thread or runtime.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// What every thread sees.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: GateConfig,
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) upstream: Upstream,
    pub(crate) audit: AuditLog,
    stage: AtomicU8,
    /// Connections of all threads.
    connections: AtomicUsize,
    /// Requests under way, a counter for each thread.
    busy: Vec<Arc<AtomicUsize>>,
    /// Connections of each untrusted address.
    per_client: Mutex<HashMap<IpAddr, usize>>,
    /// Most connections that the descriptor limit allows.
    ceiling: usize,
}

impl Shared {
    pub(crate) fn is_draining(&self) -> bool {
        self.stage.load(Relaxed) != Stage::Serving as u8
    }
}

/// The life of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Serving,
    /// New connections are still accepted; every answer says `Connection: close`.
    Draining,
    /// Nothing more is accepted; what is under way may finish.
    Closing,
    /// What is still under way is cut off.
    Ending,
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
    /// Binds the address and starts the threads.
    pub fn start(config: GateConfig, policy: Policy, audit: AuditLog) -> Result<Self, StartError> {
        let threads = config.threads.max(1);
        let (sockets, listen) = listener::bind(&config.listen, threads)
            .map_err(|error| StartError::Listen(config.listen.clone(), error))?;
        let (stage, _) = watch::channel(Stage::Serving);
        let shared = Arc::new(Shared {
            upstream: Upstream::new(config.upstream.clone()),
            config,
            policy: ArcSwap::from_pointee(policy),
            audit,
            stage: AtomicU8::new(Stage::Serving as u8),
            connections: AtomicUsize::new(0),
            busy: (0..threads).map(|_| Arc::default()).collect(),
            per_client: Mutex::default(),
            ceiling: descriptor_ceiling(),
        });
        let mut handles = Vec::with_capacity(threads);
        for (number, (socket, busy)) in sockets.into_iter().zip(shared.busy.clone()).enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (shared, stage) = (Arc::clone(&shared), stage.subscribe());
            let thread = std::thread::Builder::new().name(format!("gate-{number}"));
            handles.push(thread.spawn(move || runtime.block_on(work(socket, shared, busy, stage)))?);
        }
        Ok(Self { shared, stage, threads: handles, listen })
    }

    /// Where it listens, with the real port.
    pub const fn listen(&self) -> &Listen {
        &self.listen
    }

    /// Swaps the policy. Requests under way keep the one they began with.
    pub fn reload(&self, policy: Policy) {
        self.shared.policy.store(Arc::new(policy));
    }

    /// Connections now open.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Relaxed)
    }

    fn enter(&self, stage: Stage) {
        self.shared.stage.store(stage as u8, Relaxed);
        self.stage.send_replace(stage);
    }

    /// Finishes: goes on accepting and answering, each answer with `Connection: close`, until nothing has been under way for
    /// `quiet`; then refuses new connections. What is still under way when `limit` has passed is cut off.
    pub async fn drain(&self, quiet: Duration, limit: Duration) {
        let deadline = Instant::now() + limit;
        self.enter(Stage::Draining);
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < quiet && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if self.busy() > 0 {
                quiet_since = Instant::now();
            }
        }
        self.enter(Stage::Closing);
        while self.connections() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Cuts off what is still under way and waits for the threads.
    pub fn end(self) {
        self.enter(Stage::Ending);
        for thread in self.threads {
            // A thread that panicked outside a connection has already said so.
            let _ = thread.join();
        }
    }

    /// Requests whose answer has not ended.
    pub fn busy(&self) -> usize {
        self.shared.busy.iter().map(|busy| busy.load(Relaxed)).sum()
    }
}

/// Half of the descriptors: a request needs one for the client and one for the app.
fn descriptor_ceiling() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_ascii_whitespace().nth(3)).and_then(|soft| soft.parse().ok());
    soft.map_or(usize::MAX, |soft: usize| (soft.saturating_sub(RESERVED_DESCRIPTORS) / 2).max(8))
}

thread_local! {
    /// Every connection of this thread, so that one can be picked at random.
    static REGISTRY: RefCell<Vec<Arc<Flow>>> = const { RefCell::new(Vec::new()) };
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn new(bound: Bound) -> io::Result<Self> {
        Ok(match bound {
            Bound::Tcp(socket) => Self::Tcp(TcpListener::from_std(socket)?),
            Bound::Unix(socket) => Self::Unix(UnixListener::from_std(socket)?),
        })
    }

    async fn accept(&self, shared: &Arc<Shared>, busy: &Arc<AtomicUsize>) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                admit(shared, busy, stream, Peer::Ip(address));
            }
            Self::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                admit(shared, busy, stream, Peer::Unix);
            }
        }
        Ok(())
    }
}

/// A thread's life.
async fn work(socket: Bound, shared: Arc<Shared>, busy: Arc<AtomicUsize>, mut stage: watch::Receiver<Stage>) {
    let listener = match Listener::new(socket) {
        Ok(listener) => listener,
        Err(error) => return eprintln!("mantlet: a thread cannot listen: {error}"),
    };
    loop {
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| matches!(stage, Stage::Closing | Stage::Ending)) => break,
            accepted = listener.accept(&shared, &busy) => {
                if let Err(error) = accepted {
                    make_room(&error).await;
                }
            }
        }
    }
    // Connections that the kernel has completed already were not refused: they are served.
    while let Ok(Ok(())) = tokio::time::timeout(Duration::ZERO, listener.accept(&shared, &busy)).await {}
    drop(listener);
    // From now on a connection closes as soon as nothing is under way on it.
    loop {
        let open = REGISTRY.with_borrow(|registry| {
            for flow in registry {
                flow.close();
            }
            registry.len()
        });
        if open == 0 {
            return;
        }
        tokio::select! {
            _ = stage.wait_for(|stage| *stage == Stage::Ending) => return,
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
}

/// After an accept that failed: without descriptors, somebody who waits must go; else the next try may do better.
async fn make_room(error: &io::Error) {
    // EMFILE and ENFILE have no kind of their own.
    if matches!(error.raw_os_error(), Some(23 | 24)) {
        evict();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Takes a connection in, unless there are too many; then it is closed.
fn admit<T>(shared: &Arc<Shared>, busy: &Arc<AtomicUsize>, stream: T, peer: Peer)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let policy = shared.policy.load();
    let most = policy.limits.connections.min(shared.ceiling);
    if shared.connections.load(Relaxed) >= most && !evict() {
        return connection::refuse_connection(shared, peer, Reason::TooManyConnections);
    }
    let address = match peer {
        Peer::Ip(socket) if !policy.client.trusts(socket.ip().to_canonical()) => {
            Some(socket.ip().to_canonical())
        }
        Peer::Ip(_) | Peer::Unix => None,
    };
    if let Some(address) = address {
        let mut per_client = shared.per_client.lock().unwrap_or_else(PoisonError::into_inner);
        let count = per_client.entry(address).or_insert(0);
        if *count >= policy.limits.connections_per_client {
            drop(per_client);
            return connection::refuse_connection(shared, peer, Reason::TooManyConnections);
        }
        *count += 1;
    }
    drop(policy);
    let flow = Arc::new(Flow::new(Arc::clone(busy)));
    let registered = Registered::new(shared, &flow, address);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        connection::serve(stream, shared, flow, peer).await;
        drop(registered);
    });
}

/// A place in the counts and the registry, for as long as the connection lives.
struct Registered {
    shared: Arc<Shared>,
    flow: Arc<Flow>,
    address: Option<IpAddr>,
}

impl Registered {
    fn new(shared: &Arc<Shared>, flow: &Arc<Flow>, address: Option<IpAddr>) -> Self {
        shared.connections.fetch_add(1, Relaxed);
        REGISTRY.with_borrow_mut(|registry| {
            flow.slot.store(registry.len(), Relaxed);
            registry.push(Arc::clone(flow));
        });
        Self { shared: Arc::clone(shared), flow: Arc::clone(flow), address }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Relaxed);
        if let Some(address) = self.address {
            let mut per_client = self.shared.per_client.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = per_client.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    per_client.remove(&address);
                }
            }
        }
        // INVARIANT: a connection ends on the thread on which it began, so its slot is in this registry. At the end of
        // the thread the registry may be gone first.
        let _ = REGISTRY.try_with(|registry| {
            let mut registry = registry.borrow_mut();
            let slot = self.flow.slot.load(Relaxed);
            if slot < registry.len() {
                registry.swap_remove(slot);
                if let Some(moved) = registry.get(slot) {
                    moved.slot.store(slot, Relaxed);
                }
            }
        });
    }
}

/// Closes the connection that has waited longest, of a few picked at random, to make room for one that may be quicker.
/// A client that sends its request promptly is never picked.
fn evict() -> bool {
    REGISTRY.with_borrow(|registry| {
        if registry.is_empty() {
            return false;
        }
        let oldest = (0..EVICTION_SAMPLE)
            .filter_map(|_| registry.get(random() % registry.len()))
            .filter(|flow| !flow.should_close() && (flow.is_idle() || flow.phase() == Phase::Head))
            .max_by_key(|flow| flow.phase_age());
        let Some(flow) = oldest else { return false };
        flow.evict();
        true
    })
}

/// A number that a client cannot foresee.
fn random() -> usize {
    usize::try_from(RandomState::new().hash_one(0_u8)).unwrap_or(0)
}
