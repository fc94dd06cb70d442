//! `[audit]`: where records go.

use std::path::Path;

use mantlet_gateway::{audit_log::AuditConfig, guarded::Kind};
use serde::{Deserialize, Serialize};

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The file of JSON lines; `off` for none. Default `audit.jsonl` in the state folder.
    pub(crate) file: String,
    /// Whether refusals are shown on the terminal. Default yes.
    pub(crate) terminal: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { file: String::new(), terminal: true }
    }
}

impl Config {
    /// What is written where.
    pub(crate) fn log(&self, state_folder: &Path) -> AuditConfig {
        let (file, kind) = match self.file.as_str() {
            "off" => (None, Kind::Named),
            "" => (Some(state_folder.join("audit.jsonl")), Kind::Own),
            path => (Some(path.into()), Kind::Named),
        };
        AuditConfig { file, kind, terminal: self.terminal }
    }
}
