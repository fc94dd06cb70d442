//! How Python writes values: messages name what was expected, or the tag that came.

use std::fmt::Write as _;

use crate::value::{Value, View};

/// `repr()` of a text.
pub(crate) fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if char == quote => {
                out.push('\\');
                out.push(char);
            }
            _ if (char as u32) < 0x20 || (0x7F..0xA1).contains(&(char as u32)) || char == '\u{AD}' => {
                let _ = write!(out, "\\x{:02x}", char as u32);
            }
            _ => out.push(char),
        }
    }
    out.push(quote);
    out
}

/// `repr()` of a float.
pub(crate) fn repr_float(float: f64) -> String {
    if float.is_nan() {
        return "nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{float}");
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

/// `str()` of a value.
pub(crate) fn str(value: Value<'_>) -> String {
    match value.view() {
        View::Str(text) => text.to_owned(),
        _ => repr(value, 0),
    }
}

/// `repr()` of a value; what is nested too deep is left out.
pub(crate) fn repr(value: Value<'_>, depth: usize) -> String {
    if depth > 20 {
        return "...".to_owned();
    }
    match value.view() {
        View::None | View::Unknown => "None".to_owned(),
        View::Bool(true) => "True".to_owned(),
        View::Bool(false) => "False".to_owned(),
        View::Int(digits) => if digits == "-0" { "0" } else { digits }.to_owned(),
        View::Float(float) => repr_float(float),
        View::Str(text) => repr_text(text),
        View::Bytes(bytes) => format!("b{}", repr_text(&String::from_utf8_lossy(bytes))),
        View::List(list) => {
            let items: Vec<String> = list.iter().map(|item| repr(item, depth + 1)).collect();
            format!("[{}]", items.join(", "))
        }
        View::Dict(dict) => {
            let pairs: Vec<String> = dict
                .pairs()
                .map(|pair| {
                    format!("{}: {}", repr_text(pair.key.unwrap_or_default()), repr(pair.value, depth + 1))
                })
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

/// `a, b or c`
pub(crate) fn or_list(shown: &[String]) -> String {
    match shown {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats() {
        for (float, expected) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (-0.0, "-0.0"),
            (1.234_567_890_123_456_7e22, "1.2345678901234568e+22"),
        ] {
            assert_eq!(repr_float(float), expected);
        }
    }

    #[test]
    fn texts() {
        for (text, expected) in [("a", "'a'"), ("it's", "\"it's\""), ("'\"", "'\\'\"'"), ("\u{1}", "'\\x01'")]
        {
            assert_eq!(repr_text(text), expected);
        }
    }
}
