use serde::{Deserialize, Serialize};

use super::Policy;
use crate::{
    Mode,
    config::{Context, Mistake, Posture, Section, Tolerance},
};

/// The `[encoding]` section, also for a route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The mode. Default `enforce`; for `body-bomb`, `report` unless `max-ratio` is set or the
    /// posture is `strict`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// How many times larger a body may become when it is inflated; the first MiB is free. Default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ratio: Option<u32>,
    /// Codings that Mantlet cannot decode, several codings, and bodies that are not valid for their
    /// coding. Default `report`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<Tolerance>,
}

impl Policy {
    /// The settings before anything is configured.
    pub(crate) const fn of(posture: Posture) -> Self {
        let (unreadable, bomb) = match posture {
            // FastAPI inflates nothing: an app may keep the bytes as they come.
            Posture::Compatible => (Tolerance::Report, Mode::Report),
            Posture::Strict => (Tolerance::Reject, Mode::Enforce),
        };
        Self { mode: Mode::Enforce, bomb, max_ratio: 100, unreadable }
    }

    /// Applies a section; keys in mistakes are relative to it.
    pub(crate) fn with(&self, config: &Config, report_only: bool) -> Result<Self, Vec<Mistake>> {
        if config.max_ratio == Some(0) {
            return Err(vec![
                Mistake::new("max-ratio", "`0` lets no compressed body pass").help("write `1` or more"),
            ]);
        }
        let by_ratio = config.max_ratio.map(|_| Mode::Enforce);
        Ok(Self {
            mode: config.mode.unwrap_or(self.mode).under(report_only),
            bomb: config.mode.or(by_ratio).unwrap_or(self.bomb).under(report_only),
            max_ratio: config.max_ratio.unwrap_or(self.max_ratio),
            unreadable: config.unreadable.unwrap_or(self.unreadable),
        })
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Some(Mode::Off), ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        Policy::of(context.posture).with(self, context.report_only)
    }
}
