use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{MAX_REPORTED, Policy, Wanted};
use crate::{
    Mode,
    audit::FirstTime,
    config::{Context, Mistake, Section},
};

/// The `[cookies]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `enforce` sets what is missing; `report` records it, once for each cookie. Default `report`: a cookie that scripts read, or
    /// that another site needs, would not work any more.
    pub mode: Mode,
    /// Whether cookies that are set over HTTPS get `Secure`. Default yes.
    pub secure: bool,
    /// Whether cookies get `HttpOnly`; not those that have `csrf` or `xsrf` in their name, which scripts have to read. Default yes.
    pub http_only: bool,
    /// The `SameSite` that cookies get. Default `lax`.
    pub same_site: SameSite,
    /// Settings that differ for a cookie, by its name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cookie: Vec<CookieConfig>,
}

/// A `[[cookies.cookie]]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CookieConfig {
    /// The cookie's name.
    pub name: String,
    /// Whether it gets `Secure`, if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure: Option<bool>,
    /// Whether it gets `HttpOnly`, if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_only: Option<bool>,
    /// Which `SameSite` it gets, if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_site: Option<SameSite>,
}

/// The `SameSite` of a cookie that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SameSite {
    /// Sent when a user comes from another site, not with requests of that site's pages.
    #[default]
    Lax,
    /// Never sent from another site.
    Strict,
    /// It stays as it is.
    Unset,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Report,
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            cookie: Vec::new(),
        }
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let report_only = context.report_only;
        let mut mistakes = Vec::new();
        let mut by_name = HashMap::new();
        for (index, cookie) in self.cookie.iter().enumerate() {
            if cookie.name.is_empty() {
                mistakes.push(Mistake::new(format!("cookie[{index}].name"), "a cookie needs a name"));
            }
            let wanted = Wanted {
                secure: cookie.secure.unwrap_or(self.secure),
                http_only: cookie.http_only.unwrap_or(self.http_only),
                same_site: cookie.same_site.unwrap_or(self.same_site),
            };
            if by_name.insert(cookie.name.clone().into_bytes(), wanted).is_some() {
                let message = format!("`{}` is listed twice", cookie.name);
                mistakes.push(Mistake::new(format!("cookie[{index}].name"), message));
            }
        }
        let others = Wanted { secure: self.secure, http_only: self.http_only, same_site: self.same_site };
        if mistakes.is_empty() {
            Ok(Policy {
                mode: self.mode.under(report_only),
                by_name,
                others,
                reported: FirstTime::up_to(MAX_REPORTED),
                clock: context.deployment.clock,
            })
        } else {
            Err(mistakes)
        }
    }
}
