use std::time::Duration;

use http::{HeaderValue, Method, header};
use serde::{Deserialize, Serialize};

use super::{Allowed, Policy};
use crate::{
    Mode,
    config::{Context, Mistake, Section, header_names, units::Span},
    message::origin::{OriginPattern, Origins},
};

/// The `[cors]` section. Without origins the app's own CORS headers, if there are any, pass
/// unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The mode. Default `enforce`.
    pub mode: Mode,
    /// Origins whose pages may read responses: `https://app.example.com`, one label as
    /// `https://*.example.com`, or `*` for all, which excludes credentials. Default none.
    pub origins: Vec<String>,
    /// Whether their pages may send cookies and read the responses. Default no.
    pub credentials: bool,
    /// Methods they may use. Default GET, HEAD, POST, PUT, PATCH, DELETE.
    pub methods: Vec<String>,
    /// Request headers they may send, beside those that are always allowed; `*` for all. Default `authorization`,
    /// `content-type`, `x-csrf-token`, `x-request-id`.
    pub headers: Vec<String>,
    /// Answer headers they may read, beside those that are always readable. Default `x-request-id`, `retry-after`.
    pub expose: Vec<String>,
    /// How long a browser may remember a preflight. Default 10 min (Starlette; Chromium remembers at most 2 h).
    pub max_age: Span,
    /// Whether pages from public networks may reach this server in a private one. Default no.
    pub private_network: bool,
}

impl Default for Config {
    fn default() -> Self {
        let strings = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Self {
            mode: Mode::Enforce,
            origins: Vec::new(),
            credentials: false,
            methods: strings(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
            headers: strings(&["authorization", "content-type", "x-csrf-token", "x-request-id"]),
            expose: strings(&["x-request-id", "retry-after"]),
            max_age: Span(Duration::from_mins(10)),
            private_network: false,
        }
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self::default()
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let report_only = context.report_only;
        let mut mistakes = Vec::new();
        let any_origin = self.origins.iter().any(|origin| origin == "*");
        if any_origin && self.credentials {
            mistakes.push(
                Mistake::new("origins", "`*` with `credentials` would let every site act as the user")
                    .help("name the origins, or set `credentials = false`"),
            );
        }
        let mut origins = Origins::default();
        for (index, text) in self.origins.iter().enumerate().filter(|(_, text)| *text != "*") {
            match OriginPattern::parse(text) {
                Ok(pattern) => origins.insert(pattern),
                Err(message) => mistakes.push(Mistake::new(format!("origins[{index}]"), message)),
            }
        }
        let mut methods = Vec::new();
        for (index, name) in self.methods.iter().enumerate() {
            match Method::from_bytes(name.as_bytes()) {
                Ok(method) => methods.push(method),
                Err(_) => {
                    mistakes
                        .push(Mistake::new(format!("methods[{index}]"), format!("`{name}` is not a method")));
                }
            }
        }
        let mut headers = header_names(
            "headers",
            self.headers.iter().enumerate().filter(|(_, name)| *name != "*"),
            &mut mistakes,
        );
        let expose = header_names(
            "expose",
            self.expose.iter().enumerate().filter(|(_, name)| *name != "*"),
            &mut mistakes,
        );
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        // The Fetch standard always allows these for some values; other values must be listed.
        headers.extend([
            header::ACCEPT,
            header::ACCEPT_LANGUAGE,
            header::CONTENT_LANGUAGE,
            header::CONTENT_TYPE,
        ]);
        let joined =
            |list: Vec<String>| HeaderValue::try_from(list.join(", ")).ok().filter(|v| !v.is_empty());
        Ok(Policy {
            mode: self.mode.under(report_only),
            allowed: if any_origin {
                Allowed::Any
            } else if self.origins.is_empty() {
                Allowed::AppDecides
            } else {
                Allowed::These(origins)
            },
            credentials: self.credentials,
            allow_methods: joined(methods.iter().map(ToString::to_string).collect()),
            methods,
            any_header: self.headers.iter().any(|name| name == "*"),
            headers,
            expose: joined(expose.iter().map(ToString::to_string).collect()),
            max_age: HeaderValue::from(self.max_age.0.as_secs()),
            private_network: self.private_network,
        })
    }
}
