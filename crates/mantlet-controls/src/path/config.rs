use serde::{Deserialize, Serialize};

use crate::Mode;

/// The `[path]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What a refusal leads to. Default `enforce`.
    pub mode: Mode,
    /// Whether `;` may stand in a path as it is. Default no: some servers cut the path off there.
    pub allow_semicolons: bool,
}

/// The checked `[path]` section.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub(crate) mode: Mode,
    pub(crate) semicolons: bool,
}

impl Config {
    /// Nothing in this section can be wrong beyond its types.
    pub fn check(&self, report_only: bool) -> Policy {
        Policy { mode: self.mode.under(report_only), semicolons: self.allow_semicolons }
    }
}
