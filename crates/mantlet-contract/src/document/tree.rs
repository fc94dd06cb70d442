//! A document as it was written, JSON or YAML: its members keep their order, which is that of the app's routes.

use std::fmt;

use indexmap::IndexMap;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Number, Value};

use super::DocumentError;

pub(super) type Members = IndexMap<String, Node>;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Members),
}

impl Node {
    pub(super) fn parse(text: &str) -> Result<Self, DocumentError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match text.trim_start().chars().next() {
            None => Err(DocumentError::Empty),
            Some('{' | '[') => {
                serde_json::from_str(text).map_err(|error| DocumentError::Json(error.to_string()))
            }
            Some(_) => yaml(text),
        }
    }

    pub(super) fn members(&self) -> Option<&Members> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.members()?.get(key)
    }

    pub(super) fn list(&self) -> Option<&[Self]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    /// A count: `2`, or `2.0`, which JSON Schema takes for the same.
    pub(super) fn count(&self) -> Option<u64> {
        let Self::Number(number) = self else { return None };
        number.as_u64().or_else(|| {
            let number = number.as_f64().filter(|number| number.fract() == 0.0)?;
            format!("{number:.0}").parse().ok()
        })
    }

    /// As the model holds values. Only scalars stand in it.
    pub(super) fn scalar(&self) -> Option<Value> {
        match self {
            Self::Null => Some(Value::Null),
            Self::Bool(is_true) => Some(Value::Bool(*is_true)),
            Self::Number(number) => Some(Value::Number(number.clone())),
            Self::Text(text) => Some(Value::String(text.clone())),
            Self::List(_) | Self::Object(_) => None,
        }
    }
}

fn yaml(text: &str) -> Result<Node, DocumentError> {
    // YAML 1.2: `on` and `no` are texts. What aliases may blow up to is bounded; the rest is as large as the file.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        budget: serde_saphyr::budget! { max_depth: 128, max_events: 20_000_000, max_nodes: 10_000_000, max_total_scalar_bytes: 256 << 20 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| DocumentError::Yaml(error.to_string()))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// YAML has numbers that JSON has not.
fn float(value: f64) -> Node {
    Number::from_f64(value).map_or(Node::Null, Node::Number)
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(float(value))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        #[expect(clippy::cast_precision_loss, reason = "as serde_json reads integers that are as large")]
        Ok(float(value as f64))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        #[expect(clippy::cast_precision_loss, reason = "as serde_json reads integers that are as large")]
        Ok(float(value as f64))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let mut members = Members::new();
        while let Some((name, value)) = from.next_entry::<String, Node>()? {
            members.insert(name, value);
        }
        Ok(Node::Object(members))
    }
}
