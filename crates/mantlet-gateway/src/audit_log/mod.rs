//! Audit records, as JSON lines in a file and as short lines on the terminal.
//!
//! Records are queued and written by a thread of their own, so that a slow disk does not slow
//! requests down. A full queue loses records. Their number is shown on the terminal and recorded in
//! the file.
//!
//! | room | what it does |
//! |---|---|
//! | `writer` | the thread: takes records from the queue, writes, seals |
//! | `open` | how a log goes on where it was left |
//! | `file` | the file: lines that are linked to each other, seals, rotation |
//! | `notes` | records of the log about records |
//! | `seals` | the key of the next seal, and the file of seals |
//! | `anchors` | copies of seals elsewhere |
//! | `ship` | takes the lines to other machines |
//! | `terminal` | what a person reads |

mod anchors;
mod file;
mod notes;
mod open;
mod seals;
mod ship;
mod terminal;
mod writer;

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicI64, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use mantlet_controls::{
    Call, Mode, Reason,
    audit::{self, Keep, Record, Sink, Sums},
};
use tokio::sync::oneshot;

pub(crate) use self::ship::Health;
pub use self::ship::{Destination, Format, Http, Place, Way, Wire};
use self::{
    ship::{Context, Fares, Say, Shipping},
    terminal::Terminal,
    writer::Writer,
};
use crate::{guarded::Kind, metrics::Decisions, tell};

/// Records that may wait to be written.
const QUEUE: usize = 16_384;
/// How long a response waits for its record.
const PATIENCE: Duration = Duration::from_secs(5);

/// When the disk has to have a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// When the operating system thinks so.
    Os,
    /// After so long at most.
    Every(Duration),
    /// Before the client gets the response. If the disk cannot take it, requests are refused.
    Record,
}

/// Where seals go beside the file of seals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// Standard error, which is the journal of systemd or the log of a container.
    Terminal,
    /// A file, best on another machine.
    File(PathBuf),
}

/// Where records are written.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// The file of JSON lines, if records are written to one.
    pub file: Option<PathBuf>,
    /// Whether the operator named the file, or it is our own.
    pub kind: Kind,
    /// Whether the terminal (standard error) shows refusals.
    pub terminal: bool,
    /// Where seals and their key are kept if that is not possible beside the file.
    pub state: Option<PathBuf>,
    /// When the disk has to have a record.
    pub sync: Sync,
    /// How long a file may grow before it is renamed, in bytes; 0 for any length.
    pub rotate: u64,
    /// How often a log with new records is sealed.
    pub seal: Duration,
    /// Where seals go.
    pub anchors: Vec<Anchor>,
    /// Where the log is shipped to.
    pub ship: Vec<Destination>,
}

impl AuditConfig {
    /// Only the terminal, or nothing at all.
    pub const fn without_file(terminal: bool) -> Self {
        Self {
            file: None,
            kind: Kind::Named,
            terminal,
            state: None,
            sync: Sync::Os,
            rotate: 0,
            seal: Duration::MAX,
            anchors: Vec::new(),
            ship: Vec::new(),
        }
    }
}

/// Takes records without waiting.
#[derive(Debug, Clone)]
pub struct AuditLog {
    queue: SyncSender<Message>,
    shared: Arc<Progress>,
    sums: Arc<Sums>,
    /// Whether a response waits for its records.
    waits: bool,
    has_file: bool,
}

/// What there is to be said of the file of records.
#[derive(Debug)]
pub(crate) struct FileProgress {
    /// Records that were written since the start.
    pub(crate) written: u64,
    /// Records that were lost since the start.
    pub(crate) lost: u64,
    /// When it was last sealed since the start, in seconds since 1970.
    pub(crate) sealed_at: Option<i64>,
}

