//! Scopes that the contract declares, and those that a token has.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    Call,
    call::{Origin, Principal},
};

/// Claims with scopes: RFC 8693 section 4.2 (`scope`), Microsoft and Okta (`scp`), FastAPI's tutorial and
/// our API keys (`scopes`).
const CLAIMS: [&str; 3] = ["scope", "scp", "scopes"];

/// The scopes of a caller; none if nothing is said of scopes.
pub(super) fn of(principal: &Principal) -> Option<Vec<Cow<'_, str>>> {
    // A key that was made without scopes is not limited to any.
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    let of_key = principal.attributes.iter().any(|own| own.origin == Origin::Key);
    let said = CLAIMS.iter().filter_map(|name| principal.attribute(name));
    let mut said = said.filter(|value| !(of_key && is_empty(value))).peekable();
    said.peek()?;
    let mut scopes = Vec::new();
    for value in said {
        match value {
            Value::String(text) => scopes.extend(text.split_whitespace().map(Cow::Borrowed)),
            Value::Array(items) => {
                scopes.extend(items.iter().filter_map(Value::as_str).map(Cow::Borrowed));
            }
            _ => {}
        }
    }
    Some(scopes)
}

/// The scopes that an operation declares and its caller lacks.
pub(super) fn missing(call: &Call) -> Option<Vec<Box<str>>> {
    let declared = call.operation.as_ref()?.security()?.scopes.as_deref()?;
    let own = of(call.principal.as_deref()?)?;
    let lacking = |needed: &[Box<str>]| {
        let has = |scope: &str| own.iter().any(|own| *own == scope);
        needed.iter().filter(|scope| !has(scope)).cloned().collect::<Vec<_>>()
    };
    // Any one of the alternatives suffices.
    let all = declared.iter().map(|needed| lacking(needed));
    all.min_by_key(Vec::len).filter(|missing| !missing.is_empty())
}
