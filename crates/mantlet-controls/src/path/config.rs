use mantlet_contract::routes::Roots;
use serde::{Deserialize, Serialize};

use crate::{Mode, policy::Mistake};

/// The `[path]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What a refusal leads to. Default `enforce`.
    pub mode: Mode,
    /// Whether `;` may stand in a path as it is. Default no: some servers cut the path off there.
    pub allow_semicolons: bool,
    /// A path below which the app answers as well, such as `/api`: `/api/search` and `/search` are then one operation for all settings. Default
    /// empty: what the contract says (`FastAPI(root_path=…)`, the servers of a document).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub root_path: String,
}

/// The checked `[path]` section.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub(crate) mode: Mode,
    pub(crate) semicolons: bool,
    /// None if it is for the contract to say.
    pub(crate) roots: Option<Roots>,
}

impl Config {
    /// Checks the section; keys in mistakes are relative to it.
    pub fn check(&self, report_only: bool) -> Result<Policy, Vec<Mistake>> {
        let root = self.root_path.as_str();
        if !root.is_empty() && (!root.starts_with('/') || root.ends_with('/')) {
            let help = format!("write `/{}`", root.trim_matches('/'));
            let message =
                format!("`{root}` is not a root path: it begins with a `/` and does not end with one");
            return Err(vec![Mistake::new("root-path", message).help(help)]);
        }
        let roots = (!root.is_empty()).then(|| Roots::new([root]));
        Ok(Policy { mode: self.mode.under(report_only), semicolons: self.allow_semicolons, roots })
    }
}
