//! A router for a host, as Starlette chooses it: by the Host header, without its port.
//!
//! Versions of Starlette differ in what they make of capitals, of addresses in brackets and of a Host that is not there. Where that
//! matters it is not known which router a request goes to, and nothing that follows is certain.

use std::{borrow::Cow, collections::BTreeMap};

use regex::Regex;

use super::template::{Expression, TemplateError, compiled};

/// The host that a router is for, compiled.
#[derive(Debug)]
pub(super) struct HostTemplate {
    /// The names of its parameters, in order.
    pub(super) parameters: Vec<String>,
    /// Without the port.
    text: String,
    /// For one with parameters.
    matcher: Option<Matcher>,
}

#[derive(Debug)]
struct Matcher {
    exact: Regex,
    in_any_case: Regex,
}

/// Whether a router is for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostFit {
    No,
    /// Some versions say so.
    Maybe,
    Yes,
}

impl HostTemplate {
    pub(super) fn compile(host: &str) -> Result<Self, TemplateError> {
        // A colon in a parameter is that of its convertor.
        let last = host.rfind('}').map_or(0, |at| at + 1);
        let (head, tail) = host.split_at_checked(last).unwrap_or((host, ""));
        let tail = if tail.ends_with(']') { tail } else { tail.split(':').next().unwrap_or_default() };
        let text = format!("{head}{tail}");
        let Expression { parameters, pattern, .. } = Expression::of(&text, &BTreeMap::new())?;
        let parameters: Vec<_> = parameters.into_iter().map(|(name, _)| name).collect();
        let matcher = if parameters.is_empty() {
            None
        } else {
            Some(Matcher {
                exact: compiled(host, &format!("^{pattern}$"))?,
                in_any_case: compiled(host, &format!("^(?i:{pattern})$"))?,
            })
        };
        Ok(Self { parameters, text, matcher })
    }

    /// What it is looked up by, if it is one host.
    pub(super) fn looked_up(&self) -> Option<String> {
        self.matcher.is_none().then(|| self.text.to_ascii_lowercase())
    }

    /// Whether it is for this Host, which is well-formed.
    pub(super) fn fits(&self, host: Option<&str>) -> HostFit {
        let name = host.map(without_port).unwrap_or_default();
        let (exact, folded) = match &self.matcher {
            None => (self.text == name, self.text.eq_ignore_ascii_case(name)),
            Some(matcher) => (matcher.exact.is_match(name), matcher.in_any_case.is_match(name)),
        };
        match (exact, folded) {
            (true, _) if host.is_some() && !name.starts_with('[') => HostFit::Yes,
            (true, _) | (_, true) => HostFit::Maybe,
            // Of an address some versions see the bracket alone.
            _ if name.starts_with('[') && self.matcher.as_ref().is_some_and(|it| it.exact.is_match("[")) => {
                HostFit::Maybe
            }
            _ => HostFit::No,
        }
    }
}

/// What hosts are looked up by.
pub(super) fn looked_up(host: &str) -> Cow<'_, str> {
    let name = without_port(host);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return name.to_ascii_lowercase().into();
    }
    name.into()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_is_for_a_host_as_starlette_has_it() {
        for (template, host, expected) in [
            ("api.example.com", Some("api.example.com"), HostFit::Yes),
            ("api.example.com", Some("api.example.com:8000"), HostFit::Yes),
            ("api.example.com:9000", Some("api.example.com"), HostFit::Yes),
            ("api.example.com", Some("example.com"), HostFit::No),
            ("api.example.com", Some("api.example.com.evil.example"), HostFit::No),
            ("api.example.com", Some("apixexample.com"), HostFit::No),
            ("API.example.com", Some("api.example.com"), HostFit::Maybe),
            ("api.example.com", None, HostFit::No),
            ("{tenant}.example.com", Some("ann.example.com:80"), HostFit::Yes),
            ("{tenant}.example.com", Some("a.b.example.com"), HostFit::Yes),
            ("{tenant}.example.com", Some("example.com"), HostFit::No),
            ("{tenant}.example.com:80", Some("ann.example.com"), HostFit::Yes),
            ("{tenant:int}.example.com", Some("ann.example.com"), HostFit::No),
            ("{tenant:int}.example.com", Some("7.example.com"), HostFit::Yes),
            ("{any}", Some("[::1]:8000"), HostFit::Maybe),
            ("{any:path}", None, HostFit::Maybe),
            ("[::1]", Some("[::1]:8000"), HostFit::Maybe),
            ("[::1]", Some("localhost"), HostFit::No),
            ("localhost", Some("[::1]"), HostFit::No),
        ] {
            assert_eq!(HostTemplate::compile(template).unwrap().fits(host), expected, "{template} {host:?}");
        }
    }
}
