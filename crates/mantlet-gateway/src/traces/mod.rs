//! Spans of requests, for an OpenTelemetry collector.
//!
//! What a thread of the gate does for a request that is recorded: it fills a record of fixed shape, and puts it
//! into a queue. A thread of its own makes OTLP of the records and sends them. If the collector is slow or
//! away, the queue gets full, and further spans are counted and dropped: no request waits.
//!
//! | room | what it does |
//! |---|---|
//! | `span` | the steps of one request: under way, and over |
//! | `otlp` | makes OTLP of them, with the crates of OpenTelemetry |
//! | `export` | the thread that sends them |

#[cfg(feature = "otlp")]
mod export;
#[cfg(feature = "otlp")]
mod otlp;
mod span;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use mantlet_controls::call::trace::Sampler;
use tokio::sync::mpsc::{self, error::TrySendError};

use self::span::Span;
pub(crate) use self::span::{AppSpan, OpenSpan};

/// Spans of requests that may wait to be sent (OpenTelemetry's SDKs: 2,048).
#[cfg(feature = "otlp")]
const QUEUE: usize = 2048;
/// How long the end of the gate waits for the last spans to be sent.
const LAST_WAIT: Duration = Duration::from_secs(3);

/// Where spans go, and which.
#[derive(Debug, Clone)]
pub struct TracesConfig {
    /// The address for spans: `http://HOST:4318/v1/traces`.
    pub endpoint: String,
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// The name of the gate among services.
    pub service_name: String,
    /// Whether the address gets what the variables of OpenTelemetry say: its headers, its patience.
    pub takes_variables: bool,
    /// Whether spans have the client's address.
    pub client_address: bool,
}

/// What becomes of requests that are recorded. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Tracer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sampler: Sampler,
    client_address: bool,
    queue: mpsc::Sender<Span>,
    sent: AtomicU64,
    dropped: AtomicU64,
}

/// The thread that sends spans.
#[derive(Debug)]
pub struct TracesThread {
    thread: JoinHandle<()>,
    /// Dropped to end it.
    goes_on: mpsc::Sender<()>,
}

impl Tracer {
    /// Starts the thread that sends spans. Fails if the configuration cannot be used, or the thread cannot be
    /// started.
    #[cfg(feature = "otlp")]
    pub fn start(config: &TracesConfig) -> io::Result<(Self, TracesThread)> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (goes_on, ends) = mpsc::channel(1);
        let tracer = Self::new(config, queue);
        let exporter = otlp::Exporter::new(config)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let counts = tracer.clone();
        let thread = std::thread::Builder::new().name("traces".into());
        let thread =
            thread.spawn(move || runtime.block_on(export::run(&exporter, waiting, ends, &counts)))?;
        Ok((tracer, TracesThread { thread, goes_on }))
    }

    /// Always fails.
    #[cfg(not(feature = "otlp"))]
    pub fn start(_config: &TracesConfig) -> io::Result<(Self, TracesThread)> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this build has no OpenTelemetry"))
    }

    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "nothing is started"))]
    fn new(config: &TracesConfig, queue: mpsc::Sender<Span>) -> Self {
        Self(Arc::new(Inner {
            sampler: config.sampler,
            client_address: config.client_address,
            queue,
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }))
    }

    pub(crate) fn sampler(&self) -> Sampler {
        self.0.sampler
    }

    fn take(&self, span: Span) {
        let count = span.count();
        if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) = self.0.queue.try_send(span) {
            self.0.dropped.fetch_add(count, Relaxed);
        }
    }

    /// Spans that a collector has taken, and spans that it will not get.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.0.sent.load(Relaxed), self.0.dropped.load(Relaxed))
    }
}

impl TracesThread {
    /// Sends what is left, for as long as that is worth it. Call it after the gate has ended.
    pub fn finish(self) {
        drop(self.goes_on);
        let start = Instant::now();
        while !self.thread.is_finished() && start.elapsed() < LAST_WAIT {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.thread.is_finished() {
            // One that panicked has already reported it.
            let _ = self.thread.join();
        }
    }
}
