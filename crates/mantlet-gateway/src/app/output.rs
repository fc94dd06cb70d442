//! What the app prints, on its way to where Mantlet prints: secrets are taken out of it.
//!
//! | ours is | the app writes to |
//! |---|---|
//! | a pipe, a socket or a file | a pipe |
//! | a terminal | another terminal (a pty), with the size of ours. What a person types goes to the app as before: its standard input is ours |
//! | a terminal, and the system has no second one | ours itself, and that is said |
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

mod carrier;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use mantlet_scrub::{Rules, Scrubber};
use rustix::{
    fs::{FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat, open},
    io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd, write},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, OutputModes, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize},
};
use tokio::sync::oneshot;

use self::carrier::{CHUNK, Carrier};
use crate::tell;

/// How long what may begin a secret is held back when nothing follows: where a person looks, and elsewhere.
const QUIET_TERMINAL: Duration = Duration::from_millis(20);
const QUIET: Duration = Duration::from_millis(100);
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

    /// A text of the app in a message of ours, without secrets.
    pub fn text(&self, text: &str) -> String {
        if self.spares_terminals && isatty(io::stderr()) {
            return text.to_owned();
        }
        let (mut scrubber, mut out) = (Scrubber::new(self.rules.load_full()), Vec::new());
        scrubber.push(text.as_bytes(), &mut out);
        scrubber.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Puts other rules in force.
    pub fn renew(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }
}

/// The ways from the app to our standard output and our standard error.
#[derive(Debug, Default)]
pub struct Outlets {
    out: Option<Arc<Outlet>>,
    err: Option<Arc<Outlet>>,
}

impl Outlets {
    /// To both of ours.
    pub fn open(scrubbing: &Scrubbing) -> io::Result<Self> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let out = Outlet::open(stdout.as_fd(), scrubbing)?.map(Arc::new);
        let err = match &out {
            Some(out) if are_same(stdout.as_fd(), stderr.as_fd()) => Some(Arc::clone(out)),
            _ => Outlet::open(stderr.as_fd(), scrubbing)?.map(Arc::new),
        };
        Ok(Self { out, err })
    }

    /// Both to our standard error: our standard output is a report.
    pub fn open_to_errors(scrubbing: &Scrubbing) -> io::Result<Self> {
        let err = Outlet::open(io::stderr().as_fd(), scrubbing)?.map(Arc::new);
        Ok(Self { out: err.clone(), err })
    }

    /// Has a program write there. What is returned has to be kept until it has been started.
    pub fn connect(&self, program: &mut Command, ends_with_us: bool) -> io::Result<Vec<OwnedFd>> {
        self.resize();
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

    /// Waits until all that was printed has been written, for 2 s at most: the program has ended.
    pub async fn settle(&self) {
        let asked = self.each().map(|outlet| {
            let (answer, answered) = oneshot::channel();
            outlet.ask(Box::new(move || {
                let _ = answer.send(());
            }));
            answered
        });
        let _ = tokio::time::timeout(PATIENCE, join_all(asked)).await;
    }

    /// The same for a program that is waited for without a runtime.
    pub fn settle_blocking(&self) {
        for outlet in self.each() {
            let (answer, answered) = mpsc::channel();
            outlet.ask(Box::new(move || {
                let _ = answer.send(());
            }));
            let _ = answered.recv_timeout(PATIENCE);
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

/// Says that all is written.
type Answer = Box<dyn FnOnce() + Send>;

/// One way.
#[derive(Debug)]
struct Outlet {
    /// The app's end.
    entrance: OwnedFd,
    /// Our end, of which the thread has another descriptor.
    exit: OwnedFd,
    /// Our terminal, if the app's end is one.
    terminal: Option<OwnedFd>,
    requests: mpsc::Sender<Answer>,
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
        let (exit, entrance, mark) = if is_terminal {
            match second_terminal(&to) {
                Ok((exit, entrance, mark)) => (exit, entrance, Some(mark)),
                Err(error) => {
                    tell(&format!(
                        "note: secrets are not taken out of what the app prints here: the system has no second terminal ({error})"
                    ));
                    return Ok(None);
                }
            }
        } else {
            let (exit, entrance) = io::pipe()?;
            (exit.into(), entrance.into(), None)
        };
        fcntl_setfl(&exit, fcntl_getfl(&exit)? | OFlags::NONBLOCK)?;
        let terminal = is_terminal.then(|| to.try_clone()).transpose()?;
        let (sender, requests) = mpsc::channel();
        let (woken, bell) = io::pipe()?;
        let carrier = Carrier {
            from: exit.try_clone()?,
            to,
            mark,
            woken: woken.into(),
            requests,
            scrubber: Scrubber::new(scrubbing.rules.load_full()),
            rules: Arc::clone(&scrubbing.rules),
            quiet: if is_terminal { QUIET_TERMINAL } else { QUIET },
            read: vec![0; CHUNK],
            out: Vec::new(),
        };
        thread::Builder::new().name("app-output".to_owned()).spawn(move || carrier.run())?;
        Ok(Some(Self { entrance, exit, terminal, requests: sender, bell }))
    }

    /// Our end, in such a way that a program that is started now has it, too.
    fn inherited_exit(&self) -> io::Result<OwnedFd> {
        let exit = fcntl_dupfd_cloexec(&self.exit, 3)?;
        fcntl_setfd(&exit, FdFlags::empty())?;
        Ok(exit)
    }

    /// Has the thread answer when all is written. If it has ended, the answer is dropped.
    fn ask(&self, answer: Answer) {
        if self.requests.send(answer).is_ok() {
            let _ = write(&self.bell, &[1]);
        }
    }

    fn resize(&self) {
        if let Some(size) = self.terminal.as_ref().and_then(|terminal| tcgetwinsize(terminal).ok()) {
            let _ = tcsetwinsize(&self.entrance, size);
        }
    }
}

/// A terminal as ours, and the end that reads what is written there. It leaves it to ours what becomes of line ends.
/// What is typed is not read there: a program that tries to is told so and does not wait forever. The third end is for
/// marks.
fn second_terminal(ours: &OwnedFd) -> io::Result<(OwnedFd, OwnedFd, OwnedFd)> {
    let exit = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    fcntl_setfd(&exit, FdFlags::CLOEXEC)?;
    grantpt(&exit)?;
    unlockpt(&exit)?;
    let name = ptsname(&exit, Vec::new())?;
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    let entrance = open(&*name, flags, Mode::empty())?;
    let mark = open(&*name, flags | OFlags::NONBLOCK, Mode::empty())?;
    let mut attributes = tcgetattr(ours)?;
    attributes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&entrance, OptionalActions::Now, &attributes)?;
    if let Ok(size) = tcgetwinsize(ours) {
        tcsetwinsize(&entrance, size)?;
    }
    Ok((exit, entrance, mark))
}
