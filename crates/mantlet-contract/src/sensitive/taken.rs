//! What an operation takes: names, where they stand, and what their values are, as far as flows are concerned.

use std::fmt;

use super::words::{is_secret, rank_of_account};
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
    /// The last part of each of these, and what the model calls it where that is something else.
    pub(super) names: Vec<String>,
    /// Every request has it.
    pub(super) is_required: bool,
    pub(super) value: Value,
    /// What it must be, where that is known.
    pub(super) shape: Option<ShapeId>,
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

impl Taken {
    /// Whether any of its names is of a kind.
    pub(super) fn is(&self, of_kind: impl Fn(&str) -> bool) -> bool {
        self.names.iter().any(|name| of_kind(name))
    }
}

/// What an operation takes, as far as it is known.
#[derive(Debug)]
pub(super) struct All {
    pub(super) taken: Vec<Taken>,
    /// That is all of it.
    pub(super) is_whole: bool,
    /// The body has several forms, and in one of them a password comes without an account, or nothing is known.
    pub(super) hides_in_part: bool,
}

/// All that an operation takes.
pub(super) fn taken(shapes: &[Shape], operation: &Operation) -> All {
    let is_whole = operation.body != BodyKind::Opaque;
    let mut search =
        Search { shapes, left: MOST, found: Vec::new(), is_whole, is_one_of: false, hides_in_part: false };
    // What names the account beside the body names it for each form of that.
    let named_beside = operation.inputs.iter().any(|input| {
        input.required
            && matches!(input.location, Location::Path | Location::Query)
            && input.take.names().any(|name| rank_of_account(name).is_some())
    });
    for input in &operation.inputs {
        search.input(input);
    }
    for path in &operation.named {
        if let Some(name) = path.last() {
            let names = vec![name.clone()];
            let places = vec![Place::Body(path.clone())];
            let value = Value::Scalar;
            search.found.push(Taken { places, names, is_required: false, value, shape: None });
        }
    }
    All {
        taken: search.found,
        is_whole: search.is_whole,
        hides_in_part: search.hides_in_part && !named_beside,
    }
}

