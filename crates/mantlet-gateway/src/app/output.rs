//! What the app prints, on its way to where Mantlet prints: secrets are taken out of it.
//!
//! | ours is | the app writes to |
//! |---|---|
//! | a pipe, a socket or a file | a pipe |
//! | a terminal | another terminal (a pty), with the size of ours. What a person types goes to the app as before: its standard input is ours |
//! | a device that is not a terminal, such as `/dev/null` | ours itself |
//!
//! Standard output and standard error share one pipe if ours are the same, so that their order is kept. A thread
//! carries what comes. It writes to ours and waits as long as that takes, so a slow reader slows the app down as
//! before, and no more than a few pipes' worth is in memory. If ours cannot be written to, what the app prints is lost,
//! and the app goes on.
//!
//! The pipes are made once and given to each start of the app. That all has been carried shows when the pipe is empty
//! and not when it is closed, because children of the app may hold it for long.
//!
//! An app that ends by itself when Mantlet dies holds the other end of its pipe, too. So its last words cannot fail,
//! though they are lost.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::Stdio,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use mantlet_scrub::{Rules, Scrubber};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat, open},
    io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd, read, write},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, OutputModes, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize},
};
use tokio::{process::Command, sync::oneshot};

/// How long what may begin a secret is held back when nothing follows: where a person looks, and elsewhere.
const QUIET_TERMINAL: Duration = Duration::from_millis(20);
const QUIET: Duration = Duration::from_millis(100);
/// Bytes that are carried at once.
const CHUNK: usize = 64 << 10;
/// What a pipe may hold. When the app has ended, this much is still carried, even if its children go on printing.
const LAST: usize = 1 << 20;
/// How long the last words of the app may take, where the reader is slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is taken out of the app's output, and whether a terminal is spared. Clones share the rules.
#[derive(Debug, Clone)]
pub struct Scrubbing {
    rules: Arc<ArcSwap<Rules>>,
    spares_terminals: bool,
}

impl Scrubbing {
    /// By these rules, until there are others.
    pub fn new(rules: Rules, spares_terminals: bool) -> Self {
        Self { rules: Arc::new(ArcSwap::from_pointee(rules)), spares_terminals }
    }

    /// Puts other rules in force.
    pub fn renew(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }
}

/// The ways from the app to our standard output and our standard error.
#[derive(Debug, Default)]
pub(super) struct Outlets {
    out: Option<Arc<Outlet>>,
    err: Option<Arc<Outlet>>,
}

impl Outlets {
    pub(super) fn open(scrubbing: &Scrubbing) -> io::Result<Self> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let out = Outlet::open(stdout.as_fd(), scrubbing)?.map(Arc::new);
        let err = match &out {
            Some(out) if are_same(stdout.as_fd(), stderr.as_fd()) => Some(Arc::clone(out)),
            _ => Outlet::open(stderr.as_fd(), scrubbing)?.map(Arc::new),
        };
        Ok(Self { out, err })
    }

    /// Has a program write there. Until it has been started, what is returned has to be kept.
    pub(super) fn connect(&self, program: &mut Command, ends_with_us: bool) -> io::Result<Vec<OwnedFd>> {
        if let Some(out) = &self.out {
            program.stdout(Stdio::from(out.entrance.try_clone()?));
        }
        if let Some(err) = &self.err {
            program.stderr(Stdio::from(err.entrance.try_clone()?));
        }
        if !ends_with_us {
            return Ok(Vec::new());
        }
        self.each().map(Outlet::inherited_exit).collect()
    }

    /// Waits until all that was printed has been written, if that is possible: the program has ended.
    pub(super) async fn settle(&self) {
        for outlet in self.each() {
            let _ = tokio::time::timeout(PATIENCE, outlet.settled()).await;
        }
    }

    /// Takes over the size of our terminal.
    pub(super) fn resize(&self) {
        self.each().for_each(Outlet::resize);
    }

    fn each(&self) -> impl Iterator<Item = &Outlet> {
        let other =
            self.err.as_ref().filter(|err| self.out.as_ref().is_none_or(|out| !Arc::ptr_eq(out, err)));
        self.out.iter().chain(other).map(Arc::as_ref)
    }
}

/// Whether both lead to the same file, pipe or terminal.
fn are_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let (Ok(one), Ok(other)) = (fstat(one), fstat(other)) else { return false };
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// One way.
#[derive(Debug)]
struct Outlet {
    /// The app's end.
    entrance: OwnedFd,
    /// Our end, of which the thread has another descriptor.
    exit: OwnedFd,
    /// Our terminal, if the app's end is one.
    terminal: Option<OwnedFd>,
    waiting: mpsc::Sender<oneshot::Sender<()>>,
    /// Wakes the thread; closed, it ends it.
    bell: io::PipeWriter,
}

