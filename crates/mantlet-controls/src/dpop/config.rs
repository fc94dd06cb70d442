//! The `[dpop]` section.

use serde::{Deserialize, Serialize};

use super::{
    Policy,
    nonce::{Nonces, SHORTEST_KEY},
    seen::Seen,
};
use crate::{
    Mode,
    config::{Context, Material, Mistake, Section},
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
    /// Where the key is by which nonces are made (RFC 9449 section 9): `env:NAME` or `file:PATH`, with at
    /// least 32 bytes, the same for all gates. Without it the gate asks for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nonce_key: String,
    /// The key, read from where it is.
    #[serde(skip)]
    pub nonce_material: Option<Material>,
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
        let by_posture = context.posture.of_suspicion();
        let app_tokens = self.app_tokens.unwrap_or(by_posture);
        let app_tokens = if self.mode == Mode::Off { Mode::Off } else { app_tokens };
        let key = self.nonce_material.as_ref().map(|key| key.0.clone());
        if key.as_ref().is_some_and(|key| key.expose().len() < SHORTEST_KEY) {
            let message = format!("a key of nonces has at least {SHORTEST_KEY} bytes");
            return Err(vec![
                Mistake::new("nonce-key", message).help("make one with `openssl rand -hex 32`"),
            ]);
        }
        Ok(Policy {
            mode: self.mode.under(context.report_only),
            elsewhere: self.elsewhere.unwrap_or(by_posture).under(context.report_only),
            undeclared: by_posture,
            app_tokens: app_tokens.under(context.report_only),
            to_app: self.to_app,
            nonces: key.map(Nonces::new),
            seen: context.deployment.kept.get::<Seen>(),
        })
    }
}
