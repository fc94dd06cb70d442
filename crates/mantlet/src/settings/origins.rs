//! Where the value of each key came from.

use std::collections::BTreeMap;

use super::key::{Segment, key_of};
use super::mistake::Located;
use super::origin::Origin;
use super::tree::{Node, Value};

/// The origin of every key that was in a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    keys: BTreeMap<String, Entry>,
    /// Where the items stand that are left of lists from which some were taken out.
    left: BTreeMap<String, Vec<usize>>,
}

#[derive(Clone, Debug)]
struct Entry {
    origin: Origin,
    /// Whether it is a table: then what it does not mention is not from where it is.
    is_table: bool,
}

impl Origins {
    /// The origin of `key`, or of the nearest table or list around it.
    pub(crate) fn of(&self, key: &str) -> Origin {
        self.nearest(key).map_or(Origin::Default, |(_, entry)| entry.origin.clone())
    }

    /// Turns what a caller found wrong with the value of `key` into a mistake that says where.
    pub(crate) fn locate(&self, key: &str, message: impl Into<String>, help: Option<String>) -> Located {
        let key = self.written(key);
        let origin = Some(self.of(&key));
        Located { key, origin, message: message.into(), help }
    }

    /// Whether a layer, and not the defaults, says what the value of `key` is.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        let key = self.written(key);
        self.keys.get(&key).is_some_and(|entry| entry.origin != Origin::Default)
    }

    /// The key as it was written: a caller counts the items of a list without those that were taken
    /// out.
    fn written(&self, key: &str) -> String {
        let mut written = String::with_capacity(key.len());
        for piece in key.split_inclusive('[') {
            let index =
                piece.split_once(']').and_then(|(index, rest)| Some((index.parse::<usize>().ok()?, rest)));
            let list = written.strip_suffix('[').and_then(|list| self.left.get(list));
            match (index, list) {
                (Some((index, rest)), Some(left)) => {
                    let place = left.get(index).copied().unwrap_or(index);
                    written.push_str(&place.to_string());
                    written.push(']');
                    written.push_str(rest);
                }
                _ => written.push_str(piece),
            }
        }
        written
    }

    /// The origin of an effective value: unlike [`Origins::of`], what a table did not mention
    /// is a default.
    pub(crate) fn of_value(&self, key: &str) -> Origin {
        match self.nearest(key) {
            Some((name, entry)) if name == key || !entry.is_table => entry.origin.clone(),
            _ => Origin::Default,
        }
    }

    pub(super) fn of_tree(root: &Node) -> Self {
        let mut origins = Self::default();
        origins.collect(root, &mut Vec::new());
        origins
    }

    fn collect(&mut self, node: &Node, path: &mut Vec<Segment>) {
        let is_table = matches!(node.value, Value::Table(_));
        let key = key_of(path);
        if let Value::List(items) = &node.value
            && items.iter().any(Node::is_gone)
        {
            let left = items.iter().enumerate().filter(|(_, item)| !item.is_gone()).map(|(index, _)| index);
            self.left.insert(key.clone(), left.collect());
        }
        self.keys.insert(key, Entry { origin: node.origin.clone(), is_table });
        for (segment, child) in node.children() {
            path.push(segment);
            self.collect(child, path);
            path.pop();
        }
    }

    fn nearest<'k>(&self, key: &'k str) -> Option<(&'k str, &Entry)> {
        let mut name = key;
        loop {
            if let Some(entry) = self.keys.get(name) {
                return Some((name, entry));
            }
            // A cut inside of a quoted segment leaves a name that is no key, and is cut again.
            name = name.get(..name.rfind(['.', '['])?)?;
        }
    }
}
