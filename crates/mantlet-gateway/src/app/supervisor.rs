//! Keeps the app running: starts it, knows when it is ready, starts it again when it crashes, stops
//! it last.

use std::{
    ffi::{OsStr, OsString},
    future::pending,
    io,
    os::unix::{ffi::OsStrExt, process::ExitStatusExt},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use mantlet_controls::config::Secret;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    net::{TcpStream, UnixStream},
    process::{Child, Command},
    signal::unix::{Signal as SignalStream, SignalKind, signal},
    sync::mpsc,
};

use super::output::{Outlets, Scrubbing};
use crate::address::Address;

/// How often to check whether a starting app listens.
const ASK_EVERY: Duration = Duration::from_millis(25);
/// The first pause before a crashed app is started again; it doubles with every crash.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// An app that ran this long has recovered: the next pause is the first one again.
const RECOVERED_AFTER: Duration = Duration::from_mins(1);

/// The app as a program.
#[derive(Debug, Clone)]
pub struct AppCommand {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables of our environment that it does not get.
    pub withheld: Vec<String>,
    /// Variables that it gets beside ours.
    pub variables: Vec<(String, Secret<Vec<u8>>)>,
    /// Its standard input.
    pub input: Input,
    /// Its standard output.
    pub output: Output,
    /// It creates its own session, and with it a group; another program gets a group. It also ends by itself
    /// when we die.
    pub leads_its_own_session: bool,
    /// Where it will listen.
    pub address: Address,
    /// Time from its start to its first accepted connection; none if it may take as long as it
    /// lives.
    pub ready_timeout: Option<Duration>,
    /// Time it may take to stop before it is killed.
    pub stop_timeout: Duration,
}

/// What the app reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The same as Mantlet's.
    Ours,
    /// Nothing: it reads the end of the input.
    Nothing,
}

/// Where the app writes to.
#[derive(Debug, Clone)]
pub enum Output {
    /// The same as Mantlet's.
    Ours,
    /// The same as Mantlet's, but secrets are taken out on the way.
    Scrubbed(Scrubbing),
    /// Nowhere, but its errors are printed: our standard output is a report. Secrets are taken out of them, if
    /// that is asked for.
    ErrorsOnly(Option<Scrubbing>),
}

/// An event of the app that the operator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It is starting and not ready yet; reported every few seconds, later twice a minute.
    Waiting(Duration),
    /// It accepts connections.
    Ready(Duration),
    /// It crashed, or did not get ready after a restart; it starts again after the pause.
    Crashed(Option<ExitStatus>, Duration),
}

/// A command to the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Stop the app; the supervisor ends with it.
    Stop,
    /// Kill the app at once.
    Kill,
    /// Pass a signal on to the app, by its number.
    Signal(i32),
}

/// Why the supervisor ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ending {
    /// The program could not be started.
    NotStarted(io::Error),
    /// It ended before it was ever ready.
    EndedEarly(ExitStatus),
    /// It was not ready in time when first started; it has been stopped.
    NeverReady,
    /// It ended, by itself with success or because it was told to.
    Ended(ExitStatus),
}

