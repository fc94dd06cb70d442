//! The state of a connection while hyper owns its socket.
//!
//! The wire writes it and the connection's driver reads it, both on one thread. The listener of any
//! thread may ask the connection to close.

mod exchange;

use std::{
    net::SocketAddr,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;
use mantlet_controls::Reason;

pub(crate) use self::exchange::Exchange;

/// How long a client that has closed its sending side counts as present after its request has gone
/// to the app. A client that only stops sending still gets a quick response; after that the app
/// learns that the client has left.
const HOLD_ON: Duration = Duration::from_secs(1);

/// The phase of a connection, as limits need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// No byte of a request has come yet.
    Waiting,
    /// A part of a head has come.
    Head,
    /// A request is being read or answered.
    Busy,
}

/// Whether the app agreed to switch protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Upgrade {
    Undecided,
    Declined,
}

/// Whether the connection has been asked to end.
#[repr(u8)]
enum Close {
    No,
    WhenIdle,
    Evicted,
}

/// How many header lines the parser of this connection accepts.
#[repr(u8)]
enum Room {
    Plain,
    /// A head with more lines is waiting.
    Asked,
    /// As many as may come.
    Ample,
}

#[derive(Debug)]
pub(crate) struct ConnectionState {
    phase: AtomicU8,
    since: AtomicU64,
    upgrade: AtomicU8,
    write_blocked_since: AtomicU64,
    in_flight: AtomicU32,
    /// When all of the request under way had been sent to the app, or 0.
    sent_at: AtomicU64,
    /// The request under way is safe and waits for its turn.
    may_leave: AtomicBool,
    close: AtomicU8,
    has_verdict: AtomicBool,
    expects_body: AtomicBool,
    has_hints: AtomicBool,
    room: AtomicU8,
    /// Requests under way on this thread, over all its connections.
    pub(crate) busy: Arc<AtomicUsize>,
    /// The address that the client connected to; none for a unix socket.
    pub(crate) local: Option<SocketAddr>,
    /// Index in the registry of connections.
    pub(crate) slot: AtomicUsize,
    pub(crate) waker: AtomicWaker,
    rare: Mutex<Rare>,
}

/// State that few connections need.
#[derive(Debug, Default)]
struct Rare {
    verdict: Option<Reason>,
    /// Method and path of the refused head, where they were readable.
    request_line: Option<(String, String)>,
    /// Interim responses to the request under way.
    hints: Vec<u8>,
    /// One for each HTTP/2 stream under way.
    streams: Vec<Arc<Stream>>,
    /// The stream that has just begun and does not have a task yet.
    begun: Option<Arc<Stream>>,
}

/// An HTTP/2 stream under way.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Since when the last piece of its response has waited for the client, or 0.
    waits_since: AtomicU64,
    is_aborted: AtomicBool,
    /// Its response is looked at from time to time.
    is_watched: AtomicBool,
    waker: AtomicWaker,
}

