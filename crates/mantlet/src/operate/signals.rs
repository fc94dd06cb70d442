//! What signals ask for, and the terminal that we were started from.

use std::{
    io::{self, IsTerminal},
    os::fd::{AsFd, OwnedFd},
};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The terminal that we were started from, if there is one.
pub(super) fn terminal() -> Option<OwnedFd> {
    let (input, errors) = (io::stdin(), io::stderr());
    let found = if input.is_terminal() {
        input.as_fd()
    } else if errors.is_terminal() {
        errors.as_fd()
    } else {
        return None;
    };
    found.try_clone_to_owned().ok()
}

/// Whether the person who could stop us there is gone with it.
pub(super) fn has_hung_up(terminal: &OwnedFd) -> bool {
    rustix::termios::tcgetattr(terminal).is_err_and(|error| error == rustix::io::Errno::IO)
}

/// What a signal asks for.
pub(super) enum Received {
    Interrupt,
    Terminate,
    Reload,
    Forward(i32),
}

pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    user1: Signal,
    user2: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    pub(super) async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.interrupt.recv() => Received::Interrupt,
            _ = self.terminate.recv() => Received::Terminate,
            _ = self.hangup.recv() => Received::Reload,
            _ = self.user1.recv() => Received::Forward(SignalKind::user_defined1().as_raw_value()),
            _ = self.user2.recv() => Received::Forward(SignalKind::user_defined2().as_raw_value()),
        }
    }

    /// Waits for another signal to stop.
    pub(super) async fn stop_again(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
