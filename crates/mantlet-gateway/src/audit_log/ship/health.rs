//! How a destination fares: for metrics, and for a person.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::line::Position;
use crate::{clock, tell};

/// A destination that comes and goes is spoken of once in this time.
const QUIET: Duration = Duration::from_mins(1);

/// Figures of a destination.
#[derive(Debug)]
pub(crate) struct Health {
    /// What people call it.
    pub(crate) name: String,
    sent: AtomicU64,
    lost: AtomicU64,
    waiting: AtomicU64,
    /// The time of the oldest line that waits, in milliseconds since 1970; 0 if none does.
    oldest: AtomicI64,
    /// When it took lines last, in seconds since 1970; 0 for never.
    taken_at: AtomicI64,
    is_up: AtomicBool,
    reached: Mutex<Option<Position>>,
    doubtful: AtomicU64,
}

impl Health {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sent: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            oldest: AtomicI64::new(0),
            taken_at: AtomicI64::new(0),
            is_up: AtomicBool::new(true),
            reached: Mutex::default(),
            doubtful: AtomicU64::new(0),
        }
    }

    pub(super) fn took(&self, lines: u64) {
        self.sent.fetch_add(lines, Relaxed);
        self.taken_at.store(clock::now().as_second(), Relaxed);
    }

    pub(super) fn lost(&self, lines: u64) {
        let _ = self.lost.fetch_update(Relaxed, Relaxed, |lost| Some(lost.saturating_add(lines)));
    }

    pub(super) fn goes_down(&self) {
        self.is_up.store(false, Relaxed);
    }

    /// The last line that it has got, of a log whose lines are in memory.
    pub(super) fn reached(&self) -> Option<Position> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn reaches(&self, position: &Position) {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = Some(position.clone());
    }

    /// So many lines have perhaps not arrived. Whether they are the first ones.
    pub(super) fn doubts(&self, lines: u64) -> bool {
        lines > 0 && self.doubtful.fetch_add(lines, Relaxed) == 0
    }

    pub(super) fn waits(&self, lines: u64, oldest: Option<Timestamp>) {
        self.waiting.store(lines, Relaxed);
        self.oldest.store(oldest.map_or(0, Timestamp::as_millisecond), Relaxed);
    }

    /// Records that were sent since the start, those that were sent again too.
    pub(crate) fn shipped(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Records that will not be sent any more.
    pub(crate) fn unshipped(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Records that have perhaps not arrived: all connections broke shortly after they were sent.
    pub(crate) fn doubtful(&self) -> u64 {
        self.doubtful.load(Relaxed)
    }

    /// Records that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    /// How long the oldest of them has waited.
    pub(crate) fn lag(&self) -> Duration {
        match self.oldest.load(Relaxed) {
            0 => Duration::ZERO,
            oldest => Duration::from_millis(
                u64::try_from(clock::now().as_millisecond() - oldest).unwrap_or_default(),
            ),
        }
    }

    /// When it took records last since the start, in seconds since 1970.
    pub(crate) fn taken_at(&self) -> Option<i64> {
        Some(self.taken_at.load(Relaxed)).filter(|taken| *taken > 0)
    }

    /// Whether the last attempt has come through.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Relaxed)
    }
}

/// What is said of a destination on the terminal.
#[derive(Debug, Default)]
pub(super) struct Voice {
    said: Option<Instant>,
    /// It was said that it fails.
    is_ill: bool,
}

impl Voice {
    pub(super) fn fails(&mut self, health: &Health, why: &str, waits_in: &str) {
        health.goes_down();
        let is_soon = self.said.is_some_and(|said| said.elapsed() < QUIET);
        if !self.is_ill && !is_soon {
            (self.said, self.is_ill) = (Some(Instant::now()), true);
            tell(&format!(
                "error: the audit log cannot be shipped to `{}`: {why}; records wait in {waits_in}",
                health.name
            ));
        }
    }

    pub(super) fn works(&mut self, health: &Health) {
        health.is_up.store(true, Relaxed);
        if std::mem::take(&mut self.is_ill) {
            tell(&format!("the audit log is shipped to `{}` again", health.name));
        }
    }
}
