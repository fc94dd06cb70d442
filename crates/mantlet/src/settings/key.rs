//! Keys, and how they are written.

use std::borrow::Cow;

use super::secret;

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

/// Whether the value at `path` must not be printed.
pub(super) fn is_secret(path: &[Segment]) -> bool {
    secret::is_secret(path.iter().filter_map(Segment::name))
}