/// The exit code that stands for a status, as shells count: a signal is 128 and its number.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// Runs the app until it ends for good. `report` gets the events; `orders` are commands.
pub async fn run(
    command: &AppCommand,
    mut orders: mpsc::Receiver<Order>,
    mut report: impl FnMut(Event),
) -> Ending {
    let mut pause = FIRST_PAUSE;
    let mut was_ready = false;
    let outlets = match &command.output {
        Output::Scrubbed(scrubbing) => Outlets::open(scrubbing),
        Output::ErrorsOnly(Some(scrubbing)) => Outlets::open_to_errors(scrubbing),
        Output::Ours | Output::ErrorsOnly(None) => Ok(Outlets::default()),
    };
    let outlets = match outlets {
        Ok(outlets) => outlets,
        Err(error) => return Ending::NotStarted(error),
    };
    loop {
        let started = Instant::now();
        let mut child = match spawn(command, &outlets) {
            Ok(child) => child,
            Err(error) => return Ending::NotStarted(error),
        };
        let fate = watch(command, &mut child, &outlets, &mut orders, &mut report).await;
        // Its last words stand before what is said of its end.
        outlets.settle().await;
        let crashed = match fate {
            Fate::Stopped(status) => return Ending::Ended(status),
            Fate::NeverReady if !was_ready => return Ending::NeverReady,
            Fate::NeverReady => None,
            Fate::EndedEarly(status) if !was_ready => return Ending::EndedEarly(status),
            Fate::EndedEarly(status) => Some(status),
            Fate::Ended(status) if status.success() => return Ending::Ended(status),
            Fate::Ended(status) => {
                was_ready = true;
                Some(status)
            }
        };
        if started.elapsed() >= RECOVERED_AFTER {
            pause = FIRST_PAUSE;
        }
        report(Event::Crashed(crashed, pause));
        let waited = tokio::time::timeout(pause, async {
            loop {
                match orders.recv().await {
                    Some(Order::Signal(_)) => {}
                    Some(Order::Stop | Order::Kill) | None => return,
                }
            }
        });
        if waited.await.is_ok() {
            // Told to stop while there was nothing to stop.
            return Ending::Ended(ExitStatus::default());
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The end of one process.
enum Fate {
    EndedEarly(ExitStatus),
    NeverReady,
    Ended(ExitStatus),
    Stopped(ExitStatus),
}

fn spawn(command: &AppCommand, outlets: &Outlets) -> io::Result<Child> {
    if let Address::Unix(path) = &command.address {
        // Leftovers of a crashed process would block the next one.
        let _ = std::fs::remove_file(path);
    }
    let mut program = Command::new(&command.program);
    program.args(&command.arguments).kill_on_drop(true);
    for name in &command.withheld {
        program.env_remove(name);
    }
    for (name, value) in &command.variables {
        program.env(name, OsStr::from_bytes(value.expose()));
    }
    if command.input == Input::Nothing {
        program.stdin(Stdio::null());
    }
    let _kept = outlets.connect(program.as_std_mut(), command.leads_its_own_session)?;
    if matches!(command.output, Output::ErrorsOnly(_)) {
        program.stdout(Stdio::null());
    }
    // Its own group: Ctrl-C reaches the gate alone, which lets the app finish first. In a
    // background group of the terminal's session, a process that reads the terminal is stopped; in
    // a session of its own it can read. A group leader cannot leave its session.
    if !command.leads_its_own_session {
        program.process_group(0);
    }
    program.spawn()
}

async fn watch(
    command: &AppCommand,
    child: &mut Child,
    outlets: &Outlets,
    orders: &mut mpsc::Receiver<Order>,
    report: &mut impl FnMut(Event),
) -> Fate {
    let started = Instant::now();
    let mut resized = signal(SignalKind::window_change()).ok();
    let mut ready = false;
    let mut told = Duration::ZERO;
    let mut ask = tokio::time::interval(ASK_EVERY);
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let fate = loop {
        tokio::select! {
            biased;
            ended = child.wait() => {
                let status = ended.unwrap_or_default();
                break if ready { Fate::Ended(status) } else { Fate::EndedEarly(status) };
            }
            order = orders.recv() => match order {
                Some(Order::Signal(number)) => {
                    if let (Some(pid), Some(signal)) = (group, Signal::from_named_raw(number)) {
                        let _ = kill_process(pid, signal);
                    }
                }
                Some(Order::Stop) | None => break Fate::Stopped(stop(child, group, command.stop_timeout, orders).await),
                Some(Order::Kill) => break Fate::Stopped(stop(child, group, Duration::ZERO, orders).await),
            },
            () = next(&mut resized) => outlets.resize(),
            _ = ask.tick(), if !ready => {
                let age = started.elapsed();
                if accepts(&command.address).await {
                    ready = true;
                    report(Event::Ready(age));
                } else if command.ready_timeout.is_some_and(|limit| age > limit) {
                    stop(child, group, command.stop_timeout, orders).await;
                    break Fate::NeverReady;
                } else if age.saturating_sub(told) > pause_between(age) {
                    told = age;
                    report(Event::Waiting(age));
                }
            }
        }
    };
    // Workers that outlived their leader would hold its socket.
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    fate
}

/// The next of these signals, if they can be heard.
async fn next(signals: &mut Option<SignalStream>) {
    match signals {
        Some(signals) => drop(signals.recv().await),
        None => pending().await,
    }
}

/// Asks the app to stop and kills it if it takes too long, or if ordered to.
async fn stop(
    child: &mut Child,
    group: Option<Pid>,
    patience: Duration,
    orders: &mut mpsc::Receiver<Order>,
) -> ExitStatus {
    if let Some(pid) = group.filter(|_| patience > Duration::ZERO) {
        let _ = kill_process(pid, Signal::TERM);
        let ordered_to_kill = async { while !matches!(orders.recv().await, Some(Order::Kill) | None) {} };
        tokio::select! {
            ended = child.wait() => return as_asked(ended.unwrap_or_default()),
            () = ordered_to_kill => {}
            () = tokio::time::sleep(patience) => {}
        }
    }
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    // One that has just begun may not lead its group yet.
    let _ = child.start_kill();
    child.wait().await.unwrap_or_default()
}

/// An app that was asked to end by a signal and ended by it has done as asked.
fn as_asked(status: ExitStatus) -> ExitStatus {
    if status.signal() == Some(Signal::TERM.as_raw()) { ExitStatus::default() } else { status }
}

/// How long until the next report that the app is not ready: the longer it takes, the rarer the
/// reports.
fn pause_between(age: Duration) -> Duration {
    if age < Duration::from_secs(30) { Duration::from_secs(3) } else { Duration::from_secs(30) }
}

async fn accepts(address: &Address) -> bool {
    match address {
        Address::Unix(path) => UnixStream::connect(path).await.is_ok(),
        Address::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await.is_ok(),
    }
}
