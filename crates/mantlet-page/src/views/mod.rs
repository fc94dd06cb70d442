//! The views: facts in, HTML out.

pub(crate) mod audit;
pub(crate) mod bans;
pub(crate) mod contract;
pub(crate) mod now;
pub(crate) mod objects;
pub(crate) mod ratchet;
pub(crate) mod refusals;
pub(crate) mod sessions;

use maud::{Markup, html};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::frame::note;

/// A view, and above it why a part of it is missing.
pub(crate) fn with_missing(missing: &[String], content: &Markup) -> Markup {
    html! {
        div #missing data-part { @for why in missing { (note(why)) } }
        (content)
    }
}

/// What an answer of the gate says.
pub(crate) fn understood<T: DeserializeOwned>(answer: Value) -> Result<T, String> {
    serde_json::from_value(answer).map_err(|error| {
        format!("the response of the running Mantlet is not understood: {error}. Is it another version?")
    })
}
