//! Integers, floats and decimals.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::scalars::instance_of;
use super::{Run, s};
use crate::fault::Problem;
use crate::number::{Decimal, Finite, Int, Read};
use crate::python::repr_float;
use crate::shape::{Bounds, DecimalRule};
use crate::value::View;

/// What lax mode makes an integer of, if it does.
pub(super) enum AsInt {
    Is(Int),
    Not(&'static str, &'static str),
    Unsure,
}

const INT_TYPE: AsInt = AsInt::Not("int_type", "Input should be a valid integer");
const INT_PARSING: AsInt =
    AsInt::Not("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
const INT_SIZE: AsInt =
    AsInt::Not("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size");

impl<'a> Run<'a> {
    pub(super) fn int(&mut self, strict: bool, bounds: &Bounds<Int>, view: View<'a>) -> bool {
        let int = match as_int(view, strict) {
            AsInt::Is(int) => int,
            AsInt::Unsure => return self.unsure(),
            AsInt::Not(kind, msg) => return self.refuse(|| Problem::new(kind, msg)),
        };
        if let Some(of) = &bounds.multiple_of {
            match int.is_multiple_of(of) {
                Some(true) => {}
                Some(false) => return self.refuse(|| multiple_of(&of.to_string(), of.json())),
                None => self.undecided = true,
            }
        }
        self.order(bounds, &int, |bound| (bound.to_string(), bound.json()))
    }

    pub(super) fn float(
        &mut self,
        strict: bool,
        allow_inf_nan: bool,
        bounds: &Bounds<f64>,
        view: View<'a>,
    ) -> bool {
        let float = match view {
            View::Float(float) => Some(float),
            View::Int(digits) => Int::parse(digits).and_then(|int| int.as_float()),
            View::Bool(bool) if !strict => Some(f64::from(u8::from(bool))),
            View::Str(text) if !strict => match float_text(text) {
                Some(float) => Some(float),
                None => return self.float_parsing(),
            },
            View::Bytes(bytes) if !strict => match std::str::from_utf8(bytes).ok().and_then(float_text) {
                Some(float) => Some(float),
                None => return self.float_parsing(),
            },
            _ => None,
        };
        let Some(float) = float else {
            return self.refuse(|| Problem::new("float_type", "Input should be a valid number"));
        };
        if !allow_inf_nan && !float.is_finite() {
            return self.refuse(finite_number);
        }
        if let Some(of) = bounds.multiple_of {
            let rest = (float - (float / of).round() * of).abs();
            if rest > 1e-9 {
                if is_roughly_multiple(float, of) {
                    return self.unsure();
                }
                return self.refuse(|| multiple_of(&of.to_string(), of.into()));
            }
        }
        self.order(bounds, &float, |bound| (bound.to_string(), (*bound).into()))
    }

    fn float_parsing(&mut self) -> bool {
        self.refuse(|| {
            Problem::new(
                "float_parsing",
                "Input should be a valid number, unable to parse string as a number",
            )
        })
    }

    pub(super) fn decimal(&mut self, rule: &DecimalRule, view: View<'a>) -> bool {
        if rule.strict {
            return self.refuse(|| instance_of("Decimal"));
        }
        let text: Cow<'_, str> = match view {
            View::Str(text) => text.into(),
            View::Int(digits) => digits.into(),
            View::Float(float) => repr_float(float).into(),
            _ => {
                return self.refuse(|| {
                    let msg = "Decimal input should be an integer, float, string or Decimal object";
                    Problem::new("decimal_type", msg)
                });
            }
        };
        let decimal = match Decimal::read(&text) {
            Read::Is(decimal) => decimal,
            Read::Unsure => return self.unsure(),
            Read::Not => {
                return self.refuse(|| Problem::new("decimal_parsing", "Input should be a valid decimal"));
            }
        };
        let finite = match &decimal {
            Decimal::Finite(finite) => Some(finite),
            Decimal::Infinite { .. } | Decimal::NaN => None,
        };
        let digits = rule.max_digits.is_some() || rule.decimal_places.is_some();
        match finite {
            None if !rule.allow_inf_nan || digits => return self.refuse(finite_number),
            Some(finite) if digits => {
                if let Some(problem) = count_digits(rule, finite) {
                    return self.refuse(|| problem);
                }
            }
            _ => {}
        }
        if let (Some(Decimal::Finite(of)), Some(finite)) = (&rule.bounds.multiple_of, finite) {
            match finite.is_multiple_of(of) {
                Some(true) => {}
                Some(false) => return self.refuse(|| multiple_of(of.text(), of.json())),
                None => self.undecided = true,
            }
        }
        self.order(&rule.bounds, &decimal, |bound| match bound {
            Decimal::Finite(finite) => (finite.text().to_owned(), finite.json()),
            Decimal::Infinite { negative } => {
                (if *negative { "-Infinity" } else { "Infinity" }.to_owned(), Json::Null)
            }
            Decimal::NaN => ("NaN".to_owned(), Json::Null),
        })
    }

    /// `le`, `lt`, `ge`, `gt`, in this order; NaN passes none.
    pub(super) fn order<T: PartialOrd>(
        &mut self,
        bounds: &Bounds<T>,
        value: &T,
        show: impl Fn(&T) -> (String, Json),
    ) -> bool {
        let problem = |kind: &'static str, words: &str, name: &str, bound: &T| {
            let (text, json) = show(bound);
            Problem::new(kind, format!("Input should be {words} {text}")).with(name, json)
        };
        let broken = |bound: &Option<T>, passes: bool| bound.is_some() && !passes;
        let compare = |bound: &Option<T>| bound.as_ref().and_then(|bound| value.partial_cmp(bound));
        if broken(&bounds.le, compare(&bounds.le).is_some_and(std::cmp::Ordering::is_le))
            && let Some(le) = &bounds.le
        {
            return self.refuse(|| problem("less_than_equal", "less than or equal to", "le", le));
        }
        if broken(&bounds.lt, compare(&bounds.lt).is_some_and(std::cmp::Ordering::is_lt))
            && let Some(lt) = &bounds.lt
        {
            return self.refuse(|| problem("less_than", "less than", "lt", lt));
        }
        if broken(&bounds.ge, compare(&bounds.ge).is_some_and(std::cmp::Ordering::is_ge))
            && let Some(ge) = &bounds.ge
        {
            return self.refuse(|| problem("greater_than_equal", "greater than or equal to", "ge", ge));
        }
        if broken(&bounds.gt, compare(&bounds.gt).is_some_and(std::cmp::Ordering::is_gt))
            && let Some(gt) = &bounds.gt
        {
            return self.refuse(|| problem("greater_than", "greater than", "gt", gt));
        }
        true
    }
}

