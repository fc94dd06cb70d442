//! Events of the app's own: a socket in the private folder on which it says what has happened.
//!
//! Only processes of this user can reach the folder. The app never waits: what does not fit into the
//! socket it keeps for a while, and counts what it cannot keep. What comes faster than a bound is
//! counted here. Both counts are recorded.

use std::{
    io::{self, ErrorKind},
    os::unix::net::UnixDatagram as StdUnixDatagram,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use mantlet_controls::audit::{AppEvent, LONGEST_DATAGRAM, Sink, Vouchers};
use tokio::{net::UnixDatagram, time::timeout};

use crate::{audit_log::AuditLog, clock};

/// Events a second, and how many may come at once.
const EACH_SECOND: u32 = 200;
const AT_ONCE: u32 = 4_000;
/// How often it is recorded that events were lost.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A socket that hears the app.
#[derive(Debug)]
pub struct AppEvents {
    socket: StdUnixDatagram,
    bound: Mutex<Bound>,
}

/// How many events are taken.
#[derive(Debug)]
struct Bound {
    left: u32,
    filled: Instant,
    lost: u64,
    told: Instant,
}

impl AppEvents {
    /// Hears from now on, in a folder that no other user can enter.
    pub fn open(path: &Path) -> io::Result<Self> {
        let socket = StdUnixDatagram::bind(path)?;
        socket.set_nonblocking(true)?;
        let now = Instant::now();
        let bound = Bound { left: AT_ONCE, filled: now, lost: 0, told: now };
        Ok(Self { socket, bound: Mutex::new(bound) })
    }

    /// Records what the app says, for as long as it is polled. Do not poll it on a thread of the gate.
    pub async fn listen(&self, vouchers: &Vouchers, audit: &AuditLog) {
        let socket = self.socket.try_clone().and_then(UnixDatagram::from_std);
        let Ok(socket) = socket else { return std::future::pending().await };
        // One byte more than a datagram may have: what was cut is known.
        let mut buffer = vec![0; LONGEST_DATAGRAM + 1];
        loop {
            match timeout(TELL_EVERY, socket.recv(&mut buffer)).await {
                Ok(Ok(length)) => self.take(buffer.get(..length), vouchers, audit),
                // Most likely no memory is left.
                Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(_) => self.tell_lost(audit, true),
            }
        }
    }

    /// Records what is left, at the end.
    pub fn finish(&self, vouchers: &Vouchers, audit: &AuditLog) {
        let mut buffer = vec![0; LONGEST_DATAGRAM + 1];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) => self.take(buffer.get(..length), vouchers, audit),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.tell_lost(audit, true),
            }
        }
    }

    fn take(&self, datagram: Option<&[u8]>, vouchers: &Vouchers, audit: &AuditLog) {
        let event = datagram.filter(|whole| whole.len() <= LONGEST_DATAGRAM).and_then(AppEvent::read);
        let Some(event) = event else {
            self.bound().lost += 1;
            return self.tell_lost(audit, false);
        };
        vouchers.ask();
        if event.lost > 0 {
            audit.record(AppEvent::lost(event.lost, "app", clock::now()));
        }
        if let Some(record) = event.record(vouchers, clock::now()) {
            if self.bound().takes_one(Instant::now()) {
                audit.record(record);
            } else {
                self.tell_lost(audit, false);
            }
        }
    }

    fn tell_lost(&self, audit: &AuditLog, at_once: bool) {
        let mut bound = self.bound();
        if bound.lost > 0 && (at_once || bound.told.elapsed() >= TELL_EVERY) {
            audit.record(AppEvent::lost(std::mem::take(&mut bound.lost), "gate", clock::now()));
            bound.told = Instant::now();
        }
    }

    fn bound(&self) -> MutexGuard<'_, Bound> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bound {
    /// Whether one more is taken; else it is counted.
    fn takes_one(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled);
        let new = u32::try_from(passed.as_millis() * u128::from(EACH_SECOND) / 1_000).unwrap_or(u32::MAX);
        if new > 0 {
            self.left = self.left.saturating_add(new).min(AT_ONCE);
            self.filled = now;
        }
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return true;
        }
        self.lost += 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_too_fast_is_counted() {
        let now = Instant::now();
        let mut bound = Bound { left: AT_ONCE, filled: now, lost: 0, told: now };
        let taken = |bound: &mut Bound, at, count: u32| (0..count).filter(|_| bound.takes_one(at)).count();
        assert_eq!(taken(&mut bound, now, AT_ONCE + 100), AT_ONCE as usize);
        assert_eq!(bound.lost, 100);
        let later = now + Duration::from_secs(2);
        assert_eq!(taken(&mut bound, later, 1_000), 2 * EACH_SECOND as usize);
        assert_eq!(bound.lost, 100 + 600);
    }
}
