//! Values that an app should take: made from the contract's shapes, and held against them.

use std::cell::Cell;

use mantlet_contract::{
    Shapes, compile,
    json::{self, Limits},
    model::{Bounds, Field, PathItem, Shape, ShapeId},
    validate, value,
};
use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::{Map, Number, Value, json};

use super::words::{is_email, parts};

/// Objects in objects that are made.
const DEEPEST: usize = 8;

/// Makes values.
pub(super) struct Maker<'c> {
    shapes: &'c [Shape],
    compiled: Shapes,
    /// What stands in each text, so that an operator finds what check made.
    tag: String,
    made: Cell<usize>,
}

/// What is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    /// What must be there.
    Required,
    /// Everything that can be made.
    All,
}

/// What should stand in fields of these names, the best first. Values that do not fit are not taken.
pub(super) type Wishes<'w> = &'w dyn Fn(&str) -> Vec<Value>;

impl<'c> Maker<'c> {
    pub(super) fn new(shapes: &'c [Shape], tag: impl Into<String>) -> Self {
        Self { shapes, compiled: compile::compile(shapes).0, tag: tag.into(), made: Cell::new(0) }
    }

    /// A text that nothing else has.
    pub(super) fn text(&self) -> String {
        self.made.set(self.made.get() + 1);
        format!("mantlet{}{}", self.tag, self.made.get())
    }