impl Outlet {
    /// None if the app may write to ours itself.
    fn open(ours: BorrowedFd<'_>, scrubbing: &Scrubbing) -> io::Result<Option<Self>> {
        let is_terminal = isatty(ours);
        let is_device = fstat(ours)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice);
        if (is_terminal && scrubbing.spares_terminals) || (is_device && !is_terminal) {
            return Ok(None);
        }
        let to = ours.try_clone_to_owned()?;
        let (exit, entrance) = if is_terminal {
            second_terminal(&to)?
        } else {
            let (exit, entrance) = io::pipe()?;
            (exit.into(), entrance.into())
        };
        fcntl_setfl(&exit, fcntl_getfl(&exit)? | OFlags::NONBLOCK)?;
        let terminal = is_terminal.then(|| to.try_clone()).transpose()?;
        let (waiting, requests) = mpsc::channel();
        let (woken, bell) = io::pipe()?;
        let carrier = Carrier {
            from: exit.try_clone()?,
            to,
            woken: woken.into(),
            requests,
            scrubber: Scrubber::new(scrubbing.rules.load_full()),
            rules: Arc::clone(&scrubbing.rules),
            quiet: if is_terminal { QUIET_TERMINAL } else { QUIET },
            read: vec![0; CHUNK],
            out: Vec::new(),
        };
        thread::Builder::new().name("app-output".to_owned()).spawn(move || carrier.run())?;
        Ok(Some(Self { entrance, exit, terminal, waiting, bell }))
    }

    /// Our end, in such a way that a program that is started now has it, too.
    fn inherited_exit(&self) -> io::Result<OwnedFd> {
        let exit = fcntl_dupfd_cloexec(&self.exit, 3)?;
        fcntl_setfd(&exit, FdFlags::empty())?;
        Ok(exit)
    }

    async fn settled(&self) {
        let (answer, answered) = oneshot::channel();
        if self.waiting.send(answer).is_ok() && write(&self.bell, &[1]).is_ok() {
            // The thread may have ended.
            let _ = answered.await;
        }
    }

    fn resize(&self) {
        if let Some(size) = self.terminal.as_ref().and_then(|terminal| tcgetwinsize(terminal).ok()) {
            let _ = tcsetwinsize(&self.entrance, size);
        }
    }
}

/// A terminal as ours, and the end that reads what is written there. It leaves it to ours what becomes of line ends.
/// What is typed is not read there: a program that tries to is told so and does not wait forever.
fn second_terminal(ours: &OwnedFd) -> io::Result<(OwnedFd, OwnedFd)> {
    let exit = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    fcntl_setfd(&exit, FdFlags::CLOEXEC)?;
    grantpt(&exit)?;
    unlockpt(&exit)?;
    let name = ptsname(&exit, Vec::new())?;
    let entrance = open(name, OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    let mut attributes = tcgetattr(ours)?;
    attributes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&entrance, OptionalActions::Now, &attributes)?;
    if let Ok(size) = tcgetwinsize(ours) {
        tcsetwinsize(&entrance, size)?;
    }
    Ok((exit, entrance))
}

/// The thread that carries what is printed.
struct Carrier {
    from: OwnedFd,
    to: OwnedFd,
    woken: OwnedFd,
    requests: mpsc::Receiver<oneshot::Sender<()>>,
    scrubber: Scrubber,
    rules: Arc<ArcSwap<Rules>>,
    quiet: Duration,
    read: Vec<u8>,
    out: Vec<u8>,
}

impl Carrier {
    fn run(mut self) {
        loop {
            match self.wait() {
                Ok(Wait { is_woken: false, has_more: true }) => {
                    self.carry();
                }
                Ok(Wait { is_woken: false, has_more: false }) => {
                    self.scrubber.rest(&mut self.out);
                    self.write();
                }
                Ok(Wait { is_woken: true, .. }) => {
                    self.carry_last();
                    if !matches!(read(&self.woken, &mut [0; 1]), Ok(1)) {
                        return;
                    }
                    // The bell is rung after the request.
                    if let Ok(answer) = self.requests.try_recv() {
                        let _ = answer.send(());
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// Waits for bytes, or for us; and if some are held back, no longer than it is quiet.
    fn wait(&self) -> io::Result<Wait> {
        let quiet = Timespec::try_from(self.quiet).ok().filter(|_| self.scrubber.holds());
        let mut ends = [PollFd::new(&self.woken, PollFlags::IN), PollFd::new(&self.from, PollFlags::IN)];
        loop {
            match poll(&mut ends, quiet.as_ref()) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    let [is_woken, has_more] = ends.map(|end| !end.revents().is_empty());
                    return Ok(Wait { is_woken, has_more });
                }
            }
        }
    }

    /// Carries what is there, up to a chunk. Returns how much that was.
    fn carry(&mut self) -> usize {
        let Ok(length @ 1..) = read(&self.from, &mut *self.read) else { return 0 };
        self.scrubber.renew(&self.rules.load_full(), &mut self.out);
        self.scrubber.push(self.read.get(..length).unwrap_or_default(), &mut self.out);
        self.write();
        length
    }

    /// Carries all that is there, and what is held back.
    fn carry_last(&mut self) {
        let mut carried = 0;
        while carried < LAST {
            match self.carry() {
                0 => break,
                more => carried += more,
            }
        }
        self.scrubber.finish(&mut self.out);
        self.write();
    }

    /// Writes all, however long that takes. What cannot be written is lost.
    fn write(&mut self) {
        let mut rest = self.out.as_slice();
        while !rest.is_empty() {
            match write(&self.to, rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                // Another program that shares our output may have asked for that.
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&self.to, PollFlags::OUT)], None);
                }
                Err(_) => break,
            }
        }
        self.out.clear();
        // One long burst is not kept in memory for ever.
        self.out.shrink_to(2 * CHUNK);
    }
}

struct Wait {
    is_woken: bool,
    has_more: bool,
}
