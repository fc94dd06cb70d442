use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Policy, names::SecretNames};
use crate::{
    Mode,
    audit::FirstTime,
    config::{Context, Mistake, Posture, Section, units::Size},
    message::budget::Budget,
};

/// Largest response that can be read as a whole.
const LARGEST: Size = Size::mib(64);

/// Routes that are reported, each once.
const MAX_REPORTED: usize = 256;

/// The `[responses]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `report` records what would be changed, `off` examines no response. Default `enforce`.
    pub mode: Mode,
    /// Fields that the declared response model does not have. Default `report`; strict `strip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_fields: Option<Fields>,
    /// Fields with the name of a secret. Default `strip-certain`; strict `strip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitive_fields: Option<Secrets>,
    /// Which names those are. Upper and lower case, `_` and `-` make no difference. Default: see the docs.
    pub sensitive_names: Vec<String>,
    /// Error responses of a failed app. Default `replace-internal`; strict `replace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Errors>,
    /// JSON that cannot be examined as a whole: too large, a part, or not JSON after all.
    /// Default `pass`; strict `replace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<Unjudged>,
    /// Largest response that is judged as a whole. Default 1 MiB.
    pub judged_size: Size,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            unknown_fields: None,
            sensitive_fields: None,
            sensitive_names: SecretNames::default_names(),
            errors: None,
            unjudged: None,
            judged_size: Size::mib(1),
        }
    }
}

/// The treatment of fields that clients should not get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fields {
    /// They are cut out; the other bytes of the response stay unchanged. Recorded the first time
    /// for a route.
    Strip,
    /// They pass, and the first time for a route is recorded.
    Report,
    /// They pass.
    Allow,
}

/// The treatment of fields with the name of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secrets {
    /// They are cut out by their names, whatever their values, also where the model declares them.
    Strip,
    /// Undeclared ones are cut out if only a secret can have the value, such as a password's hash.
    /// The others pass; undeclared ones are recorded the first time for a route.
    StripCertain,
    /// They pass, and the first time for a route is recorded.
    Report,
    /// They pass.
    Allow,
}

/// The treatment of JSON that cannot be examined as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unjudged {
    /// It passes, and is recorded the first time for a route. Values that only a secret can have
    /// are overwritten on the way.
    Pass,
    /// The client gets a plain error in its place. Streams without a length pass as above.
    Replace,
}

/// The treatment of error responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Errors {
    /// Undeclared responses from 500 on, and tracebacks from 400 on: the client gets a plain error
    /// with the request id instead, and the app's response goes to the audit record. JSON of 501 to
    /// 599 passes in `compatible` posture.
    Replace,
    /// Only responses that reveal internals and tell a client nothing: Starlette's bare 500, its
    /// debugging page, tracebacks, from 500 on.
    ReplaceInternal,
    /// They pass, and the first time for a route is recorded.
    Report,
    /// They pass.
    Allow,
}

impl From<Fields> for Mode {
    fn from(fields: Fields) -> Self {
        match fields {
            Fields::Strip => Self::Enforce,
            Fields::Report => Self::Report,
            Fields::Allow => Self::Off,
        }
    }
}

impl From<Errors> for Mode {
    fn from(errors: Errors) -> Self {
        match errors {
            Errors::Replace | Errors::ReplaceInternal => Self::Enforce,
            Errors::Report => Self::Report,
            Errors::Allow => Self::Off,
        }
    }
}

/// `responses` of a route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RouteConfig {
    /// The mode here, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The treatment of undeclared fields here, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_fields: Option<Fields>,
    /// The treatment of fields with the name of a secret here, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitive_fields: Option<Secrets>,
    /// The treatment of error responses here, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Errors>,
    /// The treatment of JSON that cannot be examined as a whole here, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<Unjudged>,
}

/// The treatment of content that clients should not get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actions {
    mode: Mode,
    unknown_fields: Fields,
    secrets: Secrets,
    errors: Errors,
    unjudged: Unjudged,
    /// The operator has set this, so it applies even if nothing else is enforced.
    unjudged_is_chosen: bool,
}

impl Actions {
    /// The treatment of undeclared fields.
    pub(crate) fn unknown_fields(self) -> Mode {
        self.within(self.unknown_fields.into())
    }

    /// The treatment of undeclared values that only a secret can have.
    pub(crate) fn certain_secrets(self) -> Mode {
        self.within(match self.secrets {
            Secrets::Strip | Secrets::StripCertain => Mode::Enforce,
            Secrets::Report => Mode::Report,
            Secrets::Allow => Mode::Off,
        })
    }

