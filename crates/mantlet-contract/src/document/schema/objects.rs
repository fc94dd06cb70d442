//! Objects with fields, and dictionaries.

use indexmap::IndexMap;

use super::{
    super::{Reader, dialect::Dialect, place::Place, tree::Node},
    Direction,
    flat::{Atom, Flat, Part},
    strings::lengths,
};
use crate::model::{Extra, Field, Object, ObjectKind, PathItem, Shape, ShapeId};

impl<'d> Reader<'d> {
    pub(super) fn object(&mut self, flat: &mut Flat<'d>, direction: Direction) -> Shape {
        let extra = extra(flat);
        let extras = self.extras(flat, direction).filter(|_| extra == Extra::Allow);
        let fields = self.fields(flat, direction);
        let (min_length, max_length) = lengths(flat, "minProperties", "maxProperties");
        let names = flat.atoms.iter().filter_map(|atom| atom.place.get("propertyNames"));
        let names: Vec<_> = names.map(Part::whole).collect();
        if fields.is_empty() && extra == Extra::Allow {
            let keys = if names.is_empty() { self.any_text() } else { self.shape_of(names, direction) };
            let values = extras.unwrap_or_else(|| self.any());
            return Shape::Dict { keys, values, min_length, max_length, strict: false, fail_fast: false };
        }
        if min_length.is_some() || max_length.is_some() || !names.is_empty() {
            flat.loosen(
                "`minProperties`, `maxProperties` and `propertyNames` beside properties cannot be expressed",
            );
        }
        // What FastAPI's response models do not have, FastAPI itself leaves out.
        let is_silent = flat.atoms.iter().all(|atom| atom.get("additionalProperties").is_none());
        let leaves_out = direction == Direction::Response && self.dialect == Dialect::FastApi && is_silent;
        let title = flat.atoms.iter().find_map(|atom| atom.get("title")?.text());
        Shape::Object(Object {
            name: flat.name.as_deref().or(title).unwrap_or("Model").to_owned(),
            kind: ObjectKind::Model,
            fields,
            extra: if leaves_out && extra == Extra::Allow { Extra::Ignore } else { extra },
            extras,
            extra_keys: None,
            strict: false,
            root: None,
            loc_by_alias: true,
        })
    }

    /// An object that has no choices, and each field's schema.
    pub(in super::super) fn plain_object(
        &mut self,
        schema: &Place<'d>,
    ) -> Option<(Object, Vec<Option<Place<'d>>>)> {
        let mut flat = self.flatten(vec![Part::whole(schema.clone())]);
        if !flat.loose.is_empty() || flat.atoms.iter().any(|atom| atom.choices().next().is_some()) {
            return None;
        }
        let Shape::Object(object) = self.object(&mut flat, Direction::Request) else { return None };
        let place = |name: &str| flat.atoms.iter().find_map(|atom| atom.place.get("properties")?.get(name));
        let places = object.fields.iter().map(|field| place(&field.name)).collect();
        Some((object, places))
    }

    fn fields(&mut self, flat: &Flat<'d>, direction: Direction) -> Vec<Field> {
        let mut fields: IndexMap<&'d str, Vec<Part<'d>>> = IndexMap::new();
        for atom in &flat.atoms {
            for (name, schema) in atom.place.get("properties").iter().flat_map(Place::each) {
                fields.entry(name).or_default().push(Part::whole(schema));
            }
        }
        let required = |atom: &Atom<'d>| {
            atom.get("required").and_then(Node::list).unwrap_or_default().iter().filter_map(Node::text)
        };
        let required: std::collections::HashSet<_> = flat.atoms.iter().flat_map(required).collect();
        for name in flat
            .atoms
            .iter()
            .filter_map(|atom| atom.get("required").and_then(Node::list))
            .flatten()
            .filter_map(Node::text)
        {
            fields.entry(name).or_default();
        }
        let mut made = Vec::with_capacity(fields.len());
        for (name, mut parts) in fields {
            // A schema that does not name it may say what other properties must be.
            for atom in &flat.atoms {
                let names_it =
                    atom.get("properties").is_some_and(|properties| properties.get(name).is_some());
                if !names_it
                    && let Some(schema) = additional(atom).filter(|schema| *schema.node != Node::Bool(false))
                {
                    parts.push(Part::whole(schema));
                }
            }
            let property = self.flatten(parts);
            let (is_read_only, is_write_only) = (property.is_read_only, property.is_write_only);
            if direction == Direction::Response && is_write_only {
                continue;
            }
            made.push(Field {
                name: name.to_owned(),
                lookup: vec![vec![PathItem::Key(name.to_owned())]],
                shape: self.shape_of_flat(property, direction),
                required: required.contains(name) && !is_read_only,
                default_is_opaque: false,
            });
        }
        made
    }

    /// What the value of a key must be that no field has.
    fn extras(&mut self, flat: &mut Flat<'d>, direction: Direction) -> Option<ShapeId> {
        let schemas: Vec<_> =
            flat.atoms.iter().filter_map(additional).filter(|schema| schema.members().is_some()).collect();
        if flat.atoms.iter().any(|atom| atom.get("patternProperties").is_some()) {
            flat.loosen("`patternProperties` cannot be expressed");
        }
        if schemas.is_empty() {
            return None;
        }
        Some(self.shape_of(schemas.into_iter().map(Part::whole).collect(), direction))
    }
}

/// `additionalProperties`, unless patterns name what is additional.
fn additional<'d>(atom: &Atom<'d>) -> Option<Place<'d>> {
    if atom.get("patternProperties").is_some() {
        return None;
    }
    atom.place.get("additionalProperties")
}

/// A schema that allows no other properties is taken to allow those that another one beside it names: that is what is meant.
fn extra(flat: &mut Flat<'_>) -> Extra {
    if flat.atoms.iter().filter_map(additional).any(|schema| *schema.node == Node::Bool(false)) {
        return Extra::Forbid;
    }
    let keyword =
        |atom: &Atom<'_>| atom.get("unevaluatedProperties").is_some_and(|node| *node != Node::Bool(true));
    if flat.atoms.iter().any(keyword) {
        // With choices, what each of them names would have to be known.
        const OTHERS: [&str; 6] =
            ["anyOf", "oneOf", "if", "dependentSchemas", "patternProperties", "additionalProperties"];
        let is_plain =
            |atom: &Atom<'_>| atom.without == 0 && OTHERS.iter().all(|keyword| atom.get(keyword).is_none());
        let forbids = |atom: &Atom<'_>| atom.get("unevaluatedProperties") == Some(&Node::Bool(false));
        if flat.loose.is_empty() && flat.atoms.iter().all(is_plain) && flat.atoms.iter().any(forbids) {
            return Extra::Forbid;
        }
        flat.loosen("`unevaluatedProperties` cannot be expressed here");
    }
    Extra::Allow
}
