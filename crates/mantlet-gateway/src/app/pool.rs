//! Connections to the app: one pool for each thread, so that borrowing takes no lock.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpStream, UnixStream},
    sync::{Notify, watch},
};

use crate::address::Address;

use super::{
    lenient::{Lenient, Sent},
    load::{Load, Permit},
    origins::SharedOrigins,
    request_body::AppRequestBody,
    socket::{Watcher, watch_tcp, watch_unix},
};

/// Bytes that the head of a response may have, and that are read from the app at once. uvicorn sets
/// no limit; Chrome takes 256 KiB.
const MAX_ANSWER_HEAD: usize = 256 << 10;
/// Lines that it may have. uvicorn, nginx and browsers set no limit.
const MAX_ANSWER_LINES: usize = 512;
/// How long a connection rests after a response without a body, if the server is not known: a
/// server that wrongly sends a body does so within this time.
const REST: Duration = Duration::from_millis(100);
/// How soon to connect again to an app whose backlog is full.
const KNOCK_AGAIN: Duration = Duration::from_millis(5);
/// Idle connections that a thread keeps.
const MAX_IDLE: usize = 256;

/// How the app is reached.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// Where it listens.
    pub address: Address,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time from the last byte of a request to the first of its response.
    pub response_timeout: Duration,
    /// How long an idle connection is kept; must be shorter than the app keeps it.
    pub idle_timeout: Duration,
    /// Requests that the app may work on at once.
    pub max_concurrent: usize,
    /// How long a request waits while the app is busy. With zero, no request waits.
    pub queue_timeout: Duration,
    /// It is uvicorn, started by Mantlet, which writes exactly one response to a request.
    pub is_uvicorn: bool,
}

#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) config: UpstreamConfig,
    pub(crate) load: Load,
    /// Its CORS decisions in response to our preflights.
    pub(crate) origins: SharedOrigins,
    /// CORS decisions seen in its other responses.
    pub(crate) seen_origins: SharedOrigins,
    /// It could not be reached when last tried.
    is_away: AtomicBool,
    /// Why, for a person.
    trouble: watch::Sender<Option<String>>,
    /// It could be reached again.
    pub(crate) returned: Notify,
}

struct Idle {
    open: Open,
    since: Instant,
}

/// A connection that is open.
#[derive(Debug)]
struct Open {
    sender: SendRequest<AppRequestBody>,
    sent: Arc<Sent>,
    watcher: Watcher,
}

thread_local! {
    /// INVARIANT: borrowed only within a function that does not await. A process has one app, so
    /// the pool needs no key.
    static POOL: RefCell<VecDeque<Idle>> = const { RefCell::new(VecDeque::new()) };
    /// Resting connections, the next one to be used first.
    static RESTING: RefCell<VecDeque<Idle>> = const { RefCell::new(VecDeque::new()) };
}

/// hyper's future of a sent request.
pub(crate) trait Sending:
    Future<Output = Result<Response<Incoming>, TrySendError<Request<AppRequestBody>>>> + Send + 'static
{
}

impl<F> Sending for F where
    F: Future<Output = Result<Response<Incoming>, TrySendError<Request<AppRequestBody>>>> + Send + 'static
{
}

/// A borrowed connection.
#[derive(Debug)]
pub(crate) struct Lease {
    open: Open,
    /// It has carried a request before, so the app may have closed it meanwhile.
    pub(crate) reused: bool,
    /// Its response has no body, but an unknown server may send one.
    rests: bool,
    permit: Option<Permit>,
    /// How long it may wait for its next use; zero if it must not be used again.
    idle_timeout: Duration,
}

impl Lease {
    /// Sends a request.
    pub(crate) fn send(&mut self, request: Request<AppRequestBody>) -> impl Sending + use<> {
        self.open.sent.begin();
        self.open.sender.try_send_request(request)
    }

    /// Whether the app has provably read nothing of the request.
    pub(crate) fn is_unread(&self) -> bool {
        self.open.sent.is_unread()
    }

    /// Ties the permit to the life of the connection's use.
    pub(crate) fn hold(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    /// Makes this use the connection's last.
    pub(crate) const fn retire(&mut self) {
        self.idle_timeout = Duration::ZERO;
    }

    /// Its response has no body.
    pub(crate) const fn rest(&mut self) {
        self.rests = !matches!(self.open.watcher, Watcher::Off);
    }

    pub(crate) const fn take_permit(&mut self) -> Option<Permit> {
        self.permit.take()
    }

    /// Returns the connection to this thread's pool after a response has been read to its end.
    pub(crate) fn give_back(self) {
        if self.open.sender.is_closed() || self.idle_timeout.is_zero() {
            return;
        }
        let pool = if self.rests { &RESTING } else { &POOL };
        pool.with_borrow_mut(|pool| {
            let now = Instant::now();
            let is_stale = |idle: &Idle| now.duration_since(idle.since) > self.idle_timeout;
            while pool.front().is_some_and(is_stale) || pool.len() >= MAX_IDLE {
                pool.pop_front();
            }
            pool.push_back(Idle { open: self.open, since: now });
        });
    }
}

impl Upstream {
    pub(crate) fn new(config: UpstreamConfig) -> Self {
        Self {
            load: Load::new(config.max_concurrent, config.queue_timeout),
            config,
            origins: SharedOrigins::default(),
            seen_origins: SharedOrigins::default(),
            is_away: AtomicBool::new(false),
            trouble: watch::Sender::new(None),
            returned: Notify::new(),
        }
    }

