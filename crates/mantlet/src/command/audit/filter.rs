//! Which records are asked for.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mantlet_controls::{audit::hash_of_account, config::units::Span};
use serde_json::Value;

use crate::{cli::AuditFilter, say::Failure};

/// What a record must be.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// For each thing that is asked, the fields that may say it, and the values of which one has to stand there.
    fields: Vec<(&'static [&'static str], Vec<String>)>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Texts of which a line must have one each, found without reading it.
    texts: Vec<Vec<String>>,
}

impl Filter {
    pub(super) fn of(asked: &AuditFilter) -> Result<Self, Failure> {
        let now = Timestamp::now();
        let mut fields: Vec<(&'static [&'static str], Vec<String>)> = Vec::new();
        if let Some(user) = &asked.user {
            // What was tried with an account has only the hash of its name.
            let values = [user.clone()].into_iter().chain(hash_of_account(user)).collect();
            fields.push((&["user", "account", "key"], values));
        }
        for (names, value) in [
            (&["client_ip"][..], &asked.ip),
            (&["reason"], &asked.code),
            (&["security_event", "event"], &asked.event),
            (&["object"], &asked.object),
            (&["operation", "path"], &asked.operation),
            (&["request_id"], &asked.request),
            (&["session"], &asked.session),
            (&["outcome"], &asked.outcome),
        ] {
            fields.extend(value.clone().map(|value| (names, vec![value])));
        }
        let as_written = |value: &String| serde_json::to_string(value).ok();
        let texts = fields.iter().map(|(_, values)| values.iter().filter_map(as_written).collect()).collect();
        Ok(Self {
            fields,
            since: asked.since.as_deref().map(|text| time_of(text, now)).transpose()?,
            until: asked.until.as_deref().map(|text| time_of(text, now)).transpose()?,
            texts,
        })
    }

    /// The record in a line, if it fits. The log's own lines fit only where nothing is asked for.
    pub(super) fn fits(&self, line: &[u8]) -> Option<Value> {
        let has = |text: &String| memchr::memmem::find(line, text.as_bytes()).is_some();
        if !self.texts.iter().all(|texts| texts.iter().any(has)) {
            return None;
        }
        let record: Value = serde_json::from_slice(line).ok()?;
        let text = |name: &&str| record.get(name).and_then(Value::as_str);
        let says = |names: &[&str], values: &[String]| {
            names.iter().filter_map(text).any(|text| values.iter().any(|value| value == text))
        };
        if !self.fields.iter().all(|(names, values)| says(names, values)) {
            return None;
        }
        if self.since.is_some() || self.until.is_some() {
            let time: Timestamp = record.get("time")?.as_str()?.parse().ok()?;
            if self.since.is_some_and(|since| time < since) || self.until.is_some_and(|until| time >= until) {
                return None;
            }
        }
        Some(record)
    }
}

/// A time: RFC 3339, a day of this machine's calendar, or so long ago.
fn time_of(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Ok(day) = text.parse::<Date>()
        && let Ok(start) = TimeZone::system().to_timestamp(day.at(0, 0, 0, 0))
    {
        return Ok(start);
    }
    serde_json::from_value::<Span>(text.into())
        .ok()
        .and_then(|span| now.checked_sub(span.0).ok())
        .ok_or_else(|| {
            Failure::usage(format!(
                "`{text}` is not a time: write `2026-11-30T16:00:00Z`, a day such as `2026-11-30`, or how long ago: `2h`"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-11-30T16:00:00Z".parse().unwrap();
        let read = |text: &str| time_of(text, now).unwrap().to_string();
        assert_eq!(read("2026-11-30T10:00:00+01:00"), "2026-11-30T09:00:00Z");
        assert_eq!(read("2h"), "2026-11-30T14:00:00Z");
        assert_eq!(read("3d"), "2026-11-27T16:00:00Z");
        assert!(time_of("yesterday", now).is_err());
        assert!(time_of("2026-11-30", now).is_ok());
    }

    #[test]
    fn a_record_fits_by_its_fields_alone() {
        let line = br#"{"seq":3,"prev":"x","time":"2026-11-30T16:00:00Z","security_event":"request-refused","reason":"path-dot-segment","user":"alice","subject":"bob"}"#;
        let fits = |asked: AuditFilter| Filter::of(&asked).unwrap().fits(line).is_some();
        let user = |name: &str| AuditFilter { user: Some(name.to_owned()), ..AuditFilter::default() };
        assert!(fits(AuditFilter::default()));
        assert!(fits(user("alice")));
        assert!(!fits(user("bob")));
        for field in ["account", "key"] {
            let line =
                format!(r#"{{"seq":3,"security_event":"login-failed","user":null,"{field}":"d053aca7"}}"#);
            for (name, is_hers) in [("ann", true), (" Ann", true), ("d053aca7", true), ("bob", false)] {
                let asked = AuditFilter { user: Some(name.to_owned()), ..AuditFilter::default() };
                assert_eq!(
                    Filter::of(&asked).unwrap().fits(line.as_bytes()).is_some(),
                    is_hers,
                    "{field} {name}"
                );
            }
        }
        let time = |since: &str, until: &str| AuditFilter {
            since: Some(since.to_owned()),
            until: Some(until.to_owned()),
            ..AuditFilter::default()
        };
        assert!(fits(time("2026-11-30T16:00:00Z", "2026-11-30T16:00:01Z")));
        assert!(!fits(time("2026-11-30T15:00:00Z", "2026-11-30T16:00:00Z")));
    }
}
