//! `[admin]`: the socket that commands ask.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// In the state folder.
const FILE: &str = "admin.sock";

/// `[admin]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The unix socket that `mantlet sessions` and the like ask; `off` for none. Default `admin.sock`
    /// in the state folder.
    pub(crate) socket: String,
}

impl Config {
    /// Where the socket is, if there is to be one.
    pub(crate) fn path(&self, state_folder: &Path) -> Option<PathBuf> {
        match self.socket.as_str() {
            "off" => None,
            "" => Some(state_folder.join(FILE)),
            path => Some(path.into()),
        }
    }
}