/// What older versions of Pydantic 2 take for a multiple: large numbers need not be exact.
fn is_roughly_multiple(float: f64, of: f64) -> bool {
    let (rest, threshold) = ((float % of).abs(), float.abs() / 1e9);
    rest <= threshold || (rest - of).abs() <= threshold
}

fn multiple_of(text: &str, json: Json) -> Problem {
    Problem::new("multiple_of", format!("Input should be a multiple of {text}")).with("multiple_of", json)
}

fn finite_number() -> Problem {
    Problem::new("finite_number", "Input should be a finite number")
}

fn count_digits(rule: &DecimalRule, finite: &Finite) -> Option<Problem> {
    let ((places, digits), (short_places, short_digits)) = finite.counts();
    if let Some(max) = rule.max_digits.filter(|max| digits > *max && short_digits > *max) {
        let msg = format!("Decimal input should have no more than {max} digit{} in total", s(max));
        return Some(Problem::new("decimal_max_digits", msg).with("max_digits", max));
    }
    let max_places = rule.decimal_places?;
    if places > max_places && short_places > max_places {
        let msg =
            format!("Decimal input should have no more than {max_places} decimal place{}", s(max_places));
        return Some(Problem::new("decimal_max_places", msg).with("decimal_places", max_places));
    }
    let whole = rule.max_digits?.saturating_sub(max_places);
    if digits.saturating_sub(places) > whole && short_digits.saturating_sub(short_places) > whole {
        let msg = format!(
            "Decimal input should have no more than {whole} digit{} before the decimal point",
            s(whole)
        );
        return Some(Problem::new("decimal_whole_digits", msg).with("whole_digits", whole));
    }
    None
}

