//! How many different values there are: what lengths of sets and dicts count.

use std::collections::HashSet;

use super::number::{AsInt, as_int};
use crate::number::Int;
use crate::shape::{Shape, Shapes};
use crate::value::{Value, View};

/// A value by Python's equality.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    None,
    Int(i64),
    Float(u64),
    Str(&'a str),
}

/// Counts different values; gives up at the first whose equality is not plain.
pub(super) struct Different<'a> {
    /// None once it is unsure.
    seen: Option<HashSet<Key<'a>>>,
    all: usize,
}

impl<'a> Different<'a> {
    pub(super) fn new() -> Self {
        Self { seen: Some(HashSet::new()), all: 0 }
    }

    /// Adds a value that the shape accepted.
    pub(super) fn add(&mut self, shapes: &Shapes, shape: Option<u32>, value: Value<'a>) {
        self.all += 1;
        let shape = shape.map_or(&Shape::Any, |shape| shapes.get(shape));
        match (key(shape, value.view()), &mut self.seen) {
            (Some(key), Some(seen)) => {
                seen.insert(key);
            }
            (None, _) => self.seen = None,
            (Some(_), None) => {}
        }
    }

    /// At least as many; the exact number if it is known.
    pub(super) fn exactly(&self) -> Option<usize> {
        self.seen.as_ref().map(HashSet::len)
    }

    /// At most as many.
    pub(super) const fn at_most(&self) -> usize {
        self.all
    }
}

fn key<'a>(shape: &Shape, view: View<'a>) -> Option<Key<'a>> {
    match (shape, view) {
        (Shape::Str(rule), View::Str(text)) if !rule.strip => Some(Key::Str(text)),
        (Shape::Any, View::Str(text)) => Some(Key::Str(text)),
        (Shape::Any | Shape::Nullable(_), View::None) => Some(Key::None),
        (Shape::Int { .. }, _) => match as_int(view, false) {
            AsInt::Is(Int::Small(int)) => Some(Key::Int(int)),
            _ => None,
        },
        (Shape::Any, View::Int(digits)) => digits.parse().ok().map(Key::Int),
        (Shape::Any | Shape::Bool { .. }, View::Bool(bool)) => Some(Key::Int(i64::from(bool))),
        (Shape::Float { .. }, View::Float(float)) if !float.is_nan() && float != 0.0 => {
            Some(Key::Float(float.to_bits()))
        }
        _ => None,
    }
}
