//! Models, dataclasses and typed dicts: which field wants which key.

use super::Compiler;
use crate::model::{self, PathItem};
use crate::shape::{FieldRule, KeyTable, KeyUse, ObjectRule, Path, Shape};
use crate::value::Step;

impl Compiler {
    pub(super) fn object(&mut self, object: &model::Object) -> Shape {
        if let Some(root) = object.root {
            return Shape::Root(self.id(root));
        }
        let mut keys = KeyTable::default();
        let mut fields = Vec::with_capacity(object.fields.len());
        for field in &object.fields {
            let mut paths: Vec<Path> = Vec::with_capacity(field.lookup.len());
            for path in &field.lookup {
                let Some((PathItem::Key(key), rest)) = path.split_first() else {
                    self.note(format!(
                        "the field `{}` is looked for at a place that is not a key",
                        field.name
                    ));
                    return Shape::Opaque;
                };
                paths.push(Path { key: key.as_str().into(), rest: rest.iter().map(step).collect() });
            }
            if paths.is_empty() {
                paths.push(Path { key: field.name.as_str().into(), rest: Vec::new() });
            }
            let Ok(index) = u32::try_from(fields.len()) else { return Shape::Opaque };
            for (path, at) in paths.iter().zip(0..) {
                keys.entry(path.key.clone()).or_default().push(KeyUse { field: index, path: at });
            }
            fields.push(FieldRule {
                shape: self.id(field.shape),
                required: field.required,
                name: (!object.loc_by_alias).then(|| field.name.as_str().into()),
                paths,
            });
        }
        Shape::Object(Box::new(ObjectRule {
            name: object.name.as_str().into(),
            kind: object.kind,
            strict: object.strict,
            fields,
            keys,
            names: object.fields.iter().map(|field| field.name.as_str().into()).collect(),
            extra: object.extra,
            extras: object.extras.map(|extras| self.id(extras)),
            extra_keys: object.extra_keys.map(|keys| self.id(keys)),
        }))
    }
}

fn step(item: &PathItem) -> Step {
    match item {
        PathItem::Key(key) => Step::Key(key.as_str().into()),
        PathItem::Index(index) => Step::Index(*index),
    }
}