pub(super) fn as_int(view: View<'_>, strict: bool) -> AsInt {
    match view {
        View::Int(digits) => Int::parse(digits).map_or(AsInt::Unsure, AsInt::Is),
        View::Bool(bool) if !strict => AsInt::Is(Int::Small(i64::from(bool))),
        View::Float(float) if !strict => float_as_int(float),
        View::Str(text) if !strict => text_as_int(text),
        View::Bytes(bytes) if !strict => std::str::from_utf8(bytes).map_or(INT_PARSING, text_as_int),
        _ => INT_TYPE,
    }
}

fn float_as_int(float: f64) -> AsInt {
    if !float.is_finite() {
        AsInt::Not("finite_number", "Input should be a finite number")
    } else if float.fract() != 0.0 {
        AsInt::Not("int_from_float", "Input should be a valid integer, got a number with a fractional part")
    } else if float.abs() < 9_223_372_036_854_775_808.0 {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 64 bits")]
        AsInt::Is(Int::Small(float as i64))
    } else {
        INT_SIZE
    }
}

/// JSON's grammar, or after what Pydantic cleans: blanks around, a plus, leading zeros, `.0`, single underscores between digits.
fn text_as_int(text: &str) -> AsInt {
    if text.len() > 4000 {
        return AsInt::Unsure;
    }
    if let Some(int) = json_int(text) {
        return AsInt::Is(int);
    }
    let clean = || {
        let trimmed = text.trim();
        let unsigned = match trimmed.strip_prefix('+') {
            Some(rest) if rest.starts_with('-') => return None,
            Some(rest) => rest,
            None => trimmed,
        };
        let (negative, digits) = match unsigned.strip_prefix('-') {
            Some(rest) if rest.starts_with(['-', '+']) => return None,
            Some(rest) => (true, rest),
            None => (false, unsigned),
        };
        let digits = without_leading_zeros(digits)?;
        let digits = match digits.split_once('.') {
            Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
            _ => digits,
        };
        let digits = without_underscores(digits).map_or(Cow::Borrowed(digits), Cow::Owned);
        json_int(&if negative { Cow::Owned(format!("-{digits}")) } else { digits })
    };
    match clean() {
        Some(int) => AsInt::Is(int),
        // Old versions of Pydantic 2 take `5.` for 5.
        None if text.trim_end().ends_with('.') => AsInt::Unsure,
        None => INT_PARSING,
    }
}

/// An integer in JSON's grammar: no leading zeros.
fn json_int(text: &str) -> Option<Int> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if text.starts_with('+') || digits.starts_with('+') || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Int::parse(text)
}

fn without_leading_zeros(text: &str) -> Option<&str> {
    match text.bytes().next() {
        Some(b'0') => {}
        Some(b'1'..=b'9' | b'-') => return Some(text),
        _ => return None,
    }
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'0' | b'_' => {}
            b'1'..=b'9' | b'-' => return text.get(at..),
            b'.' => return text.get(at - 1..),
            _ => return None,
        }
    }
    text.get(text.len() - 1..)
}

fn without_underscores(text: &str) -> Option<String> {
    let odd = text.starts_with('_') || text.ends_with('_') || !text.contains('_') || text.contains("__");
    (!odd).then(|| text.replace('_', ""))
}

fn float_text(text: &str) -> Option<f64> {
    text.trim().parse().ok().or_else(|| without_underscores(text)?.parse().ok())
}
