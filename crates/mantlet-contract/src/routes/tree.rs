//! Finds the routes whose templates could match a path.

use std::collections::HashMap;

use super::template::{Step, segments, steps};

#[derive(Debug, Default)]
pub(super) struct Tree {
    /// By a segment's text.
    texts: HashMap<Box<str>, Tree>,
    /// For a segment with a parameter in it.
    any: Option<Box<Tree>>,
    /// Routes whose template ends here.
    ends: Vec<u32>,
    /// Routes of which everything that follows is one parameter.
    tails: Vec<u32>,
}

impl Tree {
    pub(super) fn insert(&mut self, template: &str, route: u32) {
        let mut node = self;
        for step in steps(template) {
            node = match step {
                Step::Text(text) => node.texts.entry(text.into()).or_default(),
                Step::Any => node.any.get_or_insert_default(),
                Step::Tail => return node.tails.push(route),
            };
        }
        node.ends.push(route);
    }

    /// Routes that could match; each has still to be tried.
    pub(super) fn collect(&self, path: &str, found: &mut Vec<u32>) {
        let mut rest = segments(path);
        self.walk(&mut rest, found);
    }

    fn walk<'p>(&self, rest: &mut (impl Iterator<Item = &'p str> + Clone), found: &mut Vec<u32>) {
        found.extend_from_slice(&self.tails);
        let Some(segment) = rest.next() else {
            return found.extend_from_slice(&self.ends);
        };
        if let Some(next) = self.texts.get(segment) {
            next.walk(&mut rest.clone(), found);
        }
        if let Some(next) = &self.any {
            next.walk(&mut rest.clone(), found);
        }
    }
}
