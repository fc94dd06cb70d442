//! Follows sessions in which something is open for long: a WebSocket, a stream.
//!
//! What ends a session in this process asks at once, by a counter; what another gate or a command does is seen within a minute.
//! While the database does not answer, nothing ends.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use mantlet_accounts::Fault;
use mantlet_controls::accounts::Followed;

/// How long a session is taken to go on before it is looked up again.
const LASTS: Duration = Duration::from_mins(1);
/// The same where it could not be looked up.
const PAUSE: Duration = Duration::from_secs(5);

/// How a session is followed.
pub(super) trait Trail: Send + Sync + 'static {
    /// Counts what may have ended it.
    fn number(&self) -> u64;

    /// Looks it up, and tells whether it goes on.
    fn look_up(&self, tell: impl FnOnce(Result<bool, Fault>) + Send + 'static);
}

/// A session that is followed.
pub(super) struct Session<T>(Arc<Inner<T>>);

struct Inner<T> {
    trail: T,
    has_ended: AtomicBool,
    is_asked: AtomicBool,
    known: Mutex<Known>,
}

/// It went on, when that many ends were counted.
#[derive(Debug, Clone, Copy)]
struct Known {
    number: u64,
    until: Instant,
}

impl<T: Trail> Session<T> {
    /// One that goes on.
    pub(super) fn new(trail: T) -> Self {
        let known = Known { number: trail.number(), until: Instant::now() + LASTS };
        let (has_ended, is_asked) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Inner { trail, has_ended, is_asked, known: Mutex::new(known) }))
    }
}

impl<T: Trail> Followed for Session<T> {
    fn has_ended(&self) -> bool {
        let inner = &self.0;
        if inner.has_ended.load(SeqCst) {
            return true;
        }
        let number = inner.trail.number();
        let known = *inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = number != known.number || Instant::now() >= known.until;
        if is_due && !inner.is_asked.swap(true, SeqCst) {
            let asked = Arc::clone(inner);
            inner.trail.look_up(move |goes_on| asked.learn(&goes_on, number));
        }
        false
    }
}

impl<T> Inner<T> {
    /// `number` was counted before it was looked up: what has ended since is looked up again.
    fn learn(&self, goes_on: &Result<bool, Fault>, number: u64) {
        let lasts = match goes_on {
            Ok(true) => LASTS,
            Ok(false) => {
                self.has_ended.store(true, SeqCst);
                LASTS
            }
            Err(_) => PAUSE,
        };
        let known = Known { number, until: Instant::now() + lasts };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        self.is_asked.store(false, SeqCst);
    }
}

impl<T> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("has_ended", &self.0.has_ended).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    /// What was counted, how often it was looked up, and the answer.
    #[derive(Clone, Default)]
    struct Known(Arc<(AtomicU64, AtomicU64, Mutex<Option<bool>>)>);

    impl Trail for Known {
        fn number(&self) -> u64 {
            self.0.0.load(SeqCst)
        }

        fn look_up(&self, tell: impl FnOnce(Result<bool, Fault>) + Send + 'static) {
            self.0.1.fetch_add(1, SeqCst);
            let goes_on = *self.0.2.lock().unwrap();
            tell(goes_on.ok_or(Fault::Failed("a lookup")));
        }
    }

    #[test]
    fn a_session_is_looked_up_when_something_has_ended_and_ends_for_good() {
        let known = Known::default();
        let session = Session::new(known.clone());
        let looked_up = || known.0.1.load(SeqCst);
        assert!(!session.has_ended() && looked_up() == 0);
        // A database that does not answer ends nothing, and is not asked in each moment.
        known.0.0.store(1, SeqCst);
        assert!(!session.has_ended() && !session.has_ended());
        assert_eq!(looked_up(), 1);
        *known.0.2.lock().unwrap() = Some(true);
        known.0.0.store(2, SeqCst);
        assert!(!session.has_ended() && !session.has_ended());
        assert_eq!(looked_up(), 2);
        *known.0.2.lock().unwrap() = Some(false);
        known.0.0.store(3, SeqCst);
        assert!(!session.has_ended(), "it is asked");
        assert!(session.has_ended());
        assert_eq!(looked_up(), 3);
    }
}
