//! Literals, enumerations and unions.

use serde_json::Value;

use super::Compiler;
use crate::model::ShapeId;
use crate::number::Int;
use crate::python::{or_list, repr_float, repr_text};
use crate::shape::{EnumOf, EnumRule, Expected, Shape, TaggedRule, UnionRule, Values};

pub(super) fn values(expected: &[Value]) -> Values {
    let values: Vec<Expected> = expected.iter().map(one).collect();
    let shown: Vec<String> = expected.iter().map(repr).collect();
    Values { ints: expected.iter().any(Value::is_i64), shown: or_list(&shown).into(), all: values }
}

fn one(value: &Value) -> Expected {
    match value {
        Value::Null => Expected::None,
        Value::Bool(bool) => Expected::Int(Int::Small(i64::from(*bool))),
        Value::Number(number) => match Int::parse(&number.to_string()) {
            Some(int) => Expected::Int(int),
            None => number.as_f64().map_or(Expected::Unknown, Expected::Float),
        },
        Value::String(text) => Expected::Str(text.as_str().into()),
        Value::Array(_) | Value::Object(_) => Expected::Unknown,
    }
}

fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) if number.is_f64() => number.as_f64().map(repr_float).unwrap_or_default(),
        Value::String(text) => repr_text(text),
        other => other.to_string(),
    }
}

pub(super) fn enumeration(
    name: &str,
    expected: &[Value],
    sub_type: Option<&str>,
    strict: bool,
    open: bool,
) -> Shape {
    Shape::Enum(Box::new(EnumRule {
        name: name.into(),
        values: values(expected),
        of: match sub_type {
            Some("int") => EnumOf::Int,
            Some("str") => EnumOf::Str,
            Some("float") => EnumOf::Float,
            _ => EnumOf::Plain,
        },
        strict,
        open,
    }))
}

impl Compiler {
    pub(super) fn union(&mut self, choices: &[ShapeId], labels: &[String], left_to_right: bool) -> Shape {
        if choices.is_empty() {
            self.note("a union of nothing");
            return Shape::Opaque;
        }
        let choices = choices
            .iter()
            .enumerate()
            .map(|(index, choice)| {
                let label = labels.get(index).map_or_else(|| index.to_string(), Clone::clone);
                (self.id(*choice), label.into())
            })
            .collect();
        Shape::Union(Box::new(UnionRule { choices, left_to_right }))
    }

    pub(super) fn tagged(
        &mut self,
        discriminator: &[String],
        shown_as: Option<&str>,
        choices: &[(Value, ShapeId)],
    ) -> Shape {
        if discriminator.is_empty() {
            self.note("a union whose tag is nowhere");
            return Shape::Opaque;
        }
        let names: Vec<String> = discriminator.iter().map(|name| repr_text(name)).collect();
        let tags: Vec<Value> = choices.iter().map(|(tag, _)| tag.clone()).collect();
        let expected: Vec<String> = tags.iter().map(repr).collect();
        Shape::Tagged(Box::new(TaggedRule {
            discriminator: discriminator.iter().map(|name| name.as_str().into()).collect(),
            shown_as: shown_as.map_or_else(|| names.join(" | "), str::to_owned).into(),
            tags: values(&tags),
            choices: choices.iter().map(|(_, choice)| self.id(*choice)).collect(),
            expected: expected.join(", ").into(),
        }))
    }
}
