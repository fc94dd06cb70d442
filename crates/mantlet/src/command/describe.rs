//! What an app accepts and returns, for the commands that print it.

use mantlet_controls::Policy;

use crate::{
    cli::ContractArguments,
    config::{Reader, summary},
    contract::{Description, describe_document, inspect},
    say::Failure,
    settings::Flag,
};

/// Reads the contract of the app, or of the document, that the arguments name.
/// With the configuration, if it says where the app is.
pub(super) fn describe(arguments: &ContractArguments) -> Result<(Description, Option<Policy>), Failure> {
    if let Some(place) = &arguments.openapi {
        return Ok((describe_document(place)?, None));
    }
    let mut flags = Vec::new();
    if let Some(app) = &arguments.app {
        flags.push(Flag::new("app.entrypoint", "APP", app.as_str()));
    }
    if let Some(python) = &arguments.python {
        flags.push(Flag::new("app.python", "--python", python.as_str()));
    }
    let checked = Reader::of_file(arguments.config.clone())
        .with_flags(flags)
        .read()
        .map_err(|mistakes| Failure::usage(summary(&mistakes, "it cannot be used")))?;
    Ok((inspect(&checked.loaded)?, Some(checked.policy)))
}
