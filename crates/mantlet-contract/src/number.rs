//! Numbers of any size: Python's integers and decimals, as far as comparing them needs.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// An integer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Int {
    Small(i64),
    /// Beyond 64 bits: sign and digits without leading zeros.
    Big {
        negative: bool,
        digits: Box<str>,
    },
}

impl Int {
    /// An integer as JSON writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(small) = text.parse() {
            return Some(Self::Small(small));
        }
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Self::Small(0));
        }
        Some(Self::Big { negative, digits: digits.into() })
    }

    /// None if it is too large for a float: Python raises.
    pub(crate) fn as_float(&self) -> Option<f64> {
        let float: f64 = match self {
            #[expect(clippy::cast_precision_loss, reason = "as Python does")]
            Self::Small(small) => *small as f64,
            Self::Big { .. } => self.to_string().parse().ok()?,
        };
        float.is_finite().then_some(float)
    }

    /// Whether it is a multiple; None if that is not worth knowing.
    pub(crate) fn is_multiple_of(&self, other: &Self) -> Option<bool> {
        let Self::Small(divisor) = other else { return None };
        if *divisor == 0 {
            return None;
        }
        match self {
            Self::Small(small) => Some(small.checked_rem(*divisor).unwrap_or(0) == 0),
            Self::Big { digits, .. } => {
                let divisor = u128::from(divisor.unsigned_abs());
                let rest =
                    digits.bytes().fold(0, |rest, digit| (rest * 10 + u128::from(digit - b'0')) % divisor);
                Some(rest == 0)
            }
        }
    }

    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Small(small) => (*small).into(),
            Self::Big { .. } => number(&self.to_string()),
        }
    }
}

/// Without `arbitrary_precision` a large number loses digits here, as in most clients.
fn number(text: &str) -> Value {
    text.parse::<Number>().map_or_else(|_| Value::String(text.to_owned()), Value::Number)
}

impl std::fmt::Display for Int {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Small(small) => small.fmt(f),
            Self::Big { negative, digits } => write!(f, "{}{digits}", if *negative { "-" } else { "" }),
        }
    }
}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Small(a), Self::Small(b)) => a.cmp(b),
            (Self::Big { negative, .. }, Self::Small(_)) => sign(*negative),
            (Self::Small(_), Self::Big { negative, .. }) => sign(*negative).reverse(),
            (Self::Big { negative: a, digits: x }, Self::Big { negative: b, digits: y }) => match (a, b) {
                (false, true) => Ordering::Greater,
                (true, false) => Ordering::Less,
                (false, false) => magnitude(x, y),
                (true, true) => magnitude(y, x),
            },
        })
    }
}

fn magnitude(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

const fn sign(negative: bool) -> Ordering {
    if negative { Ordering::Less } else { Ordering::Greater }
}

/// A `decimal.Decimal`.
#[derive(Debug, Clone)]
pub(crate) enum Decimal {
    Finite(Finite),
    Infinite { negative: bool },
    NaN,
}

/// Digits times a power of ten.
#[derive(Debug, Clone)]
pub(crate) struct Finite {
    negative: bool,
    /// Without leading zeros; `0` for zero.
    digits: Box<str>,
    exponent: i64,
    /// As it was written, for messages.
    text: Box<str>,
}

/// What `Decimal(text)` makes of a text.
pub(crate) enum Read {
    Is(Decimal),
    Not,
    /// Other digits than ASCII's, or an exponent at the end of what Python can hold.
    Unsure,
}

impl Decimal {
    pub(crate) fn read(text: &str) -> Read {
        if !text.is_ascii() {
            return Read::Unsure;
        }
        let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\x1f']);
        let text = text.replace('_', "");
        let (negative, rest) = match text.strip_prefix(['+', '-']) {
            Some(rest) => (text.starts_with('-'), rest),
            None => (false, text.as_str()),
        };
        let lower = rest.to_ascii_lowercase();
        if lower == "inf" || lower == "infinity" {
            return Read::Is(Self::Infinite { negative });
        }
        if let Some(payload) = lower.strip_prefix("snan").or_else(|| lower.strip_prefix("nan")) {
            // A signalling or paid NaN: Python raises here and there.
            return match payload {
                "" if lower == "nan" => Read::Is(Self::NaN),
                _ if payload.bytes().all(|byte| byte.is_ascii_digit()) => Read::Unsure,
                _ => Read::Not,
            };
        }
        let (mantissa, exponent) = match lower.split_once('e') {
            None => (lower.as_str(), 0),
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Read::Not;
                }
                if digits.trim_start_matches('0').len() > 15 {
                    return Read::Unsure;
                }
                match exponent.parse::<i64>() {
                    Ok(exponent) => (mantissa, exponent),
                    Err(_) => return Read::Unsure,
                }
            }
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Read::Not;
        }
        let Ok(places) = i64::try_from(fraction.len()) else { return Read::Unsure };
        let digits = match digits.trim_start_matches('0') {
            "" => "0",
            digits => digits,
        };
        let finite = Finite {
            negative,
            digits: digits.into(),
            exponent: exponent - places,
            text: text.as_str().into(),
        };
        Read::Is(Self::Finite(finite))
    }
}

