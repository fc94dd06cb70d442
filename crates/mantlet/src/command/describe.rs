//! What an app accepts and returns, for the commands that print it.

use crate::{
    cli::ContractArguments,
    config::{Reader, summary},
    contract::{Description, describe_document, inspect},
    say::Failure,
    settings::Flag,
};

/// Reads the contract of the app, or of the document, that the arguments name.
pub(super) fn describe(arguments: &ContractArguments) -> Result<Description, Failure> {
    if let Some(place) = &arguments.openapi {
        return describe_document(place);
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
    inspect(&checked.loaded)
}
