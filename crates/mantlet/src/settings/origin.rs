//! Keys, and where their values came from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::tree::{Node, Value};
use super::{Mistake, secret};

/// Where a value came from, in the order in which the layers override each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nobody set it.
    Default,
    /// A line of a file.
    File {
        /// As the user would name it.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One step of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

impl Segment {
    /// The name, unless it is the number of an item.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Key(name) => Some(name),
            Self::Index(_) => None,
        }
    }
}

/// A key as users read it: `limits.head-size`, `route[1].path`, `routes."/a.b".mode`.
pub(super) fn key_of(path: &[Segment]) -> String {
    let mut key = String::new();
    for segment in path {
        match segment {
            Segment::Key(name) if key.is_empty() => key.push_str(&quote(name)),
            Segment::Key(name) => {
                key.push('.');
                key.push_str(&quote(name));
            }
            Segment::Index(index) => key.extend(["[", &index.to_string(), "]"]),
        }
    }
    key
}

/// One segment of a key as TOML writes it: bare if it may be, else in quotes.
pub(super) fn quote(name: &str) -> Cow<'_, str> {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(is_bare) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(text_literal(name))
    }
}

/// A text as TOML writes it on one line.
pub(super) fn text_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            c if c.is_control() => literal.extend([r"\u", &format!("{:04X}", u32::from(c))]),
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

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
    pub(crate) fn locate(&self, key: &str, message: impl Into<String>, help: Option<String>) -> Mistake {
        let key = self.written(key);
        let origin = Some(self.of(&key));
        Mistake { key, origin, message: message.into(), help }
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

/// Whether the value at `path` must not be printed.
pub(super) fn is_secret(path: &[Segment]) -> bool {
    secret::is_secret(path.iter().filter_map(Segment::name))
}
