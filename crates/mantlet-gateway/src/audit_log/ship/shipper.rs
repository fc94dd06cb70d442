//! Takes the lines to one destination: in order, each at least once, and never faster than they are taken.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::sleep};
use tokio_rustls::TlsConnector;

use super::{
    Context, Outcome,
    destination::{Destination, Http, Way, Wire},
    files::Files,
    health::{Health, Voice},
    http,
    kept::Kept,
    line::{Line, Position},
    memory::Memory,
    stream::{Datagrams, Stream},
    syslog::Header,
};
use crate::tell;

/// How often it is looked whether there are new lines.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The first and the longest pause after a failure; each one is twice as long as the one before.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Lines that are sent together, at most.
const MOST: usize = 10_000;
/// How often it is said in the log that lines could not be shipped.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// What lines are sent over.
enum Link {
    Stream(Box<Stream>),
    Datagrams(Datagrams),
    Http(Box<Http>, Option<TlsConnector>),
}

/// Where lines come from.
enum Source {
    Files(Files),
    Memory(Arc<Memory>, Option<Position>),
}

pub(super) struct Shipper {
    to: Destination,
    link: Link,
    source: Source,
    context: Context,
    kept: Kept,
    health: Arc<Health>,
    voice: Voice,
    /// Lines that were read and not taken yet.
    pending: VecDeque<Line>,
    /// Bytes of them.
    bytes: usize,
    /// Since when the first of them waits.
    since: Instant,
    /// Lines of an attempt, at most: fewer after a batch was refused.
    most: usize,
    /// The first line was refused; the one after it tells whether it is about that line.
    probes: bool,
    pause: Duration,
    /// The line after the last gap that was counted.
    counted: u64,
    /// Lines that will not be shipped, and when that was said last.
    unsaid: (u64, Option<Instant>),
}

impl Shipper {
    pub(super) fn new(to: Destination, context: Context, health: Arc<Health>) -> Result<Self, String> {
        let connector = || to.trust.connector().map(Some).map_err(|error| error.to_string());
        let link = match &to.way {
            Way::Syslog { wire, facility } => {
                let header = Header::new(*facility);
                let stream = |host: &String, port: &u16, tls| {
                    Link::Stream(Box::new(Stream::new(header, (host.clone(), *port), tls, to.timeout)))
                };
                match wire {
                    Wire::Tcp(host, port) => stream(host, port, None),
                    Wire::Tls(host, port) => stream(host, port, connector()?),
                    Wire::Udp(..) | Wire::Unix(_) => {
                        Link::Datagrams(Datagrams::new(Header::new(*facility), wire.clone()))
                    }
                }
            }
            Way::Http(http) => {
                let tls = if http.target.is_https() { connector()? } else { None };
                Link::Http(http.clone(), tls)
            }
        };
        let mut kept = Kept::of(context.beside.as_deref(), &to);
        if let (Some(_), Some(reached)) = (&context.memory, health.reached()) {
            kept.put(reached);
        }
        let source = match (&context.file, &context.memory) {
            (_, Some(memory)) => Source::Memory(Arc::clone(memory), kept.position().cloned()),
            (file, None) => {
                Source::Files(Files::new(file.clone().unwrap_or_default(), kept.position().cloned()))
            }
        };
        Ok(Self {
            to,
            link,
            source,
            context,
            kept,
            health,
            voice: Voice::default(),
            pending: VecDeque::new(),
            bytes: 0,
            since: Instant::now(),
            most: MOST,
            probes: false,
            pause: PAUSES.0,
            counted: 0,
            unsaid: (0, None),
        })
    }

