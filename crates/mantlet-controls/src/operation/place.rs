//! The place of invalid input, in words that the app's authors wrote: a client's own names are as
//! untrusted as its values.

use std::collections::HashSet;

use mantlet_contract::{
    fault::{Fault, Loc},
    model::{Operation, Shape},
};
use serde_json::Value;

/// Longest word that is taken for a name.
const MAX_WORD: usize = 64;
/// Most parts of a place.
const MAX_PARTS: usize = 12;
/// The sign for a client's own name, and for any number.
const ANY: &str = "*";

/// All words of an app's shapes and parameters.
pub(super) fn declared<'o>(
    shapes: &[Shape],
    operations: impl Iterator<Item = &'o Operation>,
) -> HashSet<Box<str>> {
    let mut words: HashSet<Box<str>> = ["body", "query", "path", "header", "cookie"].map(Into::into).into();
    for shape in shapes.iter().filter(|shape| !matches!(shape, Shape::Opaque { .. })) {
        if let Ok(shape) = serde_json::to_value(shape) {
            collect(&shape, &mut words);
        }
    }
    for input in operations.flat_map(|operation| &operation.inputs) {
        words.extend(input.take.names().map(Into::into));
    }
    words
}

fn collect(value: &Value, words: &mut HashSet<Box<str>>) {
    match value {
        Value::String(word) if word.len() <= MAX_WORD => drop(words.insert(word.as_str().into())),
        Value::Array(values) => values.iter().for_each(|value| collect(value, words)),
        Value::Object(members) => {
            for (name, value) in members {
                if name.len() <= MAX_WORD {
                    words.insert(name.as_str().into());
                }
                collect(value, words);
            }
        }
        _ => {}
    }
}

/// `missing body.lines.*.sku`
pub(crate) fn told(fault: &Fault, declared: &HashSet<Box<str>>) -> String {
    let parts = fault.loc.iter().take(MAX_PARTS).map(|part| match part {
        Loc::Key(key) if declared.contains(key.as_str()) => key,
        Loc::Key(_) | Loc::Index(_) => ANY,
    });
    format!("{} {}", fault.kind, parts.collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_in_the_words_of_the_app_alone() {
        let declared: HashSet<Box<str>> = ["body", "lines", "sku"].map(Into::into).into();
        let fault = |loc: Vec<Loc>| Fault {
            kind: "missing".into(),
            loc,
            msg: "Field required".into(),
            ctx: serde_json::Map::new(),
        };
        for (loc, expected) in [
            (vec!["body".into(), "lines".into(), Loc::Index(7), "sku".into()], "missing body.lines.*.sku"),
            (vec!["body".into(), "sk_live_4eC39HqLyjWDarjtT1zdp7dc".into()], "missing body.*"),
            (vec!["body".into(), Loc::Index(13)], "missing body.*"),
        ] {
            assert_eq!(told(&fault(loc), &declared), expected);
        }
        let deep = fault(std::iter::repeat_n(Loc::Index(0), 500).collect());
        assert!(told(&deep, &declared).len() < 64, "bounded");
    }
}
