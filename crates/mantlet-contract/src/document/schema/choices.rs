//! `anyOf` and `oneOf`, with and without a discriminator.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    super::{Reader, dialect::Dialect, place::Place, tree::Node},
    Direction,
    flat::{Flat, Part},
    types::Types,
};
use crate::model::{Shape, ShapeId};

/// Unions into which lists of choices beside each other may be multiplied.
const MAX_PRODUCT: usize = 256;

impl<'d> Reader<'d> {
    /// Leaves out lists of choices until their combinations are few.
    pub(super) fn bound_choices(flat: &mut Flat<'d>) {
        let mut product = 1_usize;
        let mut too_many = false;
        for atom in &mut flat.atoms {
            let lists: Vec<_> = atom.choices().collect();
            for (bit, list) in lists {
                let next = product.saturating_mul(list.node.list().map_or(1, <[_]>::len));
                if next > MAX_PRODUCT && product > 1 {
                    atom.without |= bit;
                    too_many = true;
                } else {
                    product = next;
                }
            }
        }
        if too_many {
            flat.loosen("too many choices side by side");
        }
    }

    /// The shape if there are choices: each is what fits it and everything beside it. Exactly one fitting (`oneOf`) is not asked for.
    pub(super) fn union(&mut self, flat: &Flat<'d>, direction: Direction) -> Option<Shape> {
        let (index, bit, list) = flat
            .atoms
            .iter()
            .enumerate()
            .find_map(|(index, atom)| atom.choices().next().map(|(bit, list)| (index, bit, list)))?;
        let mut base = flat.clone();
        let discriminator =
            base.atoms.get(index).and_then(|atom| atom.place.get("discriminator")?.text("propertyName"));
        if let Some(atom) = base.atoms.get_mut(index) {
            atom.without |= bit;
        }
        let own = Self::own_types(&base);
        let mut is_nullable = flat.is_nullable;
        let mut choices = Vec::new();
        for choice in list.items() {
            let types = self.types(&choice).and(own);
            if types == Types::NULL {
                is_nullable = true;
            } else if types != Types::NONE {
                choices.push(choice);
            }
        }
        let tagged = discriminator.and_then(|property| Some((property, self.tags(&choices, property)?)));
        let shapes: Vec<_> =
            choices.into_iter().map(|choice| self.beside(&base, choice, direction)).collect();
        let shape = match (tagged, &shapes[..]) {
            (_, []) if is_nullable => return Some(Shape::None),
            (_, []) => {
                let why = "no choice can fit".to_owned();
                self.note(&list.at, why.clone());
                return Some(Shape::Opaque { why });
            }
            (_, [only]) if is_nullable => return Some(Shape::Nullable { inner: *only }),
            // It stands for its choice.
            (_, [only]) => return Some(Shape::WithDefault { inner: *only }),
            (Some((property, tags)), _) => Shape::TaggedUnion {
                discriminator: vec![property.to_owned()],
                shown_as: Some(format!("'{property}'")),
                choices: tags
                    .into_iter()
                    .filter_map(|(tag, index)| Some((tag, *shapes.get(index)?)))
                    .collect(),
            },
            (None, _) => Shape::Union { choices: shapes, labels: Vec::new(), left_to_right: false },
        };
        Some(if is_nullable { Shape::Nullable { inner: self.add(shape) } } else { shape })
    }

    fn beside(&mut self, base: &Flat<'d>, choice: Place<'d>, direction: Direction) -> ShapeId {
        let mut all = self.flatten(vec![Part::whole(choice)]);
        let own = std::mem::replace(&mut all.atoms, base.atoms.clone());
        for atom in own {
            match all.atoms.iter_mut().find(|known| std::ptr::eq(known.members, atom.members)) {
                Some(known) => known.without |= atom.without,
                None => all.atoms.push(atom),
            }
        }
        all.atoms.retain(super::flat::Atom::says_something);
        self.shape_of_flat(all, direction)
    }

    /// The values by which a property tells the choices apart, each with the index of its choice; none if one does not.
    fn tags(&self, choices: &[Place<'d>], property: &str) -> Option<Vec<(Value, usize)>> {
        let mut tags = Vec::new();
        let mut known = HashSet::new();
        for (index, choice) in choices.iter().enumerate() {
            let flat = self.flatten(vec![Part::whole(choice.clone())]);
            let names_it = |node: &Node| {
                node.list().is_some_and(|names| names.iter().any(|name| name.text() == Some(property)))
            };
            let is_required = flat.atoms.iter().any(|atom| atom.get("required").is_some_and(names_it));
            // Pydantic wants it in any case.
            let is_required = is_required || self.dialect == Dialect::FastApi;
            if !is_required || !flat.loose.is_empty() || self.types_of(&flat) != Types::OBJECT {
                return None;
            }
            let parts = flat
                .atoms
                .iter()
                .filter_map(|atom| atom.place.get("properties")?.get(property))
                .map(Part::whole);
            let of_property = self.flatten(parts.collect());
            let values =
                of_property.atoms.iter().find_map(|atom| match (atom.get("const"), atom.get("enum")) {
                    (Some(value), _) => Some(vec![value]),
                    (None, values) => Some(values?.list()?.iter().collect()),
                })?;
            for value in values {
                let tag = value.text()?;
                if !known.insert(tag) {
                    return None;
                }
                tags.push((Value::String(tag.to_owned()), index));
            }
        }
        Some(tags)
    }
}