struct Search<'c> {
    shapes: &'c [Shape],
    left: usize,
    found: Vec<Taken>,
    /// Nothing was left out.
    is_whole: bool,
    /// What is looked at is one of several forms.
    is_one_of: bool,
    /// Of several forms of the body one has no account that is found.
    hides_in_part: bool,
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
                self.add(names, &[], place, input.required, Some(input.shape));
            }
            Take::Group { fields, .. } => {
                if fields.is_empty() {
                    self.is_whole = false;
                }
                for field in fields {
                    let names: Vec<_> = field.names.iter().map(|(_, wire)| wire.clone()).collect();
                    let own: Vec<_> = field.names.iter().map(|(own, _)| own.clone()).collect();
                    let inner = own.first().and_then(|own| self.field_of(input.shape, own));
                    let is_required = input.required && inner.is_some_and(|(_, is_required, _)| is_required);
                    let called = inner.as_ref().map(|(.., called)| (*called).to_owned());
                    let own: Vec<_> = own.into_iter().chain(called).collect();
                    let shape = inner.map(|(shape, ..)| shape);
                    self.add(&names, &own, place, is_required, shape);
                }
            }
            Take::Whole => self.below(input.shape, &[]),
        }
    }

    fn add(
        &mut self,
        names: &[String],
        own: &[String],
        place: fn(String) -> Place,
        is_required: bool,
        shape: Option<ShapeId>,
    ) {
        let value = shape.map_or(Value::Scalar, |shape| self.value(shape));
        let places = names.iter().cloned().map(place).collect();
        let mut names: Vec<_> = names.iter().chain(own).cloned().collect();
        names.dedup();
        if !names.is_empty() {
            self.found.push(Taken { places, names, is_required, value, shape });
        }
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

    /// A field of a model by its own name, whether it must be there, and what the model calls it.
    fn field_of(&self, id: ShapeId, name: &str) -> Option<(ShapeId, bool, &str)> {
        let Some(Shape::Object(object)) = self.bare(id) else { return None };
        let is_it = |path: &Vec<PathItem>| matches!(&path[..], [PathItem::Key(key)] if key == name);
        let field =
            object.fields.iter().find(|field| field.name == name || field.lookup.iter().any(is_it))?;
        Some((field.shape, field.required, &field.name))
    }

    /// What stands in a JSON body below some keys.
    fn below(&mut self, id: ShapeId, keys: &[String]) {
        let Some(left) = self.left.checked_sub(1) else { return };
        self.left = left;
        let next: Vec<ShapeId> = match self.bare(id) {
            Some(Shape::Object(Object { root: Some(root), kind: ObjectKind::Model, .. })) => vec![*root],
            Some(Shape::Object(object)) => {
                let fields: Vec<_> = object.fields.iter().map(named).collect();
                for (paths, called, is_required, shape) in fields {
                    self.field(keys, &paths, called, is_required, shape);
                }
                return;
            }
            Some(Shape::Union { choices, .. }) => return self.one_of(&choices.clone(), keys),
            Some(Shape::TaggedUnion { choices, .. }) => {
                let choices: Vec<_> = choices.iter().map(|(_, shape)| *shape).collect();
                return self.one_of(&choices, keys);
            }
            Some(Shape::List(of) | Shape::Set(of) | Shape::FrozenSet(of)) => {
                let items: Vec<_> = of.items.into_iter().collect();
                return self.within(&items, keys);
            }
            Some(Shape::Tuple { items, .. }) => return self.within(&items.clone(), keys),
            Some(Shape::JsonText { inner }) => {
                let inner: Vec<_> = inner.iter().copied().collect();
                return self.within(&inner, keys);
            }
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

    /// Each of several forms. What must be there in one need not be in another.
    fn one_of(&mut self, choices: &[ShapeId], keys: &[String]) {
        let (is_whole, is_one_of) = (self.is_whole, std::mem::replace(&mut self.is_one_of, true));
        let (mut is_named, mut hides) = (false, false);
        for choice in choices {
            if matches!(self.bare(*choice), Some(Shape::None)) {
                continue;
            }
            let before = self.found.len();
            self.is_whole = true;
            self.below(*choice, keys);
            let new = self.found.get(before..).unwrap_or_default();
            let names_one = new.iter().any(|taken| taken.is(|name| rank_of_account(name).is_some()));
            is_named |= names_one;
            hides |= !names_one && (!self.is_whole || new.iter().any(|taken| taken.is(is_secret)));
        }
        self.hides_in_part |= hides && is_named;
        (self.is_whole, self.is_one_of) = (is_whole && !hides, is_one_of);
    }

    /// What stands where no path of keys leads: in a list, or in a text. It is not found there.
    fn within(&mut self, items: &[ShapeId], keys: &[String]) {
        let before = self.found.len();
        for item in items {
            self.below(*item, keys);
        }
        let inside = self.found.split_off(before);
        let is_account = |taken: &Taken| taken.is(|name| rank_of_account(name).is_some() || is_secret(name));
        if inside.iter().any(is_account) {
            self.is_whole = false;
        }
    }

    fn field(
        &mut self,
        keys: &[String],
        paths: &[Vec<String>],
        called: String,
        is_required: bool,
        shape: ShapeId,
    ) {
        let places: Vec<Vec<String>> =
            paths.iter().map(|path| keys.iter().chain(path).cloned().collect()).collect();
        let Some(first) = places.first().cloned() else { return };
        if first.len() < DEEPEST {
            for place in &places {
                self.below(shape, place);
            }
        }
        let mut names: Vec<_> = places.iter().filter_map(|place| place.last().cloned()).collect();
        if !names.contains(&called) {
            names.push(called);
        }
        let value = self.value(shape);
        // What is in an object that may be missing may be missing.
        let is_required = is_required && keys.is_empty() && !self.is_one_of;
        let places = places.into_iter().map(Place::Body).collect();
        self.found.push(Taken { places, names, is_required, value, shape: Some(shape) });
    }
}

/// The keys under which a field is looked for, what the model calls it, whether it must be there, and what it must be.
fn named(field: &Field) -> (Vec<Vec<String>>, String, bool, ShapeId) {
    let key = |item: &PathItem| match item {
        PathItem::Key(key) => Some(key.clone()),
        PathItem::Index(_) => None,
    };
    let paths = field.lookup.iter().filter_map(|path| path.iter().map(key).collect()).collect();
    (paths, field.name.clone(), field.required, field.shape)
}
