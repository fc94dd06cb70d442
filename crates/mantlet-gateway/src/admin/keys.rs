//! API keys: `GET` and `POST /keys`, `GET` and `DELETE /keys/{id}`.

use std::{io, sync::Arc};

use http::StatusCode;
use mantlet_controls::{
    api_keys::{self, ApiKey, NewKey},
    audit::{Record, Sink},
    config::Environment,
};
use serde_json::{Value, json};

use super::trouble::Trouble;
use crate::{
    clock,
    keys::{Kept, KeptKeys},
};

pub(super) fn list(kept: &KeptKeys, environment: &Environment) -> Value {
    let now = clock::now().as_second();
    let rows: Vec<_> = kept.known.list().iter().map(|key| key.listed(environment, now)).collect();
    json!({ "environment": environment, "keys": rows, "complete": !kept.known.is_behind() })
}

pub(super) fn show(kept: &KeptKeys, environment: &Environment, id: &str) -> Result<Value, Trouble> {
    Ok(json!(find(kept, id)?.listed(environment, clock::now().as_second())))
}

/// Makes a key: the only time that it is shown.
pub(super) async fn create(
    kept: &KeptKeys,
    environment: &Environment,
    [name, account, scopes, expires]: [Option<String>; 4],
    audit: &impl Sink,
) -> Result<Value, Trouble> {
    let bad = |message: String| Trouble::new(StatusCode::BAD_REQUEST, message);
    let usual = NewKey::default();
    let life = match expires {
        Some(text) => api_keys::life_of(&text).map_err(bad)?,
        None => usual.life,
    };
    let scopes = scopes.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect();
    let new = NewKey { name: name.unwrap_or_default(), account, scopes, life };
    let now = clock::now();
    let (facts, text) = kept.known.make(&new, environment, now).map_err(bad)?;
    let id = facts.id.clone();
    let stored = kept.create(facts).await;
    if let (Err(error), false) = (&stored.in_file, stored.is_durable()) {
        return Err(unkept(error));
    }
    let key = find(kept, &id)?;
    audit.record(Record::of_key("api-key-created", &key.subject(), key.caller(), now));
    let created = key.listed(environment, now.as_second());
    Ok(told(json!({ "key": text.expose(), "created": created }), &stored))
}

pub(super) async fn revoke(
    kept: &KeptKeys,
    environment: &Environment,
    id: &str,
    audit: &impl Sink,
) -> Result<Value, Trouble> {
    let (key, now) = (find(kept, id)?, clock::now());
    let is_first = key.revoked().is_none();
    // One that was revoked before is kept again: it may not have been possible then.
    let at = key.revoked().unwrap_or(now.as_second());
    let stored = kept.revoke(key.facts.id.clone(), at).await;
    if is_first {
        audit.record(Record::of_key("api-key-revoked", &key.subject(), key.caller(), now));
    }
    Ok(told(json!({ "revoked": key.listed(environment, now.as_second()) }), &stored))
}

/// Adds where it is kept.
fn told(mut answer: Value, stored: &Kept) -> Value {
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("durable".to_owned(), stored.is_durable().into());
        answer.insert("shared".to_owned(), stored.is_shared.into());
    }
    answer
}

fn find(kept: &KeptKeys, id: &str) -> Result<Arc<ApiKey>, Trouble> {
    kept.known.find(id).ok_or_else(|| {
        let message = format!("there is no key `{id}`; `mantlet keys list --all` lists all");
        Trouble::new(StatusCode::NOT_FOUND, message)
    })
}

fn unkept(error: &io::Error) -> Trouble {
    let message = if error.kind() == io::ErrorKind::WouldBlock {
        "another Mantlet writes the keys of this state folder; ask that one".to_owned()
    } else {
        format!("the key cannot be kept in the state folder, so it was not made: {error}")
    };
    Trouble::new(StatusCode::SERVICE_UNAVAILABLE, message)
}
