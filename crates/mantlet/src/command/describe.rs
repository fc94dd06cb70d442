//! What an app accepts and returns, for the commands that print it.

use std::path::PathBuf;

use mantlet_controls::Policy;

use crate::{
    cli::ContractArguments,
    config::{Checked, Reader, summary},
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
    let (app, python) = (arguments.app.as_deref(), arguments.python.as_deref());
    let checked = configuration(app, python, arguments.config.clone())?;
    Ok((inspect(&checked.loaded)?, Some(checked.policy)))
}

/// The configuration for an app that is only read.
pub(super) fn configuration(
    app: Option<&str>,
    python: Option<&str>,
    file: Option<PathBuf>,
) -> Result<Checked, Failure> {
    let flags = flags_of(app, python);
    Reader::of_file(file)
        .with_flags(flags)
        .read()
        .map_err(|mistakes| Failure::usage(summary(&mistakes, "it cannot be used")))
}

/// What the arguments say of the app, as settings.
pub(super) fn flags(arguments: &ContractArguments) -> Vec<Flag> {
    flags_of(arguments.app.as_deref(), arguments.python.as_deref())
}

fn flags_of(app: Option<&str>, python: Option<&str>) -> Vec<Flag> {
    let app = app.map(|app| Flag::new("app.entrypoint", "APP", app));
    let python = python.map(|python| Flag::new("app.python", "--python", python));
    app.into_iter().chain(python).collect()
}