/// What the writer and those who hand it records know of each other.
#[derive(Debug, Default)]
struct Progress {
    /// Records that did not find room in the queue.
    lost: AtomicU64,
    /// Records that were handed over, counted before they are.
    sent: AtomicU64,
    /// Those of them that the disk has.
    settled: AtomicU64,
    /// The last attempt to write has failed.
    is_failing: AtomicBool,
    /// Records did not find room, and that is not noted yet.
    is_overflowing: AtomicBool,
    /// Records that are in the file.
    written: AtomicU64,
    /// Records that were lost since the start.
    lost_in_all: AtomicU64,
    /// When the log was last sealed, in seconds since 1970; 0 if it was not sealed since the start.
    sealed_at: AtomicI64,
    /// Lines that are in the file, those of earlier runs too.
    lines: AtomicU64,
    /// How those fare that the log is shipped to.
    fares: Fares,
    decisions: Decisions,
}

/// The thread that writes. It ends when told to, after it has written the queue.
#[derive(Debug)]
pub struct AuditWriter {
    queue: SyncSender<Message>,
    thread: JoinHandle<()>,
    /// None if lines can neither be read back nor are kept in memory.
    context: Option<Context>,
    shipping: Mutex<Option<Shipping>>,
}

#[derive(Debug)]
enum Message {
    Record(Box<Record>),
    /// Says whether the disk has all records before this.
    Settle(oneshot::Sender<bool>),
    /// Reopen the file: it may have been moved away.
    Reopen,
    /// So many lines were not shipped to a destination.
    Unshipped(String, u64),
    End,
}

impl AuditLog {
    /// Opens the file (made with mode 0600; existing records are kept) and starts the writer.
    pub fn open(config: &AuditConfig) -> io::Result<(Self, AuditWriter)> {
        let (file, context) = open_file(config)?;
        let (queue, records) = sync_channel(QUEUE);
        let sums = Arc::<Sums>::default();
        let shared = context.as_ref().map_or_else(Arc::default, |context| Arc::clone(&context.progress));
        let waits = file.as_ref().is_some_and(file::LogFile::loses_nothing);
        let has_file = config.file.is_some();
        let terminal = config.terminal.then(Terminal::new);
        let writer = Writer::new(file, terminal, Arc::clone(&shared), Arc::clone(&sums));
        let thread = std::thread::Builder::new().name("audit".into()).spawn(move || writer.run(&records))?;
        let context = context.map(|context| Context { say: said_to(&queue), ..context });
        let log = Self { queue: queue.clone(), shared, sums, waits, has_file };
        let writer = AuditWriter { queue, thread, context, shipping: Mutex::default() };
        writer.ship(config.ship.clone())?;
        Ok((log, writer))
    }

    /// How those fare that the log is shipped to.
    pub(crate) fn shipping(&self) -> Vec<Arc<Health>> {
        self.shared.fares.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often was decided what, whether it is recorded or only counted.
    pub(crate) fn decisions(&self) -> &Decisions {
        &self.shared.decisions
    }

    /// How the file fares; none if there is none.
    pub(crate) fn file_progress(&self) -> Option<FileProgress> {
        let Progress { written, lost_in_all, sealed_at, .. } = &*self.shared;
        self.has_file.then(|| FileProgress {
            written: written.load(Relaxed),
            lost: lost_in_all.load(Relaxed),
            sealed_at: Some(sealed_at.load(Relaxed)).filter(|sealed| *sealed > 0),
        })
    }

    /// Whether the disk has all records that were handed over before this.
    async fn settle(&self) -> bool {
        // Counted before they are handed over: so none of them is overlooked.
        let sent = self.shared.sent.load(SeqCst);
        if self.shared.settled.load(SeqCst) >= sent {
            return true;
        }
        let (tell, told) = oneshot::channel();
        if self.shared.is_overflowing.load(SeqCst) || self.queue.try_send(Message::Settle(tell)).is_err() {
            return false;
        }
        matches!(tokio::time::timeout(PATIENCE, told).await, Ok(Ok(true)))
    }
}

impl Sink for AuditLog {
    fn record(&self, record: Record) {
        self.shared.decisions.count(record.security_event, record.reason);
        // Of a flood only a few records are kept, so the queue has room for others.
        if !self.sums.keeps(&record, Instant::now()) {
            return;
        }
        self.shared.sent.fetch_add(1, SeqCst);
        if self.queue.try_send(Message::Record(Box::new(record))).is_err() {
            self.shared.is_overflowing.store(true, SeqCst);
            self.shared.lost.fetch_add(1, Relaxed);
            self.shared.settled.fetch_add(1, SeqCst);
        }
    }

