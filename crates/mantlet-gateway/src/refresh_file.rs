//! The handles of refresh tokens of this machine, in a file that outlives the process.
//!
//! One line of JSON for each change of a family, after a first line with the format. A thread of
//! its own appends them; an answer waits until the disk has its line, and those that come together
//! share one `fdatasync`. Once most lines say nothing new, a new file is written beside the old one
//! and replaces it as a whole.
//!
//! The process that writes the file holds a lock beside it. A second Mantlet in the same folder
//! reads what the first writes, before it judges a handle, and does not write itself; it takes over
//! when the first has ended.
//! Neither a handle nor a token of the app can be read from the file.

use std::{
    collections::HashMap,
    io::{self, BufWriter, Write},
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use mantlet_controls::refresh_tokens::{Family, FamilyId};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    clock,
    guarded::{self, Kind},
    journal::{self, Claim, Claimed, EVERY, Format, Loaded, Pause, Place, Tail},
    tell,
};

/// How long an answer waits for the disk.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often what is needed no longer is forgotten.
const TIDY: Duration = Duration::from_hours(1);
/// Bytes that could not be written and are tried again, at most.
const MOST_PENDING: usize = 32 << 20;
/// Lines that may be added before the file is replaced, beside twice as many as it needs.
const ADDED: usize = 1_000;
const FORMAT: Format = Format { name: "mantlet-refresh-tokens", holds: "refresh tokens" };

/// The families that this gate knows. A clone is the same ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Families(Arc<Mutex<HashMap<FamilyId, Arc<Family>>>>);

impl Families {
    pub(crate) fn get(&self, id: FamilyId) -> Option<Arc<Family>> {
        self.lock().get(&id).cloned()
    }

    /// Takes a family, unless one that is as new is known: that is returned.
    pub(crate) fn put(&self, family: Family) -> Result<(), Arc<Family>> {
        let mut known = self.lock();
        if let Some(newer) = known.get(&family.id).filter(|known| known.revision >= family.revision) {
            return Err(Arc::clone(newer));
        }
        known.insert(family.id, Arc::new(family));
        Ok(())
    }

