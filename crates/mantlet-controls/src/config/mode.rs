//! Whether a control enforces, only reports, or is off.

use serde::{Deserialize, Serialize};

/// What a control does with its verdict. Every control has a mode, globally and for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A refusal is carried out.
    #[default]
    Enforce,
    /// A refusal is recorded (`would-refuse`) and the request passes.
    Report,
    /// The control does not run.
    Off,
}

impl Mode {
    /// The word in the configuration and in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
            Self::Off => "off",
        }
    }

    /// This mode under the global `report-only` switch: `enforce` becomes `report`.
    #[must_use]
    pub const fn under(self, report_only: bool) -> Self {
        match self {
            Self::Enforce if report_only => Self::Report,
            mode => mode,
        }
    }
}
