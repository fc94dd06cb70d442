//! Where seals go beside the file of seals. A thread writes them, because a file on another machine may take
//! its time, or for ever.

use std::{
    io::{self, Write},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use mantlet_audit::Seal;
use serde::Serialize;

use super::Anchor;
use crate::{
    guarded::{self, Kind},
    tell,
};

/// Seals that may wait.
const QUEUE: usize = 64;
/// How long the end of the process waits for them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Takes seals without waiting.
#[derive(Debug)]
pub(super) struct Anchors {
    queue: SyncSender<Seal>,
    thread: JoinHandle<()>,
    is_full: bool,
}

impl Anchors {
    /// None if seals go nowhere else.
    pub(super) fn new(anchors: &[Anchor]) -> io::Result<Option<Self>> {
        if anchors.is_empty() {
            return Ok(None);
        }
        let (queue, seals) = sync_channel(QUEUE);
        let anchors = anchors.to_vec();
        let thread =
            thread::Builder::new().name("audit-anchors".into()).spawn(move || run(&anchors, &seals))?;
        Ok(Some(Self { queue, thread, is_full: false }))
    }

    pub(super) fn take(&mut self, seal: Seal) {
        let was_full = std::mem::replace(&mut self.is_full, self.queue.try_send(seal).is_err());
        if self.is_full && !was_full {
            tell(
                "error: a copy of the audit seals cannot be written: it takes too long. Seals are left out of it",
            );
        }
    }

    /// Waits for a while until all are written.
    pub(super) fn end(self) {
        drop(self.queue);
        let start = Instant::now();
        while !self.thread.is_finished() && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn run(anchors: &[Anchor], seals: &Receiver<Seal>) {
    let mut complained = false;
    for seal in seals {
        for anchor in anchors {
            if let Err((path, error)) = anchor.write(&seal)
                && !std::mem::replace(&mut complained, true)
            {
                tell(&format!("error: the copy of the audit seals `{path}` cannot be written: {error}"));
            }
        }
    }
}

impl Anchor {
    fn write(&self, seal: &Seal) -> Result<(), (String, io::Error)> {
        match self {
            Self::Terminal => {
                tell(&format!("audit seal: {}", seal.note.escape_debug()));
                Ok(())
            }
            Self::File(path) => {
                let written = guarded::open_to_append(path, Kind::Named).and_then(|mut file| {
                    let mut line = serde_json::to_vec(&Copied { note: &seal.note })?;
                    line.push(b'\n');
                    file.write_all(&line)?;
                    file.sync_data()
                });
                written.map_err(|error| (path.display().to_string(), error))
            }
        }
    }
}

/// A line of a copy of the seals.
#[derive(Serialize)]
struct Copied<'a> {
    note: &'a str,
}
