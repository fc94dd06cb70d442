//! The `[refresh-tokens]` section.

use serde::{Deserialize, Serialize};

use super::Policy;
use crate::{
    Mode,
    audit::FirstTime,
    config::{Context, Mistake, Section},
};

/// Routes whose refresh tokens are not wrapped, and that are recorded.
const MAX_RECORDED: usize = 256;

/// The `[refresh-tokens]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Whether clients get handles in place of the app's own refresh tokens. Default `off`.
    /// `enforce`: they do. `report`: they get the app's own tokens, which is recorded; handles that
    /// they still have are good until the next answer. That is also the way back from `enforce`.
    pub mode: Mode,
}

impl Default for Config {
    fn default() -> Self {
        Self { mode: Mode::Off }
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self::default()
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        Ok(Policy {
            mode: self.mode.under(context.report_only),
            environment: context.deployment.environment.clone(),
            recorded: FirstTime::up_to(MAX_RECORDED),
        })
    }
}
