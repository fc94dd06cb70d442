use serde::{Deserialize, Serialize};

use super::{MAX_REPORTED, Policy, Slot};
use crate::{Mode, news::News, units::Size};

/// The `[contract]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What input that does not fit leads to. Default `report`, as code of the app's own that no reader understands may change a request
    /// before it is validated; strict `enforce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Mode>,
    /// Fields of a body that the app's models ignore, where `input` is enforced: `strip` cuts them out and records it. Default `strip`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_fields: Option<Unknown>,
    /// Names in the query that nobody asked for. Default `report`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_query: Option<Tolerance>,
    /// JSON that has more than one reading: repeated keys, `NaN`, half a surrogate pair, a byte order mark. Default `report`; strict
    /// `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ambiguous_json: Option<Tolerance>,
    /// Largest body that is judged; the app alone judges larger ones. Default 1 MiB.
    pub judged_size: Size,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            posture: Posture::Compatible,
            unknown_routes: None,
            hidden_routes: None,
            docs: None,
            input: None,
            unknown_fields: None,
            unknown_query: None,
            ambiguous_json: None,
            judged_size: Size::mib(1),
        }
    }
}

/// What becomes of fields that the app's models ignore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// The request is refused.
    Reject,
    /// They are cut out of the body; the rest of its bytes stay as they are. Recorded the first time for a route.
    Strip,
    /// They pass, and the first time for a route is recorded.
    Report,
    /// They pass.
    Allow,
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
    /// What input that does not fit leads to.
    pub(crate) fn input_mode(&self, report_only: bool) -> Mode {
        let by_posture = match self.posture {
            Posture::Compatible => Mode::Report,
            Posture::Strict => Mode::Enforce,
        };
        let mode = if self.mode == Mode::Enforce { self.input.unwrap_or(by_posture) } else { self.mode };
        mode.under(report_only)
    }

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
            unknown_fields: self.unknown_fields.unwrap_or(match self.posture {
                Posture::Compatible => Unknown::Strip,
                Posture::Strict => Unknown::Reject,
            }),
            unknown_query: self.unknown_query.unwrap_or(by_posture(Tolerance::Report)),
            ambiguous_json: self.ambiguous_json.unwrap_or(by_posture(Tolerance::Report)),
            judged_size: self.judged_size.bytes(),
            slot,
            reported: News::up_to(MAX_REPORTED),
        }
    }
}
