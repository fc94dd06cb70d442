//! The first stage: bytes, with what is known and what has a form replaced.

use std::{cmp::Reverse, mem, ops::Range, sync::Arc};

use aho_corasick::automaton::StateID;

use crate::{
    rules::{Hit, Label, Rules},
    shapes::{CONTEXT, Shape, Text, Verdict},
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
    found: Vec<Found>,
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
            found: Vec::new(),
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

    /// Nothing follows: shows all.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.judge(true, true);
        self.show(self.text.len(), out);
        *self = Self::new(Arc::clone(&self.rules));
    }

    fn read_on(&mut self) {
        let Self { rules, text, read, state, candidates, found, .. } = self;
        let new = text.get(*read..).unwrap_or_default();
        *state = rules.read(*state, new, *read, |hit| match hit {
            Hit::Known(range, name) => found.push(Found { range, rank: 0, label: Label::Known(name) }),
            Hit::Trigger(trigger, shape) => {
                candidates.push(Candidate { trigger, shape, next_look: 0, begun: None, is_shown: false });
            }
        });
        *read = text.len();
    }

    fn judge(&mut self, looks_at_all: bool, is_whole: bool) {
        let text = Text { bytes: &self.text, is_whole };
        let length = text.bytes.len();
        for mut one in mem::take(&mut self.candidates) {
            if length < one.next_look && !looks_at_all {
                self.candidates.push(one);
                continue;
            }
            match one.shape.judge(text, one.trigger.start, one.trigger.end) {
                Verdict::No => continue,
                Verdict::Found(range, what) => {
                    self.found.push(Found { range, rank: one.shape.rank(), label: Label::Form(what) });
                    continue;
                }
                Verdict::Open => {}
                Verdict::Begun(what) => one.begun = Some(what),
            }
            one.next_look = length + (length - one.trigger.start) / 4;
            self.candidates.push(one);
        }
    }

    /// Up to where nothing that follows changes what is shown.
    fn settled(&self) -> usize {
        let held = self.rules.depth(self.state);
        let mut settled = self.text.len().saturating_sub(held);
        for one in &self.candidates {
            settled = settled.min(one.trigger.start);
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
