use serde::{Deserialize, Serialize};

use super::Policy;
use crate::config::{Context, Mistake, Section};

/// The `[https]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Whether plain requests are redirected or refused. Default `auto`: if Mantlet has a
    /// certificate.
    pub required: Required,
    /// The port in a redirect. Default: the port in the request's host, which accepts both; else
    /// 443.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Paths that are allowed over plain HTTP; `*` at the end matches anything. Default ACME
    /// challenges and health checks.
    pub exempt: Vec<String>,
}

/// When plain requests are redirected or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Required {
    /// If Mantlet has a certificate.
    #[default]
    Auto,
    /// Always: a trusted proxy in front ends TLS.
    Always,
    /// Never.
    Never,
}

impl Default for Config {
    fn default() -> Self {
        let exempt = ["/.well-known/acme-challenge/*", "/health", "/healthz", "/livez", "/readyz"];
        Self { required: Required::Auto, port: None, exempt: exempt.map(str::to_owned).to_vec() }
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { required: Required::Never, ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let has_certificate = context.deployment.has_certificate;
        let mut mistakes = Vec::new();
        if self.port == Some(0) {
            mistakes.push(Mistake::new("port", "`0` is not a port").help("write 443"));
        }
        for (index, path) in self.exempt.iter().enumerate() {
            mistakes.extend(Mistake::of_path(format!("exempt[{index}]"), path));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let required = match self.required {
            Required::Auto => has_certificate,
            Required::Always => true,
            Required::Never => false,
        };
        Ok(Policy { required, port: self.port, exempt: self.exempt.clone() })
    }
}
