//! Where the secrets of a configuration are: each key whose value is a reference.

use std::fmt::Write as _;

use serde_json::Value;

use super::{reference::Reference, schema::Config};

/// Each key with its value as it is written, and the reference that it is.
pub(crate) fn places(config: &Config) -> Vec<(String, String, Reference)> {
    let mut all = Vec::new();
    let config = serde_json::to_value(config).unwrap_or_default();
    find(&config, &mut String::new(), &mut |key, place| {
        if let Some(Ok(reference)) = Reference::of(place) {
            all.push((key.to_owned(), place.to_owned(), reference));
        }
    });
    all
}

/// Goes through all texts of a configuration.
fn find(value: &Value, key: &mut String, found: &mut impl FnMut(&str, &str)) {
    let length = key.len();
    match value {
        Value::String(text) => found(key, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                // Writing to a text cannot fail.
                let _ = write!(key, "[{index}]");
                find(item, key, found);
                key.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                if length > 0 {
                    key.push('.');
                }
                key.push_str(name);
                find(field, key, found);
                key.truncate(length);
            }
        }
        _ => {}
    }
}
