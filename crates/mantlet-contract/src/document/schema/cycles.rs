//! Shapes that lead back to themselves without a step into the value: a choice that is the whole. To judge a value by one would not end.

use super::super::Reader;
use crate::model::{Shape, ShapeId};

/// The shapes by which the same value is judged.
pub(super) fn steps(shape: &Shape) -> Vec<ShapeId> {
    match shape {
        Shape::Nullable { inner } | Shape::WithDefault { inner } | Shape::Then { inner, .. } => vec![*inner],
        Shape::Union { choices, .. } => choices.clone(),
        Shape::TaggedUnion { choices, .. } => choices.iter().map(|(_, choice)| *choice).collect(),
        _ => Vec::new(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

enum Todo {
    Visit(ShapeId, Option<ShapeId>),
    Leave(ShapeId),
}

impl Reader<'_> {
    /// Lets the app decide where a shape leads back.
    pub(super) fn break_cycles(&mut self) {
        let mut states = vec![State::New; self.shapes.list.len()];
        let mut set = |id: ShapeId, state| {
            let place = states.get_mut(id.0 as usize);
            place.map_or(State::Done, |place| std::mem::replace(place, state))
        };
        let all = (0..u32::try_from(self.shapes.list.len()).unwrap_or(u32::MAX)).map(ShapeId);
        let mut back = Vec::new();
        for start in all {
            let mut todo = vec![Todo::Visit(start, None)];
            while let Some(next) = todo.pop() {
                let (id, from) = match next {
                    Todo::Visit(id, from) => (id, from),
                    Todo::Leave(id) => {
                        set(id, State::Done);
                        continue;
                    }
                };
                match set(id, State::Open) {
                    State::Done => {
                        set(id, State::Done);
                    }
                    State::Open => back.extend(from.map(|from| (from, id))),
                    State::New => {
                        let below = self.shapes.list.get(id.0 as usize).map(steps).unwrap_or_default();
                        todo.push(Todo::Leave(id));
                        todo.extend(below.into_iter().map(|below| Todo::Visit(below, Some(id))));
                    }
                }
            }
        }
        for (from, to) in back {
            let at = self.shapes.places.get(&to).map_or("#".into(), Clone::clone);
            let opaque = self.opaque(&at, "a choice is the whole itself");
            if let Some(shape) = self.shapes.list.get_mut(from.0 as usize) {
                redirect(shape, to, opaque);
            }
        }
    }
}

fn redirect(shape: &mut Shape, to: ShapeId, new: ShapeId) {
    let change = |id: &mut ShapeId| {
        if *id == to {
            *id = new;
        }
    };
    match shape {
        Shape::Nullable { inner } | Shape::WithDefault { inner } | Shape::Then { inner, .. } => change(inner),
        Shape::Union { choices, .. } => choices.iter_mut().for_each(change),
        Shape::TaggedUnion { choices, .. } => choices.iter_mut().map(|(_, choice)| choice).for_each(change),
        _ => {}
    }
}