impl Stream {
    /// Ready when the stream has waited too long for its client.
    pub(crate) fn poll_aborted(&self, cx: &Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.is_aborted.load(Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl ConnectionState {
    pub(crate) fn new(busy: Arc<AtomicUsize>, local: Option<SocketAddr>) -> Self {
        Self {
            busy,
            local,
            phase: AtomicU8::new(Phase::Waiting as u8),
            since: AtomicU64::new(now()),
            upgrade: AtomicU8::new(Upgrade::Undecided as u8),
            write_blocked_since: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            sent_at: AtomicU64::new(0),
            may_leave: AtomicBool::new(false),
            close: AtomicU8::new(Close::No as u8),
            has_verdict: AtomicBool::new(false),
            expects_body: AtomicBool::new(false),
            has_hints: AtomicBool::new(false),
            room: AtomicU8::new(Room::Plain as u8),
            slot: AtomicUsize::new(0),
            waker: AtomicWaker::new(),
            rare: Mutex::default(),
        }
    }

    fn rare(&self) -> std::sync::MutexGuard<'_, Rare> {
        self.rare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Waiting,
            1 => Phase::Head,
            _ => Phase::Busy,
        }
    }

    /// Enters a phase; the clock restarts only if the phase changes.
    pub(crate) fn enter(&self, phase: Phase) {
        if self.phase.swap(phase as u8, Relaxed) != phase as u8 && phase != Phase::Busy {
            self.since.store(now(), Relaxed);
        }
    }

    /// How long the phase has lasted. Not meaningful in [`Phase::Busy`].
    pub(crate) fn phase_age(&self) -> Duration {
        age(self.since.load(Relaxed))
    }

    /// A part of a head has come, and no request is under way before it.
    pub(crate) fn is_in_head(&self) -> bool {
        self.phase() == Phase::Head && self.in_flight.load(Relaxed) == 0
    }

    /// Whether the body of the last head is incomplete.
    pub(crate) fn expects_body(&self) -> bool {
        self.expects_body.load(Relaxed)
    }

    pub(crate) fn expect_body(&self, expected: bool) {
        self.expects_body.store(expected, Relaxed);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.phase() == Phase::Waiting
            && self.in_flight.load(Relaxed) == 0
            && self.write_blocked() == Duration::ZERO
    }

    /// No request is under way, and all responses are written; a head may have arrived.
    pub(crate) fn is_between(&self) -> bool {
        self.in_flight.load(Relaxed) == 0 && self.write_blocked() == Duration::ZERO
    }

    /// A head with many lines waits for a parser that accepts it.
    pub(crate) fn ask_for_room(&self) {
        self.room.store(Room::Asked as u8, Relaxed);
    }

    pub(crate) fn asks_for_room(&self) -> bool {
        self.room.load(Relaxed) == Room::Asked as u8
    }

    /// Whether the next parser must accept the highest number of lines.
    pub(crate) fn needs_room(&self) -> bool {
        let was = self.room.load(Relaxed);
        if was == Room::Asked as u8 {
            self.room.store(Room::Ample as u8, Relaxed);
        }
        was != Room::Plain as u8
    }

    /// Queues an interim response to the request under way, for the wire to write.
    pub(crate) fn hint(&self, bytes: &[u8]) {
        self.rare().hints.extend_from_slice(bytes);
        self.has_hints.store(true, Relaxed);
        self.waker.wake();
    }

    pub(crate) fn take_hints(&self) -> Option<Vec<u8>> {
        if !self.has_hints.load(Relaxed) {
            return None;
        }
        self.has_hints.store(false, Relaxed);
        Some(std::mem::take(&mut self.rare().hints))
    }

    pub(crate) fn write_blocked(&self) -> Duration {
        match self.write_blocked_since.load(Relaxed) {
            0 => Duration::ZERO,
            since => age(since).max(Duration::from_millis(1)),
        }
    }

    pub(crate) fn note_write(&self, blocked: bool) {
        let was = self.write_blocked_since.load(Relaxed);
        if blocked && was == 0 {
            self.write_blocked_since.store(now(), Relaxed);
        } else if !blocked && was != 0 {
            self.write_blocked_since.store(0, Relaxed);
        }
    }

    /// All of the request under way has been sent to the app.
    pub(crate) fn note_sent(&self) {
        self.sent_at.store(now(), Relaxed);
    }

    /// The request under way waits for its turn, and could be dropped without loss if its client
    /// left.
    pub(crate) fn let_leave(&self, may_leave: bool) {
        self.may_leave.store(may_leave, Relaxed);
    }

    /// Whether the request must be completed although the client closed its sending side at that
    /// moment ([`ConnectionState::moment`]): it has not reached the app yet, or has only just.
    pub(crate) fn holds_on(&self, ended_at: u64) -> bool {
        if self.in_flight.load(Relaxed) == 0 {
            return false;
        }
        match self.sent_at.load(Relaxed) {
            0 => !self.may_leave.load(Relaxed),
            sent_at => age(sent_at.max(ended_at)) < HOLD_ON,
        }
    }

    /// Now, for [`ConnectionState::holds_on`].
    pub(crate) fn moment() -> u64 {
        now()
    }

    /// Asks the connection to end as soon as only endless responses are under way.
    pub(crate) fn close(&self) {
        if self.close.fetch_max(Close::WhenIdle as u8, Relaxed) == Close::No as u8 {
            self.waker.wake();
            for stream in &self.rare().streams {
                stream.waker.wake();
            }
        }
    }

    /// Asks the connection to end and make room, even in the middle of a head.
    pub(crate) fn evict(&self) {
        self.close.store(Close::Evicted as u8, Relaxed);
        self.waker.wake();
    }

    pub(crate) fn should_close(&self) -> bool {
        self.close.load(Relaxed) != Close::No as u8
    }

    pub(crate) fn is_evicted(&self) -> bool {
        self.close.load(Relaxed) == Close::Evicted as u8
    }

    /// The wire's verdict on the client's bytes; the first one counts.
    pub(crate) fn condemn(&self, reason: Reason) {
        self.rare().verdict.get_or_insert(reason);
        self.has_verdict.store(true, Relaxed);
    }

    pub(crate) fn note_request_line(&self, method: &str, path: &str) {
        self.rare().request_line = Some((method.to_owned(), path.to_owned()));
    }

    pub(crate) fn take_request_line(&self) -> Option<(String, String)> {
        self.rare().request_line.take()
    }

    pub(crate) fn verdict(&self) -> Option<Reason> {
        if self.has_verdict.load(Relaxed) { self.rare().verdict } else { None }
    }

    pub(crate) fn upgrade(&self) -> Upgrade {
        if self.upgrade.load(Relaxed) == 0 { Upgrade::Undecided } else { Upgrade::Declined }
    }

    pub(crate) fn set_upgrade(&self, upgrade: Upgrade) {
        self.upgrade.store(upgrade as u8, Relaxed);
    }

    /// Ends the streams whose last piece has waited longer than this for the client.
    pub(crate) fn abort_stalled_streams(&self, limit: Duration) {
        for stream in &self.rare().streams {
            let since = stream.waits_since.load(Relaxed);
            if since != 0 && age(since) > limit {
                stream.is_aborted.store(true, Relaxed);
                stream.waker.wake();
            }
        }
    }

    /// Has watched responses look whether they may go on.
    pub(crate) fn look_at_streams(&self) {
        for stream in self.rare().streams.iter().filter(|stream| stream.is_watched.load(Relaxed)) {
            stream.waker.wake();
        }
    }

    /// The stream that has just begun, for the executor that creates its task.
    pub(crate) fn take_begun_stream(&self) -> Option<Arc<Stream>> {
        self.rare().begun.take()
    }
}

/// Milliseconds since the first call, never 0.
fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

fn age(since: u64) -> Duration {
    Duration::from_millis(now().saturating_sub(since))
}