    /// The treatment of other fields with the name of a secret.
    pub(crate) fn secret_names(self) -> Mode {
        self.within(match self.secrets {
            Secrets::Strip => Mode::Enforce,
            Secrets::StripCertain | Secrets::Report => Mode::Report,
            Secrets::Allow => Mode::Off,
        })
    }

    /// Whether a name alone is enough, even if it is declared.
    pub(crate) fn is_by_name(self) -> bool {
        self.secrets != Secrets::StripCertain
    }

    /// The treatment of error responses.
    pub(crate) fn errors(self) -> Mode {
        self.within(self.errors.into())
    }

    /// Whether only responses that reveal internals count as failures.
    pub(crate) fn only_internal(self) -> bool {
        self.errors == Errors::ReplaceInternal
    }

    /// The treatment of JSON that cannot be examined as a whole, if something would be enforced in
    /// it.
    pub(crate) fn unjudged(self, enforces: bool) -> Mode {
        self.within(match self.unjudged {
            Unjudged::Replace if enforces || self.unjudged_is_chosen => Mode::Enforce,
            Unjudged::Replace | Unjudged::Pass => Mode::Report,
        })
    }

    /// Whether no response is examined.
    pub(crate) fn are_off(self) -> bool {
        self.all() == [Mode::Off; 3]
    }

    /// Whether responses may be changed.
    pub(crate) fn may_change(self) -> bool {
        self.all().contains(&Mode::Enforce)
    }

    fn all(self) -> [Mode; 3] {
        [self.unknown_fields(), self.certain_secrets(), self.errors()]
    }

    fn within(self, action: Mode) -> Mode {
        match self.mode {
            Mode::Off => Mode::Off,
            mode => action.under(mode == Mode::Report),
        }
    }
}

impl Default for Actions {
    fn default() -> Self {
        Config::default().actions(Posture::Compatible, false)
    }
}

impl Config {
    pub(crate) fn actions(&self, posture: Posture, report_only: bool) -> Actions {
        let (unknown_fields, secrets, errors, unjudged) = match posture {
            Posture::Compatible => {
                (Fields::Report, Secrets::StripCertain, Errors::ReplaceInternal, Unjudged::Pass)
            }
            Posture::Strict => (Fields::Strip, Secrets::Strip, Errors::Replace, Unjudged::Replace),
        };
        Actions {
            mode: self.mode.under(report_only),
            unknown_fields: self.unknown_fields.unwrap_or(unknown_fields),
            secrets: self.sensitive_fields.unwrap_or(secrets),
            errors: self.errors.unwrap_or(errors),
            unjudged: self.unjudged.unwrap_or(unjudged),
            unjudged_is_chosen: self.unjudged.is_some(),
        }
    }

    /// The section as it is for a route.
    pub(crate) fn with(&self, route: &RouteConfig) -> Self {
        Self {
            mode: route.mode.unwrap_or(self.mode),
            unknown_fields: route.unknown_fields.or(self.unknown_fields),
            sensitive_fields: route.sensitive_fields.or(self.sensitive_fields),
            sensitive_names: Vec::new(),
            errors: route.errors.or(self.errors),
            unjudged: route.unjudged.or(self.unjudged),
            judged_size: self.judged_size,
        }
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    fn check(&self, _: &Context) -> Result<Policy, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        for (index, name) in self.sensitive_names.iter().enumerate() {
            if !SecretNames::is_name(name) {
                let message = format!("`{name}` is not a field name");
                mistakes.push(
                    Mistake::new(format!("sensitive-names[{index}]"), message)
                        .help("write 2 to 64 bytes, not counting `_` and `-`"),
                );
            }
        }
        if self.judged_size > LARGEST {
            // It is held in memory, for each request.
            let message = format!("`{}` is more than {LARGEST}", self.judged_size);
            mistakes.push(Mistake::new("judged-size", message).help(format!("write `{LARGEST}` or less")));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Policy {
            names: Arc::new(SecretNames::new(&self.sensitive_names)),
            judged_size: self.judged_size.bytes(),
            budget: Budget::default(),
            reported: Arc::new(FirstTime::up_to(MAX_REPORTED)),
            changed: FirstTime::up_to(MAX_REPORTED),
            streams: FirstTime::up_to(MAX_REPORTED),
        })
    }
}
