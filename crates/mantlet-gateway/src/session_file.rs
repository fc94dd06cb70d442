//! The sessions of this machine, in a file that outlives the process.
//!
//! One line of JSON for each event, after a first line with the format. A thread of its own appends
//! the events of each second; a revocation is appended at once, and counts as kept when the disk has
//! it. Revocations that come together share one `fdatasync`. Once most lines say nothing new, a new
//! file is written beside the old one and replaces it as a whole.
//!
//! The process that writes the file holds a lock beside it. A second Mantlet in the same folder
//! reads what the first writes, and does not write itself; it takes over when the first has ended. A
//! credential is in the file as a digest alone.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, FutureExt};
use mantlet_controls::authentication::sessions::{Digest, Event, Keeper, Sessions};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    clock,
    guarded::{self, Kind},
    journal::{self, Claim, Claimed, EVERY, Format, Loaded, Pause, Place, Tail},
    tell,
};

/// How long a request waits for the disk.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often what has expired is forgotten, and how often a replacement that failed is tried again.
const TIDY: Duration = Duration::from_hours(1);
/// Events that wait for the disk, at most. Beyond that the file is replaced, because the memory has
/// them all.
const MOST_WAITING: usize = 100_000;
/// Bytes that could not be written and are tried again, at most.
const MOST_PENDING: usize = 32 << 20;
/// Lines that may be added before the file is replaced, beside twice as many as it needs.
const ADDED: usize = 10_000;
const FORMAT: Format = Format { name: "mantlet-sessions", holds: "sessions" };

/// The thread that writes. It ends when told to, after it has written everything.
#[derive(Debug)]
pub struct SessionFile {
    sessions: Sessions,
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
}

impl SessionFile {
    /// Reads the file, if there is one, and starts to write it. If that fails, sessions are known
    /// for as long as the process lives; where `is_wanted`, that is said at once.
    pub fn open(path: PathBuf, sessions: Sessions, is_wanted: bool) -> io::Result<Self> {
        let mut writer = Writer {
            path,
            sessions: sessions.clone(),
            claim: Claim::default(),
            has_read: false,
            left: Place::default(),
            trouble: String::new(),
            tail: Tail::default(),
            lines: 0,
            needed: 0,
            pending: Vec::new(),
            pending_lines: 0,
            is_lacking: false,
            tidied: Instant::now(),
            postponed: None,
            pause: Pause::default(),
            complained: false,
        };
        writer.begin();
        if is_wanted {
            writer.try_folder();
        }
        let queue = Arc::new(Queue::default());
        let of_thread = Arc::clone(&queue);
        let thread =
            std::thread::Builder::new().name("sessions".into()).spawn(move || writer.run(&of_thread))?;
        Ok(Self { sessions, queue, thread })
    }

    /// The sessions that it keeps.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Keeps events in this file. Who hands one in has put it in the memory before.
    pub(crate) fn keeper(&self) -> Arc<dyn Keeper> {
        Arc::new(FileKeeper(Arc::clone(&self.queue)))
    }

    /// Writes everything and ends.
    pub fn finish(self) {
        self.queue.lock().is_over = true;
        self.queue.wake.notify_one();
        // Fails only if the thread has panicked, and then it has said so.
        let _ = self.thread.join();
    }
}

#[derive(Debug)]
struct FileKeeper(Arc<Queue>);

impl Keeper for FileKeeper {
    fn keep_soon(&self, events: Vec<Event>) {
        self.0.lock().add(events);
    }

    fn keep_now(&self, events: Vec<Event>) -> BoxFuture<'_, bool> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.0.lock();
        waiting.add(events);
        if !waiting.is_over {
            waiting.told.push(tell);
        }
        drop(waiting);
        self.0.wake.notify_one();
        async { matches!(timeout(PATIENCE, told).await, Ok(Ok(true))) }.boxed()
    }

    fn find(&self, _: Digest) -> BoxFuture<'_, Option<Vec<Event>>> {
        Box::pin(std::future::ready(Some(Vec::new())))
    }

    fn is_shared(&self) -> bool {
        false
    }
}

/// What waits for the thread.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    events: Vec<Event>,
    /// Who waits until they are on the disk.
    told: Vec<oneshot::Sender<bool>>,
    /// There were more events than can wait.
    is_lacking: bool,
    is_over: bool,
}

impl Waiting {
    fn add(&mut self, events: Vec<Event>) {
        if self.events.len() + events.len() > MOST_WAITING {
            self.events.clear();
            self.is_lacking = true;
            return;
        }
        self.events.extend(events);
    }

