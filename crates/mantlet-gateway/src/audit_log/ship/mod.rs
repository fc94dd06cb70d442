//! Ships the log to other machines.
//!
//! A thread of its own reads what the writer has written, and sends the lines as they are: so they can be
//! verified where they arrive. How far each destination has got is kept, so a start goes on from there. A
//! destination that is slow or away holds up neither requests nor the writer: its lines wait in the file.
//!
//! | room | what it does |
//! |---|---|
//! | `destination` | what is configured |
//! | `watched` | starts it again if it fails by a mistake of its own |
//! | `shipper` | takes lines to one destination |
//! | `files`, `memory` | where lines are read: from the files of the log; or from memory, if it has none |
//! | `kept` | how far a destination has got |
//! | `stream`, `http` | connections and datagrams, requests |
//! | `syslog`, `otlp` | the message of RFC 5424, the log record of OpenTelemetry |
//! | `health` | figures, and what is said on the terminal |

mod destination;
mod files;
mod health;
mod http;
mod kept;
mod line;
mod memory;
#[cfg(feature = "otlp")]
mod otlp;
mod shipper;
mod stream;
mod syslog;
mod watched;

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::timeout};

pub use self::destination::{Destination, Format, Http, Place, Way, Wire};
pub(crate) use self::health::Health;
pub(super) use self::memory::Memory;
use self::shipper::Shipper;
use super::Progress;
use crate::tell;

/// How long the end of the process waits until all is shipped.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much longer it waits for the thread.
const GRACE: Duration = Duration::from_secs(1);
/// The pause before a shipper that has failed by a mistake of its own is started again.
const PAUSE: Duration = Duration::from_secs(10);

/// What has become of an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// All lines were taken but so many, which never will be.
    Taken { refused: u64 },
    /// It was too much at once.
    TooLarge,
    /// Something in it is wrong.
    Refused(String),
    /// Another attempt may succeed; perhaps after a pause.
    Failed { why: String, pause: Option<Duration> },
}

impl Outcome {
    const fn failed(why: String) -> Self {
        Self::Failed { why, pause: None }
    }
}

/// How all destinations fare.
pub(crate) type Fares = Arc<Mutex<Vec<Arc<Health>>>>;

/// Says something of a destination and a number of lines.
pub(super) type Say = Arc<dyn Fn(&str, u64) + Send + Sync>;

/// What all shippers know of the log.
#[derive(Clone)]
pub(super) struct Context {
    /// What the log is called.
    pub(super) log: String,
    /// Its newest file, if it can be read back.
    pub(super) file: Option<PathBuf>,
    /// A log in the folder where positions are kept.
    pub(super) beside: Option<PathBuf>,
    /// Its lines, if it cannot be read back.
    pub(super) memory: Option<Arc<Memory>>,
    pub(super) progress: Arc<Progress>,
    /// Says in the log that so many lines were not shipped to a destination.
    pub(super) say: Say,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("log", &self.log).finish_non_exhaustive()
    }
}

/// What the thread is told.
#[derive(Clone)]
struct Orders {
    destinations: Vec<Destination>,
    ends: bool,
}

/// The thread that ships.
pub(super) struct Shipping {
    orders: watch::Sender<Orders>,
    /// Closed when the thread has ended.
    ended: mpsc::Receiver<()>,
}

impl fmt::Debug for Shipping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shipping").finish_non_exhaustive()
    }
}

impl Shipping {
    pub(super) fn start(destinations: Vec<Destination>, context: Context) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (orders, told) = watch::channel(Orders { destinations, ends: false });
        let (alive, ended) = mpsc::channel();
        thread::Builder::new().name("audit-ship".into()).spawn(move || {
            let _alive: mpsc::Sender<()> = alive;
            runtime.block_on(run(told, &context));
            // A name that is being looked up is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { orders, ended })
    }

    /// Ships to these from now on.
    pub(super) fn heed(&self, destinations: Vec<Destination>) {
        self.orders.send_if_modified(|orders| {
            let is_new = orders.destinations != destinations;
            orders.destinations = destinations;
            is_new
        });
    }

    /// The writer has ended: ships what is left, for a while.
    pub(super) fn finish(self) {
        self.orders.send_modify(|orders| orders.ends = true);
        // A thread that a server keeps busy does not hold up the end of the process.
        if self.ended.recv_timeout(PATIENCE + GRACE) == Err(mpsc::RecvTimeoutError::Timeout) {
            tell("error: the audit log is still being shipped, and that is not waited for any longer");
        }
    }
}

async fn run(mut orders: watch::Receiver<Orders>, context: &Context) {
    loop {
        let Orders { destinations, ends: is_over } = orders.borrow_and_update().clone();
        let (ends, end) = watch::channel(is_over);
        let mut all = JoinSet::new();
        let mut healths: Vec<Arc<Health>> = Vec::new();
        let former = context.progress.fares.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for to in destinations {
            // What is counted goes on.
            let known = former.iter().find(|health| health.name == to.name()).cloned();
            let health = known.unwrap_or_else(|| Arc::new(Health::new(to.name())));
            healths.push(Arc::clone(&health));
            let (context, ends) = (context.clone(), end.clone());
            all.spawn(watched::run(Arc::clone(&health), end.clone(), PAUSE, move || {
                let shipper = Shipper::new(to.clone(), context.clone(), Arc::clone(&health))?;
                Ok(shipper.run(ends.clone()))
            }));
        }
        context.progress.fares.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&healths);
        let is_end = is_over || orders.changed().await.is_err() || orders.borrow().ends;
        // Others take over from where these have left off.
        let patience = if is_end { PATIENCE } else { Duration::from_secs(1) };
        ends.send_replace(true);
        let done = timeout(patience, async { while all.join_next().await.is_some() {} }).await;
        all.shutdown().await;
        if is_end {
            if done.is_err() {
                say_left(&healths, context.memory.is_some());
            }
            return;
        }
    }
}

fn say_left(healths: &[Arc<Health>], is_in_memory: bool) {
    for health in healths.iter().filter(|health| health.waiting() > 0) {
        let then = if is_in_memory { "are lost to it" } else { "go there after the next start" };
        tell(&format!(
            "{} audit records were not shipped to `{}` yet; they {then}",
            health.waiting(),
            health.name
        ));
    }
}