impl Finite {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn is_zero(&self) -> bool {
        &*self.digits == "0"
    }

    /// Decimal places and digits: as written, and without trailing zeros.
    pub(crate) fn counts(&self) -> ((u64, u64), (u64, u64)) {
        let digits = self.digits.len() as u64;
        let written = counts(digits, self.exponent);
        if self.is_zero() {
            return (written, (0, 1));
        }
        if self.exponent >= 0 {
            return (written, written);
        }
        let zeros = (self.digits.len() - self.digits.trim_end_matches('0').len()) as u64;
        (written, counts(digits - zeros, self.exponent + i64::try_from(zeros).unwrap_or(0)))
    }

    /// As FastAPI renders it: an integer if it is one, else a float.
    pub(crate) fn json(&self) -> Value {
        if self.exponent >= 0 {
            let zeros = usize::try_from(self.exponent.min(400)).unwrap_or(0);
            let sign = if self.negative { "-" } else { "" };
            return number(&format!("{sign}{}{}", self.digits, "0".repeat(zeros)));
        }
        self.text.parse::<f64>().map_or(Value::Null, Value::from)
    }

    /// Whether dividing gives an integer in Python's 28 digits; None if only Python can tell.
    pub(crate) fn is_multiple_of(&self, other: &Self) -> Option<bool> {
        let low = self.exponent.min(other.exponent);
        let scaled = |finite: &Self| -> Option<u128> {
            let zeros = usize::try_from(finite.exponent - low).ok().filter(|zeros| *zeros < 30)?;
            if finite.digits.len() + zeros > 26 {
                return None;
            }
            format!("{}{}", finite.digits, "0".repeat(zeros)).parse().ok()
        };
        scaled(self)?.checked_rem(scaled(other)?).map(|rest| rest == 0)
    }
}

fn counts(digits: u64, exponent: i64) -> (u64, u64) {
    if exponent >= 0 {
        (0, digits.saturating_add(exponent.unsigned_abs()))
    } else {
        (exponent.unsigned_abs(), digits.max(exponent.unsigned_abs()))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::NaN, _) | (_, Self::NaN) => None,
            (Self::Infinite { negative: a }, Self::Infinite { negative: b }) => Some(b.cmp(a)),
            (Self::Infinite { negative }, Self::Finite(_)) => Some(sign(*negative)),
            (Self::Finite(_), Self::Infinite { negative }) => Some(sign(*negative).reverse()),
            (Self::Finite(a), Self::Finite(b)) => Some(compare(a, b)),
        }
    }
}

fn compare(a: &Finite, b: &Finite) -> Ordering {
    match (a.is_zero(), b.is_zero()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return sign(b.negative).reverse(),
        (false, true) => return sign(a.negative),
        (false, false) => {}
    }
    if a.negative != b.negative {
        return sign(a.negative);
    }
    let size = |finite: &Finite| {
        finite.exponent.saturating_add(i64::try_from(finite.digits.len()).unwrap_or(i64::MAX))
    };
    let (a_digits, b_digits) = (a.digits.trim_end_matches('0'), b.digits.trim_end_matches('0'));
    let order = size(a).cmp(&size(b)).then_with(|| a_digits.cmp(b_digits));
    if a.negative { order.reverse() } else { order }
}
