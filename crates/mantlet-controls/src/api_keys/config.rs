//! The `[api-keys]` section.

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::{Policy, known::ApiKeys};
use crate::{
    Mode,
    config::{Context, Mistake, Secret, Section},
};

/// The `[api-keys]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What becomes of a request whose key is not good, or that needs one and has none. Default
    /// `enforce`; as long as no key was ever made, nothing is judged.
    pub mode: Mode,
    /// The header in which clients send their keys, beside `Authorization: Bearer` and what an
    /// operation declares. Default `X-API-Key`, as in FastAPI's documentation.
    pub header: String,
    /// Whether each request needs a key; a `[[route]]` may say otherwise. Default no.
    pub required: bool,
    /// Where the key is that the app itself expects: `env:NAME` or `file:PATH`. The app gets it in
    /// place of a key of ours. Default none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub upstream_key: String,
    /// The app's own key, read from where it is.
    #[serde(skip)]
    pub upstream: Option<UpstreamKey>,
}

/// The key that the app itself expects.
#[derive(Debug, Clone)]
pub struct UpstreamKey(Secret<String>);

impl UpstreamKey {
    /// Keeps it.
    pub fn new(key: Secret<String>) -> Self {
        Self(key)
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl PartialEq for UpstreamKey {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for UpstreamKey {}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            header: "X-API-Key".into(),
            required: false,
            upstream_key: String::new(),
            upstream: None,
        }
    }
}

/// `api-keys` of a route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RouteConfig {
    /// Whether a request needs a key here, if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let header = self.header.parse::<HeaderName>();
        if header.is_err() {
            let message = format!("`{}` is not a header name", self.header);
            mistakes.push(Mistake::new("header", message).help("write `X-API-Key`"));
        }
        if self.upstream.as_ref().is_some_and(|key| HeaderValue::from_str(key.expose()).is_err()) {
            let message = "has characters that a header cannot have";
            mistakes.push(Mistake::new("upstream-key", message));
        }
        match (header, mistakes.is_empty()) {
            (Ok(header), true) => Ok(Policy {
                mode: self.mode.under(context.report_only),
                header,
                upstream: self.upstream.clone(),
                environment: context.deployment.environment.clone(),
                keys: context.deployment.kept.get::<ApiKeys>(),
            }),
            _ => Err(mistakes),
        }
    }
}
