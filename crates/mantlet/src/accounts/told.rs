//! What the operator is told while the gate runs, without telling the same again.

use std::sync::{Mutex, PoisonError};

use crate::say::say;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<String>);

impl Told {
    /// Tells it, unless it was told last. An empty text is not told: what was told before may be told again.
    pub(super) fn tell(&self, text: String) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != text {
            if !text.is_empty() {
                say(&text);
            }
            *told = text;
        }
    }
}
