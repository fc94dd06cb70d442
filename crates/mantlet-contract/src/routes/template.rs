//! One path template, as Starlette reads it.

use std::ops::Range;

use regex::Regex;

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
#[error("`{template}` is no path template: {why}")]
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
    /// Something else: `float`, `uuid`.
    Other,
}

/// A template, compiled.
#[derive(Debug)]
pub(super) struct Template {
    /// The parameters, in order.
    pub(super) parameters: Vec<(String, Convertor)>,
    matcher: Matcher,
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
    pub(super) fn compile(template: &str) -> Result<Self, TemplateError> {
        let error = |why: &str| TemplateError { template: template.to_owned(), why: why.to_owned() };
        let (mut found, mut pattern, mut plain) = (Vec::<(String, Convertor)>::new(), "^".to_owned(), true);
        let mut end = 0;
        for parameter in parameters(template) {
            let convertor = CONVERTORS.iter().find(|(name, _)| *name == parameter.convertor);
            let (name, expression) =
                convertor.ok_or_else(|| error(&format!("unknown convertor `{}`", parameter.convertor)))?;
            plain &= *name == "str";
            pattern += &regex::escape(template.get(end..parameter.place.start).unwrap_or_default());
            pattern.extend(["(", expression, ")"]);
            if found.iter().any(|(known, _)| known == parameter.name) {
                return Err(error(&format!("`{}` stands in it twice", parameter.name)));
            }
            let convertor = match *name {
                "str" | "path" => Convertor::Text,
                "int" => Convertor::Int,
                _ => Convertor::Other,
            };
            found.push((parameter.name.to_owned(), convertor));
            end = parameter.place.end;
        }
        pattern += &regex::escape(template.get(end..).unwrap_or_default());
        pattern.push('$');
        let segments: Option<Vec<_>> = segments(template).map(Segment::of).collect();
        let matcher = match segments {
            Some(segments) if plain => Matcher::Plain(segments),
            _ => Matcher::Regex(Regex::new(&pattern).map_err(|_| error("it is too long"))?),
        };
        Ok(Self { parameters: found, matcher })
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
