//! What of an answer its promise does not have, and which of its members have names that should not leave.
//!
//! A promise says which keys may stand and nothing of values. What may fit any branch of a union stays, an object without a single
//! promised key is something else than what was promised and stays whole, and so does everything below a place that is not known.

use std::collections::HashSet;
use std::ops::Range;

use crate::json::{Item, Json, Kind, Members};
use crate::model::Extra;
use crate::shape::{ObjectRule, Shape, Shapes};

/// Members and shapes that are held against each other in one answer; beyond them everything is promised.
const MAX_STEPS: usize = 4_000_000;
/// Shapes that one value may have; beyond them it may be anything.
const MAX_SHAPES: usize = 256;

/// Shapes of an operation in which names are looked up.
const MAX_DECLARING: usize = 20_000;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// Members that nothing in the promise has.
    pub unknown: Vec<Range<usize>>,
    /// Members with a name of the list, whether they are declared (the promise names them, or has any name there for a value of its
    /// own), and what the list says of them.
    pub named: Vec<(Range<usize>, bool, T)>,
}

/// What is promised of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Promise<'a> {
    /// All shapes.
    pub shapes: &'a Shapes,
    /// Those that the answer may have, any one of them.
    pub any_of: &'a [u32],
}

/// Looks through an answer. A member is `named` if the function says something of its key and value.
pub fn look<T>(
    json: &Json<'_>,
    promise: Option<Promise<'_>>,
    is_named: impl Fn(&str, Kind<'_>) -> Option<T>,
) -> Found<T> {
    let nothing = Shapes::default();
    let mut look = Look::new(promise.map_or(&nothing, |promise| promise.shapes));
    let set = promise.map_or(ANYTHING, |promise| look.set(promise.any_of));
    look.open.push((json.root(), set));
    while let Some((item, set)) = look.open.pop() {
        match item.kind() {
            Kind::Array(items) => {
                let below = look.items(set);
                look.open.extend(items.filter(|item| is_container(item.kind())).map(|item| (item, below)));
            }
            Kind::Object(members) => look.object(members, set, &is_named),
            _ => {}
        }
    }
    look.found.unknown.sort_by_key(|span| span.start);
    look.found.named.sort_by_key(|(span, ..)| span.start);
    look.found
}

/// Whether one of the names that these shapes give their fields, on the wire or in Python, is asked for. Beyond a bound nothing is.
pub fn declares(shapes: &Shapes, from: impl Iterator<Item = u32>, mut is: impl FnMut(&str) -> bool) -> bool {
    let mut open: Vec<u32> = from.collect();
    let mut seen = HashSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        if seen.len() > MAX_DECLARING {
            return false;
        }
        match shapes.get(id) {
            Shape::Object(rule) => {
                if rule.keys.keys().chain(&rule.names).any(|name| is(name)) {
                    return true;
                }
                open.extend(rule.fields.iter().map(|field| field.shape));
                open.extend(rule.extras);
            }
            Shape::Sequence { items, .. } => open.extend(*items),
            Shape::Dict { values, .. } => open.push(*values),
            Shape::Tuple(rule) => open.extend(&rule.items),
            other => hand_on(other, &mut open),
        }
    }
    false
}

/// Adds the shapes that the very value of a shape may have: what it stands around, or its choices.
fn hand_on(shape: &Shape, open: &mut Vec<u32>) {
    match shape {
        Shape::Nullable(inner)
        | Shape::Transparent(inner)
        | Shape::Root(inner)
        | Shape::Then(inner)
        | Shape::Custom { inner, .. } => open.push(*inner),
        Shape::Union(rule) => open.extend(rule.choices.iter().map(|(choice, _)| *choice)),
        Shape::Tagged(rule) => open.extend(&rule.choices),
        _ => {}
    }
}

/// The shapes that a value may be: a part of [`Look::sets`]. Empty: anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set {
    start: usize,
    end: usize,
}

const ANYTHING: Set = Set { start: 0, end: 0 };

struct Look<'a, T> {
    shapes: &'a Shapes,
    sets: Vec<u32>,
    /// The sets of single shapes, as far as they have been asked for.
    known: Vec<Option<Set>>,
    /// Containers that are not looked into yet. Kept here, so that depth does not matter.
    open: Vec<(Item<'a>, Set)>,
    found: Found<T>,
    steps: usize,
}

/// What is promised under a key.
#[derive(Debug, Clone, Copy)]
enum Under {
    /// Nothing has it.
    Nothing,
    /// Anything may stand there, under this name or another.
    Anything,
    /// A field has the name.
    Field(Set),
    /// Any name may have this.
    Value(Set),
}

impl<'a, T> Look<'a, T> {
    fn new(shapes: &'a Shapes) -> Self {
        Self {
            shapes,
            sets: Vec::new(),
            known: Vec::new(),
            open: Vec::new(),
            found: Found { unknown: Vec::new(), named: Vec::new() },
            steps: 0,
        }
    }

