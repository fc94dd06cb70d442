//! The thread that writes.

use std::{
    io,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mantlet_controls::audit::{Record, Sums};
use tokio::sync::oneshot;

use super::{Message, Progress, file::LogFile, notes, terminal::Terminal};
use crate::{clock, tell};

/// How often it is looked what is due.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Writer {
    file: Option<LogFile>,
    terminal: Option<Terminal>,
    shared: Arc<Progress>,
    sums: Arc<Sums>,
    /// What has failed and was said, by task.
    complained: [bool; 5],
    /// When it was last looked what is due.
    looked: Instant,
    /// Records that were taken from the queue and may not be on the disk yet.
    taken: u64,
    /// Those who wait until the disk has all records.
    waiting: Vec<oneshot::Sender<bool>>,
}

impl Writer {
    pub(super) fn new(
        file: Option<LogFile>,
        terminal: Option<Terminal>,
        shared: Arc<Progress>,
        sums: Arc<Sums>,
    ) -> Self {
        Self {
            file,
            terminal,
            shared,
            sums,
            complained: [false; 5],
            looked: Instant::now(),
            taken: 0,
            waiting: Vec::new(),
        }
    }

    pub(super) fn run(mut self, queue: &Receiver<Message>) {
        loop {
            let message = queue.try_recv().or_else(|_| {
                // Nothing is left: what was taken is written before the thread rests.
                self.flush();
                queue.recv_timeout(LOOK_EVERY)
            });
            match message {
                Ok(Message::Record(record)) => {
                    self.write(&record);
                    self.taken += 1;
                }
                Ok(Message::Settle(tell)) => self.waiting.push(tell),
                Ok(Message::Reopen) => {
                    let reopened = self.file.as_mut().map_or(Ok(()), |file| file.reopen(clock::now()));
                    self.heard(Task::Reopen, reopened);
                }
                Ok(Message::Unshipped(to, count)) => {
                    if let Some(file) = &mut self.file {
                        file.say_line(&notes::unshipped(&to, count, clock::now()));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
            if self.looked.elapsed() >= LOOK_EVERY {
                self.look();
            }
        }
    }

    fn write(&mut self, record: &Record) {
        // A record of usage is not an event, and what was done is not refused: the terminal shows neither.
        if let Some(terminal) = &mut self.terminal
            && record.usage.is_none()
            && !record.is_of_action()
        {
            terminal.show(record);
        }
        let Some(file) = &mut self.file else { return };
        let added = serde_json::to_vec(record)
            .map_err(io::Error::from)
            .and_then(|record| file.add(&record, clock::now()));
        if added.is_err() {
            self.heard(Task::Write, added);
        }
    }

    /// Writes what waits, and tells those who wait for it.
    fn flush(&mut self) {
        let written = self.file.as_mut().map_or(Ok(()), |file| file.flush(clock::now()));
        let is_written = written.is_ok();
        self.heard(Task::Write, written);
        self.publish();
        if is_written {
            self.shared.settled.fetch_add(std::mem::take(&mut self.taken), SeqCst);
        }
        for waiting in self.waiting.drain(..) {
            // Its request may have ended.
            let _ = waiting.send(is_written);
        }
    }

    /// What metrics say of the file.
    fn publish(&self) {
        let Some(file) = &self.file else { return };
        self.shared.written.store(file.written, Relaxed);
        self.shared.lines.store(file.lines(), Relaxed);
        self.shared.lost_in_all.store(file.lost_in_all, Relaxed);
        self.shared.sealed_at.store(file.last_seal.map_or(0, Timestamp::as_second), Relaxed);
    }

    /// Does what is due from time to time. What fails keeps nothing else from being done.
    fn look(&mut self) {
        self.looked = Instant::now();
        self.sum_up(false);
        self.note_lost();
        self.flush();
        let now = clock::now();
        for (task, run) in TASKS {
            if let Some(file) = &mut self.file {
                let outcome = run(file, now);
                self.heard(task, outcome);
            }
        }
        self.publish();
        if let Some(terminal) = &mut self.terminal {
            terminal.settle();
        }
    }

    fn end(mut self) {
        self.sum_up(true);
        self.note_lost();
        let closed = self.file.as_mut().map_or(Ok(()), |file| file.close(clock::now()));
        self.publish();
        if let Some(file) = self.file.take() {
            file.end();
        }
        self.heard(Task::Write, closed);
        if let Some(terminal) = &mut self.terminal {
            terminal.settle();
        }
    }

    /// Writes the sums of events that were counted instead of recorded, once their time is over.
    fn sum_up(&mut self, is_end: bool) {
        for record in self.sums.read(Instant::now(), clock::now(), is_end) {
            self.write(&record);
        }
    }

    fn note_lost(&mut self) {
        let lost = self.shared.lost.swap(0, Relaxed);
        if lost > 0 {
            if let Some(file) = &mut self.file {
                file.lose(lost);
            }
            self.shared.is_overflowing.store(false, SeqCst);
            tell(&format!("{lost} audit records were lost: they came faster than they could be written"));
        }
    }

    /// Says what has failed, once, and that it works again.
    fn heard(&mut self, task: Task, outcome: io::Result<()>) {
        if task == Task::Write {
            self.shared.is_failing.store(outcome.is_err(), Relaxed);
        }
        let Some(complained) = self.complained.get_mut(task as usize) else { return };
        let is_news = std::mem::replace(complained, outcome.is_err()) != outcome.is_err();
        match outcome {
            Ok(()) if is_news => tell(&format!("the audit {} again", task.works())),
            Err(error) if is_news => {
                let then = match task {
                    Task::Write if self.file.as_ref().is_some_and(LogFile::loses_nothing) => {
                        "requests are refused until it can be (`audit.fsync = \"record\"`)"
                    }
                    Task::Write => "requests go on, and records that find no room are counted as lost",
                    _ => "records go on",
                };
                tell(&format!("error: the audit {}: {error}; {then}", task.fails()));
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// What is done with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Write,
    Sync,
    Seal,
    Reopen,
    Rotate,
}

/// What is done from time to time.
type Run = fn(&mut LogFile, Timestamp) -> io::Result<()>;
const TASKS: [(Task, Run); 4] = [
    (Task::Reopen, LogFile::reopen_if_due),
    (Task::Sync, |file, _| file.settle()),
    (Task::Seal, LogFile::seal_if_due),
    (Task::Rotate, LogFile::rotate_if_due),
];

impl Task {
    const fn fails(self) -> &'static str {
        match self {
            Self::Write => "file cannot be written",
            Self::Sync => "file cannot be synced to its disk",
            Self::Seal => "log cannot be sealed",
            Self::Reopen => "file cannot be opened anew",
            Self::Rotate => "file cannot be renamed",
        }
    }

    const fn works(self) -> &'static str {
        match self {
            Self::Write => "file can be written",
            Self::Sync => "file can be synced",
            Self::Seal => "log can be sealed",
            Self::Reopen => "file can be opened",
            Self::Rotate => "file can be renamed",
        }
    }
}
