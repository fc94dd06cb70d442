//! Whether the app runs, and how often it was started again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What is known of the app.
#[derive(Debug, Default)]
pub(crate) struct AppHealth {
    was_seen: AtomicBool,
    is_up: AtomicBool,
    restarts: AtomicU64,
}

impl AppHealth {
    pub(crate) fn is_up(&self, is_up: bool) {
        self.is_up.store(is_up, Relaxed);
        self.was_seen.store(true, Relaxed);
    }

    pub(crate) fn crashed(&self) {
        self.is_up.store(false, Relaxed);
        self.restarts.fetch_add(1, Relaxed);
    }

    /// Whether it was up when it was last looked at; none if it was never looked at.
    pub(crate) fn was_up(&self) -> Option<bool> {
        self.was_seen.load(Relaxed).then(|| self.is_up.load(Relaxed))
    }

    /// How often it was started again.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Relaxed)
    }
}
