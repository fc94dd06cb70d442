//! What an operation takes: names, where they stand, and what their values are, as far as flows are concerned.

use std::fmt;

use crate::model::{
    BodyKind, Field, Input, Location, Object, ObjectKind, Operation, PathItem, Shape, ShapeId, Take,
};

/// Objects in objects that are looked into.
const DEEPEST: usize = 3;
/// Shapes that are looked at for one operation: they may stand around themselves.
const MOST: usize = 512;

/// Where in a request something is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A member of a JSON body, in objects around it or not; or a field of a form.
    Body(Vec<String>),
    /// A parameter of the query.
    Query(String),
    /// A parameter of the path.
    Path(String),
}

impl Place {
    /// As people write it: `email`, `user.email`, `query:email`, `path:user_id`.
    pub fn read(text: &str) -> Self {
        match text.split_once(':') {
            Some(("query", name)) => Self::Query(name.to_owned()),
            Some(("path", name)) => Self::Path(name.to_owned()),
            _ => Self::Body(text.split('.').map(str::to_owned).collect()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(keys) => f.write_str(&keys.join(".")),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Path(name) => write!(f, "path:{name}"),
        }
    }
}

/// One value that an operation takes.
#[derive(Debug)]
pub(super) struct Taken {
    /// Where it stands, under each of its names, in the order in which the app looks for them.
    pub(super) places: Vec<Place>,
    /// The last part of the first of these.
    pub(super) name: String,
    pub(super) is_required: bool,
    pub(super) value: Value,
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// A text or a number of any length, or of one that is not known.
    Scalar,
    /// A number, or a text that is as short as a one-time code.
    Short,
    /// Neither a text nor a number.
    Other,
}

/// Longest text that is surely no program.
const SHORT: u64 = 16;

/// All that an operation takes, and whether that is all of it.
pub(super) fn taken(shapes: &[Shape], operation: &Operation) -> (Vec<Taken>, bool) {
    let mut search =
        Search { shapes, left: MOST, found: Vec::new(), is_whole: operation.body != BodyKind::Opaque };
    for input in &operation.inputs {
        search.input(input);
    }
    for path in &operation.named {
        if let Some(name) = path.last() {
            let name = name.clone();
            let places = vec![Place::Body(path.clone())];
            search.found.push(Taken { places, name, is_required: false, value: Value::Scalar });
        }
    }
    (search.found, search.is_whole)
}

struct Search<'c> {
    shapes: &'c [Shape],
    left: usize,
    found: Vec<Taken>,
    /// Nothing was left out.
    is_whole: bool,
}

