//! Lists, tuples and sets.

use super::{
    super::{Reader, dialect::Dialect, place::Place, tree::Node},
    Direction,
    flat::{Flat, Part},
    strings::lengths,
    types::Types,
};
use crate::model::{Sequence, Shape, ShapeId};

impl<'d> Reader<'d> {
    pub(super) fn array(&mut self, flat: &mut Flat<'d>, direction: Direction) -> Shape {
        let (min_length, max_length) = lengths(flat, "minItems", "maxItems");
        if flat.atoms.iter().any(|atom| atom.get("contains").is_some()) {
            flat.loosen("`contains` cannot be expressed");
        }
        let prefixes: Vec<_> = flat.atoms.iter().filter_map(|atom| atom.place.get("prefixItems")).collect();
        let items: Vec<_> = flat.atoms.iter().filter_map(|atom| atom.place.get("items")).collect();
        if let ([prefix], [] | [_]) = (&prefixes[..], &items[..])
            && let Some(tuple) = self.tuple(prefix, items.first(), min_length, max_length, direction)
        {
            return tuple;
        }
        if !prefixes.is_empty() {
            flat.loosen("`prefixItems` of a list that may be shorter cannot be expressed");
            return Shape::List(sequence(None, min_length, max_length));
        }
        let parts: Vec<_> = items.into_iter().map(Part::whole).collect();
        let items_flat = self.flatten(parts);
        let are_scalar = self.types_of(&items_flat).is_scalar();
        let items = self.shape_of_flat(items_flat, direction);
        let sequence = sequence(Some(items), min_length, max_length);
        if !flat.any_is_true("uniqueItems") {
            return Shape::List(sequence);
        }
        if self.dialect == Dialect::FastApi && are_scalar {
            return Shape::Set(sequence);
        }
        flat.loosen("`uniqueItems` cannot be expressed");
        Shape::List(sequence)
    }

    /// Only lists that are at least as long as the prefix are tuples.
    fn tuple(
        &mut self,
        prefix: &Place<'d>,
        rest: Option<&Place<'d>>,
        min_length: Option<u64>,
        max_length: Option<u64>,
        direction: Direction,
    ) -> Option<Shape> {
        let length = u32::try_from(prefix.node.list()?.len()).ok()?;
        if min_length.unwrap_or(0) < u64::from(length) {
            return None;
        }
        let mut items: Vec<_> = prefix.items().map(|item| self.shape(&item, direction)).collect();
        let is_closed =
            max_length == Some(u64::from(length)) || rest.is_some_and(|rest| *rest.node == Node::Bool(false));
        if is_closed {
            return Some(Shape::Tuple {
                items,
                variadic: None,
                min_length: None,
                max_length: None,
                strict: false,
                fail_fast: false,
            });
        }
        items.push(match rest {
            Some(rest) => self.shape(rest, direction),
            None => self.any(),
        });
        Some(Shape::Tuple {
            items,
            variadic: Some(length),
            min_length,
            max_length,
            strict: false,
            fail_fast: false,
        })
    }

    /// Whether nothing but a list fits, or null.
    pub(in super::super) fn is_list(types: Types) -> bool {
        types.without(Types::NULL) == Types::ARRAY
    }
}

fn sequence(items: Option<ShapeId>, min_length: Option<u64>, max_length: Option<u64>) -> Sequence {
    Sequence { items, min_length, max_length, strict: false, fail_fast: false }
}
