use serde::{Deserialize, Serialize};

use super::{Policy, names::SecretNames};
use crate::{Mode, budget::Budget, contract::MAX_REPORTED, news::News, policy::Mistake, units::Size};

/// Largest answer that can be read whole.
const LARGEST: Size = Size::mib(64);

/// The `[responses]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `report` records what would be changed, `off` looks at no answer. Default `enforce`.
    pub mode: Mode,
    /// Fields that the declared response model does not have. Default `strip`.
    pub unknown_fields: Fields,
    /// Fields with the name of a secret. Default `strip`.
    pub sensitive_fields: Fields,
    /// Which names those are. Upper and lower case, `_` and `-` make no difference. Default: see the docs.
    pub sensitive_names: Vec<String>,
    /// What the app says when it fails: status 500 and others from 500 on, and tracebacks from 400 on. Default `replace`.
    pub errors: Errors,
    /// Largest answer that is judged; larger ones stream. Default 1 MiB.
    pub judged_size: Size,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            unknown_fields: Fields::Strip,
            sensitive_fields: Fields::Strip,
            sensitive_names: SecretNames::default_names(),
            errors: Errors::Replace,
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

/// What becomes of what the app says when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Errors {
    /// The client gets a plain error with the request id in its place; the app's words go to the audit record.
    Replace,
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
            Errors::Replace => Self::Enforce,
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
    pub sensitive_fields: Option<Fields>,
    /// What becomes here of what the app says when it fails, if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Errors>,
}

/// What becomes of what an answer should not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Actions {
    mode: Mode,
    unknown_fields: Mode,
    sensitive_fields: Mode,
    errors: Mode,
}

impl Actions {
    /// What becomes of fields that no model has.
    pub(crate) fn unknown_fields(self) -> Mode {
        self.within(self.unknown_fields)
    }

    /// What becomes of fields with the name of a secret.
    pub(crate) fn sensitive_fields(self) -> Mode {
        self.within(self.sensitive_fields)
    }

    /// What becomes of what the app says when it fails.
    pub(crate) fn errors(self) -> Mode {
        self.within(self.errors)
    }

    pub(super) fn all(self) -> [Mode; 3] {
        [self.unknown_fields(), self.sensitive_fields(), self.errors()]
    }

    fn within(self, action: Mode) -> Mode {
        match self.mode {
            Mode::Off => Mode::Off,
            mode => action.under(mode == Mode::Report),
        }
    }
}

impl Config {
    pub(crate) fn actions(&self, report_only: bool) -> Actions {
        Actions {
            mode: self.mode.under(report_only),
            unknown_fields: self.unknown_fields.into(),
            sensitive_fields: self.sensitive_fields.into(),
            errors: self.errors.into(),
        }
    }

    /// Checks the section; keys in mistakes are relative to it.
    pub fn check(&self) -> Result<Policy, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        for (index, name) in self.sensitive_names.iter().enumerate() {
            if !SecretNames::is_name(name) {
                let message = format!("`{name}` is no name of a field");
                mistakes.push(
                    Mistake::new(format!("sensitive-names[{index}]"), message)
                        .help("a name has 2 to 64 bytes beside `_` and `-`"),
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
            names: SecretNames::new(&self.sensitive_names),
            judged_size: self.judged_size.bytes(),
            budget: Budget::default(),
            reported: News::up_to(MAX_REPORTED),
            streams: News::up_to(MAX_REPORTED),
        })
    }
}

impl RouteConfig {
    pub(crate) fn actions(&self, base: Actions, report_only: bool) -> Actions {
        Actions {
            mode: self.mode.map_or(base.mode, |mode| mode.under(report_only)),
            unknown_fields: self.unknown_fields.map_or(base.unknown_fields, Mode::from),
            sensitive_fields: self.sensitive_fields.map_or(base.sensitive_fields, Mode::from),
            errors: self.errors.map_or(base.errors, Mode::from),
        }
    }
}
