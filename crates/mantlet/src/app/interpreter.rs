//! The Python interpreter that the app runs in.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use crate::{config::AppConfig, say::Failure};

/// The app's interpreter: as configured, of the active environment, of the folder's, the one
/// Mantlet is installed beside, any.
pub(crate) fn interpreter(config: &AppConfig) -> OsString {
    if !config.python.is_empty() {
        return config.python.clone().into();
    }
    let active = env::var_os("VIRTUAL_ENV")
        .filter(|folder| !folder.is_empty())
        .map(|folder| PathBuf::from(folder).join("bin/python"));
    let local = env::current_dir().ok().map(|folder| folder.join(".venv/bin/python"));
    let beside = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("python")));
    let found = [active, local, beside].into_iter().flatten().find(|python| python.is_file());
    found.map_or_else(|| "python3".into(), PathBuf::into_os_string)
}

/// What to say if the app's interpreter could not be started.
pub(crate) fn interpreter_not_started(program: &OsStr, error: &io::Error) -> Failure {
    let hint = if error.kind() == io::ErrorKind::NotFound {
        "; name another with `--python PATH`, or activate the app's environment"
    } else {
        ""
    };
    not_started("the Python interpreter", program, error, hint)
}

/// What to say if a program could not be started.
pub(super) fn not_started(what: &str, program: &OsStr, error: &io::Error, hint: &str) -> Failure {
    let program = Path::new(program).display();
    // 127 is what shells say for a command that is not there.
    Failure::new(format!("{what} `{program}` cannot be started: {error}{hint}")).with_code(127)
}
