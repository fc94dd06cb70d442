//! Rules about the project around the app: dependencies, images, files that are committed.

use super::{Level, Owasp, Practice, Rule};

rules! {
    NO_LOCK_FILE = "no-lock-file", Medium, Api8, Some(Practice::Dependencies), 1104,
        "Dependencies are not locked",
        "Each build may install other versions, and nobody can tell which ones run in production.",
        "Commit a lock file with hashes: `uv lock`, `poetry lock`, `pdm lock` or `pip-compile --generate-hashes`.";
}
