//! One path template, as Starlette reads it.

use std::{collections::BTreeMap, ops::Range};

use regex::Regex;

use crate::compile::python_regex;

/// What a template's parameter may be, with the pattern that Starlette gives it.
const CONVERTORS: [(&str, &str); 5] = [
    ("str", "[^/]+"),
    ("path", ".*"),
    ("int", "[0-9]+"),
    ("float", r"[0-9]+(?:\.[0-9]+)?"),
    ("uuid", "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"),
];

/// A template that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{template}` is not a path template: {why}")]
pub struct TemplateError {
    /// The template.
    pub template: String,
    /// What is wrong with it.
    pub why: String,
}

/// What a parameter's value becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convertor {
    /// It stays a text: `str`, `path`.
    Text,
    /// A number without a sign: `int`.
    Int,
    /// Something else: `float`, `uuid`, what a convertor of the app's own makes, a part of a host.
    Other,
}

/// A template, compiled.
#[derive(Debug)]
pub(super) struct Template {
    /// The parameters, in order.
    pub(super) parameters: Vec<(String, Convertor)>,
    matcher: Matcher,
    /// It has convertors of the app's own. Their patterns mean the same here as in Python where all is ASCII.
    is_own: bool,
}

#[derive(Debug)]
enum Matcher {
    /// Every segment is a text, or one `str` parameter.
    Plain(Vec<Segment>),
    /// Everything else.
    Regex(Regex),
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    Parameter,
}

/// A segment, for the tree that finds candidates.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'t> {
    /// Exactly this.
    Text(&'t str),
    /// Something, within this segment.
    Any,
    /// Something, from here to the end.
    Tail,
}

impl Template {
    /// Compiles a path. Parameters that have a convertor of the app's own have these patterns.
    pub(super) fn compile(template: &str, own: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let Expression { parameters, pattern, is_plain } = Expression::of(template, own)?;
        let segments: Option<Vec<_>> = segments(template).map(Segment::of).collect();
        let matcher = match segments {
            Some(segments) if is_plain => Matcher::Plain(segments),
            _ => Matcher::Regex(compiled(template, &format!("^{pattern}$"))?),
        };
        Ok(Self { parameters, matcher, is_own: !own.is_empty() })
    }

    /// Whether it is certain that a path that matches here does so in Python.
    pub(super) fn is_sure_of(&self, path: &str) -> bool {
        !self.is_own || path.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    }

    /// Where each parameter's value stands in a path that matches.
    pub(super) fn matches(&self, path: &str) -> Option<Vec<Range<usize>>> {
        match &self.matcher {
            Matcher::Plain(expected) => plainly(expected, path),
            Matcher::Regex(regex) if self.parameters.is_empty() => regex.is_match(path).then(Vec::new),
            Matcher::Regex(regex) => {
                let captures = regex.captures(path)?;
                (1..=self.parameters.len())
                    .map(|group| captures.get(group).map(|found| found.range()))
                    .collect()
            }
        }
    }
}

/// A template as an expression, as Starlette makes it.
pub(super) struct Expression {
    /// The parameters, in order.
    pub(super) parameters: Vec<(String, Convertor)>,
    pub(super) pattern: String,
    /// Every parameter is a `str`.
    is_plain: bool,
}

impl Expression {
    pub(super) fn of(template: &str, own: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let error = |why: &str| TemplateError { template: template.to_owned(), why: why.to_owned() };
        let (mut found, mut pattern, mut is_plain) = (Vec::<(String, Convertor)>::new(), String::new(), true);
        let mut end = 0;
        for parameter in parameters(template) {
            let convertor = CONVERTORS.iter().find(|(name, _)| *name == parameter.convertor);
            let (name, expression) =
                convertor.ok_or_else(|| error(&format!("unknown convertor `{}`", parameter.convertor)))?;
            is_plain &= *name == "str";
            pattern += &regex::escape(template.get(end..parameter.place.start).unwrap_or_default());
            if found.iter().any(|(known, _)| known == parameter.name) {
                return Err(error(&format!("`{}` is in it twice", parameter.name)));
            }
            let convertor = match (own.get(parameter.name), *name) {
                (Some(own), _) => {
                    let own = python_regex::at_least(own)
                        .ok_or_else(|| error(&format!("the convertor `{own}` is not understood")))?;
                    pattern.extend(["(", &own, ")"]);
                    Convertor::Other
                }
                (None, name) => {
                    pattern.extend(["(", expression, ")"]);
                    match name {
                        "str" | "path" => Convertor::Text,
                        "int" => Convertor::Int,
                        _ => Convertor::Other,
                    }
                }
            };
            found.push((parameter.name.to_owned(), convertor));
            end = parameter.place.end;
        }
        pattern += &regex::escape(template.get(end..).unwrap_or_default());
        Ok(Self { parameters: found, pattern, is_plain })
    }
}

pub(super) fn compiled(template: &str, pattern: &str) -> Result<Regex, TemplateError> {
    let error = |_| TemplateError { template: template.to_owned(), why: "it is too long".to_owned() };
    Regex::new(pattern).map_err(error)
}

fn plainly(expected: &[Segment], path: &str) -> Option<Vec<Range<usize>>> {
    let mut values = Vec::new();
    let (mut found, mut start) = (segments(path), 1);
    for segment in expected {
        let text = found.next()?;
        match segment {
            Segment::Text(expected) if expected != text => return None,
            Segment::Parameter if text.is_empty() => return None,
            Segment::Text(_) => {}
            Segment::Parameter => values.push(start..start + text.len()),
        }
        start += text.len() + 1;
    }
    found.next().is_none().then_some(values)
}

impl Segment {
    fn of(text: &str) -> Option<Self> {
        let mut found = parameters(text);
        match found.next() {
            None => Some(Self::Text(text.to_owned())),
            Some(parameter) if parameter.place == (0..text.len()) => Some(Self::Parameter),
            Some(_) => None,
        }
    }
}

/// The steps into the tree. A parameter that may span slashes ends them.
pub(super) fn steps(template: &str) -> impl Iterator<Item = Step<'_>> {
    let mut ended = false;
    segments(template).map_while(move |segment| {
        if ended {
            return None;
        }
        let mut found = parameters(segment).peekable();
        if found.peek().is_none() {
            return Some(Step::Text(segment));
        }
        ended = found.any(|parameter| parameter.convertor == "path");
        Some(if ended { Step::Tail } else { Step::Any })
    })
}

/// What stands between the slashes, after the first one.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> + Clone {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

struct Parameter<'t> {
    name: &'t str,
    convertor: &'t str,
    place: Range<usize>,
}

/// `{name}` and `{name:convertor}`: letters, digits and underscores. Other braces are text, as for Starlette.
fn parameters(text: &str) -> impl Iterator<Item = Parameter<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(open) = text.get(from..)?.find('{').map(|at| at + from) {
            from = open + 1;
            let Some(inner) = text.get(from..)?.split_once('}').map(|(inner, _)| inner) else { continue };
            let (name, convertor) = inner.split_once(':').unwrap_or((inner, "str"));
            let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let is_word = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if starts_well
                && is_word(name)
                && is_word(convertor)
                && !(inner.contains(':') && convertor.is_empty())
            {
                let place = open..from + inner.len() + 1;
                from = place.end;
                return Some(Parameter { name, convertor, place });
            }
        }
        None
    })
}
