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

use mantlet_controls::audit::{Record, Sums};
use tokio::sync::oneshot;

use super::{Message, Progress, file::LogFile, terminal::Terminal};
use crate::{clock, tell};

/// How often it is looked what is due.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Writer {
    file: Option<LogFile>,
    terminal: Option<Terminal>,
    shared: Arc<Progress>,
    sums: Arc<Sums>,
    complained: bool,
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
            complained: false,
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
                Ok(Message::Reopen) => self.reopen(),
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
            self.heard(added);
        }
    }

    /// Writes what waits, and tells those who wait for it.
    fn flush(&mut self) {
        let written = self.file.as_mut().map_or(Ok(()), |file| file.flush(clock::now()));
        let is_written = written.is_ok();
        self.heard(written);
        if is_written {
            self.shared.settled.fetch_add(std::mem::take(&mut self.taken), SeqCst);
        }
        for waiting in self.waiting.drain(..) {
            // Its request may have ended.
            let _ = waiting.send(is_written);
        }
    }

    /// Does what is due from time to time.
    fn look(&mut self) {
        self.looked = Instant::now();
        self.sum_up(false);
        self.note_lost();
        self.flush();
        let settled = self.file.as_mut().map_or(Ok(()), |file| {
            file.settle()?;
            file.seal_if_due(clock::now())
        });
        if settled.is_err() {
            self.heard(settled);
        }
        if let Some(terminal) = &mut self.terminal {
            terminal.settle();
        }
    }

    fn end(mut self) {
        self.sum_up(true);
        self.note_lost();
        let closed = self.file.as_mut().map_or(Ok(()), |file| file.close(clock::now()));
        self.heard(closed);
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

    fn reopen(&mut self) {
        let reopened = self.file.as_mut().map_or(Ok(()), |file| file.reopen(clock::now()));
        self.heard(reopened);
    }

    fn note_lost(&mut self) {
        let lost = self.shared.lost.swap(0, Relaxed);
        if lost > 0 {
            if let Some(file) = &mut self.file {
                file.lose(lost);
            }
            tell(&format!("{lost} audit records were lost: they came faster than they could be written"));
        }
    }

    fn heard(&mut self, outcome: io::Result<()>) {
        self.shared.is_failing.store(outcome.is_err(), Relaxed);
        match outcome {
            Ok(()) if self.complained => {
                tell("the audit file can be written again");
                self.complained = false;
            }
            Err(error) if !self.complained => {
                let then = if self.file.as_ref().is_some_and(LogFile::loses_nothing) {
                    "requests are refused until it can be (`audit.fsync = \"record\"`)"
                } else {
                    "requests go on, and their records are counted as lost"
                };
                tell(&format!("error: the audit file cannot be written: {error}; {then}"));
                self.complained = true;
            }
            Ok(()) | Err(_) => {}
        }
    }
}
