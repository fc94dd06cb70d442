//! Models of parameters and of forms: FastAPI puts an object together and validates it as a whole.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::{FormData, Received, Run, Taken, encoded, missing, place};
use crate::fault::Loc;
use crate::model::{Extra, GroupField, Input, Location};
use crate::shape::{Shape, Shapes};
use crate::validate::validate;
use crate::value::{Entry, Fields, Value};

/// A name and its values, uploads as none.
type Values<'r> = (Cow<'r, str>, Vec<Option<Cow<'r, str>>>);

/// The object that is put together.
#[derive(Default)]
struct Object<'r> {
    entries: Vec<(Cow<'r, str>, Entry<'r>)>,
    places: HashMap<Cow<'r, str>, usize>,
}

impl<'r> Object<'r> {
    /// As Python's dict: what is there is replaced in its place.
    fn set(&mut self, name: Cow<'r, str>, entry: Entry<'r>) {
        let place = self.places.get(&name).and_then(|place| self.entries.get_mut(*place));
        if let Some(slot) = place {
            slot.1 = entry;
        } else {
            self.places.insert(name.clone(), self.entries.len());
            self.entries.push((name, entry));
        }
    }

    fn fields(self) -> Fields<'r> {
        let mut fields = Fields::default();
        for (name, entry) in self.entries {
            fields.push(name, entry);
        }
        fields
    }
}

impl<'r> Run<'r, '_> {
    pub(super) fn group(&mut self, input: &'r Input, fields: &'r [GroupField], optional: bool, extras: bool) {
        if input.location == Location::Body && !matches!(self.received, Received::Form(_)) {
            // A model of a form takes nothing but forms; what else comes is the app's.
            self.judgement.undecided = true;
            return;
        }
        let mut object = Object::default();
        let mut processed = HashSet::new();
        let mut renamed = Vec::new();
        let mut supplied = false;
        for field in fields {
            supplied |= field.names.iter().any(|(_, wire)| self.has(input.location, wire));
            self.group_field(input.location, field, &mut object, &mut processed, &mut renamed);
        }
        if extras {
            for (name, entry) in self.others(input.location, &processed) {
                object.set(name, entry);
            }
        }
        if input.location == Location::Query {
            self.used
                .extend(fields.iter().flat_map(|field| field.names.iter().map(|(_, wire)| wire.as_str())));
            self.takes_all |= extras && self.sees_extras(input);
        }
        let object = object.fields();
        if optional && !supplied && (object.is_empty() || !self.sees_extras(input)) {
            if input.required {
                self.judgement.faults.push(missing(&[place(input.location)]));
            }
            self.judgement.undecided |= input.validate_default;
            return;
        }
        let mut outcome =
            validate(self.shapes, input.shape.0, Value::Fields(&object), &[place(input.location)]);
        // FastAPI names the header that was looked for, not the field.
        for fault in &mut outcome.faults {
            if let Some(Loc::Key(name)) = fault.loc.get_mut(1)
                && let Some((_, wire)) = renamed.iter().find(|(own, _)| own == name)
            {
                (*wire).clone_into(name);
            }
        }
        self.take_in(input, outcome, None);
    }

    fn group_field(
        &self,
        location: Location,
        field: &'r GroupField,
        object: &mut Object<'r>,
        processed: &mut HashSet<&'r str>,
        renamed: &mut Vec<(&'r str, &'r str)>,
    ) {
        let Some(first) = field.names.first() else { return };
        // A form's field takes the first of its names that is not empty, others the first that is there.
        let mut chosen = None;
        if location == Location::Body {
            for (own, wire) in &field.names {
                processed.insert(wire);
                let taken = self.take(location, wire, field.multiple);
                if !matches!(taken, Taken::Nothing) {
                    chosen = Some((own, taken));
                    break;
                }
            }
        } else {
            let (own, wire) = field.names.iter().find(|(_, wire)| self.has(location, wire)).unwrap_or(first);
            processed.insert(wire);
            if location == Location::Header {
                processed.extend(
                    field.names.iter().filter(|(own, wire)| own != wire).map(|(own, _)| own.as_str()),
                );
                if own != wire {
                    renamed.push((own, wire));
                }
            }
            chosen = Some((own, self.take(location, wire, field.multiple)));
        }
        if let Some((own, taken)) = chosen
            && let Some(entry) = entry(taken)
        {
            object.set(own.into(), entry);
        }
    }

    /// All other parameters: one text, or a list of them.
    fn others(&self, location: Location, processed: &HashSet<&str>) -> Vec<(Cow<'r, str>, Entry<'r>)> {
        let mut found: Vec<(Cow<'r, str>, Option<Cow<'r, str>>)> = match location {
            Location::Path => Vec::new(),
            Location::Query => texts(&self.query),
            Location::Cookie => texts(&self.cookies),
            Location::Header => self
                .request
                .headers
                .iter()
                .map(|(name, value)| ((*name).into(), Some(encoded::latin1(value))))
                .collect(),
            Location::Body => match &self.received {
                Received::Form(FormData { items, .. }) => items.clone(),
                _ => Vec::new(),
            },
        };
        let lower: HashSet<String> = processed.iter().map(|name| name.to_lowercase()).collect();
        found.retain(|(name, _)| match location {
            Location::Header => !lower.contains(&**name),
            _ => !processed.contains(&**name),
        });
        let mut grouped: Vec<Values<'r>> = Vec::new();
        let mut places: HashMap<Cow<'r, str>, usize> = HashMap::new();
        for (name, value) in found {
            let place = *places.entry(name.clone()).or_insert(grouped.len());
            match grouped.get_mut(place) {
                // No multidict: of a cookie that comes twice the last.
                Some((_, values)) if location == Location::Cookie => *values = vec![value],
                Some((_, values)) => values.push(value),
                None => grouped.push((name, vec![value])),
            }
        }
        let entry = |mut values: Vec<Option<Cow<'r, str>>>| match (values.len(), values.pop()) {
            (1, Some(Some(text))) => Entry::One(text),
            (_, Some(Some(text))) => match values.into_iter().collect::<Option<Vec<_>>>() {
                Some(mut texts) => {
                    texts.push(text);
                    Entry::Many(texts)
                }
                None => Entry::File,
            },
            _ => Entry::File,
        };
        grouped.into_iter().map(|(name, values)| (name, entry(values))).collect()
    }

    /// Whether the model does anything with other names.
    fn sees_extras(&self, input: &Input) -> bool {
        extra(self.shapes, input.shape.0).is_none_or(|extra| extra != Extra::Ignore)
    }
}

fn texts<'r>(pairs: &super::Pairs<'r>) -> Vec<(Cow<'r, str>, Option<Cow<'r, str>>)> {
    pairs.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect()
}

fn entry(taken: Taken<'_>) -> Option<Entry<'_>> {
    match taken {
        Taken::Nothing => None,
        Taken::Text(text) => Some(Entry::One(text)),
        Taken::Texts(texts) => Some(Entry::Many(texts)),
        Taken::Value(Value::Text(text)) => Some(Entry::One(text.into())),
        Taken::Value(_) | Taken::Content(_) | Taken::Unsure => Some(Entry::File),
    }
}

/// The policy of the model behind nullables and the like; none if it cannot be told.
fn extra(shapes: &Shapes, shape: u32) -> Option<Extra> {
    let mut shape = shape;
    for _ in 0..20 {
        match shapes.get(shape) {
            Shape::Nullable(inner) | Shape::Transparent(inner) | Shape::Then(inner) => shape = *inner,
            Shape::Object(rule) => return Some(rule.extra),
            _ => return None,
        }
    }
    None
}
