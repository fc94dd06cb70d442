//! Dates, times and durations, by the crate that Pydantic uses.

use speedate::{
    Date, DateConfig, DateTime, DateTimeConfig, Duration, MicrosecondsPrecisionOverflowBehavior as Precision,
    ParseError, Time, TimeConfig,
};
use strum::EnumMessage as _;

use super::Run;
use crate::fault::Problem;
use crate::model::Timezone;
use crate::number::Int;
use crate::shape::Bounds;
use crate::value::View;

/// Why a value is none.
enum Bad {
    /// Not a type that is read.
    Type,
    /// Read, and found wrong.
    Parse(&'static str),
    /// Only the app can tell.
    Unsure,
}

impl From<ParseError> for Bad {
    fn from(error: ParseError) -> Self {
        Self::Parse(error.get_documentation().unwrap_or_default())
    }
}

const NAN: Bad = Bad::Parse("NaN values not permitted");

impl<'a> Run<'a> {
    pub(super) fn date(&mut self, strict: bool, bounds: &Bounds<Date>, now: bool, view: View<'a>) -> bool {
        let type_error = || Problem::new("date_type", "Input should be a valid date");
        if strict {
            return self.refuse(type_error);
        }
        let date = match view {
            View::Str(text) => Date::parse_bytes_with_config(text.as_bytes(), &DateConfig::default()).ok(),
            View::Bytes(_) => return self.unsure(),
            _ => None,
        };
        // A text that is not a date may be a moment at midnight.
        let date = match date {
            Some(date) => date,
            None => match read_datetime(view, true) {
                Ok(moment) if is_midnight(&moment.time) => moment.date,
                Ok(_) => {
                    return self.refuse(|| {
                        Problem::new(
                            "date_from_datetime_inexact",
                            "Datetimes provided to dates should have zero time - e.g. be exact dates",
                        )
                    });
                }
                Err(Bad::Parse(error)) => {
                    return self.refuse(|| {
                        let msg = format!("Input should be a valid date or datetime, {error}");
                        Problem::new("date_from_datetime_parsing", msg).with("error", error)
                    });
                }
                Err(Bad::Type) => return self.refuse(type_error),
                Err(Bad::Unsure) => return self.unsure(),
            },
        };
        if !self.order(bounds, &date, shown) {
            return false;
        }
        if date.year == 0 {
            return self.refuse(|| {
                let error = "year 0 is out of range";
                let msg = format!("Input should be a valid date in the format YYYY-MM-DD, {error}");
                Problem::new("date_parsing", msg).with("error", error)
            });
        }
        self.undecided |= now;
        true
    }

    pub(super) fn datetime(
        &mut self,
        strict: bool,
        truncate: bool,
        bounds: &Bounds<DateTime>,
        timezone: Timezone,
        now: bool,
        view: View<'a>,
    ) -> bool {
        let type_error = || Problem::new("datetime_type", "Input should be a valid datetime");
        let parsing = |error: &'static str| {
            Problem::new("datetime_parsing", format!("Input should be a valid datetime, {error}"))
                .with("error", error)
        };
        if strict {
            return self.refuse(type_error);
        }
        let moment = match read_datetime(view, truncate) {
            Ok(moment) => moment,
            // A text that is not a moment may be a date.
            Err(bad) => match (bad, view) {
                (Bad::Unsure, _) => return self.unsure(),
                (Bad::Parse(_), View::Str(text)) => {
                    match Date::parse_bytes_with_config(text.as_bytes(), &DateConfig::default()) {
                        Ok(date) => DateTime { date, time: MIDNIGHT },
                        Err(error) => {
                            let error = error.get_documentation().unwrap_or_default();
                            return self.refuse(|| {
                                let msg = format!("Input should be a valid datetime or date, {error}");
                                Problem::new("datetime_from_date_parsing", msg).with("error", error)
                            });
                        }
                    }
                }
                (Bad::Parse(error), _) => return self.refuse(|| parsing(error)),
                (Bad::Type, _) => return self.refuse(type_error),
            },
        };
        if !self.order(bounds, &moment, shown) || !self.timezone(timezone, moment.time.tz_offset) {
            return false;
        }
        if moment.date.year == 0 {
            return self.refuse(|| parsing("year 0 is out of range"));
        }
        self.undecided |= now;
        true
    }

