//! Reports each name only once.

use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

/// Names that have been reported. Bounded, because clients and apps can make up any number. Beyond
/// the bound no name is reported.
#[derive(Debug)]
pub(crate) struct FirstTime {
    most: usize,
    known: RwLock<HashSet<Box<str>>>,
}

impl FirstTime {
    pub(crate) fn up_to(most: usize) -> Self {
        Self { most, known: RwLock::default() }
    }

    /// Whether this was reported before.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// Whether this is the first report.
    pub(crate) fn is_new(&self, name: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.most || known.contains(name) {
            return false;
        }
        drop(known);
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(name.into())
    }
}
