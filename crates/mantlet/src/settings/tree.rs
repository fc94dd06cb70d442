//! The merged layers: a tree of TOML values, each with its origin.

use serde::Serialize;
use toml::de::{DeTable, DeValue};

use super::key::{Segment, key_of};
use super::mistake::Located;
use super::origin::Origin;

/// A value, where it came from, and what it replaced.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
    pub(super) as_text: AsText,
    /// What a lower layer said; it comes into force again when this value proves wrong.
    beneath: Option<Box<Node>>,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Judged wrong and taken out. The place is kept so that list indices stay true.
    Gone,
    /// Dates are texts, too: no setting is a date.
    Text(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    List(Vec<Node>),
    /// In the order of the source.
    Table(Vec<(String, Node)>),
}

/// A variable's value is tried as TOML first, and as the plain text if that does not fit.
#[derive(Clone, Debug)]
pub(super) enum AsText {
    No,
    Untried(String),
    /// The text is in force; this is the TOML value.
    Trying(Box<Value>),
}

impl Node {
    pub(super) fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin, as_text: AsText::No, beneath: None }
    }

    /// The default configuration, in the order of its structs. A default that cannot be written
    /// as TOML is left to the type: it then only is unknown here.
    pub(super) fn of_defaults(defaults: &impl Serialize) -> Self {
        let written = toml::to_string(defaults).unwrap_or_default();
        Self::of_text(&written, &|_| Origin::Default).unwrap_or_else(|_| Self::empty())
    }

    /// A TOML document; `origin_at` knows the origin of a byte of it.
    pub(super) fn of_text(
        text: &str,
        origin_at: &dyn Fn(usize) -> Origin,
    ) -> Result<Self, Vec<toml::de::Error>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(errors);
        }
        let start = table.span().start;
        Ok(Self::of_parsed(DeValue::Table(table.into_inner()), start, origin_at))
    }

    pub(super) fn of_parsed(value: DeValue<'_>, start: usize, origin_at: &dyn Fn(usize) -> Origin) -> Self {
        let value = match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            // What does not fit is refused by the reader as too large, as it would be anyway.
            DeValue::Integer(number) => {
                Value::Integer(i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(i128::MAX))
            }
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::INFINITY)),
            DeValue::Boolean(boolean) => Value::Boolean(boolean),
            DeValue::Datetime(date) => Value::Text(date.to_string()),
            DeValue::Array(items) => {
                let node_of = |item: toml::Spanned<DeValue<'_>>| {
                    let start = item.span().start;
                    Self::of_parsed(item.into_inner(), start, origin_at)
                };
                Value::List(items.into_iter().map(node_of).collect())
            }
            DeValue::Table(entries) => {
                let mut entries: Vec<_> = entries.into_iter().collect();
                entries.sort_by_key(|(key, _)| key.span().start);
                let node_of = |(key, item): (toml::Spanned<_>, toml::Spanned<DeValue<'_>>)| {
                    let start = key.span().start;
                    let name: std::borrow::Cow<'_, str> = key.into_inner();
                    (name.into_owned(), Self::of_parsed(item.into_inner(), start, origin_at))
                };
                Value::Table(entries.into_iter().map(node_of).collect())
            }
        };
        Self::new(value, origin_at(start))
    }

    /// A value that some code made.
    pub(super) fn of_value(value: &toml::Value, origin: &Origin) -> Self {
        let node_of = |item| Self::of_value(item, origin);
        let value = match value {
            toml::Value::String(text) => Value::Text(text.clone()),
            toml::Value::Integer(number) => Value::Integer(i128::from(*number)),
            toml::Value::Float(number) => Value::Float(*number),
            toml::Value::Boolean(boolean) => Value::Boolean(*boolean),
            toml::Value::Datetime(date) => Value::Text(date.to_string()),
            toml::Value::Array(items) => Value::List(items.iter().map(node_of).collect()),
            toml::Value::Table(entries) => {
                Value::Table(entries.iter().map(|(key, item)| (key.clone(), node_of(item))).collect())
            }
        };
        Self::new(value, origin.clone())
    }

    pub(super) fn empty() -> Self {
        Self::new(Value::Table(Vec::new()), Origin::Default)
    }

    /// What is in a table or list and has not been taken out.
    pub(super) fn children(&self) -> impl Iterator<Item = (Segment, &Self)> {
        let (entries, items): (&[(String, Self)], &[Self]) = match &self.value {
            Value::Table(entries) => (entries, &[]),
            Value::List(items) => (&[], items),
            _ => (&[], &[]),
        };
        let entries = entries.iter().map(|(name, node)| (Segment::Key(name.clone()), node));
        let items = items.iter().enumerate().map(|(index, node)| (Segment::Index(index), node));
        entries.chain(items).filter(|(_, node)| !node.is_gone())
    }

    pub(super) fn child_mut(&mut self, segment: &Segment) -> Option<&mut Self> {
        match (segment, &mut self.value) {
            (Segment::Key(name), Value::Table(entries)) => {
                entries.iter_mut().find(|(key, _)| key == name).map(|(_, node)| node)
            }
            (Segment::Index(index), Value::List(items)) => items.get_mut(*index),
            _ => None,
        }
        .filter(|node| !node.is_gone())
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.value, Value::Gone)
    }

    /// Lays a higher layer over this one.
    pub(super) fn merge(&mut self, over: Self) {
        let over = match (&mut self.value, over) {
            (Value::Table(entries), Self { value: Value::Table(above), origin, .. }) => {
                if self.origin == Origin::Default {
                    self.origin = origin;
                }
                for (name, node) in above {
                    match entries.iter_mut().find(|(key, _)| *key == name) {
                        Some((_, below)) => below.merge(node),
                        None => entries.push((name, node)),
                    }
                }
                return;
            }
            (_, over) => over,
        };
        let below = std::mem::replace(self, over);
        self.beneath = Some(Box::new(below));
    }

    /// Lays one value over this tree, making the tables on the way.
    pub(super) fn place(&mut self, path: &[&str], over: Self) -> Result<(), Box<Located>> {
        let mut node = self;
        for (depth, name) in path.iter().enumerate() {
            if matches!(node.value, Value::List(_)) {
                let names = path.get(..depth).unwrap_or_default();
                return Err(Box::new(reaches_into_list(names, over.origin)));
            }
            // Makes it a table that is not a default, whatever it was.
            node.merge(Self::new(Value::Table(Vec::new()), over.origin.clone()));
            let Value::Table(entries) = &mut node.value else { return Ok(()) };
            let index = entries.iter().position(|(key, _)| key == name).unwrap_or_else(|| {
                entries.push(((*name).to_owned(), Self::new(Value::Gone, Origin::Default)));
                entries.len() - 1
            });
            let Some((_, child)) = entries.get_mut(index) else { return Ok(()) };
            node = child;
        }
        node.merge(over);
        Ok(())
    }

    /// What this table replaced although it is no table.
    pub(super) fn covered(&self) -> Option<&Self> {
        let is_table = |node: &Self| matches!(node.value, Value::Table(_));
        let below = self.beneath.as_deref()?;
        (is_table(self) && !is_table(below) && !below.is_gone()).then_some(below)
    }

    /// Takes out what this table covers, and lays it over what that covered.
    pub(super) fn uncover(&mut self) {
        let Some(mut below) = self.beneath.take() else { return };
        below.take_out();
        if !below.is_gone() {
            let over = std::mem::replace(self, *below);
            self.merge(over);
        }
    }

    /// Takes the value out; what it replaced comes into force again.
    pub(super) fn take_out(&mut self) {
        match self.beneath.take() {
            Some(below) => *self = *below,
            None => self.value = Value::Gone,
        }
    }

    /// Takes the value out, and all that it replaced.
    pub(super) fn erase(&mut self) {
        self.beneath = None;
        self.value = Value::Gone;
    }

    /// The origin of this node, and the variables and flags that set something in it.
    pub(super) fn all_origins(&self) -> Vec<Origin> {
        let mut origins = vec![self.origin.clone()];
        self.add_origins(&mut origins);
        origins
    }

    fn add_origins(&self, origins: &mut Vec<Origin>) {
        let is_own_place = matches!(self.origin, Origin::Environment(_) | Origin::Flag(_));
        if is_own_place && !origins.contains(&self.origin) {
            origins.push(self.origin.clone());
        }
        let below = self.beneath.as_deref();
        for node in self.children().map(|(_, child)| child).chain(below) {
            node.add_origins(origins);
        }
    }
}

/// A variable or flag can replace a list, but not a part of it.
pub(super) fn reaches_into_list(names: &[&str], origin: Origin) -> Located {
    let path: Vec<Segment> = names.iter().map(|name| Segment::Key((*name).to_owned())).collect();
    let key = key_of(&path);
    let source = if matches!(origin, Origin::Flag(_)) { "flag" } else { "variable" };
    Located {
        message: format!("`{key}` is a list, and a {source} cannot reach into a list"),
        help: Some(format!("set the whole of `{key}`, or set it in the file")),
        key,
        origin: Some(origin),
    }
}
