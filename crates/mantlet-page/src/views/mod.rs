//! The views: facts in, HTML out.

pub(crate) mod audit;
pub(crate) mod bans;
pub(crate) mod contract;
pub(crate) mod now;
pub(crate) mod objects;
pub(crate) mod ratchet;
pub(crate) mod refusals;
pub(crate) mod sessions;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// What an answer of the gate says.
pub(crate) fn understood<T: DeserializeOwned>(answer: Value) -> Result<T, String> {
    serde_json::from_value(answer).map_err(|error| {
        format!("the response of the running Mantlet is not understood: {error}. Is it another version?")
    })
}