impl Search<'_> {
    fn input(&mut self, input: &Input) {
        let place: fn(String) -> Place = match input.location {
            Location::Body => |name| Place::Body(vec![name]),
            Location::Query => Place::Query,
            Location::Path => Place::Path,
            Location::Header | Location::Cookie => return,
        };
        match &input.take {
            Take::Field { names, .. } => {
                if input.location == Location::Body {
                    for name in names {
                        self.below(input.shape, std::slice::from_ref(name));
                    }
                }
                self.add(names, place, input.required, Some(input.shape));
            }
            Take::Group { fields, .. } => {
                if fields.is_empty() {
                    self.is_whole = false;
                }
                for field in fields {
                    let names: Vec<_> = field.names.iter().map(|(_, wire)| wire.clone()).collect();
                    let inner = field.names.first().and_then(|(own, _)| self.field_of(input.shape, own));
                    let is_required = input.required && inner.is_some_and(|(_, is_required)| is_required);
                    self.add(&names, place, is_required, inner.map(|(shape, _)| shape));
                }
            }
            Take::Whole => self.below(input.shape, &[]),
        }
    }

    fn add(
        &mut self,
        names: &[String],
        place: fn(String) -> Place,
        is_required: bool,
        shape: Option<ShapeId>,
    ) {
        let Some(name) = names.first().cloned() else { return };
        let value = shape.map_or(Value::Scalar, |shape| self.value(shape));
        let places = names.iter().cloned().map(place).collect();
        self.found.push(Taken { places, name, is_required, value });
    }

    fn shape(&self, id: ShapeId) -> Option<&Shape> {
        self.shapes.get(usize::try_from(id.0).ok()?)
    }

    /// What stands around a shape does not change its fields.
    fn bare(&self, id: ShapeId) -> Option<&Shape> {
        let mut shape = self.shape(id)?;
        for _ in 0..8 {
            shape = match shape {
                Shape::Nullable { inner }
                | Shape::WithDefault { inner }
                | Shape::Then { inner, .. }
                | Shape::CustomError { inner, .. } => self.shape(*inner)?,
                _ => break,
            };
        }
        Some(shape)
    }

    fn value(&self, id: ShapeId) -> Value {
        match self.bare(id) {
            Some(Shape::Str { max_length: Some(most), .. }) if *most <= SHORT => Value::Short,
            Some(Shape::Int { .. }) => Value::Short,
            Some(
                Shape::Object(_)
                | Shape::List(_)
                | Shape::Set(_)
                | Shape::FrozenSet(_)
                | Shape::Tuple { .. }
                | Shape::Dict { .. }
                | Shape::Bool { .. }
                | Shape::UploadFile
                | Shape::None,
            ) => Value::Other,
            _ => Value::Scalar,
        }
    }

    /// A field of a model by its own name, and whether it must be there.
    fn field_of(&self, id: ShapeId, name: &str) -> Option<(ShapeId, bool)> {
        let Some(Shape::Object(object)) = self.bare(id) else { return None };
        let is_it = |path: &Vec<PathItem>| matches!(&path[..], [PathItem::Key(key)] if key == name);
        let field =
            object.fields.iter().find(|field| field.name == name || field.lookup.iter().any(is_it))?;
        Some((field.shape, field.required))
    }

    /// What stands in a JSON body below some keys.
    fn below(&mut self, id: ShapeId, keys: &[String]) {
        let Some(left) = self.left.checked_sub(1) else { return };
        self.left = left;
        let next: Vec<ShapeId> = match self.bare(id) {
            Some(Shape::Object(Object { root: Some(root), kind: ObjectKind::Model, .. })) => vec![*root],
            Some(Shape::Object(object)) => {
                let fields: Vec<_> = object.fields.iter().map(named).collect();
                for (paths, is_required, shape) in fields {
                    self.field(keys, &paths, is_required, shape);
                }
                return;
            }
            Some(Shape::Union { choices, .. }) => choices.clone(),
            Some(Shape::TaggedUnion { choices, .. }) => choices.iter().map(|(_, shape)| *shape).collect(),
            Some(Shape::Opaque { .. } | Shape::Any | Shape::Dict { .. }) => {
                self.is_whole = false;
                return;
            }
            _ => return,
        };
        for choice in next {
            self.below(choice, keys);
        }
    }

    fn field(&mut self, keys: &[String], paths: &[Vec<String>], is_required: bool, shape: ShapeId) {
        let places: Vec<Vec<String>> =
            paths.iter().map(|path| keys.iter().chain(path).cloned().collect()).collect();
        let Some(first) = places.first().cloned() else { return };
        if first.len() < DEEPEST {
            for place in &places {
                self.below(shape, place);
            }
        }
        let name = first.last().cloned().unwrap_or_default();
        let value = self.value(shape);
        // What is in an object that may be missing may be missing.
        let is_required = is_required && keys.is_empty();
        let places = places.into_iter().map(Place::Body).collect();
        self.found.push(Taken { places, name, is_required, value });
    }
}

/// The keys under which a field is looked for, whether it must be there, and what it must be.
fn named(field: &Field) -> (Vec<Vec<String>>, bool, ShapeId) {
    let key = |item: &PathItem| match item {
        PathItem::Key(key) => Some(key.clone()),
        PathItem::Index(_) => None,
    };
    let paths = field.lookup.iter().filter_map(|path| path.iter().map(key).collect()).collect();
    (paths, field.required, field.shape)
}
