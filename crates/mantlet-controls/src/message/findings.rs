//! Findings in a body while it streams to the app, for the records.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use crate::{Reason, config::Mode};

/// A finding in a body, for its record.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<Vec<Finding>>);

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) reason: Reason,
    /// `enforce`: the body broke off for it.
    pub(crate) mode: Mode,
    /// It is tolerated by posture, and so news only once for a route.
    pub(crate) tolerated: bool,
    /// In a few words.
    pub(crate) what: &'static str,
}

impl Findings {
    /// Notes something in the mode that it counts in; `control` is that of the control.
    pub(crate) fn note(
        &self,
        reason: Reason,
        mode: Mode,
        control: Mode,
        what: &'static str,
    ) -> Result<(), Reason> {
        if mode == Mode::Off {
            return Ok(());
        }
        let finding = Finding { reason, mode, tolerated: mode != control, what };
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // There are only so many.
        if !found.contains(&finding) {
            found.push(finding);
        }
        if mode == Mode::Enforce { Err(reason) } else { Ok(()) }
    }

    /// All that was seen so far.
    pub(crate) fn take(&self) -> Vec<Finding> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
