//! The `[authentication]` section.

use serde::{Deserialize, Serialize};

use super::{Memory, Policy};
use crate::{
    Mode,
    config::{Context, Mistake, Posture, Section},
    token::Candidates,
};

/// The `[authentication]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What becomes of a request whose token is not good. Default `enforce`: it is refused where the
    /// app has been seen to refuse such a token itself, else it is recorded.
    pub mode: Mode,
    /// A bad token where the app answers without one, too. Default `report`: the app decides; strict
    /// `enforce`: it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<Mode>,
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let optional = self.optional.unwrap_or(match context.posture {
            Posture::Compatible => Mode::Report,
            Posture::Strict => Mode::Enforce,
        });
        let kept = &context.deployment.kept;
        Ok(Policy {
            mode: self.mode.under(context.report_only),
            optional: optional.under(context.report_only),
            memory: kept.get::<Memory>(),
            candidates: kept.get::<Candidates>(),
        })
    }
}
