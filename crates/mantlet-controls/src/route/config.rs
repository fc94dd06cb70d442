use http::Method;
use serde::{Deserialize, Serialize};

use super::RoutePolicy;
use crate::{
    Mode, api_keys,
    audit::{Actions, OfRoute, Recorded},
    config::{
        Mistake,
        template::{method, template},
        units::{Size, Span},
    },
    contract, encoding,
    limits::BodySizes,
    responses, uploads,
};

/// A `[[route]]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Path template, as in FastAPI: `/items/{item_id}`, `/files/{path:path}`.
    pub path: String,
    /// Methods; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Settings of the security headers that differ here.
    pub headers: ModeConfig,
    /// Settings for hosts that differ here: `off` for operations that are called under any name.
    pub host: ModeConfig,
    /// Settings of the CSRF protection that differ here: `off` for webhooks and the like that carry
    /// cookies.
    pub csrf: CsrfConfig,
    /// Settings of API keys that differ here: `required`.
    pub api_keys: api_keys::RouteConfig,
    /// Settings of the contract that differ here.
    pub contract: contract::RouteConfig,
    /// Settings of the response filter that differ here.
    pub responses: responses::RouteConfig,
    /// Limits that differ here.
    pub limits: LimitsConfig,
    /// Settings for forms and files that differ here.
    pub uploads: uploads::Config,
    /// Settings for compressed bodies that differ here.
    pub encoding: encoding::Config,
    /// Which requests are recorded here that are not refused, if that differs (`audit.actions`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<OfRoute>,
    /// Time from the last byte of a request to the first of its response here, if it differs
    /// (`app.response-timeout`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_timeout: Option<Span>,
}

/// A control of a route, such as `headers`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModeConfig {
    /// The mode here, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// `csrf` of a route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CsrfConfig {
    /// The mode here, if it differs; `off` holds for the token too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Settings of the token that differ here: `off` for requests from a front end on another
    /// origin.
    pub token: ModeConfig,
}

/// `limits` of a route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LimitsConfig {
    /// Bytes that a request body may have here, if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_size: Option<Size>,
}

impl Config {
    pub(super) fn check(
        &self,
        index: usize,
        base: &RoutePolicy,
        contract: &contract::Config,
        responses: &responses::Config,
        actions: Actions,
        report_only: bool,
    ) -> Result<(String, Vec<Method>, RoutePolicy), Vec<Mistake>> {
        let mut mistakes: Vec<_> =
            Mistake::of_path(format!("route[{index}].path"), &self.path).into_iter().collect();
        let mut methods = Vec::new();
        for (at, name) in self.methods.iter().enumerate() {
            if let Some(method) = method(name) {
                methods.push(method);
            } else {
                let key = format!("route[{index}].methods[{at}]");
                mistakes.push(Mistake::new(key, format!("`{name}` is not a method")));
            }
        }
        if let Some(span) = self.response_timeout.filter(|span| span.0.is_zero()) {
            let key = format!("route[{index}].response-timeout");
            mistakes.push(Mistake::new(key, format!("`{span}` leaves no time")));
        }
        let mut collect = |section: &str, found: Vec<Mistake>| {
            let section = format!("route[{index}].{section}");
            mistakes.extend(found.into_iter().map(|mistake| mistake.under(&section)));
        };
        let uploads =
            base.uploads.with(&self.uploads, report_only).map_err(|found| collect("uploads", found));
        let encoding =
            base.encoding.with(&self.encoding, report_only).map_err(|found| collect("encoding", found));
        let (Ok(uploads), Ok(encoding), true) = (uploads, encoding, mistakes.is_empty()) else {
            return Err(mistakes);
        };
        let contract = contract.with(&self.contract);
        let policy = RoutePolicy {
            headers: self.headers.mode.map_or(base.headers, |mode| mode.under(report_only)),
            host: self.host.mode.map_or(base.host, |mode| mode.under(report_only)),
            csrf: self.csrf.mode.map_or(base.csrf, |mode| mode.under(report_only)),
            csrf_token: match (self.csrf.token.mode, self.csrf.mode) {
                (Some(mode), _) => mode.under(report_only),
                (None, Some(Mode::Off)) => Mode::Off,
                (None, _) => base.csrf_token,
            },
            needs_key: self.api_keys.required.unwrap_or(base.needs_key),
            input: contract.input_mode(report_only),
            rules: contract.rules(report_only),
            responses: responses.with(&self.responses).actions(contract.posture, report_only),
            body_size: self.limits.body_size.map_or(base.body_size, BodySizes::all),
            response_timeout: self.response_timeout.map(|span| span.0),
            uploads: uploads.into(),
            encoding: encoding.into(),
            recorded: Recorded::of(actions, self.audit),
        };
        Ok((template(&self.path), methods, policy))
    }
}
