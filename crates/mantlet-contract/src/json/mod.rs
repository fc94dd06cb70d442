//! JSON as Python's `json.loads` reads it, with the place of every member.
//!
//! The tree is one list of nodes in the order of the text: a container is followed by its children and knows where it ends, so nothing is
//! allocated for a value but its node, and a text is decoded only if it has escapes. Parsing keeps its own stack: depth is a bound, never a
//! crash. What Python accepts although RFC 8259 or good sense do not is accepted and reported in [`Odd`]; the caller decides.

mod cut;
mod error;
mod node;
mod parse;
mod text;

pub use cut::{cut, key};
pub use error::{Decode, ParseError};
pub use node::{Item, Items, Kind, Member, Members};
pub use parse::{Limits, parse, parse_first};

use std::ops::Range;

use node::Node;

/// A parsed text.
#[derive(Debug)]
pub struct Json<'a> {
    text: &'a str,
    nodes: Vec<Node>,
    decoded: Vec<Box<str>>,
    /// Bytes before the text: a byte order mark.
    offset: u32,
    odd: Odd,
}

/// What is accepted although it is odd.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Odd {
    /// The bytes of the first member whose key an earlier member of the same object has. Python takes the last one; others the first.
    pub duplicate_key: Option<Range<usize>>,
    /// The bytes of the first `NaN`, `Infinity` or `-Infinity`.
    pub constant: Option<Range<usize>>,
    /// The bytes of the first text that holds half of a surrogate pair.
    pub surrogate: Option<Range<usize>>,
    /// The bytes of the first integer of more than 4,300 digits, for which Python raises and FastAPI answers 400.
    pub huge_integer: Option<Range<usize>>,
    /// It begins with a byte order mark.
    pub byte_order_mark: bool,
}

impl Odd {
    /// Whether there is nothing odd.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Json<'_> {
    /// The value itself.
    pub fn root(&self) -> Item<'_> {
        Item::new(self, 0)
    }

    /// What is odd.
    pub fn odd(&self) -> &Odd {
        &self.odd
    }

    /// Whether Python raises when it writes this as strict JSON again: `NaN`, a number that is infinite once it is read, half of a surrogate
    /// pair.
    pub fn is_unsayable(&self) -> bool {
        self.odd.constant.is_some() || self.odd.surrogate.is_some() || self.is_infinite_somewhere()
    }
}

#[cfg(test)]
mod tests;
