use serde::{Deserialize, Serialize};

use super::{MAX_REPORTED, Policy, Slot};
use crate::{Mode, news::News};

/// The `[contract]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What a refusal leads to. Default `enforce`.
    pub mode: Mode,
    /// `compatible`: nothing that a well-behaved client did before stops working. `strict`: only what the contract says.
    pub posture: Posture,
    /// Paths and methods that no route has: `reject` answers 404 and 405 without the app. Default `report`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_routes: Option<Tolerance>,
    /// Routes that are not in the document (`include_in_schema=False`). Default `report`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_routes: Option<Tolerance>,
    /// The documentation pages and the document itself. Default `allow`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<Tolerance>,
}

/// How strictly the contract is read where it leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Posture {
    /// Nothing that a well-behaved client did before stops working.
    #[default]
    Compatible,
    /// Only what the contract says.
    Strict,
}

/// What becomes of what the contract does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tolerance {
    /// It is refused.
    Reject,
    /// It passes, and the first time is recorded.
    Report,
    /// It passes.
    Allow,
}

impl Config {
    /// The section with what the posture decides filled in. There is nothing in it that could be wrong.
    pub fn check(&self, slot: Slot, report_only: bool) -> Policy {
        let by_posture = |compatible| match self.posture {
            Posture::Compatible => compatible,
            Posture::Strict => Tolerance::Reject,
        };
        Policy {
            mode: self.mode.under(report_only),
            posture: self.posture,
            unknown_routes: self.unknown_routes.unwrap_or(by_posture(Tolerance::Report)),
            hidden_routes: self.hidden_routes.unwrap_or(by_posture(Tolerance::Report)),
            docs: self.docs.unwrap_or(by_posture(Tolerance::Allow)),
            slot,
            reported: News::up_to(MAX_REPORTED),
        }
    }
}