    pub(super) fn time(
        &mut self,
        strict: bool,
        truncate: bool,
        bounds: &Bounds<Time>,
        timezone: Timezone,
        view: View<'a>,
    ) -> bool {
        let read = if strict { Err(Bad::Type) } else { read_time(view, truncate) };
        let time = match read {
            Ok(time) => time,
            Err(Bad::Unsure) => return self.unsure(),
            Err(Bad::Type) => {
                return self.refuse(|| Problem::new("time_type", "Input should be a valid time"));
            }
            Err(Bad::Parse(error)) => {
                return self.refuse(|| {
                    let msg = format!("Input should be in a valid time format, {error}");
                    Problem::new("time_parsing", msg).with("error", error)
                });
            }
        };
        self.order(bounds, &time, shown) && self.timezone(timezone, time.tz_offset)
    }

    pub(super) fn timedelta(
        &mut self,
        strict: bool,
        truncate: bool,
        bounds: &Bounds<Duration>,
        view: View<'a>,
    ) -> bool {
        let read = if strict { Err(Bad::Type) } else { read_duration(view, truncate) };
        let duration = match read {
            Ok(duration) => duration,
            Err(Bad::Unsure) => return self.unsure(),
            Err(Bad::Type) => {
                return self.refuse(|| Problem::new("time_delta_type", "Input should be a valid timedelta"));
            }
            Err(Bad::Parse(error)) => {
                return self.refuse(|| {
                    Problem::new("time_delta_parsing", format!("Input should be a valid timedelta, {error}"))
                        .with("error", error)
                });
            }
        };
        if let Some(of) = &bounds.multiple_of
            && microseconds(&duration).checked_rem(microseconds(of)).is_some_and(|rest| rest != 0)
        {
            // Before 2.14 Pydantic did not check it.
            return self.unsure();
        }
        self.order(bounds, &duration, |bound| (human(bound), human(bound).into()))
    }

    fn timezone(&mut self, wanted: Timezone, offset: Option<i32>) -> bool {
        match (wanted, offset) {
            (Timezone::Aware | Timezone::Offset(_), None) => {
                self.refuse(|| Problem::new("timezone_aware", "Input should have timezone info"))
            }
            (Timezone::Offset(wanted), Some(offset)) if wanted != offset => self.refuse(|| {
                Problem::new("timezone_offset", format!("Timezone offset of {wanted} required, got {offset}"))
                    .with("tz_expected", wanted)
                    .with("tz_actual", offset)
            }),
            (Timezone::Naive, Some(_)) => {
                self.refuse(|| Problem::new("timezone_naive", "Input should not have timezone info"))
            }
            _ => true,
        }
    }
}

const MIDNIGHT: Time = Time { hour: 0, minute: 0, second: 0, microsecond: 0, tz_offset: None };

fn is_midnight(time: &Time) -> bool {
    (time.hour, time.minute, time.second, time.microsecond) == (0, 0, 0, 0)
}

fn shown<T: std::fmt::Display>(bound: &T) -> (String, serde_json::Value) {
    let text = bound.to_string();
    (text.clone(), text.into())
}

fn time_config(truncate: bool) -> TimeConfig {
    TimeConfig {
        microseconds_precision_overflow_behavior: if truncate {
            Precision::Truncate
        } else {
            Precision::Error
        },
        unix_timestamp_offset: Some(0),
    }
}

/// A number as Pydantic takes it for a timestamp: an integer of 64 bits, else a float.
enum Stamp {
    Int(i64),
    Float(f64),
}

fn stamp(view: View<'_>) -> Option<Stamp> {
    match view {
        View::Int(digits) => match Int::parse(digits)? {
            Int::Small(int) => Some(Stamp::Int(int)),
            big @ Int::Big { .. } => big.as_float().map(Stamp::Float),
        },
        View::Float(float) => Some(Stamp::Float(float)),
        View::Bool(bool) => Some(Stamp::Int(i64::from(bool))),
        _ => None,
    }
}

