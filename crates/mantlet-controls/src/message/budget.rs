//! A budget for the bodies that are held in memory, for all calls together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;

/// Bytes of larger bodies that may be held at once.
const MOST: usize = 256 << 20;
/// Bytes of a body that are not counted, so that small bodies always pass.
const SMALL: usize = 64 << 10;

/// The budget. A clone shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budget(Arc<AtomicUsize>);

impl Budget {
    /// A part of the budget that grows.
    pub(crate) fn part(&self) -> Part {
        Part { budget: self.clone(), bytes: 0 }
    }
}

/// A body's part of it.
#[derive(Debug)]
pub(crate) struct Part {
    budget: Budget,
    bytes: usize,
}

impl Part {
    /// Sets the number of bytes of the body so far; returns whether there is room for them.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> bool {
        if bytes <= SMALL || bytes <= self.bytes {
            return true;
        }
        let more = bytes - self.bytes;
        self.bytes = bytes;
        self.budget.0.fetch_add(more, Relaxed) + more <= MOST
    }

    /// Bytes that count as held until the last copy is dropped, even if a client does not read
    /// them.
    pub(crate) fn with(self, bytes: Bytes) -> Bytes {
        if self.bytes == 0 { bytes } else { Bytes::from_owner(Kept { bytes, _part: self }) }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Relaxed);
    }
}

struct Kept {
    bytes: Bytes,
    _part: Part,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_holds_counts_until_he_lets_it_go() {
        let budget = Budget::default();
        let mut part = budget.part();
        assert!(part.grow_to(MOST));
        let held = part.with(Bytes::from_static(b"all of it"));
        let half = held.slice(..4);
        drop(held);
        assert!(!budget.part().grow_to(SMALL + 1), "a part of it is still there");
        assert!(budget.part().grow_to(SMALL), "small ones pass");
        drop(half);
        assert!(budget.part().grow_to(MOST));
    }
}
