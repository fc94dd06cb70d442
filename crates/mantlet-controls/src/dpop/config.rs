//! The `[dpop]` section.

use serde::{Deserialize, Serialize};

use super::{Policy, seen::Seen};
use crate::{
    Mode,
    config::{Context, Mistake, Posture, Section},
};

/// The `[dpop]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What becomes of a request with a token of an `[[issuer]]` that is bound to a key (`cnf.jkt`), and
    /// that comes without a good proof. Default `enforce`: RFC 9449 section 7.2 demands it.
    pub mode: Mode,
    /// The same for tokens that the app signs with its own key. Default `report`: the app may judge
    /// proofs by rules of its own; strict `enforce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_tokens: Option<Mode>,
    /// The same for bound tokens that stand elsewhere than in `Authorization`: in the query, a cookie or
    /// a subprotocol, where a browser that opens a WebSocket has to put them. Default `report`; strict
    /// `enforce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Mode>,
    /// What the app gets of a token with a good proof: `auto`, `bearer` or `as-sent`. Default `auto`:
    /// `Authorization: Bearer`, if the app is known not to read proofs itself.
    pub to_app: ToApp,
}

/// What the app gets of a token with a good proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToApp {
    /// `bearer` if the inspector has seen the app's code, and nothing in it names DPoP; else `as-sent`.
    #[default]
    Auto,
    /// `Authorization: Bearer`, and no proof.
    Bearer,
    /// What the client has sent.
    AsSent,
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let by_posture = match context.posture {
            Posture::Compatible => Mode::Report,
            Posture::Strict => Mode::Enforce,
        };
        let app_tokens = self.app_tokens.unwrap_or(by_posture);
        let app_tokens = if self.mode == Mode::Off { Mode::Off } else { app_tokens };
        Ok(Policy {
            mode: self.mode.under(context.report_only),
            elsewhere: self.elsewhere.unwrap_or(by_posture).under(context.report_only),
            undeclared: by_posture,
            app_tokens: app_tokens.under(context.report_only),
            to_app: self.to_app,
            seen: context.deployment.kept.get::<Seen>(),
        })
    }
}
