//! Bounds: texts in the contract, values in use.

use speedate::{Date, DateTime, Duration, Time};

use super::Compiler;
use crate::model;
use crate::number::{Decimal, Int, Read};
use crate::shape::Bounds;

impl Compiler {
    /// Reads bounds; one that cannot be read is not enforced.
    pub(super) fn bounds<T>(&mut self, bounds: &model::Bounds, read: fn(&str) -> Option<T>) -> Bounds<T> {
        let mut one = |text: &Option<String>| {
            let text = text.as_deref()?;
            let bound = read(text);
            if bound.is_none() {
                self.note(format!("the bound `{text}` does not fit this type"));
            }
            bound
        };
        Bounds {
            multiple_of: one(&bounds.multiple_of),
            le: one(&bounds.le),
            lt: one(&bounds.lt),
            ge: one(&bounds.ge),
            gt: one(&bounds.gt),
        }
    }
}

pub(super) fn int(text: &str) -> Option<Int> {
    Int::parse(text.strip_suffix(".0").unwrap_or(text))
}

pub(super) fn float(text: &str) -> Option<f64> {
    text.parse().ok()
}

pub(super) fn decimal(text: &str) -> Option<Decimal> {
    match Decimal::read(text) {
        Read::Is(decimal) => Some(decimal),
        Read::Not | Read::Unsure => None,
    }
}

pub(super) fn date(text: &str) -> Option<Date> {
    Date::parse_str(text).ok()
}

pub(super) fn time(text: &str) -> Option<Time> {
    Time::parse_str(text).ok()
}

pub(super) fn datetime(text: &str) -> Option<DateTime> {
    DateTime::parse_str(text).ok()
}

pub(super) fn duration(text: &str) -> Option<Duration> {
    Duration::parse_str(text).ok()
}
