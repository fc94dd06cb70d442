//! What an app accepts and returns, as `mantlet contract` prints it.

use std::path::Path;

use mantlet_contract::model;

use super::read::{Found, PATIENCE, Trouble, read_document, read_url};
use crate::{config::is_url, say::Failure};

/// A contract, and how to speak of it.
#[derive(Debug)]
pub(crate) struct Description {
    /// The app, with its title, or that of the document.
    pub(crate) name: String,
    /// Where it was read.
    pub(crate) from: String,
    pub(crate) model: model::Contract,
    /// As it is written.
    pub(crate) json: String,
}

/// The contract that a document at an address or in a file makes; nothing is run.
pub(crate) fn describe_document(place: &str) -> Result<Description, Failure> {
    let read = if is_url(place) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime
            .map_err(|error| Failure::new(format!("cannot start: {error}")))?
            .block_on(read_url(place, PATIENCE))
    } else {
        read_document(Path::new(place))
    };
    let Found { model, name, from, .. } =
        read.map_err(|(Trouble::Away(why) | Trouble::Broken(why))| Failure::new(why))?;
    let json = serde_json::to_string(&model)
        .map_err(|error| Failure::new(format!("the contract cannot be written: {error}")))?;
    Ok(Description { name, from, model, json })
}
