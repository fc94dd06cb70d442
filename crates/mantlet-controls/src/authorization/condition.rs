//! Conditions about a caller.

use serde_json::Value;

use super::scopes;
use crate::{Call, call::Principal, config::Networks};

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
    Scope(Box<str>),
    Network(Networks),
}

/// How conditions are written.
pub(super) const FORMS: &str = "write `anyone`, `authenticated`, `principal:is_admin`, `principal:role = admin`, \
                                `principal:role in [admin, owner]`, `scope:NAME` or `network:10.0.0.0/8`, each with or \
                                without `not` before it, and `and` between several";

impl Condition {
    /// None if the text is not one.
    pub(super) fn read(text: &str) -> Option<Self> {
        text.split(" and ").map(|term| Term::read(term.trim())).collect::<Option<_>>().map(Self)
    }

    /// Whether anyone meets it, as one without a credential.
    pub(super) fn holds(&self, call: &Call) -> bool {
        self.0.iter().all(|term| term.fact.is_so(call) != term.is_negated)
    }
}

impl Term {
    fn read(text: &str) -> Option<Self> {
        let (is_negated, text) = match text.strip_prefix("not ") {
            Some(rest) => (true, rest.trim_start()),
            None => (false, text),
        };
        Some(Self { is_negated, fact: Fact::read(text)? })
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
        let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        match kind {
            "scope" => is_word(rest).then(|| Self::Scope(rest.into())),
            "network" => Networks::parse(&[rest.to_owned()]).ok().map(Self::Network),
            "principal" => {
                let (name, wanted) = if let Some((name, list)) = rest.split_once(" in ") {
                    let list = list.trim().strip_prefix('[')?.strip_suffix(']')?;
                    (name, Some(list.split(',').map(value).collect::<Option<Vec<_>>>()?))
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

    fn is_so(&self, call: &Call) -> bool {
        let principal = call.principal.as_deref();
        match self {
            Self::Anyone => true,
            Self::Authenticated => principal.is_some(),
            Self::Is(name) => {
                principal.is_some_and(|own| has(own, name, &|found| *found == Value::Bool(true)))
            }
            Self::OneOf(name, wanted) => principal.is_some_and(|own| {
                has(own, name, &|found| match found {
                    Value::Array(items) => items.iter().any(|item| is_one_of(item, wanted)),
                    other => is_one_of(other, wanted),
                })
            }),
            Self::Scope(scope) => {
                principal.and_then(scopes::of).is_some_and(|scopes| scopes.iter().any(|own| **own == **scope))
            }
            Self::Network(networks) => call.client.address.is_some_and(|address| networks.contains(address)),
        }
    }
}

/// A value, in quotes if it has a comma or spaces at its ends.
fn value(text: &str) -> Option<Box<str>> {
    let text = text.trim();
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    (!inner.is_empty()).then(|| inner.into())
}

/// Whether an attribute is so. `realm_access.roles` is in the object `realm_access`, unless a claim has
/// that name as a whole.
fn has(principal: &Principal, name: &str, is_so: &dyn Fn(&Value) -> bool) -> bool {
    match name {
        "sub" => return is_so(&Value::from(&*principal.subject)),
        "iss" => return is_so(&Value::from(&*principal.issuer)),
        _ => {}
    }
    if let Some(found) = principal.attribute(name) {
        return is_so(found);
    }
    let dots = name.match_indices('.').map(|(at, _)| at);
    let mut found = dots.filter_map(|at| {
        let (first, rest) = (name.get(..at)?, name.get(at + 1..)?);
        rest.split('.').try_fold(principal.attribute(first)?, |value, name| value.get(name))
    });
    found.next().is_some_and(is_so)
}

/// A number and its digits are the same: ids are numbers in one place and texts in another.
fn is_one_of(found: &Value, wanted: &[Box<str>]) -> bool {
    match found {
        Value::String(text) => wanted.iter().any(|wanted| **wanted == **text),
        Value::Number(_) | Value::Bool(_) => {
            let text = found.to_string();
            wanted.iter().any(|wanted| **wanted == *text)
        }
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}
