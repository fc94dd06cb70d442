use serde::{Deserialize, Serialize};

use super::{Policy, types::Pattern};
use crate::{
    Mode,
    config::{Context, Mistake, Posture, Section, Tolerance, units::Size},
};

/// The `[uploads]` section, also for a route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The mode. Default `enforce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Bytes that one file may have. Default: what the body may have (`limits.body-size`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size: Option<Size>,
    /// Files in one form. Default 1000 (Starlette).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u32>,
    /// Other fields in one form. Default 1000 (Starlette).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<u32>,
    /// Types that files may have, as they are declared and as their first bytes say: `image/*`, `application/pdf`. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// File names that are paths, very long, or hold control characters. Default `report`; strict
    /// `reject`. A name that leaves its folder (`../`) is always refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusual_names: Option<Tolerance>,
    /// Files whose first bytes contradict their declared type, if `types` is not set. Default
    /// `report`; strict `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disguised_files: Option<Tolerance>,
}

impl Policy {
    /// The settings before anything is configured.
    pub(crate) fn of(posture: Posture) -> Self {
        let tolerance = match posture {
            Posture::Compatible => Tolerance::Report,
            Posture::Strict => Tolerance::Reject,
        };
        Self {
            mode: Mode::Enforce,
            strict: posture == Posture::Strict,
            explicit: false,
            file_size: u64::MAX,
            files: 1000,
            fields: 1000,
            types: Vec::new(),
            unusual_names: tolerance,
            disguised_files: tolerance,
        }
    }

    /// Applies a section; keys in mistakes are relative to it.
    pub(crate) fn with(&self, config: &Config, report_only: bool) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let types = config.types.as_ref().map(|types| {
            let read = types.iter().enumerate().filter_map(|(index, text)| {
                let pattern = Pattern::of(text);
                if pattern.is_none() {
                    let mistake = Mistake::new(format!("types[{index}]"), format!("`{text}` is not a type"));
                    mistakes.push(mistake.help("write `image/*` or `application/pdf`"));
                }
                pattern
            });
            read.collect()
        });
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let limits =
            [config.file_size.is_some(), config.files.is_some(), config.fields.is_some(), types.is_some()];
        Ok(Self {
            mode: config.mode.unwrap_or(self.mode).under(report_only),
            strict: self.strict,
            explicit: self.explicit || limits.contains(&true),
            file_size: config.file_size.map_or(self.file_size, |size| size.0),
            files: config.files.unwrap_or(self.files),
            fields: config.fields.unwrap_or(self.fields),
            types: types.unwrap_or_else(|| self.types.clone()),
            unusual_names: config.unusual_names.unwrap_or(self.unusual_names),
            disguised_files: config.disguised_files.unwrap_or(self.disguised_files),
        })
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Some(Mode::Off), ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        Policy::of(context.posture).with(self, context.report_only)
    }
}
