//! JSON Schema in the model's terms.
//!
//! A value must fit all of a list of schemas: what `$ref` leads to, the members of `allOf`, a property that several of them name.
//! That list is flattened to plain schemas ([`flat`]), which together allow some types of value, each with its constraints
//! ([`types`]); each type becomes a shape, and several become a union ([`build`]). Shapes are made from a queue, so no
//! chain of references is too long, and the same list of schemas is made once, so cycles end.

mod arrays;
mod build;
mod choices;
mod cycles;
mod flat;
mod labels;
mod numbers;
mod objects;
mod pattern;
mod strings;
mod types;

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use self::flat::{Flat, Part};
pub(super) use self::types::Types;
use super::{Reader, place::Place};
use crate::model::{Shape, ShapeId};

/// More are not made: schemas can be combined without end.
const MAX_SHAPES: usize = 500_000;

/// Whether something is sent to the app, or comes from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    Request,
    Response,
}

#[derive(Default)]
pub(super) struct Shapes<'d> {
    pub(super) list: Vec<Shape>,
    known: HashMap<Key, ShapeId>,
    queue: VecDeque<(ShapeId, Flat<'d>, Direction)>,
    /// Of shapes that lead to others for the same value.
    places: HashMap<ShapeId, Rc<str>>,
    any: Option<ShapeId>,
    text: Option<ShapeId>,
    patterns: HashMap<&'d str, Result<String, &'static str>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    direction: Direction,
    /// Addresses of the schemas, and what of them is left out.
    parts: Vec<(usize, u8)>,
    loose: Vec<(Rc<str>, String)>,
    is_nullable: bool,
}

impl<'d> Reader<'d> {
    /// The shape of the schema at a place.
    pub(super) fn shape(&mut self, place: &Place<'d>, direction: Direction) -> ShapeId {
        self.shape_of(vec![Part::whole(place.clone())], direction)
    }

    /// The shape of what fits all of these.
    fn shape_of(&mut self, parts: Vec<Part<'d>>, direction: Direction) -> ShapeId {
        let flat = self.flatten(parts);
        self.shape_of_flat(flat, direction)
    }

    fn shape_of_flat(&mut self, flat: Flat<'d>, direction: Direction) -> ShapeId {
        if flat.is_empty() {
            return self.any();
        }
        let parts =
            flat.atoms.iter().map(|atom| (std::ptr::from_ref(atom.members).addr(), atom.without)).collect();
        let key = Key { direction, parts, loose: flat.loose.clone(), is_nullable: flat.is_nullable };
        if let Some(known) = self.shapes.known.get(&key) {
            return *known;
        }
        if self.shapes.list.len() >= MAX_SHAPES {
            self.note(
                "#",
                format!(
                    "its schemas combine to more than {MAX_SHAPES} shapes; the app decides about the rest"
                ),
            );
            return self.add(Shape::Opaque { why: "too many shapes".to_owned() });
        }
        let id = self.add(Shape::Any);
        self.shapes.known.insert(key, id);
        self.shapes.queue.push_back((id, flat, direction));
        id
    }

    /// Makes the shapes that were asked for, and those that they ask for.
    pub(super) fn finish_shapes(&mut self) {
        while let Some((id, flat, direction)) = self.shapes.queue.pop_front() {
            let at = flat.at.clone().unwrap_or_default();
            let shape = self.build(flat, direction);
            if !cycles::steps(&shape).is_empty() {
                self.shapes.places.insert(id, at);
            }
            if let Some(place) = self.shapes.list.get_mut(id.0 as usize) {
                *place = shape;
            }
        }
        self.break_cycles();
        labels::write(&mut self.shapes.list);
    }

    pub(super) fn add(&mut self, shape: Shape) -> ShapeId {
        let id = ShapeId(u32::try_from(self.shapes.list.len()).unwrap_or(u32::MAX));
        self.shapes.list.push(shape);
        id
    }

    /// Something that the app decides; a note says where and why.
    pub(super) fn opaque(&mut self, at: &str, why: impl Into<String>) -> ShapeId {
        let why = why.into();
        self.note(at, why.clone());
        self.add(Shape::Opaque { why })
    }

    pub(super) fn any(&mut self) -> ShapeId {
        if let Some(known) = self.shapes.any {
            return known;
        }
        let id = self.add(Shape::Any);
        *self.shapes.any.insert(id)
    }

    fn any_text(&mut self) -> ShapeId {
        if let Some(known) = self.shapes.text {
            return known;
        }
        let id = self.add(strings::plain(None, None));
        *self.shapes.text.insert(id)
    }
}
