//! Audit records, as JSON lines in a file and as short lines on the terminal.
//!
//! Records are queued and written by a thread of their own, so that a slow disk does not slow
//! requests down. A full queue loses records. Their number is shown on the terminal and recorded in
//! the file.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use mantlet_controls::{
    Call, Mode, Reason,
    audit::{self, Keep, Record, Sink, Sums},
};

use crate::{
    clock,
    guarded::{self, Kind},
    tell,
};

/// Records that may wait to be written.
const QUEUE: usize = 16_384;
/// How long a record may stay in memory.
const SETTLE_EVERY: Duration = Duration::from_millis(100);
/// Lines a second on the terminal; more are counted.
const TERMINAL_LINES: u32 = 20;

/// Where records are written.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// The file of JSON lines, if records are written to one.
    pub file: Option<PathBuf>,
    /// Whether the operator named the file, or it is our own.
    pub kind: Kind,
    /// Whether the terminal (standard error) shows refusals.
    pub terminal: bool,
}

/// Takes records without waiting.
#[derive(Debug, Clone)]
pub struct AuditLog {
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
    sums: Arc<Sums>,
}

/// The thread that writes. It ends when told to, after it has written the queue.
#[derive(Debug)]
pub struct AuditWriter {
    queue: SyncSender<Message>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
enum Message {
    Record(Box<Record>),
    /// Reopen the file: it may have been moved away.
    Reopen,
    End,
}

impl AuditLog {
    /// Opens the file (made with mode 0600; existing records are kept) and starts the writer.
    pub fn open(config: &AuditConfig) -> io::Result<(Self, AuditWriter)> {
        let file = config.file.as_deref().map(|path| open_file(path, config.kind)).transpose()?;
        let (queue, records) = sync_channel(QUEUE);
        let (lost, sums) = (Arc::new(AtomicU64::new(0)), Arc::<Sums>::default());
        let writer = Writer {
            file: file.map(BufWriter::new),
            path: config.file.clone(),
            kind: config.kind,
            terminal: config.terminal.then(Terminal::new),
            lost: Arc::clone(&lost),
            sums: Arc::clone(&sums),
            complained: false,
            settled: Instant::now(),
        };
        let thread = std::thread::Builder::new().name("audit".into()).spawn(move || writer.run(&records))?;
        Ok((Self { queue: queue.clone(), lost, sums }, AuditWriter { queue, thread }))
    }
}

impl Sink for AuditLog {
    fn record(&self, record: Record) {
        // Of a flood only a few records are kept, so the queue has room for others.
        if self.sums.keeps(&record, Instant::now())
            && self.queue.try_send(Message::Record(Box::new(record))).is_err()
        {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    fn repeated(&self, call: &Call, reason: Reason, mode: Mode) {
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

    /// Writes the queue and ends.
    pub fn finish(self) {
        // Both fail only if the thread has ended already.
        let _ = self.queue.send(Message::End);
        let _ = self.thread.join();
    }
}

/// Checked each time: the file or its folder may have been replaced since it was last opened.
fn open_file(path: &Path, kind: Kind) -> io::Result<File> {
    match path.parent() {
        Some(folder) if kind == Kind::Own => drop(guarded::prepare_folder(folder)?),
        Some(folder) => std::fs::create_dir_all(folder)?,
        None => {}
    }
    guarded::open_to_append(path, kind)
}

struct Writer {
    file: Option<BufWriter<File>>,
    path: Option<PathBuf>,
    kind: Kind,
    terminal: Option<Terminal>,
    lost: Arc<AtomicU64>,
    sums: Arc<Sums>,
    complained: bool,
    /// When the buffer was last written to disk.
    settled: Instant,
}

impl Writer {
    fn run(mut self, records: &Receiver<Message>) {
        loop {
            match records.recv_timeout(SETTLE_EVERY) {
                Ok(Message::Record(record)) => {
                    self.write(&record);
                    if self.settled.elapsed() >= SETTLE_EVERY {
                        self.sum_up(false);
                        self.settle();
                    }
                }
                Ok(Message::Reopen) => self.reopen(),
                // Nothing came for a while: write the buffer to disk.
                Err(RecvTimeoutError::Timeout) => {
                    self.sum_up(false);
                    self.settle();
                }
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => {
                    self.sum_up(true);
                    return self.settle();
                }
            }
        }
    }

    fn write(&mut self, record: &Record) {
        // A record of usage is not an event, so the terminal does not show it.
        if let Some(terminal) = &mut self.terminal
            && record.usage.is_none()
        {
            terminal.show(record);
        }
        let Some(file) = &mut self.file else { return };
        // Serialised first, so that a full disk does not cut a line short.
        let line = serde_json::to_vec(record).map_err(io::Error::from);
        let written = line.and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)
        });
        if let Err(error) = written {
            self.complain(&error);
        }
    }

