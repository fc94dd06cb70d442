use serde::{Deserialize, Serialize};

use super::{MAX_PLACES, MAX_REPORTED, Policy, Rules};
use crate::{
    Mode,
    audit::FirstTime,
    config::{Context, Mistake, Posture, Section, Tolerance, units::Size},
    message::budget::Budget,
};

/// The `[contract]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The mode. Default `enforce`.
    pub mode: Mode,
    /// `compatible`: nothing that a well-behaved client did before stops working. `strict`: only what the contract says.
    pub posture: Posture,
    /// Where the gate finds the contract that `mantlet contract` wrote. Default empty: it asks the app. Not read here.
    pub file: String,
    /// Where the gate finds the app's OpenAPI document: a file, or an address; `off` asks for none. Default empty: it asks the app. Not read here.
    pub openapi: String,
    /// The contracts that count as exact. Default `app`; strict `document`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    /// Paths and methods that no route has: `reject` answers 404 and 405 without the app. Default `report`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_routes: Option<Tolerance>,
    /// Routes that are not in the document (`include_in_schema=False`). Default `report`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_routes: Option<Tolerance>,
    /// The documentation pages and the document itself. Default `allow`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<Tolerance>,
    /// What to do with invalid input. Default `enforce`. If the app's own code is not proven to
    /// leave requests unchanged, invalid input is only reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Mode>,
    /// What to do with invalid input if the app's own code is not proven to leave requests
    /// unchanged. Default `report`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven_input: Option<UnprovenInput>,
    /// Whether input is refused before the app's own first checks (a credential, an address).
    /// Default `as-app`: if the app may refuse first, it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_order: Option<InputOrder>,
    /// Fields of a body that the app's models ignore, where `input` is enforced: `strip` cuts them out and records it. Default `strip`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_fields: Option<Unknown>,
    /// Names in the query that the app does not declare. Default `report`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_query: Option<Tolerance>,
    /// JSON that can be read in more than one way: repeated keys, `NaN`, half a surrogate pair, a
    /// byte order mark. Default `report`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ambiguous_json: Option<Tolerance>,
    /// JSON without a Content-Type: `reject` treats it as FastAPI's `strict_content_type` does, whatever the app's version. Default `as-app`;
    /// strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_content_type: Option<MissingContentType>,
    /// Largest body that is judged; the app alone judges larger ones. Default 1 MiB.
    pub judged_size: Size,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            posture: Posture::Compatible,
            file: String::new(),
            openapi: String::new(),
            trust: None,
            unknown_routes: None,
            hidden_routes: None,
            docs: None,
            input: None,
            unproven_input: None,
            input_order: None,
            unknown_fields: None,
            unknown_query: None,
            ambiguous_json: None,
            missing_content_type: None,
            judged_size: Size::mib(1),
        }
    }
}

/// `contract` of a route: the keys that differ there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the line of the section that has its name")]
pub struct RouteConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub posture: Option<Posture>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_routes: Option<Tolerance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_routes: Option<Tolerance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<Tolerance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven_input: Option<UnprovenInput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_order: Option<InputOrder>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_fields: Option<Unknown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_query: Option<Tolerance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ambiguous_json: Option<Tolerance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_content_type: Option<MissingContentType>,
}

/// Which contracts count as exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Contracts that were read from the app itself. A document is a claim, so its findings are
    /// only reported.
    App,
    /// Documents too.
    Document,
}

/// What to do with invalid input that the app's own code may change before it is validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnprovenInput {
    /// It passes and is recorded, once for a place; whether the app agrees is counted.
    Report,
    /// As `input`, as if the code were proven.
    Enforce,
}

/// When invalid input is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputOrder {
    /// When the app would: if something may refuse the request first, the app gets it.
    AsApp,
    /// First of all.
    First,
}

/// The treatment of JSON without a Content-Type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingContentType {
    /// As the app's version of FastAPI treats it.
    AsApp,
    /// It does not count as JSON, and gets FastAPI's 422.
    Reject,
}

/// The treatment of fields that the app's models ignore.
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

impl Config {
    /// What to do with invalid input.
    pub(crate) fn input_mode(&self, report_only: bool) -> Mode {
        let mode = if self.mode == Mode::Enforce { self.input.unwrap_or(Mode::Enforce) } else { self.mode };
        mode.under(report_only)
    }

    /// The section as it is for a route.
    pub(crate) fn with(&self, route: &RouteConfig) -> Self {
        Self {
            mode: route.mode.unwrap_or(self.mode),
            posture: route.posture.unwrap_or(self.posture),
            trust: route.trust.or(self.trust),
            unknown_routes: route.unknown_routes.or(self.unknown_routes),
            hidden_routes: route.hidden_routes.or(self.hidden_routes),
            docs: route.docs.or(self.docs),
            input: route.input.or(self.input),
            unproven_input: route.unproven_input.or(self.unproven_input),
            input_order: route.input_order.or(self.input_order),
            unknown_fields: route.unknown_fields.or(self.unknown_fields),
            unknown_query: route.unknown_query.or(self.unknown_query),
            ambiguous_json: route.ambiguous_json.or(self.ambiguous_json),
            missing_content_type: route.missing_content_type.or(self.missing_content_type),
            file: String::new(),
            openapi: String::new(),
            judged_size: self.judged_size,
        }
    }

    /// The section, with the defaults of the posture.
    pub(crate) fn rules(&self, report_only: bool) -> Rules {
        let by_posture = |compatible| match self.posture {
            Posture::Compatible => compatible,
            Posture::Strict => Tolerance::Reject,
        };
        let (trust, unknown_fields, missing_content_type) = match self.posture {
            Posture::Compatible => (Trust::App, Unknown::Strip, MissingContentType::AsApp),
            Posture::Strict => (Trust::Document, Unknown::Reject, MissingContentType::Reject),
        };
        Rules {
            mode: self.mode.under(report_only),
            posture: self.posture,
            trust: self.trust.unwrap_or(trust),
            unknown_routes: self.unknown_routes.unwrap_or(by_posture(Tolerance::Report)),
            hidden_routes: self.hidden_routes.unwrap_or(by_posture(Tolerance::Report)),
            docs: self.docs.unwrap_or(by_posture(Tolerance::Allow)),
            unproven_input: self.unproven_input.unwrap_or(UnprovenInput::Report),
            input_order: self.input_order.unwrap_or(InputOrder::AsApp),
            unknown_fields: self.unknown_fields.unwrap_or(unknown_fields),
            unknown_query: self.unknown_query.unwrap_or(by_posture(Tolerance::Report)),
            ambiguous_json: self.ambiguous_json.unwrap_or(by_posture(Tolerance::Report)),
            missing_content_type: self.missing_content_type.unwrap_or(missing_content_type),
        }
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let slot = context.deployment.kept.get();
        let report_only = context.report_only;
        if !self.file.is_empty() && !self.openapi.is_empty() {
            let both = "`file` and `openapi` are both set";
            return Err(vec![Mistake::new("openapi", both).help("remove one of the two")]);
        }
        Ok(Policy {
            mode: self.mode.under(report_only),
            judged_size: self.judged_size.bytes(),
            slot,
            budget: Budget::default(),
            reported: FirstTime::up_to(usize::MAX),
            made_up: FirstTime::up_to(MAX_REPORTED),
            places: FirstTime::up_to(MAX_PLACES),
        })
    }
}
