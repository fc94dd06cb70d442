//! Models, dataclasses and typed dicts.

use super::{Run, Step};
use crate::fault::Problem;
use crate::model::{Extra, ObjectKind};
use crate::shape::{FieldRule, ObjectRule, Path};
use crate::value::{self, Dict, Pair, Value, View};

impl<'a> Run<'a> {
    pub(super) fn object(&mut self, rule: &'a ObjectRule, view: View<'a>) -> bool {
        let name = &*rule.name;
        let dataclass = rule.kind == ObjectKind::Dataclass;
        if dataclass && rule.strict {
            return self.refuse(|| {
                let msg = format!("Input should be an instance of {name}");
                Problem::new("dataclass_exact_type", msg).with("class_name", name)
            });
        }
        let View::Dict(dict) = view else {
            return match rule.kind {
                ObjectKind::Model => self.refuse(attributes_type),
                ObjectKind::Dataclass => self.refuse(|| {
                    let msg = format!("Input should be a dictionary or an instance of {name}");
                    Problem::new("dataclass_type", msg).with("class_name", name)
                }),
                ObjectKind::TypedDict => {
                    self.refuse(|| Problem::new("dict_type", "Input should be a valid dictionary"))
                }
            };
        };
        let base = self.slots.len();
        self.slots.resize(base + rule.fields.len(), None);
        self.collect(rule, dict, base);
        let mut accepted = true;
        for (at, field) in rule.fields.iter().enumerate() {
            accepted &= match self.slots.get(base + at).copied().flatten() {
                Some((path, value)) => self.field(field, path, value),
                None if field.required => self.missing(field),
                None => true,
            };
        }
        if rule.extra != Extra::Ignore {
            for pair in dict.pairs() {
                accepted &= self.hides(&pair) || self.extra(rule, &pair, base);
            }
        }
        self.slots.truncate(base);
        accepted
    }

    /// One pass over the object: each field gets the value under the first of its paths that is there.
    fn collect(&mut self, rule: &'a ObjectRule, dict: Dict<'a>, base: usize) {
        for pair in dict.pairs() {
            let Some(key) = self.key(&pair) else { continue };
            let Some(uses) = rule.keys.get(key) else {
                if rule.extra == Extra::Ignore {
                    self.ignored.extend(pair.span);
                }
                continue;
            };
            for wanted in uses {
                let Some(field) = rule.fields.get(wanted.field as usize) else { continue };
                let Some(path) = field.paths.get(wanted.path as usize) else { continue };
                self.doubt |= !path.rest.is_empty() && !self.hidden.is_empty();
                let Some(value) = follow(pair.value, path) else { continue };
                if let Some(slot) = self.slots.get_mut(base + wanted.field as usize)
                    && slot.is_none_or(|(earlier, _)| wanted.path <= earlier)
                {
                    *slot = Some((wanted.path, value));
                }
            }
        }
    }

    fn field(&mut self, field: &'a FieldRule, path: u32, value: Value<'a>) -> bool {
        let Some(path) = field.paths.get(path as usize) else { return self.unsure() };
        let (steps, ignored) = (self.loc.len(), self.ignored.len());
        self.enter(field, path);
        let accepted = self.check(field.shape, value);
        self.loc.truncate(steps);
        if !path.rest.is_empty() {
            // Another path may look into the same value.
            self.ignored.truncate(ignored);
        }
        accepted
    }

    fn enter(&mut self, field: &'a FieldRule, path: &'a Path) {
        if let Some(name) = &field.name {
            self.loc.push(Step::Key(name));
            return;
        }
        self.loc.push(Step::Key(&path.key));
        self.loc.extend(path.rest.iter().map(|step| match step {
            value::Step::Key(key) => Step::Key(key),
            value::Step::Index(index) => Step::Index(*index),
        }));
    }

    fn missing(&mut self, field: &'a FieldRule) -> bool {
        let Some(path) = field.paths.first() else { return self.unsure() };
        let steps = self.loc.len();
        self.enter(field, path);
        self.refuse(Problem::missing);
        self.loc.truncate(steps);
        false
    }

    fn extra(&mut self, rule: &'a ObjectRule, pair: &Pair<'a>, base: usize) -> bool {
        let Some(key) = pair.key else { return true };
        let used = rule.keys.get(key).is_some_and(|uses| {
            uses.iter().any(|wanted| {
                let slot = self.slots.get(base + wanted.field as usize).copied().flatten();
                slot.is_some_and(|(path, _)| path == wanted.path)
            })
        });
        if used {
            return true;
        }
        match rule.extra {
            Extra::Ignore => true,
            Extra::Forbid => self.below(Step::Key(key), |run| {
                run.refuse(|| match rule.kind {
                    ObjectKind::Dataclass => {
                        Problem::new("unexpected_keyword_argument", "Unexpected keyword argument")
                    }
                    _ => Problem::new("extra_forbidden", "Extra inputs are not permitted"),
                })
            }),
            // The name of a field that has an alias: it would override the field, so these two drop it.
            Extra::Allow if rule.kind != ObjectKind::Model && rule.names.contains(key) => true,
            Extra::Allow => self.below(Step::Key(key), |run| {
                let keys = rule.extra_keys.is_none_or(|keys| run.check(keys, Value::Text(key)));
                let values = rule.extras.is_none_or(|extras| run.check(extras, pair.value));
                keys && values
            }),
        }
    }
}

fn follow<'a>(value: Value<'a>, path: &Path) -> Option<Value<'a>> {
    path.rest.iter().try_fold(value, Value::at)
}

/// FastAPI validates with `from_attributes`, so an object of Python's would do as well.
pub(super) fn attributes_type() -> Problem {
    Problem::new(
        "model_attributes_type",
        "Input should be a valid dictionary or object to extract fields from",
    )
}
