//! The first stage: bytes, with what is known and what has a form replaced.

use std::{cmp::Reverse, mem, ops::Range, sync::Arc};

use aho_corasick::automaton::StateID;

use crate::{
    rules::{Hit, Label, Rules},
    shapes::{CONTEXT, Runs, Shape, Text, Verdict},
};

/// What may be a secret, and is not judged yet.
#[derive(Debug)]
struct Candidate {
    trigger: Range<usize>,
    shape: Shape,
    /// How long the text has to be before it is looked at again: so that a long one costs no more for each byte.
    next_look: usize,
    /// It is one, whatever follows.
    begun: Option<&'static str>,
    /// That it is one was shown.
    is_shown: bool,
}

/// What is to be replaced.
#[derive(Debug)]
struct Found {
    range: Range<usize>,
    rank: u8,
    label: Label,
}

#[derive(Debug)]
pub(crate) struct Bytes {
    rules: Arc<Rules>,
    /// What came last: some that is shown, then what is not.
    text: Vec<u8>,
    /// How much of it was shown.
    shown: usize,
    /// How much of it the automaton has read, and where that is.
    read: usize,
    state: StateID,
    candidates: Vec<Candidate>,
    /// Where the first of them begins, and how long the text has to be before one is looked at again.
    first: Option<usize>,
    due: usize,
    /// Forms of which one is not decided: later ones wait for it.
    undecided: Vec<Shape>,
    found: Vec<Found>,
    /// How far the last one of each form reaches: what begins in it is a part of it.
    covers: Vec<(Shape, usize)>,
    runs: Runs,
    /// The last label that was shown, and where in the text the replaced part ends.
    last: Option<(Label, usize)>,
}

impl Bytes {
    pub(crate) fn new(rules: Arc<Rules>) -> Self {
        Self {
            state: rules.start(),
            rules,
            text: Vec::new(),
            shown: 0,
            read: 0,
            candidates: Vec::new(),
            first: None,
            due: 0,
            undecided: Vec::new(),
            found: Vec::new(),
            covers: Vec::new(),
            runs: Runs::default(),
            last: None,
        }
    }

    /// Goes on with other rules. What is held back is read again.
    pub(crate) fn renew(&mut self, rules: Arc<Rules>) {
        self.state = rules.start();
        self.rules = rules;
        self.read = 0;
        self.candidates.clear();
        self.found.clear();
        self.covers.clear();
        self.undecided.clear();
        self.due = 0;
        self.last = None;
        self.read_on();
    }

