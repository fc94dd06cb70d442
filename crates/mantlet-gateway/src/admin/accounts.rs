//! Accounts: `POST /accounts?act=…&account=…`, by which a command tells what it has done in their database.
//!
//! It is recorded, and what was remembered of the account counts no more.

use std::sync::Arc;

use http::StatusCode;
use mantlet_controls::accounts::Callers;
use serde_json::{Value, json};

use super::trouble::Trouble;

/// What commands do.
const ACTS: [&str; 5] = ["disable", "enable", "delete", "export", "import"];

/// In words, for the record.
pub(super) fn act([act, account]: [Option<String>; 2]) -> Option<String> {
    let act = act.filter(|act| ACTS.contains(&act.as_str()))?;
    Some(match account {
        Some(account) => format!("{act} the account {account}"),
        None => format!("{act} accounts"),
    })
}

/// Forgets what was known of an account; without one, of all.
pub(super) fn changed(
    callers: Option<&Arc<dyn Callers>>,
    [act, account]: [Option<String>; 2],
) -> Result<Value, Trouble> {
    let is_known = act.is_some_and(|act| ACTS.contains(&act.as_str()));
    if !is_known {
        let message = format!("`act` has to be one of `{}`", ACTS.join("`, `"));
        return Err(Trouble::new(StatusCode::BAD_REQUEST, message));
    }
    if let Some(callers) = callers {
        callers.forget(account.as_deref());
    }
    Ok(json!({ "recorded": true }))
}