    /// The most recently used idle connection that is still open.
    pub(crate) fn reuse(&self) -> Option<Lease> {
        loop {
            let idle = POOL.with_borrow_mut(VecDeque::pop_back).or_else(rested)?;
            let mut open = idle.open;
            if idle.since.elapsed() > self.config.idle_timeout {
                continue;
            }
            // One that is not ready is closed, or still sends a request whose response came early.
            // It is not awaited.
            if matches!(open.sender.ready().now_or_never(), Some(Ok(()))) && open.watcher.is_quiet() {
                return Some(self.lease(open, true));
            }
        }
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> io::Result<Lease> {
        let connecting = async {
            match &self.config.address {
                Address::Unix(path) => {
                    let stream = knock(path).await?;
                    if self.config.is_uvicorn {
                        return Self::handshake(TokioIo::new(stream), Watcher::Off, true).await;
                    }
                    let (io, watcher) = watch_unix(stream);
                    Self::handshake(TokioIo::new(io), watcher, false).await
                }
                Address::Tcp(host, port) => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await?;
                    stream.set_nodelay(true)?;
                    let (io, watcher) = watch_tcp(stream);
                    Self::handshake(TokioIo::new(io), watcher, false).await
                }
            }
        };
        let timeout = tokio::time::timeout(self.config.connect_timeout, connecting).await;
        let outcome = timeout.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        self.note(&outcome);
        Ok(self.lease(outcome?, false))
    }

    /// Whether the app accepts connections; no request is sent.
    pub(crate) async fn probe(&self, patience: Duration) -> io::Result<()> {
        let connecting = async {
            match &self.config.address {
                Address::Unix(path) => knock(path).await.map(drop),
                Address::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await.map(drop),
            }
        };
        let timeout = tokio::time::timeout(patience, connecting).await;
        let outcome = timeout.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        self.note(&outcome);
        outcome
    }

    /// Why the last attempt could not reach it, and each change of that.
    pub(crate) fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    fn note<T>(&self, outcome: &io::Result<T>) {
        match outcome {
            Ok(_) => {
                if self.is_away.load(Relaxed) && self.is_away.swap(false, Relaxed) {
                    self.load.start_anew();
                    self.returned.notify_one();
                    self.trouble.send_replace(None);
                }
            }
            Err(error) => {
                if !self.is_away.swap(true, Relaxed) {
                    let text = error.to_string();
                    // The error number adds nothing to the text.
                    let why = text.split(" (os error").next().unwrap_or_default();
                    self.trouble.send_replace(Some(why.to_owned()));
                }
            }
        }
    }

    async fn handshake<T>(io: T, watcher: Watcher, reset_is_proof: bool) -> io::Result<Open>
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        // The size of the buffer alone is not an exact limit.
        builder.max_buf_size(MAX_ANSWER_HEAD).max_header_size(MAX_ANSWER_HEAD).max_headers(MAX_ANSWER_LINES);
        let sent = Arc::new(Sent::default());
        let io = Lenient::new(io, sent.clone(), reset_is_proof);
        let (sender, connection) = builder.handshake(io).await.map_err(io::Error::other)?;
        tokio::spawn(async move {
            // An error reaches the request that waits for its response on this connection.
            let _ = connection.with_upgrades().await;
        });
        Ok(Open { sender, sent, watcher })
    }

    const fn lease(&self, open: Open, reused: bool) -> Lease {
        let idle_timeout = self.config.idle_timeout;
        Lease { open, reused, rests: false, permit: None, idle_timeout }
    }
}

/// A connection that has rested long enough.
fn rested() -> Option<Idle> {
    RESTING.with_borrow_mut(|resting| {
        let has_rested = resting.front().is_some_and(|idle| idle.since.elapsed() >= REST);
        has_rested.then(|| resting.pop_front()).flatten()
    })
}

/// Connects to a unix socket. If the backlog is full, Linux refuses at once; over TCP it would
/// wait.
async fn knock(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(KNOCK_AGAIN).await,
            connected => return connected,
        }
    }
}