    /// Ships until it ends, and then what is left.
    pub(super) async fn run(mut self, mut ends: watch::Receiver<bool>) {
        loop {
            let is_end = *ends.borrow_and_update();
            if let Err(error) = self.gather() {
                let why = format!("its file cannot be read: {error}");
                self.failed(&why, None, &mut ends).await;
                continue;
            }
            self.measure();
            if self.pending.is_empty() && is_end {
                break;
            }
            let is_due = is_end || self.bytes >= self.to.batch || self.since.elapsed() >= self.to.every;
            if self.pending.is_empty() || !is_due {
                self.rest(&mut ends).await;
                continue;
            }
            let outcome = self.attempt().await;
            self.heed(outcome, &mut ends).await;
        }
        if let Link::Stream(stream) = &mut self.link
            && let Some(position) = stream.end().await
        {
            self.keep(position);
        }
    }

    /// Reads lines until there are enough for a batch.
    fn gather(&mut self) -> io::Result<()> {
        let lines = self.context.progress.lines.load(Relaxed);
        while self.bytes < self.to.batch && self.pending.len() < MOST {
            let line = match &mut self.source {
                Source::Files(files) => files.next(&self.context.log, lines)?,
                Source::Memory(memory, last) => {
                    let line = memory.after(last.as_ref(), &self.context.log);
                    if let Some(line) = &line {
                        *last = Some(line.position.clone());
                    }
                    line
                }
            };
            let Some(line) = line else { break };
            // After a connection broke, a gap is read again.
            if line.missed > 0 && line.seq() > self.counted {
                self.counted = line.seq();
                self.lose(line.missed, "they are not there any more");
            }
            if self.pending.is_empty() {
                self.since = Instant::now();
            }
            self.bytes += line.text.len();
            self.pending.push_back(line);
        }
        self.say_lost();
        Ok(())
    }

    /// What metrics say of it.
    fn measure(&self) {
        let lines = self.context.progress.lines.load(Relaxed);
        let waiting = match self.pending.front() {
            None => 0,
            Some(line) if line.position.log == self.context.log => lines.saturating_sub(line.seq()),
            Some(_) => lines + self.pending.len() as u64,
        };
        self.health.waits(waiting, self.pending.front().and_then(|line| line.facts().time()));
    }

    async fn attempt(&mut self) -> Outcome {
        let lines = self.pending.make_contiguous();
        // After a refused line, the next one alone.
        let some = if self.probes { lines.get(1..2) } else { lines.get(..self.most.min(lines.len())) };
        let Some(lines) = some else {
            return Outcome::failed("it refuses a record".to_owned());
        };
        match &mut self.link {
            Link::Stream(stream) => stream.send(lines).await,
            Link::Http(http, tls) => http::send(http, tls.as_ref(), lines, self.to.timeout).await,
            Link::Datagrams(datagrams) => {
                self.most = 1;
                match lines.first() {
                    Some(line) => datagrams.send(line, self.to.timeout).await,
                    None => Outcome::Taken { refused: 0 },
                }
            }
        }
    }

    async fn heed(&mut self, outcome: Outcome, ends: &mut watch::Receiver<bool>) {
        let count = self.most.min(self.pending.len());
        match outcome {
            Outcome::Taken { refused } => {
                let was_probe = std::mem::take(&mut self.probes);
                let refused = refused.saturating_add(u64::from(was_probe));
                if refused > 0 {
                    self.lose(refused, "it refuses them");
                }
                self.taken(if was_probe { 2 } else { count }, refused);
            }
            Outcome::TooLarge if count == 1 && !self.probes => {
                self.lose(1, "they are too large for it");
                self.taken(1, 1);
            }
            Outcome::Refused(_) if count == 1 && !self.probes => self.probes = true,
            Outcome::TooLarge | Outcome::Refused(_) if !self.probes => self.most = count.div_ceil(2),
            Outcome::TooLarge => self.failed("it takes no record of this size", None, ends).await,
            Outcome::Refused(why) => self.failed(&why, None, ends).await,
            Outcome::Failed { why, pause } => self.failed(&why, pause, ends).await,
        }
    }

