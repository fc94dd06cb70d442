//! Makes a typed value of a tree. Unlike the reader of the `toml` crate it keeps where an error
//! stands, keeps errors as data, and takes no list for a struct.

use std::slice;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::key::Segment;
use super::origin::Origin;
use super::problem::{Found, Misfit, Problem};
use super::tree::{Node, Value};

/// Reads one node.
#[derive(Clone, Copy)]
pub(super) struct Reader<'de>(pub(super) &'de Node);

impl<'de> Reader<'de> {
    fn unexpected(self) -> Unexpected<'de> {
        match &self.0.value {
            Value::Gone => Unexpected::Unit,
            Value::Text(text) => Unexpected::Str(text),
            Value::Integer(number) => match i64::try_from(*number) {
                Ok(number) => Unexpected::Signed(number),
                Err(_) => Unexpected::Unsigned(u64::try_from(*number).unwrap_or(u64::MAX)),
            },
            Value::Float(number) => Unexpected::Float(*number),
            Value::Boolean(boolean) => Unexpected::Bool(*boolean),
            Value::List(_) => Unexpected::Seq,
            Value::Table(_) => Unexpected::Map,
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.value {
            Value::Gone => visitor.visit_unit(),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Integer(number) => {
                if let Ok(number) = i64::try_from(*number) {
                    visitor.visit_i64(number)
                } else if let Ok(number) = u64::try_from(*number) {
                    visitor.visit_u64(number)
                } else {
                    Err(Misfit::custom("the number is too large"))
                }
            }
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(boolean) => visitor.visit_bool(*boolean),
            Value::List(items) => visitor.visit_seq(Items { items: items.iter(), index: 0 }),
            Value::Table(entries) => visitor.visit_map(Entries { entries: entries.iter(), current: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.0.value {
            Value::Table(_) => self.deserialize_map(visitor),
            _ => Err(Misfit::invalid_type(self.unexpected(), &"a table")),
        }
    }

    /// Where there can only be a table, a value under it is wrong, and hides keys of lower layers.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0.covered() {
            Some(covered) => {
                let found = Found::from(Reader(covered).unexpected());
                Err(Misfit::new(Problem::Covered { found }))
            }
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let not_one = || {
            let found = Found::from(self.unexpected());
            Misfit::new(Problem::NotOneOf { found, known: variants })
        };
        match &self.0.value {
            Value::Text(name) => visitor.visit_enum(Choice { name, content: None }),
            Value::Table(_) => {
                // A default choice gives way to the user's.
                let is_ours = |node: &Node| node.origin == Origin::Default;
                let all = || entries_of(self.0).filter(|(_, node)| !node.is_gone());
                let ignore_ours = all().any(|(_, node)| !is_ours(node));
                let mut chosen = all().filter(|(_, node)| !(ignore_ours && is_ours(node)));
                match (chosen.next(), chosen.next()) {
                    (Some((name, node)), None) => visitor.visit_enum(Choice { name, content: Some(node) }),
                    _ => Err(not_one()),
                }
            }
            _ => Err(not_one()),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct identifier
    }
}

fn entries_of(node: &Node) -> slice::Iter<'_, (String, Node)> {
    match &node.value {
        Value::Table(entries) => entries.iter(),
        _ => [].iter(),
    }
}

/// A list. Items that were taken out are skipped, the others keep their index.
struct Items<'de> {
    items: slice::Iter<'de, Node>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        for item in self.items.by_ref() {
            let index = self.index;
            self.index += 1;
            if !item.is_gone() {
                let value = seed.deserialize(Reader(item));
                return value.map(Some).map_err(|misfit| misfit.under(Segment::Index(index)));
            }
        }
        Ok(None)
    }
}

struct Entries<'de> {
    entries: slice::Iter<'de, (String, Node)>,
    current: Option<&'de (String, Node)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        self.current = self.entries.find(|(_, node)| !node.is_gone());
        let Some((name, _)) = self.current else { return Ok(None) };
        let key = seed.deserialize(Name(name));
        key.map(Some).map_err(|misfit| misfit.under(Segment::Key(name.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some((name, node)) = self.current else {
            return Err(Misfit::custom("a value was asked for before its key"));
        };
        let value = seed.deserialize(Reader(node));
        value.map_err(|misfit| misfit.under(Segment::Key(name.clone())))
    }
}

/// The name of a key: a text, also where the type wraps it.
struct Name<'de>(&'de str);

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_enum(Choice { name: self.0, content: None })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// One of several choices: `"name"`, or `{ name = content }`.
struct Choice<'de> {
    name: &'de str,
    content: Option<&'de Node>,
}

impl<'de> Choice<'de> {
    /// The content goes to `read`; a choice that needs one and has none is refused.
    fn content<T>(self, read: impl FnOnce(Reader<'de>) -> Result<T, Misfit>) -> Result<T, Misfit> {
        let name = self.name;
        match self.content {
            Some(node) => read(Reader(node)).map_err(|misfit| misfit.under(Segment::Key(name.to_owned()))),
            None => {
                Err(Misfit::custom(format_args!("`{name}` needs a value, written as `{{ {name} = … }}`")))
            }
        }
    }
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Misfit> {
        Ok((seed.deserialize(Name(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(Misfit::custom(format_args!(
                "`{0}` takes no value, it is written as `\"{0}\"`",
                self.name
            ))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        self.content(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.content(|reader| reader.deserialize_any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.content(|reader| reader.deserialize_struct("", fields, visitor))
    }
}
