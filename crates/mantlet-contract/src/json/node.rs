//! The tree and how it is walked.

use std::ops::Range;

use super::Json;

#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) tag: Tag,
    /// From the first to after the last byte, quotes and brackets included.
    pub(super) start: u32,
    pub(super) end: u32,
    /// The node after this one and all that is in it.
    pub(super) next: u32,
    /// Of a container: the number of its values. Of a decoded text: its index.
    pub(super) extra: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Null,
    True,
    False,
    Int,
    HugeInt,
    Float,
    NaN,
    Infinity,
    MinusInfinity,
    /// As it stands.
    Plain,
    /// With escapes, decoded.
    Decoded,
    /// With half a surrogate pair: no Unicode text.
    Broken,
    Array,
    Object,
    /// An object with a key that comes twice.
    Doubled,
}

impl Json<'_> {
    pub(super) fn is_infinite_somewhere(&self) -> bool {
        let numbers = (0..).zip(&self.nodes).filter(|(_, node)| node.tag == Tag::Float);
        numbers
            .map(|(at, _)| Item::new(self, at))
            .any(|item| matches!(item.kind(), Kind::Float(text) if text.parse().is_ok_and(f64::is_infinite)))
    }
}

/// A value of the tree.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    json: &'a Json<'a>,
    at: u32,
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer, as it is written.
    Int(&'a str),
    /// An integer that Python refuses to read.
    HugeInt,
    /// A number with a fraction or exponent, as it is written.
    Float(&'a str),
    /// `NaN`, `Infinity` or `-Infinity`.
    Constant(f64),
    /// A text.
    Text(&'a str),
    /// A text that is not Unicode: it holds half of a surrogate pair.
    BrokenText,
    /// An array.
    Array(Items<'a>),
    /// An object.
    Object(Members<'a>),
}

impl<'a> Item<'a> {
    pub(super) fn new(json: &'a Json<'a>, at: u32) -> Self {
        Self { json, at }
    }

    fn node(self) -> Option<&'a Node> {
        self.json.nodes.get(self.at as usize)
    }

    /// What it is.
    pub fn kind(self) -> Kind<'a> {
        let Some(node) = self.node() else { return Kind::Null };
        match node.tag {
            Tag::Null => Kind::Null,
            Tag::True => Kind::Bool(true),
            Tag::False => Kind::Bool(false),
            Tag::Int => Kind::Int(self.raw(node)),
            Tag::HugeInt => Kind::HugeInt,
            Tag::Float => Kind::Float(self.raw(node)),
            Tag::NaN => Kind::Constant(f64::NAN),
            Tag::Infinity => Kind::Constant(f64::INFINITY),
            Tag::MinusInfinity => Kind::Constant(f64::NEG_INFINITY),
            Tag::Plain | Tag::Decoded => Kind::Text(self.text(node)),
            Tag::Broken => Kind::BrokenText,
            Tag::Array => {
                Kind::Array(Items { json: self.json, at: self.at + 1, end: node.next, left: node.extra })
            }
            Tag::Object | Tag::Doubled => Kind::Object(Members {
                json: self.json,
                at: self.at + 1,
                end: node.next,
                left: node.extra,
                doubled: node.tag == Tag::Doubled,
            }),
        }
    }

    /// Its bytes.
    pub fn span(self) -> Range<usize> {
        let offset = self.json.offset;
        self.node().map_or(0..0, |node| (node.start + offset) as usize..(node.end + offset) as usize)
    }

    fn raw(self, node: &Node) -> &'a str {
        self.json.text.get(node.start as usize..node.end as usize).unwrap_or_default()
    }

    fn text(self, node: &Node) -> &'a str {
        match node.tag {
            Tag::Decoded => self.json.decoded.get(node.extra as usize).map_or("", |text| text),
            _ => self.json.text.get(node.start as usize + 1..node.end as usize - 1).unwrap_or_default(),
        }
    }
}

/// The values of an array.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a> {
    json: &'a Json<'a>,
    at: u32,
    end: u32,
    left: u32,
}

#[expect(clippy::copy_iterator, reason = "a cursor that is walked more than once")]
impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if self.at >= self.end {
            return None;
        }
        let item = Item::new(self.json, self.at);
        self.at = item.node()?.next;
        self.left -= 1;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Items<'_> {}

/// The members of an object, in the order of the text; a key may come twice.
#[derive(Debug, Clone, Copy)]
pub struct Members<'a> {
    json: &'a Json<'a>,
    at: u32,
    end: u32,
    left: u32,
    doubled: bool,
}

/// A member of an object.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// None if it is not Unicode.
    pub key: Option<&'a str>,
    /// Its value.
    pub value: Item<'a>,
    /// Where its key begins and its value ends.
    start: u32,
    end: u32,
}

impl Member<'_> {
    /// The bytes from the key's first to the value's last.
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Members<'_> {
    /// Whether a key comes twice.
    pub fn doubled(&self) -> bool {
        self.doubled
    }
}

#[expect(clippy::copy_iterator, reason = "a cursor that is walked more than once")]
impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        if self.at >= self.end {
            return None;
        }
        let key = Item::new(self.json, self.at);
        let key_node = key.node()?;
        let value = Item::new(self.json, key_node.next);
        let value_node = value.node()?;
        self.at = value_node.next;
        self.left -= 1;
        let offset = self.json.offset;
        Some(Member {
            key: (key_node.tag != Tag::Broken).then(|| key.text(key_node)),
            value,
            start: key_node.start + offset,
            end: value_node.end + offset,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Members<'_> {}
