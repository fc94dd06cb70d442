//! Which types of value a schema allows.

use super::{
    super::{Reader, place::Place, tree::Node},
    flat::{Flat, Part},
};

/// A set of JSON's types; numbers that are not integers are a type of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Types(u8);

impl Types {
    pub(in super::super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const INTEGER: Self = Self(4);
    pub(super) const FRACTION: Self = Self(8);
    pub(super) const NUMBER: Self = Self(12);
    pub(in super::super) const STRING: Self = Self(16);
    pub(in super::super) const ARRAY: Self = Self(32);
    pub(in super::super) const OBJECT: Self = Self(64);
    pub(in super::super) const ALL: Self = Self(127);
    pub(super) const NONE: Self = Self(0);

    pub(in super::super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(in super::super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(in super::super) fn is_scalar(self) -> bool {
        !self.has(Self::ARRAY.or(Self::OBJECT))
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "string" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => return None,
        })
    }

    pub(super) fn of(value: &Node) -> Self {
        match value {
            Node::Null => Self::NULL,
            Node::Bool(_) => Self::BOOLEAN,
            Node::Number(number) if number.is_f64() && number.as_f64().is_none_or(|it| it.fract() != 0.0) => {
                Self::FRACTION
            }
            Node::Number(_) => Self::INTEGER,
            Node::Text(_) => Self::STRING,
            Node::List(_) => Self::ARRAY,
            Node::Object(_) => Self::OBJECT,
        }
    }
}

/// What `type` says; none if it is not a known type.
pub(super) fn declared(value: &Node) -> Option<Types> {
    let one = |node: &Node| node.text().and_then(Types::named);
    match value {
        Node::List(names) => {
            let all: Option<Vec<_>> = names.iter().map(one).collect();
            Some(all?.into_iter().fold(Types::NONE, Types::or))
        }
        // In YAML without quotes.
        Node::Null => Some(Types::NULL),
        _ => one(value),
    }
}

impl<'d> Reader<'d> {
    /// The types that `type` leaves, and null if it is allowed in any case.
    pub(super) fn own_types(flat: &Flat<'d>) -> Types {
        let types =
            flat.atoms.iter().filter_map(|atom| declared(atom.get("type")?)).fold(Types::ALL, Types::and);
        if flat.is_nullable { types.or(Types::NULL) } else { types }
    }

    /// The types that are left when choices and values are looked at too; maybe more, never fewer.
    pub(in super::super) fn types(&self, place: &Place<'d>) -> Types {
        self.types_of(&self.flatten(vec![Part::whole(place.clone())]))
    }

    pub(super) fn types_of(&self, flat: &Flat<'d>) -> Types {
        self.types_within(flat, &mut 500)
    }

    /// Choices can be nested without end; at most so many are looked at.
    fn types_within(&self, flat: &Flat<'d>, budget: &mut u32) -> Types {
        let Some(left) = budget.checked_sub(1) else { return Types::ALL };
        *budget = left;
        let mut types = Self::own_types(flat);
        for atom in &flat.atoms {
            if let Some(values) = atom.get("enum").and_then(Node::list) {
                types = types.and(values.iter().map(Types::of).fold(Types::NONE, Types::or));
            }
            if let Some(value) = atom.get("const") {
                types = types.and(Types::of(value));
            }
            for (_, list) in atom.choices() {
                let choices = list.items().map(|choice| self.flatten(vec![Part::whole(choice)]));
                types = types
                    .and(choices.fold(Types::NONE, |all, choice| all.or(self.types_within(&choice, budget))));
            }
        }
        if flat.is_nullable { types.or(Types::NULL) } else { types }
    }
}
