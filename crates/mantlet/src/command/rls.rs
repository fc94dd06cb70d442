//! `mantlet rls`: prints the SQL of row level security for the models that an app scopes.

use std::process::ExitCode;

use super::describe::configuration;
use crate::{
    app::RLS,
    cli::RlsArguments,
    contract::ask_app,
    say::{Failure, print},
};

pub(crate) fn rls(arguments: &RlsArguments) -> Result<ExitCode, Failure> {
    let (app, python) = (arguments.app.as_deref(), arguments.python.as_deref());
    let checked = configuration(app, python, arguments.config.clone())?;
    let (_, sql) = ask_app(&checked.loaded, RLS, "the SQL")?;
    print(&sql)?;
    Ok(ExitCode::SUCCESS)
}
