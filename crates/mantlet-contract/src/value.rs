//! What is validated: a Python value as FastAPI hands it to Pydantic.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use crate::json::{Item, Items, Kind, Members};

/// A value. Only what came as JSON has a place in the body.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// From JSON.
    Json(Item<'a>),
    /// A text from a path, query, header, cookie or form.
    Text(&'a str),
    /// Several texts under one name.
    Texts(&'a [Cow<'a, str>]),
    /// A model of parameters.
    Fields(&'a Fields<'a>),
    /// A body that is not read as JSON.
    Bytes(&'a [u8]),
    /// A Python integer, as it is written: a list's index, a default.
    Int(&'a str),
    /// Something that only the app sees: an upload.
    Unknown,
}

/// Parameters by name, for a model of them.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    entries: Vec<(Cow<'a, str>, Entry<'a>)>,
}

/// What is under one name.
#[derive(Debug)]
pub enum Entry<'a> {
    /// One text.
    One(Cow<'a, str>),
    /// Several.
    Many(Vec<Cow<'a, str>>),
    /// An upload.
    File,
}

impl<'a> Fields<'a> {
    /// Puts an entry at the end; an entry of this name must not be there yet.
    pub fn push(&mut self, name: Cow<'a, str>, entry: Entry<'a>) {
        self.entries.push((name, entry));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entry<'_> {
    fn value(&self) -> Value<'_> {
        match self {
            Self::One(text) => Value::Text(text),
            Self::Many(texts) => Value::Texts(texts),
            Self::File => Value::Unknown,
        }
    }
}

/// The Python value that it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    None,
    Bool(bool),
    /// Any size, as it is written in JSON.
    Int(&'a str),
    Float(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
    List(List<'a>),
    Dict(Dict<'a>),
    /// Cannot be judged here: the app decides.
    Unknown,
}

/// A Python list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum List<'a> {
    Items(Items<'a>),
    Texts(&'a [Cow<'a, str>]),
}

/// A Python dict.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dict<'a> {
    Members(Members<'a>),
    Fields(&'a Fields<'a>),
}

/// A key, its value, and the bytes of both if they have a place.
#[derive(Debug, Clone)]
pub(crate) struct Pair<'a> {
    /// None if it is not Unicode.
    pub(crate) key: Option<&'a str>,
    pub(crate) value: Value<'a>,
    pub(crate) span: Option<Range<usize>>,
}

impl<'a> Value<'a> {
    pub(crate) fn view(self) -> View<'a> {
        match self {
            Self::Json(item) => match item.kind() {
                Kind::Null => View::None,
                Kind::Bool(bool) => View::Bool(bool),
                Kind::Int(digits) => View::Int(digits),
                Kind::Float(text) => text.parse().map_or(View::Unknown, View::Float),
                Kind::Constant(float) => View::Float(float),
                Kind::Text(text) => View::Str(text),
                Kind::HugeInt | Kind::BrokenText => View::Unknown,
                Kind::Array(items) => View::List(List::Items(items)),
                Kind::Object(members) => View::Dict(Dict::Members(members)),
            },
            Self::Text(text) => View::Str(text),
            Self::Texts(texts) => View::List(List::Texts(texts)),
            Self::Fields(fields) => View::Dict(Dict::Fields(fields)),
            Self::Bytes(bytes) => View::Bytes(bytes),
            Self::Int(digits) => View::Int(digits),
            Self::Unknown => View::Unknown,
        }
    }

    /// What is at a key or index, as Pydantic's lookup paths find it.
    pub(crate) fn at(self, step: &Step) -> Option<Self> {
        match (self.view(), step) {
            (View::Dict(dict), Step::Key(key)) => dict.get(key),
            (View::List(list), Step::Index(index)) => {
                let len = i64::try_from(list.len()).ok()?;
                let index = if *index < 0 { len + *index } else { *index };
                list.iter().nth(usize::try_from(index).ok()?)
            }
            _ => None,
        }
    }
}

/// A step of a lookup path.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Key(Box<str>),
    Index(i64),
}

impl<'a> List<'a> {
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Items(items) => items.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    pub(crate) fn iter(self) -> Values<'a> {
        match self {
            Self::Items(items) => Values::Items(items),
            Self::Texts(texts) => Values::Texts(texts.iter()),
        }
    }
}

/// The values of a list. An enum, not a chain of iterators: this is the innermost loop.
pub(crate) enum Values<'a> {
    Items(Items<'a>),
    Texts(std::slice::Iter<'a, Cow<'a, str>>),
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        match self {
            Self::Items(items) => items.next().map(Value::Json),
            Self::Texts(texts) => texts.next().map(|text| Value::Text(text)),
        }
    }
}

impl<'a> Dict<'a> {
    /// The pairs as a Python dict has them: where a key comes twice, the first's place and the last's value.
    pub(crate) fn pairs(self) -> Pairs<'a> {
        match self {
            Self::Members(members) if members.doubled() => Pairs::Doubled(single(members).into_iter()),
            Self::Members(members) => Pairs::Members(members),
            Self::Fields(fields) => Pairs::Fields(fields.entries.iter()),
        }
    }

    /// The last value under a key.
    pub(crate) fn get(self, key: &str) -> Option<Value<'a>> {
        match self {
            Self::Members(members) => members
                .filter(|member| member.key == Some(key))
                .last()
                .map(|member| Value::Json(member.value)),
            Self::Fields(fields) => {
                fields.entries.iter().find(|(name, _)| name == key).map(|(_, entry)| entry.value())
            }
        }
    }
}

/// The pairs of a dict.
pub(crate) enum Pairs<'a> {
    Members(Members<'a>),
    Fields(std::slice::Iter<'a, (Cow<'a, str>, Entry<'a>)>),
    Doubled(std::vec::IntoIter<Pair<'a>>),
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        match self {
            Self::Members(members) => members.next().map(|member| Pair {
                key: member.key,
                value: Value::Json(member.value),
                span: Some(member.span()),
            }),
            Self::Fields(fields) => {
                fields.next().map(|(name, entry)| Pair { key: Some(name), value: entry.value(), span: None })
            }
            Self::Doubled(pairs) => pairs.next(),
        }
    }
}

/// The slow road, for objects with a key that comes twice. These pairs have no bytes: what is cut out must be cut out twice.
fn single(members: Members<'_>) -> Vec<Pair<'_>> {
    let mut pairs: Vec<Pair<'_>> = Vec::with_capacity(members.len());
    let mut places = HashMap::with_capacity(members.len());
    for member in members {
        let value = Value::Json(member.value);
        let place = *places.entry(member.key).or_insert(pairs.len());
        match pairs.get_mut(place) {
            Some(pair) if member.key.is_some() => pair.value = value,
            _ => pairs.push(Pair { key: member.key, value, span: None }),
        }
    }
    pairs
}