    /// All that waits now.
    fn take(&mut self) -> Self {
        let is_over = self.is_over;
        Self { is_over, ..std::mem::replace(self, Self { is_over, ..Self::default() }) }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request waits, or until it is time.
    fn next(&self) -> Waiting {
        let waits = |waiting: &mut Waiting| waiting.told.is_empty() && !waiting.is_over;
        let waited = self.wake.wait_timeout_while(self.lock(), EVERY, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

struct Writer {
    path: PathBuf,
    sessions: Sessions,
    claim: Claim,
    /// The file was read since it is ours.
    has_read: bool,
    /// Up to where it was read while it is not.
    left: Place,
    /// Why it could not be read last.
    trouble: String,
    tail: Tail,
    /// Whole lines in it, and about as many as it needs.
    lines: usize,
    needed: usize,
    /// Lines that are not in the file yet.
    pending: Vec<u8>,
    pending_lines: usize,
    /// The file lacks something that the memory has.
    is_lacking: bool,
    tidied: Instant,
    /// When a replacement that only saves room has failed.
    postponed: Option<Instant>,
    pause: Pause,
    complained: bool,
}

impl Writer {
    /// Reads what was kept.
    fn begin(&mut self) {
        if self.path.symlink_metadata().is_ok() {
            // An error with the lock is reported when something has to be written.
            let is_ours = self.is_ours().unwrap_or(true);
            self.load(is_ours);
        }
        self.sessions.tidy(clock::now().as_second());
    }

    /// Reads the file into the memory. What cannot be read is moved aside if it is ours.
    fn load(&mut self, is_ours: bool) {
        self.has_read = is_ours;
        let mut left = std::mem::take(&mut self.left);
        let take =
            |line: &[u8]| serde_json::from_slice(line).map(|event| self.sessions.apply(&event)).is_ok();
        let path = self.path.display();
        match FORMAT.load(&self.path, &mut left, take) {
            Loaded::Found(found) => {
                if found.damaged > 0 {
                    let lines = if found.damaged == 1 { "line" } else { "lines" };
                    let are = if found.damaged == 1 { "is" } else { "are" };
                    tell(&format!("{} {lines} of `{path}` cannot be read and {are} ignored", found.damaged));
                }
                self.lines = if found.goes_on { self.lines + found.lines } else { found.lines };
                // A session has one credential or two, and was used.
                let known = usize::try_from(self.sessions.count()).unwrap_or(usize::MAX);
                self.needed = self.lines.min(known.saturating_mul(3));
                self.tail = Tail::of_read(&self.path, found.length, is_ours);
            }
            Loaded::Missing => {}
            // Said once: another Mantlet may go on writing it.
            Loaded::Unreadable(why) if !is_ours && self.trouble == why => {}
            Loaded::Unreadable(why) => {
                let moved = journal::set_aside(&self.path, is_ours);
                tell(&format!(
                    "`{path}` cannot be read: {why}; earlier sessions and revocations are not known{moved}"
                ));
                self.trouble = why;
            }
        }
        if !is_ours {
            self.left = left;
        }
    }

    /// Reads what another Mantlet has written, and takes over if none does any more.
    fn look(&mut self) {
        if !self.claim.is_here() && self.path.symlink_metadata().is_ok() {
            // Where nothing can be written, it is only read.
            let is_ours = self.is_ours().unwrap_or(false);
            self.load(is_ours);
        }
    }

    /// Says at once if nothing can be kept.
    fn try_folder(&mut self) {
        if !self.claim.is_elsewhere()
            && let Err(error) = journal::try_folder(&self.path)
        {
            self.complain(&error);
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if !self.complained {
            self.complained = true;
            let path = self.path.display();
            tell(&format!(
                "`{path}` cannot be written: {error}; sessions and revocations are kept in memory and lost when \
                 Mantlet ends"
            ));
        }
    }

    /// Takes the lock. If another Mantlet has it, that is reported once.
    fn is_ours(&mut self) -> io::Result<bool> {
        let claimed = self.claim.take(&self.path)?;
        if claimed == (Claimed::Elsewhere { is_news: true }) {
            let folder = journal::folder_of(&self.path).display();
            tell(&format!(
                "another Mantlet uses the session file in `{folder}`; until that one ends, this one keeps \
                 sessions and revocations in memory\n  set another `state-folder`, or use one `[store]` \
                 for both"
            ));
        }
        Ok(claimed == Claimed::Here)
    }

    fn run(mut self, queue: &Queue) {
        loop {
            let waiting = queue.next();
            let is_over = waiting.is_over;
            self.look();
            self.keep(waiting, true);
            if is_over {
                return;
            }
            if self.tidied.elapsed() >= TIDY {
                self.tidied = Instant::now();
                self.sessions.tidy(clock::now().as_second());
            }
            let is_long = self.tail.is_open() && self.lines > 2 * self.needed + ADDED;
            if is_long && self.postponed.is_none_or(|failed| failed.elapsed() >= TIDY) {
                // If it fails, there still is the old file.
                self.postponed = self.replace(Some(queue)).is_err().then(Instant::now);
            }
        }
    }

    /// Writes what waits, and tells those who wait for it.
    fn keep(&mut self, waiting: Waiting, may_replace: bool) {
        self.is_lacking |= waiting.is_lacking;
        let written = self.write(&waiting.events, may_replace);
        for one in waiting.told {
            // It may wait no longer.
            let _ = one.send(matches!(written, Ok(true)));
        }
        if let Err(error) = written {
            self.complain(&error);
        }
    }

    /// Appends events, or replaces the file. False if neither is possible now.
    fn write(&mut self, events: &[Event], may_replace: bool) -> io::Result<bool> {
        if events.is_empty() && self.pending.is_empty() && !self.is_lacking {
            return Ok(true);
        }
        if !self.is_ours()? {
            self.is_lacking = true;
            return Ok(false);
        }
        if !self.has_read {
            // Another Mantlet may have written it meanwhile, and it lacks what was learned here.
            self.load(true);
            self.is_lacking = true;
        }
        for event in events {
            push(&mut self.pending, event)?;
            self.pending_lines += 1;
        }
        if self.pending.len() > MOST_PENDING {
            self.forget_pending();
            self.is_lacking = true;
        }
        if !self.is_lacking && self.tail.is_there(&self.path) {
            self.append()?;
            return Ok(true);
        }
        let start = Instant::now();
        if !may_replace || !self.pause.is_over() {
            return Ok(false);
        }
        let replaced = self.replace(None);
        self.pause.after(start, replaced)?;
        self.complained = false;
        Ok(true)
    }

    fn append(&mut self) -> io::Result<()> {
        self.tail.append(&self.pending)?;
        self.complained = false;
        self.lines += self.pending_lines;
        self.forget_pending();
        Ok(())
    }

    fn forget_pending(&mut self) {
        self.pending.clear();
        self.pending_lines = 0;
    }

    /// Writes a new file from the memory and puts it in the place of the old one. With a queue, what
    /// waits there meanwhile is appended to the old one.
    fn replace(&mut self, queue: Option<&Queue>) -> io::Result<()> {
        let draft = self.path.with_extension("jsonl.new");
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let replaced = self.replace_with(&draft, queue);
        if replaced.is_err() {
            // It may be what fills the disk.
            let _ = fs::remove_file(&draft);
        }
        replaced
    }

    fn replace_with(&mut self, draft: &Path, queue: Option<&Queue>) -> io::Result<()> {
        // What is appended from now on may be missing in the pieces.
        let old = self.tail.length();
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(draft)?;
        let mut output = BufWriter::new(&file);
        let mut text = FORMAT.head();
        let mut lines = 0;
        for piece in self.sessions.pieces() {
            for event in &piece {
                push(&mut text, event)?;
            }
            output.write_all(&text)?;
            text.clear();
            lines += piece.len();
            if let Some(queue) = queue {
                let waiting = queue.lock().take();
                let is_over = waiting.is_over;
                self.keep(waiting, false);
                if is_over {
                    return Err(io::ErrorKind::Interrupted.into());
                }
            }
        }
        output.write_all(&text)?;
        let needed = lines;
        if queue.is_some() {
            if !self.tail.is_there(&self.path) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let mut added = guarded::open_to_read(&self.path, Kind::Own)?;
            added.seek(SeekFrom::Start(old))?;
            io::copy(&mut added.take(self.tail.length() - old), &mut output)?;
        }
        output.write_all(&self.pending)?;
        output.flush()?;
        drop(output);
        file.sync_data()?;
        let length = file.metadata()?.len();
        fs::rename(draft, &self.path)?;
        journal::sync_folder(&self.path)?;
        lines += self.pending_lines;
        self.forget_pending();
        self.is_lacking &= queue.is_some();
        self.tail = Tail::new(file, length);
        (self.lines, self.needed) = (lines, needed);
        Ok(())
    }
}

/// Appends a line.
fn push(text: &mut Vec<u8>, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *text, event)?;
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
#[path = "session_file_tests.rs"]
mod tests;
