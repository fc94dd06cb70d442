//! `[app.env]`: variables that the app gets, with secrets from where they are.

use std::collections::BTreeMap;

use mantlet_controls::config::{Mistake, Secret};

use super::reference::{REMEDY, Reference};
use crate::settings::SCHEMES;

/// What a value begins with that is no reference, although it looks like one.
const TEXT: &str = "text:";

/// Variables with their values.
pub(crate) type Variables = Vec<(String, Secret<Vec<u8>>)>;

/// The variables with their values, or what is wrong with them.
pub(crate) fn read(variables: &BTreeMap<String, String>) -> Result<Variables, Vec<Mistake>> {
    let (mut read, mut mistakes) = (Vec::new(), Vec::new());
    for (name, value) in variables {
        let key = format!("app.env.{name}");
        if name.is_empty() || name.contains(['=', '\0']) {
            mistakes.push(Mistake::new(key, "this is not the name of a variable"));
            continue;
        }
        match value_of(value) {
            Ok(bytes) if bytes.contains(&0) => {
                mistakes.push(Mistake::new(key, "the value has a NUL, which no variable may have"));
            }
            Ok(bytes) => read.push((name.clone(), Secret::new(bytes))),
            Err(message) => mistakes.push(Mistake::new(key, message).help(format!(
                "{REMEDY}; a text that begins with `{}:` is written `{TEXT}…`",
                SCHEMES.join(":`, `")
            ))),
        }
    }
    if mistakes.is_empty() { Ok(read) } else { Err(mistakes) }
}

fn value_of(value: &str) -> Result<Vec<u8>, String> {
    match (value.strip_prefix(TEXT), Reference::of(value)) {
        (Some(text), _) => Ok(text.as_bytes().to_vec()),
        (None, Some(reference)) => reference?.read(),
        (None, None) => Ok(value.as_bytes().to_vec()),
    }
}
