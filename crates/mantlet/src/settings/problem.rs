//! What a type says when a value does not fit: serde's errors, kept as data so that `wording` can
//! say them in the user's words and `suggest` can help.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::key::Segment;

/// A value that did not fit, and where it stands.
#[derive(Debug)]
pub(super) struct Misfit {
    /// Innermost first: it grows on the way out of the reader.
    reversed_path: Vec<Segment>,
    pub(super) problem: Problem,
}

#[derive(Debug)]
pub(super) enum Problem {
    /// A value of another kind, or out of range; `expected` is the type's phrase.
    Mismatch { found: Found, expected: String },
    /// Likewise, but of the value that a table from a higher layer covers.
    Covered { found: Found },
    /// A list of the wrong length.
    Count { found: usize, expected: String },
    /// A choice that is not among those known.
    NotOneOf { found: Found, known: &'static [&'static str] },
    /// A key that a table does not have. Nothing is known where a type does not say.
    UnknownKey { name: String, known: &'static [&'static str] },
    /// A key that a table must have.
    Missing { name: &'static str },
    /// A key given under two names.
    Twice { name: &'static str },
    /// The type's own words.
    Told(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Text(String),
    Number(String),
    Boolean(bool),
    List,
    Table,
    Nothing,
}

impl Misfit {
    pub(super) fn new(problem: Problem) -> Self {
        Self { reversed_path: Vec::new(), problem }
    }

    pub(super) fn under(mut self, segment: Segment) -> Self {
        self.reversed_path.push(segment);
        self
    }

    pub(super) fn path(&self) -> Vec<Segment> {
        self.reversed_path.iter().rev().cloned().collect()
    }
}

impl From<Unexpected<'_>> for Found {
    fn from(unexpected: Unexpected<'_>) -> Self {
        match unexpected {
            Unexpected::Str(text) => Self::Text(text.to_owned()),
            Unexpected::Char(c) => Self::Text(c.to_string()),
            Unexpected::Unsigned(number) => Self::Number(number.to_string()),
            Unexpected::Signed(number) => Self::Number(number.to_string()),
            Unexpected::Float(number) => Self::Number(format!("{number:?}")),
            Unexpected::Bool(boolean) => Self::Boolean(boolean),
            Unexpected::Seq | Unexpected::TupleVariant => Self::List,
            Unexpected::Map | Unexpected::StructVariant => Self::Table,
            _ => Self::Nothing,
        }
    }
}

impl Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        // serde derives this text, without the list of keys, for structs with flattened fields.
        let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
        let problem = match unknown {
            Some((name, _)) => Problem::UnknownKey { name: name.to_owned(), known: &[] },
            None => Problem::Told(message),
        };
        Self::new(problem)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Problem::Mismatch { found: found.into(), expected: expected.to_string() })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::new(Problem::Count { found, expected: expected.to_string() })
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::NotOneOf { found: Found::Text(variant.to_owned()), known })
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownKey { name: name.to_owned(), known })
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Problem::Missing { name })
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::new(Problem::Twice { name })
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Misfit {}
