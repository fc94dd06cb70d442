//! Finds the rules that apply to a request, and its keys.

use std::{collections::HashMap, sync::Arc};

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
    config::template::{as_get, template},
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

/// The operations that a rule applies to.
pub(super) struct Target<'c> {
    pub(super) paths: &'c [String],
    pub(super) methods: Vec<Method>,
    pub(super) tags: &'c [String],
}

/// Rules by the operations that they apply to: a lookup costs the length of the path and the number
/// of tags, not the number of rules.
#[derive(Debug)]
pub(super) struct Rules<C = Counter> {
    all: Vec<Entry<C>>,
    /// Those without paths and tags.
    everywhere: Vec<usize>,
    by_path: matchit::Router<usize>,
    /// The router's values.
    of_path: Vec<OfPath>,
    by_tag: HashMap<Box<str>, Vec<usize>>,
    has_early: bool,
    has_late: bool,
}

/// The rules of a template.
#[derive(Debug)]
struct OfPath {
    template: String,
    numbers: Vec<usize>,
    /// Matches what it does, alone.
    router: matchit::Router<()>,
    /// Other templates that may match the same paths, less precisely.
    others: Vec<usize>,
}

#[derive(Debug)]
struct Entry<C> {
    rule: Rule<C>,
    /// None means all.
    methods: Vec<Method>,
    /// With paths as well.
    tags: Vec<Box<str>>,
    early: bool,
}

impl<C> Default for Rules<C> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            everywhere: Vec::new(),
            by_path: matchit::Router::new(),
            of_path: Vec::new(),
            by_tag: HashMap::new(),
            has_early: false,
            has_late: false,
        }
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
        let number = self.all.len();
        for path in target.paths {
            if !path.starts_with('/') {
                return Err(format!("`{path}` has no leading `/`"));
            }
            let template = template(path);
            if let Some(known) = self.of_path.iter_mut().find(|known| known.template == template) {
                known.numbers.push(number);
                continue;
            }
            let mut router = matchit::Router::new();
            let inserted = self.by_path.insert(template.clone(), self.of_path.len());
            inserted.and_then(|()| router.insert(template.clone(), ())).map_err(|error| match error {
                matchit::InsertError::Conflict { with } => {
                    format!("`{path}` matches the same paths as `{with}`")
                }
                _ => format!("`{path}` is not a path template"),
            })?;
            let (place, mut others) = (self.of_path.len(), Vec::new());
            for (other, known) in self.of_path.iter_mut().enumerate() {
                if may_meet(&known.template, &template) {
                    known.others.push(place);
                    others.push(other);
                }
            }
            self.of_path.push(OfPath { template, numbers: vec![number], router, others });
        }
        if target.paths.is_empty() && target.tags.is_empty() {
            self.everywhere.push(number);
        }
        if target.paths.is_empty() {
            for tag in target.tags {
                self.by_tag.entry(tag.as_str().into()).or_default().push(number);
            }
        }
        let tags = target.tags.iter().map(|tag| tag.as_str().into()).collect();
        *(if early { &mut self.has_early } else { &mut self.has_late }) = true;
        self.all.push(Entry { rule, methods: target.methods.clone(), tags, early });
        Ok(())
    }

    /// Whether there are rules for this stage.
    pub(super) const fn has(&self, early: bool) -> bool {
        if early { self.has_early } else { self.has_late }
    }

    /// All of them, in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Rule<C>> {
        self.all.iter().map(|entry| &entry.rule)
    }

    /// The rules that apply to a request at this stage, in their order.
    pub(super) fn of(
        &self,
        early: bool,
        method: &Method,
        path: Spellings<'_>,
        tags: &[String],
    ) -> Vec<&Rule<C>> {
        let mut numbers = self.everywhere.clone();
        for path in path.iter() {
            // The router knows the most precise template; a rule for a less precise one holds too.
            if let Some(found) = self.by_path.at(path).ok().and_then(|found| self.of_path.get(*found.value)) {
                numbers.extend(&found.numbers);
                let others = found.others.iter().filter_map(|other| self.of_path.get(*other));
                let others = others.filter(|other| other.router.at(path).is_ok());
                numbers.extend(others.flat_map(|other| &other.numbers));
            }
        }
        if !self.by_tag.is_empty() {
            numbers.extend(tags.iter().filter_map(|tag| self.by_tag.get(&**tag)).flatten());
        }
        numbers.sort_unstable();
        numbers.dedup();
        let entries = numbers.into_iter().filter_map(|number| self.all.get(number));
        let applies = |entry: &&Entry<C>| {
            entry.early == early
                && (entry.methods.is_empty()
                    || entry.methods.contains(method)
                    || as_get(method).is_some_and(|get| entry.methods.contains(get)))
                && (entry.tags.is_empty()
                    || entry.tags.iter().any(|tag| tags.iter().any(|own| **own == **tag)))
        };
        entries.filter(applies).map(|entry| &entry.rule).collect()
    }
}

/// Whether two templates may match the same path.
fn may_meet(one: &str, other: &str) -> bool {
    let (mut ours, mut theirs) = (one.split('/'), other.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            // One of them ends in a wildcard.
            (Some(part), _) | (_, Some(part)) if part.contains("{*") => return true,
            (Some(ours), Some(theirs)) if ours == theirs || ours.contains('{') || theirs.contains('{') => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_a_more_precise_path_lifts_no_other() {
        let mut rules = Rules::<&str>::default();
        for (name, path, method) in [
            ("item", "/items/{item_id}", None),
            ("seventh", "/items/7", Some(Method::DELETE)),
            ("everything", "/{path:path}", None),
            ("pictures", "/items/{item_id}/picture", None),
        ] {
            let rule = Rule { counter: name, key: [KeyPart::Ip].into() };
            let (paths, methods) = ([path.to_owned()], Vec::from_iter(method));
            rules.add(rule, &Target { paths: &paths, methods, tags: &[] }).unwrap();
        }
        let of = |method, path| -> Vec<_> {
            rules.of(true, &method, Spellings::one(path), &[]).into_iter().map(|rule| rule.counter).collect()
        };
        assert_eq!(of(Method::GET, "/items/7"), ["item", "everything"]);
        assert_eq!(of(Method::DELETE, "/items/7"), ["item", "seventh", "everything"]);
        assert_eq!(of(Method::GET, "/items/8"), ["item", "everything"]);
        assert_eq!(of(Method::GET, "/items/7/picture"), ["everything", "pictures"]);
        assert_eq!(of(Method::GET, "/other/x/y/z"), ["everything"]);
    }
}
