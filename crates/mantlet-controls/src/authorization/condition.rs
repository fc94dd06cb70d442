//! Conditions about a caller.

use mantlet_contract::inputs::all_in_query;
use serde_json::Value;

use super::{
    circumstance::{Circumstance, Known, Misread},
    scopes,
};
use crate::Call;

/// Several terms; all of them have to hold.
#[derive(Debug)]
pub(super) struct Condition(Vec<Term>);

#[derive(Debug)]
struct Term {
    is_negated: bool,
    fact: Fact,
}

/// What may be so.
#[derive(Debug)]
enum Fact {
    Anyone,
    /// The caller is proven.
    Authenticated,
    /// An attribute is `true`.
    Is(Box<str>),
    /// An attribute is one of these, or has one of them.
    OneOf(Box<str>, Vec<Box<str>>),
    /// An input of the request is this attribute, or one of its items.
    Input(Input, Box<str>),
    Scope(Box<str>),
    Circumstance(Circumstance),
}

/// A parameter of the operation.
#[derive(Debug)]
pub(super) enum Input {
    Path(Box<str>),
    Query(Box<str>),
}

/// How conditions are written.
const FORMS: &str = "write `anyone`, `authenticated`, `principal:is_admin`, `principal:role = admin`, \
                                `principal:role in [admin, owner]`, `path:user_id = principal:sub`, `query:user = principal:sub`, `scope:NAME`, `network:10.0.0.0/8`, \
                                `network:@LIST`, `country:DE`, `country in [DE, AT]` or `time:Mon-Fri 08:00-18:00 Europe/Berlin`, each with or without `not` before it, and `and` between several";

impl Condition {
    /// Reads a text, which may name what is known.
    pub(super) fn read(text: &str, known: &Known) -> Result<Self, Misread> {
        let terms = split(text, " and ").unwrap_or_default().into_iter();
        let terms: Vec<_> = terms.map(|term| Term::read(term.trim(), known)).collect::<Result<_, _>>()?;
        let terms: Option<Vec<_>> = terms.into_iter().collect();
        terms.filter(|terms| !terms.is_empty()).map(Self).ok_or_else(|| Misread {
            message: format!("`{text}` is not a condition"),
            help: FORMS.to_owned(),
        })
    }

    /// The attributes that it is about.
    pub(super) fn attributes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|term| match &term.fact {
            Fact::Is(name) | Fact::OneOf(name, _) | Fact::Input(_, name) => Some(&**name),
            _ => None,
        })
    }

    /// Whether something about the caller, which is not known by its credential, may decide it.
    pub(super) fn asks_about(&self, call: &Call) -> bool {
        self.0.iter().any(|term| match &term.fact {
            Fact::Authenticated => call.principal.is_none(),
            Fact::Is(name) | Fact::OneOf(name, _) | Fact::Input(_, name) => is_missing(call, name),
            Fact::Anyone | Fact::Scope(_) | Fact::Circumstance(_) => false,
        })
    }

    /// Whether a request with this query meets it.
    pub(super) fn holds(&self, call: &Call, query: Option<&str>) -> bool {
        self.0.iter().all(|term| term.fact.is_so(call, query) != term.is_negated)
    }
}

impl Term {
    fn read(text: &str, known: &Known) -> Result<Option<Self>, Misread> {
        let (is_negated, text) = match text.strip_prefix("not ") {
            Some(rest) => (true, rest.trim_start()),
            None => (false, text),
        };
        let fact = match Circumstance::read(text, known)? {
            Some(circumstance) => Some(Fact::Circumstance(circumstance)),
            None => Fact::read(text),
        };
        Ok(fact.map(|fact| Self { is_negated, fact }))
    }
}

impl Fact {
    fn read(text: &str) -> Option<Self> {
        match text {
            "anyone" => return Some(Self::Anyone),
            "authenticated" => return Some(Self::Authenticated),
            _ => {}
        }
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "scope" => is_word(rest).then(|| Self::Scope(rest.into())),
            "path" | "query" => {
                let (name, attribute) = rest.split_once('=').or_else(|| rest.split_once(" in "))?;
                let (name, attribute) = (name.trim(), attribute.trim().strip_prefix("principal:")?);
                let input = if kind == "path" { Input::Path(name.into()) } else { Input::Query(name.into()) };
                (is_word(name) && is_word(attribute)).then(|| Self::Input(input, attribute.into()))
            }
            "principal" => {
                let (name, wanted) = if let Some((name, list)) = rest.split_once(" in ") {
                    let list = list.trim().strip_prefix('[')?.strip_suffix(']')?;
                    (name, Some(split(list, ",")?.into_iter().map(value).collect::<Option<Vec<_>>>()?))
                } else if let Some((name, own)) = rest.split_once('=') {
                    (name, Some(vec![value(own)?]))
                } else {
                    (rest, None)
                };
                let name = name.trim();
                is_word(name).then(|| match wanted {
                    Some(wanted) => Self::OneOf(name.into(), wanted),
                    None => Self::Is(name.into()),
                })
            }
            _ => None,
        }
    }

    fn is_so(&self, call: &Call, query: Option<&str>) -> bool {
        let principal = call.principal.as_deref();
        match self {
            Self::Anyone => true,
            Self::Authenticated => principal.is_some() || call.told_by_app.is_some(),
            Self::Is(name) => has(call, name, &|found| *found == Value::Bool(true)),
            Self::OneOf(name, wanted) => {
                let is_it = |item: &Value| wanted.iter().any(|wanted| is_text(item, wanted));
                has(call, name, &|found| is_or_has(found, &is_it))
            }
            Self::Input(input, name) => {
                let values = input.values(call, query);
                // Which of several the app takes depends on its type.
                !values.is_empty() && is_of_caller(call, name, &values)
            }
            Self::Scope(scope) => {
                principal.and_then(scopes::of).is_some_and(|scopes| scopes.iter().any(|own| **own == **scope))
            }
            Self::Circumstance(circumstance) => circumstance.is_so(call),
        }
    }
}

