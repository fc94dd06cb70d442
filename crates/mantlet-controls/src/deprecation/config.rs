//! The `[deprecation]` section.

use http::HeaderValue;
use jiff::{Timestamp, civil::Date, fmt::rfc2822::DateTimePrinter, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::Notice;
use crate::{
    Mode,
    config::{Context, Mistake, Section},
};

/// The `[deprecation]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `enforce` sets the headers. Default `off`, because a contract does not say since when an
    /// operation is deprecated. `report` sets nothing.
    pub mode: Mode,
    /// The date of deprecation of the operations that the app marks `deprecated`: `2026-12-01` (in
    /// UTC), or a time with its offset. It may be in the future.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub since: String,
    /// When they may end, not before `since`. Default none: `Sunset` is not set.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sunset: String,
    /// A page for people about it: `https://…`. Default none: `Link` is not set.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub documentation: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { mode: Mode::Off, since: String::new(), sunset: String::new(), documentation: String::new() }
    }
}

/// The checked `[deprecation]` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub(super) notice: Option<Notice>,
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self::default()
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        if self.mode.under(context.report_only) != Mode::Enforce {
            return Ok(Policy { notice: None });
        }
        let mut mistakes = Vec::new();
        let mut read = |key: &str, text: &str| {
            let time = time(text);
            if time.is_none() {
                let message = match text {
                    "" => "a date is missing".to_owned(),
                    text => format!("`{text}` is not a date"),
                };
                mistakes.push(Mistake::new(key, message).help("write `2026-12-01`"));
            }
            time
        };
        let since = read("since", &self.since);
        let sunset = (!self.sunset.is_empty()).then(|| read("sunset", &self.sunset)).flatten();
        if let (Some(since), Some(sunset)) = (since, sunset)
            && sunset < since
        {
            // RFC 9745 section 4.
            mistakes.push(Mistake::new("sunset", format!("`{}` is before `since`", self.sunset)));
        }
        let link = (!self.documentation.is_empty()).then(|| link(&self.documentation));
        if link.as_ref().is_some_and(Option::is_none) {
            let message = format!("`{}` is not a web address", self.documentation);
            mistakes.push(Mistake::new("documentation", message).help("write `https://HOST/PATH`"));
        }
        match (since, mistakes.is_empty()) {
            (Some(since), true) => Ok(Policy {
                notice: Some(Notice {
                    // A date as a structured field (RFC 9651 section 3.3.7).
                    deprecation: value(format!("@{}", since.as_second())),
                    sunset: sunset.and_then(http_date),
                    link: link.flatten(),
                }),
            }),
            _ => Err(mistakes),
        }
    }
}

/// A day in UTC, or a moment.
fn time(text: &str) -> Option<Timestamp> {
    let of_day = |day: Date| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok();
    text.parse::<Timestamp>().ok().or_else(|| of_day(text.parse().ok()?))
}

fn http_date(time: Timestamp) -> Option<HeaderValue> {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok().map(value)
}

/// RFC 8288 section 3: an address ends at `>`.
fn link(address: &str) -> Option<HeaderValue> {
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    let is_plain = address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'>' && byte != b'<');
    (is_web && is_plain && address.parse::<http::Uri>().is_ok())
        .then(|| value(format!("<{address}>; rel=\"deprecation\"")))
}

/// Plain ASCII is a valid value.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
