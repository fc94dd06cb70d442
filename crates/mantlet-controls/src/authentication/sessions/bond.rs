//! The browser that a session belongs to, and whether its tokens are bound to it.

use std::sync::{
    OnceLock,
    atomic::{AtomicU8, Ordering::Relaxed},
};

use super::Digest;

/// Requests with both the token and the cookie, until the token is bound.
const NEEDED: u8 = 3;

/// Whether the tokens of a session are bound to its browser. A later one wins over an earlier one,
/// wherever they come from: a token that is used elsewhere, too, is bound nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bond {
    /// It is not known yet.
    Open,
    /// They are.
    Bound,
    /// They are not: one was used without the cookie before.
    Never,
}

impl Bond {
    /// What an event says.
    pub const fn of(is_bound: bool) -> Self {
        if is_bound { Self::Bound } else { Self::Never }
    }
}

/// The cookie of a session's browser.
#[derive(Debug, Default)]
pub(super) struct Fingerprint {
    /// Its digest, if the browser has got one with this session.
    digest: OnceLock<Digest>,
    bond: AtomicU8,
    /// Requests that had both.
    matches: AtomicU8,
}

impl Fingerprint {
    pub(super) fn digest(&self) -> Option<Digest> {
        self.digest.get().copied()
    }

    /// The first one counts.
    pub(super) fn is(&self, digest: Digest) {
        let _ = self.digest.set(digest);
    }

    pub(super) fn bond(&self) -> Bond {
        match self.bond.load(Relaxed) {
            0 => Bond::Open,
            1 => Bond::Bound,
            _ => Bond::Never,
        }
    }

    pub(super) fn decide(&self, bond: Bond) {
        self.bond.fetch_max(bond as u8, Relaxed);
    }

    /// The token came with the cookie. Whether that was often enough now.
    pub(super) fn note_match(&self) -> bool {
        self.matches.fetch_add(1, Relaxed) == NEEDED - 1
    }

    /// It is counted from the start again.
    pub(super) fn forget_matches(&self) {
        self.matches.store(0, Relaxed);
    }
}
