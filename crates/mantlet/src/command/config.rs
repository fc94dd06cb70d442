//! `mantlet config show` and `mantlet config check`.

use std::process::ExitCode;

use crate::{
    cli::{ConfigAction, ConfigArguments},
    config::{Reader, summary},
    say::{Failure, print, say},
};

pub(crate) fn config(arguments: &ConfigArguments) -> Result<ExitCode, Failure> {
    let (ConfigAction::Show(file) | ConfigAction::Check(file)) = &arguments.action;
    let checked = Reader::of_file(file.config.clone())
        .read()
        .map_err(|mistakes| Failure::usage(summary(&mistakes, "it cannot be used")))?;
    for note in &checked.loaded.notes {
        say(format!("note: {note}"));
    }
    match &arguments.action {
        ConfigAction::Show(_) => print(&checked.loaded.show())?,
        ConfigAction::Check(_) => {
            let from = checked
                .loaded
                .file
                .as_ref()
                .map_or_else(|| "no file, the defaults".to_owned(), |file| file.display().to_string());
            print(&format!("the configuration is valid ({from})"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
