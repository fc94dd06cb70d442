//! A streaming response that is scanned on its way.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use super::scan::Scanner;
use crate::{
    audit::{FirstTime, Keep, Record},
    message::Rewrite,
};

/// Where findings go after the head of a response has been sent.
pub(super) struct Tell {
    pub(super) keep: Option<Keep>,
    /// The record, but for the names.
    pub(super) record: Record,
    pub(super) reported: Arc<FirstTime>,
    /// By what it is known to have been told.
    pub(super) known_as: String,
}

impl Tell {
    pub(super) fn of(&self, names: &[String]) {
        if !names.is_empty()
            && self.reported.is_new(&self.known_as)
            && let Some(keep) = &self.keep
        {
            keep(self.record.clone().naming(names));
        }
    }
}

/// Writes over what should not leave.
pub(super) struct Scanned {
    scanner: Scanner,
    tell: Tell,
}

impl Scanned {
    pub(super) const fn new(scanner: Scanner, tell: Tell) -> Self {
        Self { scanner, tell }
    }
}

impl fmt::Debug for Scanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanned").field("scanner", &self.scanner).finish_non_exhaustive()
    }
}

impl Rewrite for Scanned {
    fn pass(&mut self, data: Bytes) -> Bytes {
        let out = self.scanner.push(data);
        self.tell.of(&self.scanner.take_found());
        out
    }

    fn end(&mut self) -> Bytes {
        let rest = self.scanner.end();
        self.tell.of(&self.scanner.take_found());
        rest.into()
    }

    fn held(&self) -> usize {
        self.scanner.held()
    }
}
