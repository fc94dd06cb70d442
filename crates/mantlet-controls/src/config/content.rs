//! The content of a file that a configuration names.

use std::{fmt, hash::BuildHasher, sync::Arc};

/// The content of a file. It can be compared, a clone is the same memory, and `Debug` shows only its
/// length.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(Arc<[u8]>);

impl Content {
    /// Takes it.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// A short number for it, by which another content is known.
    pub(crate) fn digest(&self, hasher: &impl BuildHasher) -> u64 {
        hasher.hash_one(&self.0)
    }
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}
