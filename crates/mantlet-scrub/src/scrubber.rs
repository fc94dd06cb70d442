//! Both stages together.

use std::{mem, sync::Arc};

use crate::{bytes::Bytes, lines::Lines, rules::Rules};

/// A stream from which secrets are taken out.
#[derive(Debug)]
pub struct Scrubber {
    rules: Arc<Rules>,
    bytes: Bytes,
    lines: Lines,
    between: Vec<u8>,
}

impl Scrubber {
    /// A stream at its beginning.
    pub fn new(rules: Arc<Rules>) -> Self {
        Self { bytes: Bytes::new(Arc::clone(&rules)), rules, lines: Lines::default(), between: Vec::new() }
    }

    /// Goes on with other rules, if they are others.
    pub fn renew(&mut self, rules: &Arc<Rules>, out: &mut Vec<u8>) {
        if Arc::ptr_eq(&self.rules, rules) {
            return;
        }
        if let Some(old) = self.rules.lines() {
            self.lines.finish(old, out);
        }
        self.bytes.renew(Arc::clone(rules));
        self.rules = Arc::clone(rules);
    }

    /// Takes bytes, and adds to `out` what is certain by now.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.staged(out, |stage, out| stage.push(bytes, out));
    }

    /// Adds to `out` what is held back, because nothing has come for a while. Of a secret that has begun only the rest
    /// is replaced then, unless it is certain already that it is one.
    pub fn rest(&mut self, out: &mut Vec<u8>) {
        self.staged(out, Bytes::rest);
        if let Some(rules) = self.rules.lines() {
            self.lines.rest(rules, out);
        }
    }

    /// Adds to `out` all that is left: nothing follows.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.staged(out, Bytes::finish);
        if let Some(rules) = self.rules.lines() {
            self.lines.finish(rules, out);
        }
    }

    /// Whether something is held back.
    pub const fn holds(&self) -> bool {
        self.bytes.holds() || self.lines.holds()
    }

    fn staged(&mut self, out: &mut Vec<u8>, first: impl FnOnce(&mut Bytes, &mut Vec<u8>)) {
        let Some(rules) = self.rules.lines() else { return first(&mut self.bytes, out) };
        let mut between = mem::take(&mut self.between);
        first(&mut self.bytes, &mut between);
        self.lines.push(rules, &between, out);
        between.clear();
        self.between = between;
    }
}
