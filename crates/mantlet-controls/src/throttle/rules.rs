//! Finds the rules that apply to a request, and its keys.

use std::sync::Arc;

use http::{HeaderName, Method};

use crate::throttle::{
    Key,
    rate::{Rate, Table},
    store::Fail,
    usage::Usage,
};
use crate::{
    Mode,
    call::Spellings,
    selection::{Selection, Target},
};

/// One rule.
#[derive(Debug)]
pub(super) struct Rule<C = Counter> {
    pub(super) counter: C,
    pub(super) key: Box<[KeyPart]>,
}

/// The counter of a rule.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    pub(super) name: Arc<str>,
    pub(super) rate: Rate,
    /// The counts on this machine.
    pub(super) table: Arc<Table>,
    /// Its usage while it only reports.
    pub(super) usage: Arc<Usage>,
    pub(super) mode: Mode,
    pub(super) fail: Fail,
}

impl Counter {
    /// Takes back a count on this machine.
    pub(super) fn give_back(&self, key: Key) {
        self.table.give_back(self.table.key(key), &self.rate);
    }
}

/// A part of a rule's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyPart {
    Ip,
    User,
    ApiKey,
    Bearer,
    Route,
    Header(HeaderName),
    Field(Box<str>),
}

impl<C> Rule<C> {
    /// Whether it can be checked before the route is known.
    fn is_early(&self) -> bool {
        self.key.iter().all(|part| matches!(part, KeyPart::Ip | KeyPart::Bearer | KeyPart::Header(_)))
    }
}

/// Rules by the operations that they apply to.
#[derive(Debug)]
pub(super) struct Rules<C = Counter> {
    all: Selection<Entry<C>>,
    has_early: bool,
    has_late: bool,
}

#[derive(Debug)]
struct Entry<C> {
    rule: Rule<C>,
    early: bool,
}

impl<C> Default for Rules<C> {
    fn default() -> Self {
        Self { all: Selection::default(), has_early: false, has_late: false }
    }
}

impl<C> Rules<C> {
    /// Adds a rule; fails with what is wrong with its paths.
    pub(super) fn add(&mut self, rule: Rule<C>, target: &Target<'_>) -> Result<(), String> {
        let early = rule.is_early() && target.tags.is_empty();
        self.add_at(early, rule, target)
    }

    /// Adds a rule that is not checked early, whatever its key.
    pub(super) fn add_late(&mut self, rule: Rule<C>, target: &Target<'_>) -> Result<(), String> {
        self.add_at(false, rule, target)
    }

    fn add_at(&mut self, early: bool, rule: Rule<C>, target: &Target<'_>) -> Result<(), String> {
        self.all.add(Entry { rule, early }, target)?;
        *(if early { &mut self.has_early } else { &mut self.has_late }) = true;
        Ok(())
    }

    /// Whether there are rules for this stage.
    pub(super) const fn has(&self, early: bool) -> bool {
        if early { self.has_early } else { self.has_late }
    }

    /// All of them, in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Rule<C>> {
        self.all.all().map(|entry| &entry.rule)
    }

    /// The rules that apply to a request at this stage, in their order.
    pub(super) fn of(
        &self,
        early: bool,
        method: &Method,
        path: Spellings<'_>,
        tags: &[String],
    ) -> Vec<&Rule<C>> {
        let entries = self.all.of(method, path, tags);
        entries.filter(|entry| entry.early == early).map(|entry| &entry.rule).collect()
    }
}