impl Input {
    pub(super) fn values(&self, call: &Call, query: Option<&str>) -> Vec<String> {
        match self {
            Self::Path(name) => {
                let parameters = call.operation.iter().flat_map(|matched| &matched.parameters);
                let own = parameters.filter(|(own, ..)| **own == **name);
                own.filter_map(|(.., place)| call.path.as_str().get(place.clone()).map(str::to_owned))
                    .collect()
            }
            Self::Query(name) => query.map(|query| all_in_query(query.as_bytes(), name)).unwrap_or_default(),
        }
    }
}

/// Whether an attribute is not known by the caller's credential.
pub(super) fn is_missing(call: &Call, name: &str) -> bool {
    !matches!(name, "sub" | "iss") && attribute(call, name).is_none()
}

/// The attribute of the caller as texts: several if it is a list.
pub(super) fn values_of_caller(call: &Call, name: &str) -> Vec<String> {
    let text = |value: &Value| match value {
        // An empty text names no owner.
        Value::String(own) => Some(own.clone()).filter(|own| !own.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let own = call.principal.as_deref();
    match name {
        "sub" => own.map(|own| own.subject.to_string()).into_iter().collect(),
        "iss" => own.map(|own| own.issuer.to_string()).into_iter().collect(),
        _ => match attribute(call, name) {
            Some(Value::Array(items)) => items.iter().filter_map(text).collect(),
            found => found.and_then(text).into_iter().collect(),
        },
    }
}

/// Whether an attribute is what a text says. A UUID is the same in every spelling.
pub(super) fn is_same(attribute: &Value, text: &str) -> bool {
    is_text(attribute, text) || attribute.as_str().is_some_and(|own| is_same_uuid(own, text))
}

/// Whether two texts are spellings of the same UUID.
pub(super) fn is_same_uuid(one: &str, other: &str) -> bool {
    let uuid = |text: &str| {
        let digits: String = text.chars().filter(|character| *character != '-').collect();
        let is_one = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| digits.to_ascii_lowercase())
    };
    let could_be = |text: &str| matches!(text.len(), 32 | 36);
    could_be(one) && could_be(other) && uuid(one).is_some_and(|own| uuid(other) == Some(own))
}

/// A value: in quotes it may have any letters but these, else none that could be meant as a sign.
fn value(text: &str) -> Option<Box<str>> {
    let text = text.trim();
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => (!inner.contains('"')).then(|| inner.into()),
        None => is_word(text).then(|| text.into()),
    }
}

/// Whether a text has no letter that could be meant as a sign.
pub(super) fn is_word(text: &str) -> bool {
    let is_sign = |letter: char| letter.is_whitespace() || "\"'=!<>[],&|".contains(letter);
    !text.is_empty() && !text.contains(is_sign)
}

/// The parts of a text between separators outside quotes; none if a quote has no end.
fn split<'t>(text: &'t str, separator: &str) -> Option<Vec<&'t str>> {
    let mut parts = Vec::new();
    let (mut from, mut is_quoted) = (0, false);
    for (at, letter) in text.char_indices() {
        is_quoted ^= letter == '"';
        if !is_quoted && at >= from && text.get(at..)?.starts_with(separator) {
            parts.push(text.get(from..at)?);
            from = at + separator.len();
        }
    }
    parts.push(text.get(from..)?);
    (!is_quoted).then_some(parts)
}

/// Whether each of these values is an attribute of the caller, or one of its items.
pub(super) fn is_of_caller(call: &Call, name: &str, values: &[String]) -> bool {
    values.iter().all(|value| {
        if value.is_empty() {
            return false;
        }
        let is_it = |item: &Value| is_same(item, value);
        has(call, name, &|found| is_or_has(found, &is_it))
    })
}

/// Whether an attribute is so.
fn has(call: &Call, name: &str, is_so: &dyn Fn(&Value) -> bool) -> bool {
    let own = || call.principal.as_deref();
    match name {
        "sub" => own().is_some_and(|own| is_so(&Value::from(&*own.subject))),
        "iss" => own().is_some_and(|own| is_so(&Value::from(&*own.issuer))),
        _ => attribute(call, name).is_some_and(is_so),
    }
}

/// An attribute. `realm_access.roles` is in the object `realm_access`, unless one has that name as a
/// whole.
fn attribute<'c>(call: &'c Call, name: &str) -> Option<&'c Value> {
    let dots = name.match_indices('.').map(|(at, _)| at);
    let mut found = dots.filter_map(|at| {
        let (first, rest) = (name.get(..at)?, name.get(at + 1..)?);
        rest.split('.').try_fold(call.attribute(first)?, |value, name| value.get(name))
    });
    call.attribute(name).or_else(|| found.next())
}

/// Whether a value is so, or an item of a list.
fn is_or_has(found: &Value, is_it: &dyn Fn(&Value) -> bool) -> bool {
    found.as_array().map_or_else(|| is_it(found), |items| items.iter().any(is_it))
}

/// A number and its digits are the same: ids are numbers in one place and texts in another.
fn is_text(found: &Value, text: &str) -> bool {
    match found {
        Value::String(own) => own == text,
        Value::Number(number) => number.to_string().as_str() == text,
        Value::Bool(is_so) => text == if *is_so { "true" } else { "false" },
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}