    fn get(&self, id: ShapeId) -> Option<&'c Shape> {
        self.shapes.get(usize::try_from(id.0).ok()?)
    }

    /// Whether a value passes, as far as that can be known.
    pub(super) fn accepts(&self, shape: ShapeId, value: &Value) -> bool {
        let text = value.to_string();
        json::parse(text.as_bytes(), Limits::default()).is_ok_and(|json| {
            validate::validate(&self.compiled, shape.0, value::Value::Json(json.root()), &[]).accepted()
        })
    }

    /// Whether a text of a path or a query passes.
    pub(super) fn accepts_text(&self, shape: ShapeId, text: &str) -> bool {
        validate::validate(&self.compiled, shape.0, value::Value::Text(text), &[]).accepted()
    }

    /// What stands around a shape is taken away.
    pub(super) fn bare(&self, id: ShapeId) -> Option<&'c Shape> {
        let mut shape = self.get(id)?;
        for _ in 0..DEEPEST {
            shape = match shape {
                Shape::Nullable { inner }
                | Shape::WithDefault { inner }
                | Shape::Then { inner, .. }
                | Shape::CustomError { inner, .. } => self.get(*inner)?,
                _ => break,
            };
        }
        Some(shape)
    }

    /// The fields of an object, by the names under which they are sent.
    pub(super) fn fields(&self, id: ShapeId) -> Vec<(&'c str, &'c Field)> {
        match self.bare(id) {
            Some(Shape::Object(object)) => {
                object.fields.iter().filter_map(|field| Some((key_of(field)?, field))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// All values that there are, if they are listed.
    pub(super) fn choices(&self, id: ShapeId) -> &'c [Value] {
        match self.bare(id) {
            Some(Shape::Literal { expected: values } | Shape::Enum { values, .. }) => values,
            _ => &[],
        }
    }

    /// A value for a field of this name.
    pub(super) fn value(&self, id: ShapeId, name: &str, amount: Amount, wishes: Wishes<'_>) -> Option<Value> {
        self.at(id, name, amount, wishes, 0)
    }

    fn at(&self, id: ShapeId, name: &str, amount: Amount, wishes: Wishes<'_>, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        if let Some(wish) = wishes(name).into_iter().find(|wish| self.accepts(id, wish)) {
            return Some(wish);
        }
        let inner = |id: ShapeId| self.at(id, name, amount, wishes, depth + 1);
        let value = match self.get(id)? {
            Shape::Any | Shape::Opaque { .. } => self.word(name, None),
            Shape::None => Value::Null,
            Shape::Bool { .. } => json!(false),
            Shape::Int { bounds, .. } => number(bounds, true)?,
            Shape::Float { bounds, .. } | Shape::Decimal { bounds, .. } => number(bounds, false)?,
            Shape::Str { min_length, max_length, pattern, .. } => {
                return self.string(id, name, *min_length, *max_length, pattern.as_deref());
            }
            Shape::Bytes { min_length, max_length, .. } => {
                return self.string(id, name, *min_length, *max_length, None);
            }
            Shape::Literal { expected: values } | Shape::Enum { values, .. } => values.first()?.clone(),
            Shape::List(of) | Shape::Set(of) | Shape::FrozenSet(of) => {
                let least = of.min_length.unwrap_or(0).max(u64::from(amount == Amount::All));
                let items = of.items.map(|items| (0..least.min(8)).filter_map(|_| inner(items)).collect());
                Value::Array(items.unwrap_or_default())
            }
            Shape::Tuple { items, .. } => {
                Value::Array(items.iter().map(|item| inner(*item)).collect::<Option<_>>()?)
            }
            Shape::Dict { keys, values, min_length, .. } => {
                let mut map = Map::new();
                if min_length.unwrap_or(0) > 0 {
                    let key = inner(*keys)?;
                    map.insert(key.as_str().map_or_else(|| key.to_string(), str::to_owned), inner(*values)?);
                }
                Value::Object(map)
            }
            Shape::Object(object) => match object.root {
                Some(root) => inner(root)?,
                None => return self.object(&object.fields, amount, wishes, depth),
            },
            Shape::Nullable { inner: id } => inner(*id).unwrap_or(Value::Null),
            Shape::WithDefault { inner: id }
            | Shape::Then { inner: id, .. }
            | Shape::CustomError { inner: id, .. } => inner(*id)?,
            Shape::Union { choices, .. } => choices.iter().find_map(|choice| inner(*choice))?,
            Shape::TaggedUnion { discriminator, choices, .. } => {
                let (tag, choice) = choices.first()?;
                let mut value = inner(*choice)?;
                if let (Some(key), Value::Object(map)) = (discriminator.first(), &mut value) {
                    map.entry(key.clone()).or_insert_with(|| tag.clone());
                }
                value
            }
            Shape::JsonText { inner: Some(id) } => inner(*id)?.to_string().into(),
            Shape::JsonText { inner: None } => "{}".into(),
            Shape::Date { .. }
            | Shape::Time { .. }
            | Shape::Datetime { .. }
            | Shape::Timedelta { .. }
            | Shape::Uuid { .. }
            | Shape::Url { .. }
            | Shape::Ip { .. } => {
                return KNOWN.iter().map(|text| json!(text)).find(|value| self.accepts(id, value));
            }
            Shape::UploadFile => return None,
        };
        self.accepts(id, &value).then_some(value)
    }

    fn object(&self, fields: &[Field], amount: Amount, wishes: Wishes<'_>, depth: usize) -> Option<Value> {
        let mut map = Map::new();
        for field in fields {
            let Some(key) = key_of(field) else { continue };
            if !field.required && amount == Amount::Required && wishes(key).is_empty() {
                continue;
            }
            match self.at(field.shape, key, amount, wishes, depth + 1) {
                Some(value) => map.insert(key.to_owned(), value),
                None if field.required => return None,
                None => continue,
            };
        }
        Some(Value::Object(map))
    }

    /// A text that its name suggests.
    fn word(&self, name: &str, most: Option<u64>) -> Value {
        let words = parts(name);
        let has = |word: &str| words.iter().any(|one| one == word);
        let text = self.text();
        let text = match () {
            () if is_email(name) => format!("{text}@example.com"),
            () if has("url") || has("uri") || has("link") || has("website") => {
                "https://example.com/".to_owned()
            }
            () if has("phone") || has("mobile") => "+12025550123".to_owned(),
            () if has("currency") => "EUR".to_owned(),
            () if has("country") => "DE".to_owned(),
            () if has("language") || has("locale") || has("lang") => "en".to_owned(),
            () if has("timezone") => "UTC".to_owned(),
            () if has("date") => "2030-01-01".to_owned(),
            () if has("color") || has("colour") => "#336699".to_owned(),
            () => text,
        };
        let most = usize::try_from(most.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        // The end is what differs.
        let start = if is_email(name) { 0 } else { text.chars().count().saturating_sub(most) };
        text.chars().skip(start).collect::<String>().into()
    }

    fn string(
        &self,
        id: ShapeId,
        name: &str,
        min: Option<u64>,
        max: Option<u64>,
        pattern: Option<&str>,
    ) -> Option<Value> {
        let word = self.word(name, max);
        let least = usize::try_from(min.unwrap_or(0)).ok()?.min(4096);
        let word = word.as_str().unwrap_or_default();
        let long = format!("{word:x<least$}");
        let made = pattern.and_then(|pattern| {
            let pattern = regex_syntax::parse(pattern).ok()?;
            let mut text = String::new();
            write_match(&pattern, &mut text);
            Some(text)
        });
        let candidates = [Some(long), Some(self.tag.clone()), made];
        let known = KNOWN.iter().map(|text| (*text).to_owned());
        candidates.into_iter().flatten().chain(known).map(Value::String).find(|value| self.accepts(id, value))
    }
}

/// Texts for what is a text in JSON, and has a form.
const KNOWN: [&str; 18] = [
    "2030-01-01",
    "2030-01-01T12:00:00",
    "2030-01-01T12:00:00Z",
    "1990-01-01",
    "1990-01-01T12:00:00",
    "1990-01-01T12:00:00Z",
    "12:00:00",
    "12:00:00Z",
    "P1D",
    "6f1a7f5e-2b64-4c1d-9d5f-3a0d6c2b9e11",
    "https://example.com/",
    "http://example.com/",
    "postgresql://example.com/db",
    "redis://example.com/0",
    "192.0.2.1",
    "192.0.2.0/24",
    "2001:db8::1",
    "12345",
];

/// The first key under which a field is looked for.
fn key_of(field: &Field) -> Option<&str> {
    field.lookup.iter().find_map(|path| match path.as_slice() {
        [PathItem::Key(key)] => Some(key.as_str()),
        _ => None,
    })
}

/// A number within bounds: the smallest that is not suspicious.
fn number(bounds: &Bounds, is_whole: bool) -> Option<Value> {
    let read = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
    let step = if is_whole { 1.0 } else { 0.5 };
    let low = read(&bounds.ge).or_else(|| read(&bounds.gt).map(|low| low + step));
    let high = read(&bounds.le).or_else(|| read(&bounds.lt).map(|high| high - step));
    let mut number = match (low, high) {
        (Some(low), Some(high)) => low.max(1.0).min(high),
        (Some(low), None) => low.max(1.0),
        (None, Some(high)) => high.min(1.0),
        (None, None) => 1.0,
    };
    if let Some(multiple) = read(&bounds.multiple_of).filter(|multiple| *multiple > 0.0) {
        number = (number / multiple).ceil() * multiple;
    }
    if is_whole {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a bound beyond i64 is not kept, and `accepts` says so"
        )]
        let whole = number.ceil() as i64;
        return Some(whole.into());
    }
    Number::from_f64(number).map(Value::Number)
}

