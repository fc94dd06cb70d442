use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Policy, names::SecretNames};
use crate::{
    Mode,
    audit::FirstTime,
    config::{Context, Mistake, Posture, Section, units::Size},
    message::budget::Budget,
};

/// Largest answer that can be read whole.
const LARGEST: Size = Size::mib(64);

/// Routes that are reported, each once.
const MAX_REPORTED: usize = 256;

/// The `[responses]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `report` records what would be changed, `off` looks at no answer. Default `enforce`.
    pub mode: Mode,
    /// Fields that the declared response model does not have. Default `report`; strict `strip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_fields: Option<Fields>,
    /// Fields with the name of a secret. Default `strip-certain`; strict `strip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitive_fields: Option<Secrets>,
    /// Which names those are. Upper and lower case, `_` and `-` make no difference. Default: see the docs.
    pub sensitive_names: Vec<String>,
    /// What the app says when it fails. Default `replace-internal`; strict `replace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Errors>,
    /// JSON that cannot be looked into as a whole: too large, a part, or not JSON after all.
    /// Default `pass`; strict `replace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<Unjudged>,
    /// Largest answer that is judged as a whole. Default 1 MiB.
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

/// What becomes of fields that should not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fields {
    /// They are cut out; the rest of the answer's bytes stay as they are. Recorded the first time for a route.
    Strip,
    /// They pass, and the first time for a route is recorded.
    Report,
    /// They pass.
    Allow,
}

/// What becomes of fields with the name of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secrets {
    /// They are cut out by their names, whatever their values, also where the model declares them.
    Strip,
    /// Those that nothing declares are cut out where the value is one that only a secret has: a password's hash. The others pass; what is not declared is recorded the
    /// first time for a route.
    StripCertain,
    /// They pass, and the first time for a route is recorded.
    Report,
    /// They pass.
    Allow,
}

/// What becomes of JSON that cannot be looked into as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unjudged {
    /// It passes, recorded the first time for a route; values that only a secret has are written over on their way.
    Pass,
    /// The client gets a plain error in its place. What streams without a length passes as above.
    Replace,
}

/// What becomes of what the app says when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Errors {
    /// What nothing declares, from 500 on, and tracebacks from 400 on: the client gets a plain error with the request id in its place; the app's words go to the audit
    /// record. JSON of 501 to 599 passes in `compatible` posture.
    Replace,
    /// Only what tells of the app's inside and says nothing to a client: Starlette's bare 500, its debugging page, tracebacks, from 500 on.
    ReplaceInternal,
    /// It passes, and the first time for a route is recorded.
    Report,
    /// It passes.
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
    /// What becomes of fields here that no model has, if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_fields: Option<Fields>,
    /// What becomes of fields here with the name of a secret, if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitive_fields: Option<Secrets>,
    /// What becomes here of what the app says when it fails, if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Errors>,
    /// What becomes here of JSON that cannot be looked into as a whole, if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<Unjudged>,
}

/// What becomes of what an answer should not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actions {
    mode: Mode,
    unknown_fields: Fields,
    secrets: Secrets,
    errors: Errors,
    unjudged: Unjudged,
    /// An operator has chosen that: it holds where nothing else is enforced, too.
    unjudged_is_chosen: bool,
}

impl Actions {
    /// What becomes of fields that no model has.
    pub(crate) fn unknown_fields(self) -> Mode {
        self.within(self.unknown_fields.into())
    }

    /// What becomes of values that only a secret has, where nothing declares them.
    pub(crate) fn certain_secrets(self) -> Mode {
        self.within(match self.secrets {
            Secrets::Strip | Secrets::StripCertain => Mode::Enforce,
            Secrets::Report => Mode::Report,
            Secrets::Allow => Mode::Off,
        })
    }

    /// What becomes of other fields with the name of a secret.
    pub(crate) fn secret_names(self) -> Mode {
        self.within(match self.secrets {
            Secrets::Strip => Mode::Enforce,
            Secrets::StripCertain | Secrets::Report => Mode::Report,
            Secrets::Allow => Mode::Off,
        })
    }

    /// Whether a name alone is ground enough, also where it is declared.
    pub(crate) fn is_by_name(self) -> bool {
        self.secrets != Secrets::StripCertain
    }

    /// What becomes of what the app says when it fails.
    pub(crate) fn errors(self) -> Mode {
        self.within(self.errors.into())
    }

    /// Whether only what tells of the app's inside counts as a failure.
    pub(crate) fn only_internal(self) -> bool {
        self.errors == Errors::ReplaceInternal
    }

    /// What becomes of JSON that cannot be looked into as a whole, if something would be enforced in it.
    pub(crate) fn unjudged(self, enforces: bool) -> Mode {
        self.within(match self.unjudged {
            Unjudged::Replace if enforces || self.unjudged_is_chosen => Mode::Enforce,
            Unjudged::Replace | Unjudged::Pass => Mode::Report,
        })
    }

    /// Whether no answer is looked at.
    pub(crate) fn are_off(self) -> bool {
        self.all() == [Mode::Off; 3]
    }

    /// Whether answers may be changed.
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
