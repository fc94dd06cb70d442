//! Says what does not fit in the user's words: no type names, no jargon, no secrets.

use super::origin::Origin;
use super::problem::{Found, Problem};
use super::spelling::{did_you_mean, listed, nearest};
use super::tree::{Node, Value};

/// What is wrong, and perhaps what to do. Unknown keys get their help from `suggest`.
pub(super) fn explain(problem: &Problem, is_secret: bool, origin: &Origin) -> (String, Option<String>) {
    match problem {
        Problem::Mismatch { found, expected } => {
            let expected = phrase(expected, found);
            let message = match found.shown(is_secret) {
                Some(found) => format!("expected {expected}, found {found}"),
                None => format!("expected {expected}"),
            };
            (message, help_for(&expected, found, is_secret, origin))
        }
        Problem::Covered { found } => {
            let found = found.clone();
            explain(&Problem::Mismatch { found, expected: "a table".to_owned() }, is_secret, origin)
        }
        Problem::Count { found, expected } => {
            let expected = phrase(expected, &Found::List);
            (format!("expected {expected}, found a list of {found}"), None)
        }
        Problem::NotOneOf { found, known } => not_one_of(found, known, is_secret),
        Problem::UnknownKey { name, .. } => (format!("unknown key `{name}`"), None),
        Problem::Missing { name } => (format!("missing key `{name}`"), None),
        Problem::Twice { name } => (format!("`{name}` is given twice, once under an older name"), None),
        Problem::Told(message) if is_about_untagged(message) => {
            ("this form of value is not accepted here".to_owned(), None)
        }
        Problem::Told(message) => (message.clone(), None),
    }
}

/// serde says this, with the name of the type, where no form of an untagged enum fits.
pub(super) fn is_about_untagged(message: &str) -> bool {
    message.contains("any variant of untagged enum")
}

fn not_one_of(found: &Found, known: &[&str], is_secret: bool) -> (String, Option<String>) {
    let list = listed(known);
    match (found, known) {
        (Found::Text(text), [_, _, ..]) if !is_secret => {
            let help = nearest(text, known.iter().copied()).map(did_you_mean);
            (format!("`{}` is not one of {list}", shortened(text)), help)
        }
        _ => {
            let expected = if known.len() > 1 { format!("one of {list}") } else { list };
            let message = match found.shown(is_secret) {
                Some(found) => format!("expected {expected}, found {found}"),
                None => format!("expected {expected}"),
            };
            (message, None)
        }
    }
}

/// What a type says that it expects, without the names of types.
fn phrase(expected: &str, found: &Found) -> String {
    let is_number = matches!(found, Found::Number(_));
    let is_negative = matches!(found, Found::Number(number) if number.starts_with('-'));
    let phrase = match expected {
        "u8" if is_number => "a whole number from 0 to 255",
        "u16" if is_number => "a whole number from 0 to 65535",
        "u32" if is_number => "a whole number from 0 to 4294967295",
        "u64" | "u128" | "usize" if is_negative => "a whole number that is not negative",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize"
        | "an integer" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" | "a borrowed string" | "string" => "a text",
        "a character" => "a single character",
        "path string" => "a path",
        "a sequence" => "a list",
        "a map" => "a table",
        "socket address" => "an address such as `127.0.0.1:8000`",
        "IP address" => "an IP address",
        "IPv4 address" => "an IPv4 address",
        "IPv6 address" => "an IPv6 address",
        "unit" => "nothing",
        other => return derived_phrase(other),
    };
    phrase.to_owned()
}