fn read_datetime(view: View<'_>, truncate: bool) -> Result<DateTime, Bad> {
    let config = DateTimeConfig { time_config: time_config(true), ..DateTimeConfig::default() };
    match view {
        View::Str(text) => {
            let config = DateTimeConfig { time_config: time_config(truncate), ..config };
            Ok(DateTime::parse_bytes_with_config(text.as_bytes(), &config)?)
        }
        View::Bytes(_) => Err(Bad::Unsure),
        View::Bool(_) => Err(Bad::Type),
        _ => match stamp(view).ok_or(Bad::Type)? {
            Stamp::Int(int) => Ok(DateTime::from_timestamp_with_config(int, 0, &config)?),
            Stamp::Float(float) if float.is_nan() => Err(NAN),
            Stamp::Float(float) => Ok(DateTime::from_float_with_config(float, &config)?),
        },
    }
}

fn read_time(view: View<'_>, truncate: bool) -> Result<Time, Bad> {
    let stamped = |seconds: i64, microseconds: u32| {
        if seconds < 0 {
            return Err(Bad::Parse("time in seconds should be positive"));
        }
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        Ok(Time::from_timestamp_with_config(seconds, microseconds, &time_config(true))?)
    };
    match view {
        View::Str(text) => Ok(Time::parse_bytes_with_config(text.as_bytes(), &time_config(truncate))?),
        View::Bytes(_) => Err(Bad::Unsure),
        View::Bool(_) => Err(Bad::Type),
        _ => match stamp(view).ok_or(Bad::Type)? {
            Stamp::Int(int) => stamped(int, 0),
            Stamp::Float(float) if float.is_nan() => Err(NAN),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as Pydantic does")]
            Stamp::Float(float) => {
                stamped(float.floor() as i64, (float.fract().abs() * 1_000_000.0).round() as u32)
            }
        },
    }
}

fn read_duration(view: View<'_>, truncate: bool) -> Result<Duration, Bad> {
    match view {
        View::Str(text) => Ok(Duration::parse_bytes_with_config(text.as_bytes(), &time_config(truncate))?),
        View::Bytes(_) => Err(Bad::Unsure),
        _ => match stamp(view).ok_or(Bad::Type)? {
            Stamp::Int(int) => {
                let seconds = int.unsigned_abs();
                // Before 2.14 Pydantic let it wrap.
                let days = u32::try_from(seconds / 86400).map_err(|_| Bad::Unsure)?;
                Ok(Duration::new(int >= 0, days, (seconds % 86400) as u32, 0)?)
            }
            Stamp::Float(float) if float.is_nan() => Err(NAN),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as Pydantic does")]
            Stamp::Float(float) => {
                let seconds = float.abs();
                let microseconds = (seconds.fract() * 1_000_000.0).round() as u32;
                let days = (seconds / 86400.0) as u32;
                Ok(Duration::new(float >= 0.0, days, (seconds as u64 % 86400) as u32, microseconds)?)
            }
        },
    }
}

fn microseconds(duration: &Duration) -> i128 {
    i128::from(duration.signed_total_seconds()) * 1_000_000 + i128::from(duration.signed_microseconds())
}

/// `1 day and 2 hours`, from the days, seconds and microseconds of a `timedelta`, of which only the days can be negative.
fn human(duration: &Duration) -> String {
    let all = microseconds(duration);
    let (seconds, microseconds) = (all.div_euclid(1_000_000), all.rem_euclid(1_000_000));
    let (days, seconds) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    let parts: Vec<String> = [
        (days, "day"),
        (seconds / 3600, "hour"),
        (seconds % 3600 / 60, "minute"),
        (seconds % 60, "second"),
        (microseconds, "microsecond"),
    ]
    .iter()
    .filter(|(count, _)| *count != 0)
    .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
    .collect();
    if parts.is_empty() { "0 seconds".to_owned() } else { parts.join(" and ") }
}