/// The shortest text that a pattern matches, or about that.
fn write_match(pattern: &Hir, text: &mut String) {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => text.extend(character(class)),
        HirKind::Repetition(repetition) => {
            for _ in 0..repetition.min.min(64) {
                write_match(&repetition.sub, text);
            }
        }
        HirKind::Capture(capture) => write_match(&capture.sub, text),
        HirKind::Concat(all) => all.iter().for_each(|one| write_match(one, text)),
        HirKind::Alternation(all) => all.iter().take(1).for_each(|one| write_match(one, text)),
    }
}

/// A character of a class that people use.
fn character(class: &Class) -> Option<char> {
    let is_in = |c: char| match class {
        Class::Unicode(class) => class.iter().any(|range| (range.start()..=range.end()).contains(&c)),
        Class::Bytes(class) => class.iter().any(|range| (range.start()..=range.end()).contains(&(c as u8))),
    };
    let first = match class {
        Class::Unicode(class) => class.iter().next().map(regex_syntax::hir::ClassUnicodeRange::start),
        Class::Bytes(class) => class.iter().next().map(|range| char::from(range.start())),
    };
    ('a'..='z').chain('A'..='Z').chain('1'..='9').chain(['0', '-', '_', ' ']).find(|c| is_in(*c)).or(first)
}