/// The phrases that serde derives; all others are a type's own and stay as they are.
fn derived_phrase(expected: &str) -> String {
    let starts_with = |prefixes: &[&str]| prefixes.iter().any(|p| expected.starts_with(p));
    if starts_with(&["a nonzero "]) {
        "a whole number other than 0".to_owned()
    } else if let Some(count) = ["an array of length ", "a tuple of size ", "tuple of "]
        .iter()
        .find_map(|prefix| expected.strip_prefix(prefix))
    {
        format!("a list of {count}")
    } else if starts_with(&["tuple struct ", "tuple variant "]) {
        "a list".to_owned()
    } else if starts_with(&["struct ", "internally tagged ", "adjacently tagged "]) {
        "a table".to_owned()
    } else if starts_with(&["enum ", "variant ", "unit variant ", "newtype variant ", "field "]) {
        "a name".to_owned()
    } else {
        expected.to_owned()
    }
}

impl Found {
    /// `the text …`, or nothing if that would tell a secret.
    fn shown(&self, is_secret: bool) -> Option<String> {
        match self {
            Self::List => Some("a list".to_owned()),
            Self::Table => Some("a table".to_owned()),
            Self::Nothing => None,
            _ if is_secret => None,
            Self::Text(text) if text.is_empty() => Some("an empty text".to_owned()),
            Self::Text(text) => Some(format!("the text `{}`", shortened(text))),
            Self::Number(number) => Some(format!("the number `{number}`")),
            Self::Boolean(boolean) => Some(format!("`{boolean}`")),
        }
    }
}

/// Help that needs no look at what would be accepted.
fn help_for(expected: &str, found: &Found, is_secret: bool, origin: &Origin) -> Option<String> {
    match found {
        Found::Text(_) if expected == "a list" && is_secret => {
            Some("write it as a list: `[\"…\"]`".to_owned())
        }
        Found::Table if expected == "a list" && matches!(origin, Origin::File { .. }) => {
            Some("each item of a list of tables begins with its name in `[[…]]`".to_owned())
        }
        _ => None,
    }
}

/// What was most likely meant by a value that does not fit, the likeliest first, each with how to
/// write it. None is proposed before it has been found to be accepted.
pub(super) fn proposals(problem: &Problem, origin: &Origin) -> Vec<(Value, Option<String>)> {
    let Problem::Mismatch { found, expected } = problem else { return Vec::new() };
    let is_in_file = matches!(origin, Origin::File { .. });
    let expected = phrase(expected, found);
    match (found, expected.as_str()) {
        (Found::Text(text), "a list") => {
            let item = Node::new(Value::Text(text.clone()), origin.clone());
            vec![(Value::List(vec![item]), Some(format!("write it as a list: `[\"{}\"]`", shortened(text))))]
        }
        (Found::Number(value), "a text") => {
            let plain = (Value::Text(value.clone()), is_in_file.then(|| in_quotes(value)));
            let rate = format!("{value}/s");
            let how = if is_in_file { in_quotes(&rate) } else { format!("write `{rate}`") };
            vec![plain, (Value::Text(rate), Some(how))]
        }
        (Found::Boolean(value), "a text") => {
            let text = value.to_string();
            vec![(Value::Text(text.clone()), is_in_file.then(|| in_quotes(&text)))]
        }
        (Found::Text(text), expected) if expected.starts_with("a whole number") => {
            let number = text.parse::<i64>().ok();
            number
                .map(|number| (Value::Integer(number.into()), is_in_file.then(|| without_quotes(text))))
                .into_iter()
                .collect()
        }
        (Found::Text(text), "`true` or `false`") => {
            let value = text.parse::<bool>().ok();
            value
                .map(|value| (Value::Boolean(value), is_in_file.then(|| without_quotes(text))))
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    }
}

fn in_quotes(value: &str) -> String {
    format!("write it in quotes: `\"{value}\"`")
}

fn without_quotes(value: &str) -> String {
    format!("write it without quotes: `{value}`")
}

/// A value that a user wrote, on one line and not too long.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    let visible = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    let mut shown: String = text.chars().take(LONGEST).map(visible).collect();
    if text.chars().count() > LONGEST {
        shown.push('…');
    }
    shown
}