    /// So many lines are done with; all but a few were taken.
    fn taken(&mut self, count: usize, lost: u64) {
        let done: Vec<Line> = self.pending.drain(..count.min(self.pending.len())).collect();
        self.bytes -= done.iter().map(|line| line.text.len()).sum::<usize>();
        self.since = Instant::now();
        self.most = (self.most * 2).min(MOST);
        self.pause = PAUSES.0;
        self.health.took((done.len() as u64).saturating_sub(lost));
        self.voice.works(&self.health);
        let arrived = match &mut self.link {
            Link::Stream(stream) => stream.confirmed(),
            Link::Datagrams(_) | Link::Http(..) => done.last().map(|line| line.position.clone()),
        };
        if let Some(arrived) = arrived {
            self.keep(arrived);
        }
    }

    /// Says it, and waits for a while.
    async fn failed(&mut self, why: &str, asked: Option<Duration>, ends: &mut watch::Receiver<bool>) {
        self.probes = false;
        let waits_in = if self.context.memory.is_some() { "memory, as many as fit" } else { "its file" };
        self.voice.fails(&self.health, why, waits_in);
        self.go_back();
        let longest = if *ends.borrow() { PAUSES.0 } else { PAUSES.1 };
        let pause = asked.unwrap_or_default().max(self.pause).min(longest.max(asked.unwrap_or_default()));
        self.pause = (2 * self.pause).min(PAUSES.1);
        tokio::select! {
            () = sleep(pause) => {}
            _ = ends.changed() => {}
        }
    }

    /// After a connection broke, what was sent shortly before is read and sent again.
    fn go_back(&mut self) {
        let Link::Stream(stream) = &mut self.link else { return };
        let (confirmed, given_up) = (stream.confirmed(), stream.forget());
        if let Some(arrived) = confirmed {
            self.keep(arrived);
        }
        if let Some(last) = given_up {
            self.doubt(last);
        }
        self.pending.clear();
        self.bytes = 0;
        let last = self.kept.position().cloned();
        match &mut self.source {
            Source::Files(files) => files.go_back(last),
            Source::Memory(_, place) => *place = last,
        }
    }

    /// Waits for new lines, or for others to join those that wait.
    async fn rest(&mut self, ends: &mut watch::Receiver<bool>) {
        self.kept.save();
        let broken = async {
            match &mut self.link {
                Link::Stream(stream) => stream.broken().await,
                Link::Datagrams(_) | Link::Http(..) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep(LOOK_EVERY) => {
                if let Link::Stream(stream) = &mut self.link && let Some(arrived) = stream.confirmed() {
                    self.keep(arrived);
                }
            }
            _ = ends.changed() => {}
            // It may have been started anew, and is not said to fail until it cannot be reached.
            () = broken => self.go_back(),
        }
    }

    /// Everything up to this line has arrived.
    fn keep(&mut self, arrived: Position) {
        if self.context.memory.is_some() {
            self.health.reaches(&arrived);
        }
        self.kept.put(arrived);
    }

    /// Lines up to this one were sent as often as they are, to a server whose connections always break.
    fn doubt(&mut self, last: Position) {
        let known = self.kept.position().filter(|known| known.log == last.log);
        let count =
            last.seq.saturating_add(1).saturating_sub(known.map_or(0, |known| known.seq.saturating_add(1)));
        self.kept.doubt(count);
        if self.health.doubts(count) {
            tell(&format!(
                "warning: `{}` has closed each connection shortly after {count} audit records were sent; perhaps they have not arrived",
                self.health.name
            ));
        }
        self.keep(last);
    }

    fn lose(&mut self, count: u64, why: &str) {
        self.health.lost(count);
        if self.unsaid.0 == 0 {
            tell(&format!("error: {count} audit records were not shipped to `{}`: {why}", self.health.name));
        }
        self.unsaid.0 = self.unsaid.0.saturating_add(count);
    }

    /// Says in the log how many lines were not shipped.
    fn say_lost(&mut self) {
        let (count, said) = self.unsaid;
        if count > 0 && said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            self.unsaid = (0, Some(Instant::now()));
            (self.context.say)(&self.health.name, count);
        }
    }
}