    fn is_failing(&self) -> bool {
        self.waits && self.shared.is_failing.load(Relaxed)
    }

    fn settled(&self) -> Option<Pin<Box<dyn Future<Output = bool> + Send + '_>>> {
        self.waits.then(|| Box::pin(self.settle()) as _)
    }

    fn repeated(&self, call: &Call, reason: Reason, mode: Mode) {
        self.shared.decisions.count(audit::event(mode), reason.code());
        self.sums.count(audit::event(mode), reason, call.client.address, Instant::now());
    }

    fn keep(&self) -> Option<Keep> {
        let log = self.clone();
        Some(Arc::new(move |record| log.record(record)))
    }
}

impl AuditWriter {
    /// Reopens the file, after log rotation has moved the old one away.
    pub fn reopen(&self) {
        // Fails only if the thread has ended already.
        let _ = self.queue.send(Message::Reopen);
    }

    /// Ships the log to these from now on.
    pub fn ship(&self, destinations: Vec<Destination>) -> io::Result<()> {
        let mut shipping = self.shipping.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*shipping, &self.context) {
            (Some(shipping), _) => shipping.heed(destinations),
            (None, _) if destinations.is_empty() => {}
            (None, Some(context)) => {
                *shipping = Some(Shipping::start(destinations, context.clone())?);
            }
            (None, None) => tell(
                "note: `[[audit.ship]]` takes effect at the next start, because there is no audit file to read",
            ),
        }
        Ok(())
    }

    /// Writes the queue, ships what is left for a while, and ends.
    pub fn finish(self) {
        // Both fail only if the thread has ended already.
        let _ = self.queue.send(Message::End);
        let _ = self.thread.join();
        if let Some(shipping) = self.shipping.into_inner().unwrap_or_else(PoisonError::into_inner) {
            shipping.finish();
        }
    }
}

/// Opens the file, and says what there is to be shipped. What is shipped and not kept goes the way of a file that
/// cannot be read back.
fn open_file(config: &AuditConfig) -> io::Result<(Option<file::LogFile>, Option<Context>)> {
    let nowhere = (config.file.is_none() && !config.ship.is_empty()).then(|| AuditConfig {
        file: Some("/dev/null".into()),
        sync: Sync::Os,
        ..config.clone()
    });
    let config = nowhere.as_ref().unwrap_or(config);
    let Some(path) = &config.file else { return Ok((None, None)) };
    let file = open::open(config, path)?;
    let progress = Arc::<Progress>::default();
    progress.lines.store(file.lines(), Relaxed);
    let is_file = file.can_be_read();
    let memory = file.memory().cloned();
    let context = (is_file || memory.is_some()).then(|| Context {
        log: file.log().to_owned(),
        file: is_file.then(|| file.path().to_owned()),
        beside: is_file.then(|| open::home(config, file.path())),
        memory,
        progress,
        say: Arc::new(|_, _| ()),
    });
    Ok((Some(file), context))
}

/// Says in the log that lines were not shipped.
fn said_to(queue: &SyncSender<Message>) -> Say {
    let queue = queue.clone();
    Arc::new(move |to, count| {
        // Metrics count them, too.
        let _ = queue.try_send(Message::Unshipped(to.to_owned(), count));
    })
}
