//! What a server has answered.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use mantlet_controls::config::Secret;
use serde_json::Value;

/// Why a secret was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server does not respond, or cannot now. Another attempt may succeed.
    Away(String),
    /// It has responded, and the answer is no.
    Refused(String),
}

impl Trouble {
    /// What is wrong, for people.
    pub fn message(&self) -> &str {
        match self {
            Self::Away(why) | Self::Refused(why) => why,
        }
    }
}

/// A secret with all its fields.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// As it is, where it is a text of its own.
    pub(crate) whole: Option<Secret<Vec<u8>>>,
    pub(crate) fields: BTreeMap<String, Secret<Vec<u8>>>,
    /// When this version was made, if the server says so.
    pub(crate) created: Option<SystemTime>,
    pub(crate) lease: Option<Lease>,
}

/// How long a secret is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) id: String,
    pub(crate) renewable: bool,
    pub(crate) time: Duration,
}

impl Found {
    /// The fields of an object.
    pub(crate) fn of_object(object: &serde_json::Map<String, Value>) -> Self {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone().into_bytes(),
            other => other.to_string().into_bytes(),
        };
        let fields = object.iter().map(|(name, value)| (name.clone(), Secret::new(text(value)))).collect();
        Self { whole: None, fields, created: None, lease: None }
    }

    /// One field, or the whole; or what there is instead. Names of fields are no secrets.
    pub(crate) fn get(&self, field: Option<&str>) -> Result<Vec<u8>, String> {
        let Some(field) = field else {
            let whole =
                self.whole.as_ref().ok_or_else(|| "it is no text of its own: name a field".to_owned());
            return whole.map(|secret| secret.expose().clone());
        };
        if let Some(secret) = self.fields.get(field) {
            return Ok(secret.expose().clone());
        }
        let names: Vec<_> = self.fields.keys().map(|name| format!("`{name}`")).collect();
        Err(match names.as_slice() {
            [] if self.whole.is_some() => {
                format!("it is not an object in JSON, and has no field `{field}`; leave `#{field}` out")
            }
            [] => format!("there is no field `{field}`; the secret is empty"),
            names => format!("there is no field `{field}`; it has {}", names.join(", ")),
        })
    }

    /// Whether both are the same secret.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let exposed =
            |secret: &Option<Secret<Vec<u8>>>| secret.as_ref().map(|secret| secret.expose().clone());
        let all = |found: &Self| -> Vec<(String, Vec<u8>)> {
            found.fields.iter().map(|(name, secret)| (name.clone(), secret.expose().clone())).collect()
        };
        exposed(&self.whole) == exposed(&other.whole) && all(self) == all(other)
    }
}