    pub(crate) const fn holds(&self) -> bool {
        self.shown < self.text.len()
    }

    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.text.extend_from_slice(bytes);
        self.read_on();
        self.judge(false, false);
        let settled = self.settled();
        self.show(settled, out);
        self.forget(settled);
    }

    /// Shows what is held back. What is certainly a secret is replaced, and what may be one is not.
    pub(crate) fn rest(&mut self, out: &mut Vec<u8>) {
        self.judge(true, false);
        self.end_private_keys();
        let begun = self.candidates.iter_mut().filter(|one| one.begun.is_some());
        let first = begun.min_by_key(|one| one.trigger.start);
        let end = self.text.len();
        if let Some(Candidate { trigger, begun: Some(what), is_shown, .. }) = first {
            let (start, label) = (trigger.start, Label::Form(what));
            let was_shown = mem::replace(is_shown, true);
            self.show(start, out);
            if !was_shown {
                self.rules.write(label, out);
            }
            self.last = Some((label, end));
            self.shown = end;
        } else {
            self.show(end, out);
        }
        let settled = self.settled();
        self.forget(settled);
    }

    /// Silence ends a private key that is cut off: what follows is something else.
    fn end_private_keys(&mut self) {
        let text = Text { bytes: &self.text, is_whole: true, runs: &self.runs };
        let Self { candidates, found, first, due, .. } = self;
        candidates.retain(|one| {
            if one.begun.is_none() || !one.shape.is_same(Shape::PrivateKey) {
                return true;
            }
            if let Verdict::Found(range, what) = one.shape.judge(text, one.trigger.start, one.trigger.end) {
                found.push(Found { range, rank: one.shape.rank(), label: Label::Form(what) });
            }
            false
        });
        *due = 0;
        *first = candidates.iter().map(|one| one.trigger.start).min();
    }

    /// Nothing follows: shows all.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.judge(true, true);
        self.show(self.text.len(), out);
        *self = Self::new(Arc::clone(&self.rules));
    }

    fn read_on(&mut self) {
        let Self { rules, text, read, state, candidates, found, due, undecided, .. } = self;
        let new = text.get(*read..).unwrap_or_default();
        *state = rules.read(*state, new, *read, |hit| match hit {
            Hit::Known(range, name) => found.push(Found { range, rank: 0, label: Label::Known(name) }),
            Hit::Trigger(trigger, shape) => {
                if !undecided.iter().any(|other| other.is_same(shape)) {
                    *due = 0;
                }
                candidates.push(Candidate { trigger, shape, next_look: 0, begun: None, is_shown: false });
            }
        });
        *read = text.len();
    }

    fn judge(&mut self, looks_at_all: bool, is_whole: bool) {
        let length = self.text.len();
        if length < self.due && !looks_at_all {
            return;
        }
        let text = Text { bytes: &self.text, is_whole, runs: &self.runs };
        self.undecided.clear();
        (self.first, self.due) = (None, usize::MAX);
        for mut one in mem::take(&mut self.candidates) {
            text.runs.look(1);
            let is_same = |shape: &Shape| shape.is_same(one.shape);
            if self.covers.iter().any(|(shape, end)| is_same(shape) && one.trigger.start < *end) {
                continue;
            }
            let mut cover = |to: usize| {
                self.covers.retain(|(shape, _)| !is_same(shape));
                self.covers.push((one.shape, to));
            };
            // One after the other: what begins within one that is not decided may be a part of it.
            let waits = self.undecided.iter().any(is_same);
            if waits || (length < one.next_look && !looks_at_all) {
                if !waits {
                    self.due = self.due.min(one.next_look);
                    self.undecided.push(one.shape);
                }
                self.first = Some(self.first.map_or(one.trigger.start, |first| first.min(one.trigger.start)));
                self.candidates.push(one);
                continue;
            }
            match one.shape.judge(text, one.trigger.start, one.trigger.end) {
                Verdict::No => continue,
                Verdict::Found(range, what) => {
                    cover(range.end);
                    self.found.push(Found { range, rank: one.shape.rank(), label: Label::Form(what) });
                    continue;
                }
                Verdict::Open => self.undecided.push(one.shape),
                Verdict::Begun(what) => {
                    self.undecided.push(one.shape);
                    one.begun = Some(what);
                }
            }
            one.next_look = length + (length - one.trigger.start) / 4;
            self.due = self.due.min(one.next_look);
            self.first = Some(self.first.map_or(one.trigger.start, |first| first.min(one.trigger.start)));
            self.candidates.push(one);
        }
    }

    /// Up to where nothing that follows changes what is shown.
    fn settled(&self) -> usize {
        let held = self.rules.depth(self.state);
        let mut settled = self.text.len().saturating_sub(held);
        if let Some(first) = self.first {
            settled = settled.min(first);
        }
        // Of two that overlap, one label is shown.
        while let Some(over) =
            self.found.iter().find(|one| one.range.start < settled && settled < one.range.end)
        {
            settled = over.range.start;
        }
        settled
    }

    /// Shows the text up to there.
    fn show(&mut self, to: usize, out: &mut Vec<u8>) {
        self.found.sort_by_key(|one| (one.range.start, one.rank, Reverse(one.range.end)));
        let later = self.found.partition_point(|one| one.range.start < to);
        let mut at = self.shown;
        for Found { range, label, .. } in self.found.drain(..later).filter(|one| !one.range.is_empty()) {
            if range.end <= at {
                continue;
            }
            if range.start > at {
                out.extend_from_slice(self.text.get(at..range.start).unwrap_or_default());
            }
            // What goes on from a secret that was shown, in whatever way, is shown with it.
            let goes_on = self.last.is_some_and(|(last, end)| {
                end == at && (range.start < at || (range.start == at && last == label))
            });
            if !goes_on {
                self.rules.write(label, out);
            }
            at = range.end;
            self.last = Some((label, at));
        }
        if to > at {
            out.extend_from_slice(self.text.get(at..to).unwrap_or_default());
            at = to;
        }
        self.shown = at;
    }

    /// Drops what no verdict depends on.
    fn forget(&mut self, settled: usize) {
        let done = self.shown.min(settled).saturating_sub(CONTEXT);
        if done == 0 {
            return;
        }
        self.text.drain(..done);
        self.shown -= done;
        self.read -= done;
        self.first = self.first.map(|first| first - done);
        if self.due < usize::MAX {
            self.due = self.due.saturating_sub(done);
        }
        self.runs.forget(done);
        self.covers.retain_mut(|(_, end)| {
            *end = end.saturating_sub(done);
            *end > 0
        });
        for one in &mut self.candidates {
            one.trigger = one.trigger.start - done..one.trigger.end - done;
            one.next_look = one.next_look.saturating_sub(done);
        }
        for one in &mut self.found {
            one.range = one.range.start - done..one.range.end - done;
        }
        self.last = self.last.and_then(|(label, end)| Some((label, end.checked_sub(done)?)));
    }
}

#[cfg(test)]
mod tests;
