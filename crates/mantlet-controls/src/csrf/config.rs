use serde::{Deserialize, Serialize};

use super::{Policy, token};
use crate::{
    Mode,
    config::{Context, Mistake, Posture, Section},
    message::origin::{OriginPattern, Origins},
};

/// The `[csrf]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The mode. Default `enforce`.
    pub mode: Mode,
    /// Origins whose pages may act with the user's cookies, beside our own and those in `cors.origins` with credentials:
    /// `https://admin.example.com`, one label as `https://*.example.com`. Default none.
    pub trusted_origins: Vec<String>,
    /// Whether a page of this machine may act on an app on this machine, whatever their ports: development servers. Default yes; in `strict`
    /// posture no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loopback: Option<bool>,
    /// The signed double-submit token.
    pub token: token::Config,
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        // The first key signs, all are accepted. Without a key the policy creates its own.
        let keys = context.deployment.kept.get::<Vec<token::Key>>();
        let mut mistakes = Vec::new();
        let mut trusted = Origins::default();
        for (index, text) in self.trusted_origins.iter().enumerate() {
            match OriginPattern::parse(text) {
                Ok(pattern) => trusted.insert(pattern),
                Err(message) => mistakes.push(Mistake::new(format!("trusted-origins[{index}]"), message)),
            }
        }
        let tokens = self.token.check(&keys, context.deployment.clock);
        if let Err(found) = &tokens {
            mistakes.extend(found.iter().cloned().map(|mistake| mistake.under("token")));
        }
        match tokens {
            Ok(tokens) if mistakes.is_empty() => Ok(Policy {
                trusted,
                loopback: self.loopback.unwrap_or(context.posture != Posture::Strict),
                tokens,
            }),
            _ => Err(mistakes),
        }
    }
}
