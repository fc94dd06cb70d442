//! Connections to the app: one pool a thread, so that borrowing one takes no lock.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use hyper::{
    client::conn::http1::{self, SendRequest},
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpStream, UnixStream},
    sync::{Notify, watch},
};

use crate::{
    body::ToApp,
    lenient::Lenient,
    shares::{Permit, Shares},
    turns::Turns,
};

/// Bytes that the head of an answer may have, and that are read from the app at once. uvicorn sets no limit; nginx has 8 KiB.
const MAX_ANSWER_HEAD: usize = 64 << 10;
/// How soon a full queue of connections is tried again.
const FULL_QUEUE: Duration = Duration::from_millis(5);
/// Idle connections that a thread keeps.
const MAX_IDLE: usize = 256;

/// Where the app listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// A host, by name or address, and a port.
    Tcp(String, u16),
}

/// How the app is reached.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// Where it listens.
    pub address: Address,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time from the last byte of a request to the first of its answer.
    pub response_timeout: Duration,
    /// How long an idle connection is kept; must be shorter than the app keeps it.
    pub idle_timeout: Duration,
    /// Requests that the app may have in hand at once.
    pub max_concurrent: usize,
    /// How long a request waits while the app has more in hand than it works on; zero if none shall wait.
    pub queue_timeout: Duration,
}

#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) config: UpstreamConfig,
    pub(crate) shares: Arc<Shares>,
    pub(crate) turns: Arc<Turns>,
    /// It could not be reached when last tried.
    is_away: AtomicBool,
    /// Why, for a person.
    trouble: watch::Sender<Option<String>>,
    /// It could be reached again.
    pub(crate) returned: Notify,
}

struct Idle {
    sender: SendRequest<ToApp>,
    since: Instant,
}

thread_local! {
    /// INVARIANT: borrowed only within a function that does not await. A process has one app, so the pool needs no key.
    static POOL: RefCell<VecDeque<Idle>> = const { RefCell::new(VecDeque::new()) };
}

/// A borrowed connection.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) sender: SendRequest<ToApp>,
    /// It has carried a request before: the app may have closed it meanwhile.
    pub(crate) reused: bool,
    permit: Option<Permit>,
    /// How long it may wait for its next use; zero if there shall be none.
    idle_timeout: Duration,
}

impl Lease {
    /// Ties the permit to the life of the connection's use.
    pub(crate) fn hold(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    /// Makes this use the connection's last.
    pub(crate) const fn retire(&mut self) {
        self.idle_timeout = Duration::ZERO;
    }

    pub(crate) const fn take_permit(&mut self) -> Option<Permit> {
        self.permit.take()
    }

    /// Returns the connection to this thread's pool, after an answer has been read to its end.
    pub(crate) fn give_back(self) {
        if self.sender.is_closed() || self.idle_timeout.is_zero() {
            return;
        }
        POOL.with_borrow_mut(|pool| {
            let now = Instant::now();
            let is_stale = |idle: &Idle| now.duration_since(idle.since) > self.idle_timeout;
            while pool.front().is_some_and(is_stale) || pool.len() >= MAX_IDLE {
                pool.pop_front();
            }
            pool.push_back(Idle { sender: self.sender, since: now });
        });
    }
}

/// A unix socket whose queue is full says so at once where TCP would wait: so we do. The app is busy, not away.
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(FULL_QUEUE).await,
            outcome => return outcome,
        }
    }
}

impl Upstream {
    pub(crate) fn new(config: UpstreamConfig) -> Self {
        Self {
            shares: Shares::of(config.max_concurrent),
            turns: Turns::new(config.queue_timeout, config.max_concurrent),
            config,
            is_away: AtomicBool::new(false),
            trouble: watch::Sender::new(None),
            returned: Notify::new(),
        }
    }

    /// The most recently used idle connection that is still open.
    pub(crate) fn reuse(&self) -> Option<Lease> {
        loop {
            let idle = POOL.with_borrow_mut(VecDeque::pop_back)?;
            let mut sender = idle.sender;
            if idle.since.elapsed() > self.config.idle_timeout {
                continue;
            }
            // One that is not ready is closed, or still busy with a request whose answer came early: not waited for.
            if matches!(sender.ready().now_or_never(), Some(Ok(()))) {
                return Some(self.lease(sender, true));
            }
        }
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> io::Result<Lease> {
        let connecting = async {
            match &self.config.address {
                Address::Unix(path) => self.handshake(TokioIo::new(connect_unix(path).await?)).await,
                Address::Tcp(host, port) => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await?;
                    stream.set_nodelay(true)?;
                    self.handshake(TokioIo::new(stream)).await
                }
            }
        };
        let timeout = tokio::time::timeout(self.config.connect_timeout, connecting).await;
        let outcome = timeout.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        self.note(&outcome);
        Ok(self.lease(outcome?, false))
    }

    /// Whether it accepts connections: nothing is asked.
    pub(crate) async fn probe(&self, patience: Duration) -> io::Result<()> {
        let connecting = async {
            match &self.config.address {
                Address::Unix(path) => connect_unix(path).await.map(drop),
                Address::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await.map(drop),
            }
        };
        let timeout = tokio::time::timeout(patience, connecting).await;
        let outcome = timeout.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        self.note(&outcome);
        outcome
    }

    /// Why it could not be reached when last tried, and each change of that.
    pub(crate) fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    fn note<T>(&self, outcome: &io::Result<T>) {
        match outcome {
            Ok(_) => {
                if self.is_away.load(Relaxed) && self.is_away.swap(false, Relaxed) {
                    self.returned.notify_one();
                    self.trouble.send_replace(None);
                }
            }
            Err(error) => {
                if !self.is_away.swap(true, Relaxed) {
                    let text = error.to_string();
                    // The number says nothing that the words do not.
                    let why = text.split(" (os error").next().unwrap_or_default();
                    self.trouble.send_replace(Some(why.to_owned()));
                }
            }
        }
    }

    async fn handshake<T>(&self, io: T) -> io::Result<SendRequest<ToApp>>
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_ANSWER_HEAD);
        let (sender, connection) = builder.handshake(Lenient::new(io)).await.map_err(io::Error::other)?;
        tokio::spawn(async move {
            // An error reaches whoever waits for the answer on this connection; nobody else cares.
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }

    const fn lease(&self, sender: SendRequest<ToApp>, reused: bool) -> Lease {
        Lease { sender, reused, permit: None, idle_timeout: self.config.idle_timeout }
    }
}
