//! The digest that Poetry writes of the manifest for which a lock was made.
//!
//! It is SHA-256 of the parts of `pyproject.toml` that decide, as Python's `json.dumps` writes them with sorted
//! keys. Versions of Poetry differ in what these parts are; a lock that fits any of them is in step. What cannot
//! be written as Python does is not judged.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use super::Lock;
use crate::project::manifest::Manifest;

/// Keys of `[tool.poetry]` that count even where they are missing.
const LEGACY: [&str; 4] = ["dependencies", "source", "extras", "dev-dependencies"];
const PROJECT: [&str; 3] = ["requires-python", "dependencies", "optional-dependencies"];

/// Whether a lock was certainly made for another manifest.
pub(super) fn differs(lock: &Lock, manifest: &Manifest) -> bool {
    let (Some(expected), Some(document)) = (&lock.content_hash, &manifest.document) else { return false };
    let digests: Option<Vec<String>> =
        [Some(true), Some(false), None].iter().map(|variant| digest(document, *variant)).collect();
    digests.is_some_and(|digests| !digests.contains(expected))
}

/// Of Poetry 2 with or without dependency groups; of Poetry 1, which knows `[tool.poetry]` alone, if none.
fn digest(document: &Table, groups: Option<bool>) -> Option<String> {
    let table = |path: &[&str]| {
        let mut table = document;
        for key in path {
            table = table.get(*key)?.as_table()?;
        }
        Some(table)
    };
    let pick = |from: Option<&Table>, keys: &[&str]| -> Table {
        let some = keys.iter().filter_map(|key| Some(((*key).to_owned(), from?.get(*key)?.clone())));
        some.collect()
    };
    let project = groups.map(|_| pick(table(&["project"]), &PROJECT)).unwrap_or_default();
    let groups = table(&["dependency-groups"]).filter(|table| groups == Some(true) && !table.is_empty());
    let poetry = table(&["tool", "poetry"]);
    let is_modern = !project.is_empty() || groups.is_some();

    let mut own: Vec<(&str, Option<&Value>)> = Vec::new();
    for key in LEGACY.into_iter().chain(["group"]) {
        let value = poetry.and_then(|poetry| poetry.get(key));
        if value.is_some() || (LEGACY.contains(&key) && !is_modern) {
            own.push((key, value));
        }
    }
    own.sort_unstable_by_key(|(key, _)| *key);
    let mut written = String::new();
    let mut text = String::from("{");
    for (at, (key, value)) in own.iter().enumerate() {
        let _ = write!(text, "{}\"{key}\": ", if at > 0 { ", " } else { "" });
        match value {
            Some(value) => python(value, &mut text)?,
            None => text.push_str("null"),
        }
    }
    text.push('}');
    if is_modern {
        written.push('{');
        if let Some(groups) = groups {
            written.push_str("\"dependency-groups\": ");
            python(&Value::Table(groups.clone()), &mut written)?;
            written.push_str(", ");
        }
        if !project.is_empty() {
            written.push_str("\"project\": ");
            python(&Value::Table(project), &mut written)?;
            written.push_str(", ");
        }
        let _ = write!(written, "\"tool\": {{\"poetry\": {text}}}}}");
    } else {
        written = text;
    }
    Some(Sha256::digest(written).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// As `json.dumps(…, sort_keys=True)` writes it.
fn python(value: &Value, into: &mut String) -> Option<()> {
    match value {
        Value::String(text) => quoted(text, into),
        Value::Boolean(is_true) => into.push_str(if *is_true { "true" } else { "false" }),
        Value::Integer(number) => {
            let _ = write!(into, "{number}");
        }
        Value::Array(list) => {
            into.push('[');
            for (at, value) in list.iter().enumerate() {
                if at > 0 {
                    into.push_str(", ");
                }
                python(value, into)?;
            }
            into.push(']');
        }
        Value::Table(table) => {
            into.push('{');
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_unstable_by(|one, other| one.0.chars().cmp(other.0.chars()));
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    into.push_str(", ");
                }
                quoted(key, into);
                into.push_str(": ");
                python(value, into)?;
            }
            into.push('}');
        }
        // Nothing here has a fraction or a date.
        Value::Float(_) | Value::Datetime(_) => return None,
    }
    Some(())
}

fn quoted(text: &str, into: &mut String) {
    into.push('"');
    for letter in text.chars() {
        match letter {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '\u{8}' => into.push_str("\\b"),
            '\u{c}' => into.push_str("\\f"),
            ' '..='~' => into.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(into, "\\u{unit:04x}");
                }
            }
        }
    }
    into.push('"');
}