    /// Writes the sums of events that were counted instead of recorded, once their time is over.
    fn sum_up(&mut self, is_end: bool) {
        for record in self.sums.read(Instant::now(), clock::now(), is_end) {
            self.write(&record);
        }
    }

    fn reopen(&mut self) {
        self.settle();
        match self.path.as_deref().map(|path| open_file(path, self.kind)).transpose() {
            Ok(file) => {
                self.file = file.map(BufWriter::new);
                self.complained = false;
            }
            Err(error) => self.complain(&error),
        }
    }

    fn settle(&mut self) {
        self.settled = Instant::now();
        let lost = self.lost.swap(0, Relaxed);
        if let Some(file) = &mut self.file {
            let noted = if lost > 0 {
                let time = time_now();
                writeln!(file, r#"{{"time":"{time}","security_event":"records-lost","count":{lost}}}"#)
            } else {
                Ok(())
            };
            if let Err(error) = noted.and_then(|()| file.flush()) {
                self.complain(&error);
            }
        }
        if lost > 0 {
            tell(&format!("{lost} audit records were lost: they came faster than they could be written"));
        }
        if let Some(terminal) = &mut self.terminal {
            terminal.settle();
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if !self.complained {
            tell(&format!("the audit file cannot be written: {error}; requests go on without records"));
            self.complained = true;
        }
    }
}

fn time_now() -> String {
    clock::now().to_string()
}

/// Refusals on the terminal: no more than a person can read.
struct Terminal {
    second: Instant,
    shown: u32,
    hidden: u64,
}

impl Terminal {
    fn new() -> Self {
        Self { second: Instant::now(), shown: 0, hidden: 0 }
    }

    fn show(&mut self, record: &Record) {
        self.settle();
        if self.shown >= TERMINAL_LINES {
            self.hidden += 1;
            return;
        }
        self.shown += 1;
        let name = record.subject.as_deref().unwrap_or_default();
        let subject = if name.is_empty() { String::new() } else { format!(" ({})", name.escape_debug()) };
        match record.security_event {
            "store-unavailable" => return tell(&format!("the store is unavailable{subject}")),
            "store-recovered" => return tell("the store is available again"),
            _ => {}
        }
        let client = record.client_ip.map_or_else(|| "a local process".to_owned(), |ip| ip.to_string());
        match record.security_event {
            event @ ("client-banned" | "client-would-be-banned") => {
                let verb = if event == "client-banned" { "banned" } else { "would ban" };
                let until = record.until.map_or_else(String::new, |until| format!(" until {until:.0}"));
                return tell(&format!("{verb} {client}{until}: the last refusal was {name}"));
            }
            "quota-warning" => {
                let who =
                    record.user.as_deref().map_or(client.clone(), |user| user.escape_debug().to_string());
                return tell(&format!("{who} has used up most of the quota {name}"));
            }
            "session-ended" => {
                let whose = record
                    .user
                    .as_deref()
                    .map_or_else(String::new, |user| format!(" of {}", user.escape_debug()));
                return tell(&format!("ended the session {name}{whose}: {}", record.reason));
            }
            "api-key-created" | "api-key-revoked" => {
                let did = if record.action == "revoke" { "revoked" } else { "made" };
                return tell(&format!("{did} the API key {}", name.escape_debug()));
            }
            "api-key-ends-soon" => {
                let until = record.until.map_or_else(String::new, |until| format!(" until {until:.0}"));
                return tell(&format!(
                    "warning: the API key {} is in use, and good{until}; `mantlet keys create` makes the next one",
                    name.escape_debug()
                ));
            }
            "quota-reset" => return tell(&format!("reset a key of the quota {name}")),
            "records-summed" => return tell_sum(record),
            "issuer-unavailable" => {
                return tell(&format!("error: cannot fetch the keys of the issuer {name}"));
            }
            "issuer-recovered" => return tell(&format!("the keys of the issuer {name} are fetched again")),
            "token-key-found" => return tell_key(record, name),
            "token-verdict-contradicted" => {
                return tell(&format!(
                    "warning: the app has accepted a bad token: {}; `[authentication]` leaves such tokens to the app",
                    name.escape_debug()
                ));
            }
            "ban-lifted" => return tell(&format!("lifted the ban of {}", name.escape_debug())),
            _ => {}
        }
        let what = match (&record.method, &record.path) {
            // Debug escapes control characters, which a path that has not been judged may contain.
            (Some(method), Some(route)) => format!("{method} {}", route.escape_debug()),
            _ if record.status.is_some() => "a malformed request".to_owned(),
            _ => "a connection".to_owned(),
        };
        let id = &record.request_id;
        let verb = match record.security_event {
            "response-would-be-changed" if record.reason == "cookie-attributes-missing" => {
                "would add attributes to a cookie in the response to"
            }
            "response-would-be-changed" => "would change the response to",
            "response-changed" if record.action == "replace" => "replaced the response to",
            "response-changed" => "cut fields out of the response to",
            "response-not-judged" => "could not examine the response to",
            "request-changed" if record.reason.starts_with("session-") => "withheld the credential of",
            "request-changed" if record.reason == "header-removed" => "removed a header from",
            "stream-ended" => "ended the stream of",
            "stream-would-be-ended" => "would end the stream of",
            "request-would-be-changed" => "would remove a header from",
            "request-changed" => "cut unknown fields out of",
            _ if record.action == "refuse" => "refused",
            _ => "would refuse",
        };
        let status = record.status.map_or_else(String::new, |status| format!(" {status}"));
        let id = if id.is_empty() { String::new() } else { format!(" [{id}]") };
        let remedy = record.remedy.as_ref().map_or_else(String::new, |line| {
            let effect = if record.action == "pass" { "enforce" } else { "allow" };
            format!("; to {effect} it: {line}")
        });
        tell(&format!("{verb} {what} from {client}:{status} {}{subject}{id}{remedy}", record.reason));
    }

    fn settle(&mut self) {
        if self.second.elapsed() >= Duration::from_secs(1) {
            if self.hidden > 0 {
                tell(&format!("and {} more; the audit file has them all", self.hidden));
            }
            *self = Self::new();
        }
    }
}

/// The key of the app's tokens, and what is wrong with it. The place is a text of the app.
fn tell_key(record: &Record, place: &str) {
    let forged = if record.mode == "enforce" {
        "forged ones are refused where the app was seen to refuse them"
    } else {
        "forged ones are only recorded, because the app may have another key (`mantlet contract` says where)"
    };
    let found = format!("tokens of the app are verified with its key: {}\n  {forged}", place.escape_debug());
    tell(&match record.reason {
        "jwt-key-public" => format!(
            "warning: {found}\n  this key is published: anyone can forge tokens of the app. Give it a key of its own, such as from `openssl rand -hex 32`"
        ),
        "jwt-key-guessable" => format!(
            "warning: {found}\n  this key can be guessed in a second: anyone can forge tokens of the app. Give it a key of its own, such as from `openssl rand -hex 32`"
        ),
        "jwt-key-short" => format!(
            "warning: {found}\n  this key is shorter than RFC 7518 asks for, and can be guessed offline. Use `openssl rand -hex 32`"
        ),
        _ => found,
    });
}

/// A line for the sum of all addresses. Sums of usage and of single addresses are in the file only.
fn tell_sum(record: &Record) {
    let Some(summed) = record.summed.as_ref().filter(|_| record.client_ip.is_none()) else { return };
    let did = if summed.event.contains("would-be") { "would refuse" } else { "refused or recorded" };
    let from = match summed.addresses {
        None | Some(1) => String::new(),
        Some(count) => format!(" from {count} addresses"),
    };
    let (count, reason, seconds) = (summed.count, record.reason, summed.seconds);
    tell(&format!("{did} {count} more{from} in {seconds} s: {reason}"));
}
