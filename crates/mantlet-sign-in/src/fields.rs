//! The fields of a body, read as the table of operations has them, and what is wrong with them as Pydantic writes it.
//!
//! A body passes if it is one JSON object (or a form) in which no name stands twice, each required field is there, and each
//! is a text of at most its length without NUL. Other members are let be, as FastAPI does.
//!
//! What is wrong is said without the value: it may be a password.

use std::fmt;

use mantlet_accounts::{Address, Secret};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, json};

use crate::{
    form::{Form, Trouble},
    operations::{Field, Kind},
};

/// Fields that were read.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    values: Vec<(&'static str, Secret<String>)>,
}

/// What is wrong with a field or the whole body: an entry of `detail`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem(pub(crate) Value);

impl Problem {
    /// A value that is a text, and not a good one.
    pub(crate) fn value(field: &str, what: &str) -> Self {
        Self(json!({
            "type": "value_error",
            "loc": ["body", field],
            "msg": format!("Value error, {what}"),
            "ctx": {"error": what},
        }))
    }

    fn json(at: usize, what: &str) -> Self {
        Self(
            json!({"type": "json_invalid", "loc": ["body", at], "msg": "JSON decode error", "ctx": {"error": what}}),
        )
    }
}

impl Fields {
    /// The value of a field. One that need not be there and is not is empty.
    pub(crate) fn secret(&self, name: &str) -> Secret<String> {
        let found = self.values.iter().find(|(known, _)| *known == name);
        found.map_or_else(|| Secret::new(String::new()), |(_, value)| value.clone())
    }

    /// The value of a field that may be shown.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.expose())
    }

    /// The address of a field.
    pub(crate) fn address(&self, name: &str) -> Result<Address, Vec<Problem>> {
        Address::read(self.text(name)).ok_or_else(|| vec![not_an_address(name)])
    }
}

fn not_an_address(field: &str) -> Problem {
    let why = "it has to be one like `name@example.com`";
    Problem(json!({
        "type": "value_error",
        "loc": ["body", field],
        "msg": format!("value is not a valid email address: {why}"),
        "ctx": {"reason": why},
    }))
}

/// Reads JSON.
pub(crate) fn of_json(fields: &[Field], body: &[u8]) -> Result<Fields, Vec<Problem>> {
    if body.is_empty() {
        return Err(vec![Problem(json!({"type": "missing", "loc": ["body"], "msg": "Field required"}))]);
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| vec![Problem::json(error.valid_up_to(), "the body is not UTF-8")])?;
    let value: Value = serde_json::from_str(text).map_err(|error| vec![broken(text, &error)])?;
    if !value.is_object() {
        return Err(vec![Problem(json!({
            "type": "model_attributes_type",
            "loc": ["body"],
            "msg": "Input should be a valid dictionary or object to extract fields from",
        }))]);
    }
    // Read again for what a map does not keep: which member stands twice.
    let members: Members = serde_json::from_str(text).map_err(|error| vec![broken(text, &error)])?;
    let names = members.0.iter().map(|(name, _)| name.as_str());
    if let Some(name) = fields
        .iter()
        .map(|field| field.name)
        .find(|name| names.clone().filter(|known| known == name).count() > 1)
    {
        return Err(vec![Problem::value(name, "the member stands twice in the object")]);
    }
    read(fields, |name| members.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()))
}

/// Reads a form.
pub(crate) fn of_form(fields: &[Field], form: Result<Form, Trouble>) -> Result<Fields, Vec<Problem>> {
    let form = form.map_err(|trouble| match &trouble {
        Trouble::Twice(name) => vec![Problem::value(name, &trouble.to_string())],
        _ => vec![Problem(
            json!({"type": "value_error", "loc": ["body"], "msg": format!("Value error, {trouble}")}),
        )],
    })?;
    read(fields, |name| form.get(name).map(Some))
}

/// Reads each field: there or not, and a text or not.
fn read<'b>(
    fields: &[Field],
    value: impl Fn(&str) -> Option<Option<&'b str>>,
) -> Result<Fields, Vec<Problem>> {
    let mut read = Fields::default();
    let mut problems = Vec::new();
    for field in fields {
        match value(field.name) {
            None if field.is_required => problems.push(Problem(
                json!({"type": "missing", "loc": ["body", field.name], "msg": "Field required"}),
            )),
            None => {}
            Some(None) => problems.push(Problem(json!({
                "type": "string_type",
                "loc": ["body", field.name],
                "msg": "Input should be a valid string",
            }))),
            Some(Some(text)) => match judge(field, text) {
                Some(problem) => problems.push(problem),
                None => read.values.push((field.name, Secret::new(text.to_owned()))),
            },
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

fn judge(field: &Field, text: &str) -> Option<Problem> {
    let Field { name, most, .. } = *field;
    if text.chars().count() > most {
        return Some(Problem(json!({
            "type": "string_too_long",
            "loc": ["body", name],
            "msg": format!("String should have at most {most} characters"),
            "ctx": {"max_length": most},
        })));
    }
    if field.is_required && text.is_empty() {
        return Some(Problem(json!({
            "type": "string_too_short",
            "loc": ["body", name],
            "msg": "String should have at least 1 character",
            "ctx": {"min_length": 1},
        })));
    }
    if text.contains('\0') {
        return Some(Problem::value(name, "the text has a NUL character"));
    }
    (field.kind == Kind::Address && Address::read(text).is_none()).then(|| not_an_address(name))
}

/// Where JSON is broken, and why.
fn broken(text: &str, error: &serde_json::Error) -> Problem {
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let said = error.to_string();
    let why = said.rsplit_once(" at line ").map_or(said.as_str(), |(why, _)| why);
    Problem::json((before + error.column()).min(text.len()), why)
}

/// The members of an object in their order, with those that stand twice.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