    fn object(&mut self, members: Members<'a>, set: Set, is_named: &impl Fn(&str, Kind<'_>) -> Option<T>) {
        let before = self.found.unknown.len();
        let mut anything_promised = set == ANYTHING;
        for member in members {
            let value = member.value.kind();
            let is_container = is_container(value);
            let under = match member.key {
                Some(key) if set != ANYTHING => self.under(key, set, is_container),
                _ => Under::Anything,
            };
            match under {
                Under::Nothing => self.found.unknown.push(member.span()),
                _ => anything_promised = true,
            }
            if let Some(what) = member.key.and_then(|key| is_named(key, value)) {
                let declared = matches!(under, Under::Field(_) | Under::Value(_));
                self.found.named.push((member.span(), declared, what));
            }
            if is_container {
                let below = match under {
                    Under::Field(set) | Under::Value(set) => set,
                    Under::Nothing | Under::Anything => ANYTHING,
                };
                self.open.push((member.value, below));
            }
        }
        if !anything_promised {
            self.found.unknown.truncate(before);
        }
    }

    /// What the shapes of an object have under a key. What may stand below matters only for containers.
    fn under(&mut self, key: &str, set: Set, is_container: bool) -> Under {
        let (mut first, mut more) = (None, Vec::new());
        let mut is_field = false;
        for at in set.start..set.end {
            self.steps += 1;
            let Some(shape) = self.sets.get(at) else { continue };
            let found = match self.shapes.get(*shape) {
                Shape::Object(rule) => match field(rule, key) {
                    Has::Field(shape) => {
                        is_field = true;
                        shape
                    }
                    Has::Value(shape) => shape,
                    Has::Anything => return Under::Anything,
                    Has::Nothing => continue,
                },
                Shape::Dict { values, .. } => *values,
                _ => continue,
            };
            // Nearly always there is one, and no list is needed.
            match first {
                None => first = Some(found),
                Some(_) => more.push(found),
            }
        }
        let Some(first) = first else { return Under::Nothing };
        let below = if !is_container {
            ANYTHING
        } else if more.is_empty() {
            self.set(&[first])
        } else {
            more.push(first);
            self.set(&more)
        };
        if is_field { Under::Field(below) } else { Under::Value(below) }
    }

    /// What the items of an array may be.
    fn items(&mut self, set: Set) -> Set {
        let mut below = Vec::new();
        for at in set.start..set.end {
            let Some(shape) = self.sets.get(at) else { continue };
            match self.shapes.get(*shape) {
                Shape::Sequence { items: Some(items), .. } => below.push(*items),
                Shape::Sequence { items: None, .. } => return ANYTHING,
                Shape::Tuple(rule) => below.extend(&rule.items),
                _ => {}
            }
        }
        self.set(&below)
    }

    /// The containers that stand behind these shapes. None at all: only scalars are promised, so a container is something else.
    fn set(&mut self, shapes: &[u32]) -> Set {
        if self.steps > MAX_STEPS {
            return ANYTHING;
        }
        if let [shape] = shapes {
            let at = *shape as usize;
            if let Some(Some(known)) = self.known.get(at) {
                return *known;
            }
            let set = self.expand(shapes);
            if at >= self.known.len() && at < self.shapes.shapes.len() {
                self.known.resize(at + 1, None);
            }
            if let Some(known) = self.known.get_mut(at) {
                *known = Some(set);
            }
            return set;
        }
        self.expand(shapes)
    }

    fn expand(&mut self, shapes: &[u32]) -> Set {
        let start = self.sets.len();
        let mut seen: Vec<u32> = Vec::new();
        let mut open = shapes.to_vec();
        while let Some(id) = open.pop() {
            self.steps += 1;
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            match self.shapes.get(id) {
                Shape::Object(_) | Shape::Dict { .. } | Shape::Sequence { .. } | Shape::Tuple(_) => {
                    self.sets.push(id);
                }
                Shape::Opaque | Shape::Any => {
                    self.sets.truncate(start);
                    return ANYTHING;
                }
                other => hand_on(other, &mut open),
            }
            if seen.len() > MAX_SHAPES {
                self.sets.truncate(start);
                return ANYTHING;
            }
        }
        let end = self.sets.len();
        if start == end { ANYTHING } else { Set { start, end } }
    }
}

/// What one shape has under a key.
enum Has {
    Field(u32),
    Value(u32),
    Anything,
    Nothing,
}

fn field(rule: &ObjectRule, key: &str) -> Has {
    let Some(uses) = rule.keys.get(key) else {
        return match (rule.extra, rule.extras) {
            (Extra::Allow, Some(extras)) => Has::Value(extras),
            (Extra::Allow, None) => Has::Anything,
            (Extra::Ignore | Extra::Forbid, _) => Has::Nothing,
        };
    };
    let [only] = uses.as_slice() else { return Has::Anything };
    let Some(field) = rule.fields.get(only.field as usize) else { return Has::Anything };
    match field.paths.get(only.path as usize) {
        Some(path) if path.rest.is_empty() => Has::Field(field.shape),
        _ => Has::Anything,
    }
}

fn is_container(value: Kind<'_>) -> bool {
    matches!(value, Kind::Array(_) | Kind::Object(_))
}

#[cfg(test)]
mod tests;