    pub(crate) fn all(&self) -> Vec<Arc<Family>> {
        self.lock().values().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn tidy(&self, now: i64) {
        self.lock().retain(|_, family| family.needed_until() > now);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FamilyId, Arc<Family>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that writes. It ends when told to, after it has written everything.
#[derive(Debug)]
pub struct RefreshFile {
    known: Families,
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
}

impl RefreshFile {
    /// Reads the file, if there is one, and starts to write it. If that fails, handles are known
    /// for as long as the process lives; where `is_wanted`, that is said at once.
    pub fn open(path: PathBuf, is_wanted: bool) -> io::Result<Self> {
        let known = Families::default();
        let mut writer = Writer {
            path,
            known: known.clone(),
            claim: Claim::default(),
            has_read: false,
            left: Place::default(),
            trouble: String::new(),
            tail: Tail::default(),
            lines: 0,
            pending: Vec::new(),
            pending_lines: 0,
            is_lacking: false,
            pause: Pause::default(),
            complained: false,
        };
        writer.begin(is_wanted);
        let queue = Arc::new(Queue { is_ours: writer.claim.is_here().into(), ..Queue::default() });
        let of_thread = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("refresh-tokens".into())
            .spawn(move || writer.run(&of_thread))?;
        Ok(Self { known, queue, thread })
    }

    /// The families that it keeps.
    pub(crate) fn known(&self) -> &Families {
        &self.known
    }

    /// Hands families to the file.
    pub(crate) fn inlet(&self) -> Inlet {
        Inlet(Arc::clone(&self.queue))
    }

    /// Writes everything and ends.
    pub fn finish(self) {
        self.queue.lock().is_over = true;
        self.queue.wake.notify_one();
        // Fails only if the thread has panicked, and then it has said so.
        let _ = self.thread.join();
    }
}

/// Where families are handed to the file. They are in the memory before.
#[derive(Debug)]
pub(crate) struct Inlet(Arc<Queue>);

impl Inlet {
    /// Keeps a family that no answer waits for.
    pub(crate) fn keep_soon(&self, family: &Family) {
        self.0.lock().lines.push(line_of(family));
        self.0.wake.notify_one();
    }

    /// Keeps a family; ready when the disk has it, or cannot have it, which was said. False if that
    /// takes too long.
    pub(crate) async fn keep_now(&self, family: &Family) -> bool {
        self.hand_in(Some(line_of(family))).await
    }

    /// Learns what another Mantlet has written, if another one writes the file.
    pub(crate) async fn look(&self) {
        if !self.0.is_ours.load(Relaxed) {
            self.hand_in(None).await;
        }
    }

    async fn hand_in(&self, line: Option<Vec<u8>>) -> bool {
        let (tell, told) = oneshot::channel();
        {
            let mut waiting = self.0.lock();
            waiting.lines.extend(line);
            if !waiting.is_over {
                waiting.told.push(tell);
            }
        }
        self.0.wake.notify_one();
        matches!(timeout(PATIENCE, told).await, Ok(Ok(())))
    }
}

/// What waits for the thread.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    /// No other Mantlet writes the file.
    is_ours: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<Vec<u8>>,
    /// Who waits until they are on the disk.
    told: Vec<oneshot::Sender<()>>,
    is_over: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to do, or until it is time.
    fn next(&self, patience: Duration) -> Waiting {
        let waits =
            |waiting: &mut Waiting| waiting.lines.is_empty() && waiting.told.is_empty() && !waiting.is_over;
        let waited = self.wake.wait_timeout_while(self.lock(), patience, waits);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        let is_over = waiting.is_over;
        Waiting { is_over, ..std::mem::replace(&mut waiting, Waiting { is_over, ..Waiting::default() }) }
    }
}

struct Writer {
    path: PathBuf,
    known: Families,
    claim: Claim,
    /// The file was read since it is ours.
    has_read: bool,
    /// Up to where it was read while it is not.
    left: Place,
    /// Why it could not be read last.
    trouble: String,
    tail: Tail,
    /// Whole lines in it.
    lines: usize,
    /// Lines that are not in the file yet.
    pending: Vec<u8>,
    pending_lines: usize,
    /// The file lacks something that the memory has.
    is_lacking: bool,
    pause: Pause,
    complained: bool,
}

impl Writer {
    /// Reads what was kept, and says at once if nothing can be kept that is to be.
    fn begin(&mut self, is_wanted: bool) {
        if self.path.symlink_metadata().is_ok() {
            // An error with the lock is reported when something has to be written.
            let is_ours = self.is_ours().unwrap_or(true);
            self.load(is_ours);
        }
        self.known.tidy(clock::now().as_second());
        if is_wanted
            && !self.claim.is_elsewhere()
            && let Err(error) = journal::try_folder(&self.path)
        {
            self.complain(&error);
        }
    }

    /// Reads the file into the memory. What cannot be read is moved aside if it is ours.
    fn load(&mut self, is_ours: bool) {
        self.has_read = is_ours;
        let mut left = std::mem::take(&mut self.left);
        let take = |line: &[u8]| {
            let family = serde_json::from_slice::<Family>(line);
            // An older one than is known, from before this process took over, says nothing new.
            family.map(|family| self.known.put(family)).is_ok()
        };
        let path = self.path.display();
        match FORMAT.load(&self.path, &mut left, take) {
            Loaded::Found(found) => {
                if found.damaged > 0 {
                    let lines = if found.damaged == 1 { "line" } else { "lines" };
                    tell(&format!(
                        "{} {lines} of `{path}` cannot be read; the clients whose handles were there have to log in \
                         again",
                        found.damaged
                    ));
                }
                let before = if found.goes_on { self.lines } else { 0 };
                self.lines = before + found.lines + found.damaged;
                self.tail = Tail::of_read(&self.path, found.length, is_ours);
            }
            Loaded::Missing => {}
            // Said once: another Mantlet may go on writing it.
            Loaded::Unreadable(why) if !is_ours && self.trouble == why => {}
            Loaded::Unreadable(why) => {
                let moved = journal::set_aside(&self.path, is_ours);
                tell(&format!(
                    "`{path}` cannot be read: {why}; clients that have handles of refresh tokens have to log in \
                     again{moved}"
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

    fn complain(&mut self, error: &io::Error) {
        if !self.complained {
            self.complained = true;
            let path = self.path.display();
            tell(&format!(
                "`{path}` cannot be written: {error}; handles of refresh tokens are kept in memory, and clients have \
                 to log in again when Mantlet ends"
            ));
        }
    }

    /// Takes the lock. If another Mantlet has it, that is reported once.
    fn is_ours(&mut self) -> io::Result<bool> {
        let claimed = self.claim.take(&self.path)?;
        if claimed == (Claimed::Elsewhere { is_news: true }) {
            let folder = journal::folder_of(&self.path).display();
            tell(&format!(
                "another Mantlet keeps the handles of refresh tokens in `{folder}`; until that one ends, this \
                 one keeps its own in memory\n  set another `state-folder`, or use one `[store]` for both"
            ));
        }
        Ok(claimed == Claimed::Here)
    }

    fn run(mut self, queue: &Queue) {
        let mut tidied = Instant::now();
        loop {
            let rests = self.claim.is_here() && !self.is_lacking && self.pending.is_empty();
            let waiting = queue.next(if rests { TIDY } else { EVERY });
            self.look();
            if let Err(error) = self.write(&waiting.lines) {
                self.complain(&error);
            }
            queue.is_ours.store(self.claim.is_here(), Relaxed);
            for one in waiting.told {
                // It may wait no longer.
                let _ = one.send(());
            }
            if waiting.is_over {
                return;
            }
            if tidied.elapsed() >= TIDY {
                tidied = Instant::now();
                self.known.tidy(clock::now().as_second());
            }
        }
    }

    /// Appends lines, or replaces the file, unless it is another Mantlet's. What cannot be written waits.
    fn write(&mut self, lines: &[Vec<u8>]) -> io::Result<()> {
        if lines.is_empty() && self.pending.is_empty() && !self.is_lacking {
            return Ok(());
        }
        for line in lines {
            self.pending.extend_from_slice(line);
        }
        self.pending_lines += lines.len();
        if self.pending.len() > MOST_PENDING {
            self.forget_pending();
            self.is_lacking = true;
        }
        if !self.is_ours()? {
            self.forget_pending();
            self.is_lacking = true;
            return Ok(());
        }
        if !self.has_read {
            // Another Mantlet may have written it meanwhile, and it lacks what was made here.
            self.load(true);
            self.is_lacking = true;
        }
        if self.is_lacking || !self.tail.is_there(&self.path) {
            // The memory has them all.
            self.forget_pending();
            self.is_lacking = true;
            if !self.pause.is_over() {
                return Ok(());
            }
            self.replace()?;
        } else {
            self.tail.append(&self.pending)?;
            self.lines += self.pending_lines;
            self.forget_pending();
            if self.lines > 2 * self.known.count() + ADDED && self.pause.is_over() {
                // If it fails, there still is the old file.
                let _ = self.replace();
            }
        }
        self.complained = false;
        Ok(())
    }

    fn forget_pending(&mut self) {
        self.pending.clear();
        self.pending_lines = 0;
    }

    /// Writes a new file from the memory.
    fn replace(&mut self) -> io::Result<()> {
        let start = Instant::now();
        let replaced = self.replace_it();
        self.pause.after(start, replaced)
    }

    fn replace_it(&mut self) -> io::Result<()> {
        let mut draft = tempfile::NamedTempFile::new_in(journal::folder_of(&self.path))?;
        let all = self.known.all();
        let mut output = BufWriter::new(draft.as_file_mut());
        output.write_all(&FORMAT.head())?;
        for family in &all {
            output.write_all(&line_of(family))?;
        }
        output.flush()?;
        drop(output);
        draft.as_file().sync_data()?;
        draft.persist(&self.path).map_err(|error| error.error)?;
        journal::sync_folder(&self.path)?;
        let file = guarded::open_to_append(&self.path, Kind::Own)?;
        let length = file.metadata()?.len();
        (self.tail, self.lines, self.is_lacking) = (Tail::new(file, length), all.len(), false);
        Ok(())
    }
}

fn line_of(family: &Family) -> Vec<u8> {
    // It has no part that JSON does not have.
    let mut text = serde_json::to_vec(family).unwrap_or_default();
    text.push(b'\n');
    text
}

#[cfg(test)]
#[path = "refresh_file_tests.rs"]
mod tests;
