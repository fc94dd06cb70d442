//! URLs, by the crate that Pydantic uses.

use std::cell::Cell;

use url::{ParseError, SyntaxViolation, Url};

use super::{Run, s};
use crate::fault::Problem;
use crate::shape::UrlRule;
use crate::value::View;

impl<'a> Run<'a> {
    pub(super) fn url(&mut self, rule: &'a UrlRule, view: View<'a>) -> bool {
        let text = match view {
            View::Str(text) => text,
            View::Bytes(_) => return self.unsure(),
            _ => return self.refuse(|| Problem::new("url_type", "URL input should be a string or URL")),
        };
        if let Some(max) = rule.max_length.filter(|max| text.len() as u64 > *max) {
            return self.refuse(|| {
                Problem::new("url_too_long", format!("URL should have at most {max} character{}", s(max)))
                    .with("max_length", max)
            });
        }
        let parsed = if rule.multi_host { several(text, rule.strict) } else { one(text, rule.strict) };
        let mut url = match parsed {
            Ok(url) => url,
            Err(problem) => return self.refuse(|| problem),
        };
        if let Some(schemes) = &rule.schemes
            && !schemes.iter().any(|scheme| scheme == url.scheme())
        {
            return self.refuse(|| {
                Problem::new("url_scheme", format!("URL scheme should be {}", rule.shown))
                    .with("expected_schemes", &*rule.shown)
            });
        }
        match defaults(&mut url, rule) {
            Ok(()) => true,
            Err(error) => self.refuse(|| parsing(error)),
        }
    }
}

fn parsing(error: impl std::fmt::Display) -> Problem {
    let error = error.to_string();
    Problem::new("url_parsing", format!("Input should be a valid URL, {error}")).with("error", error)
}

fn one(text: &str, strict: bool) -> Result<Url, Problem> {
    if text.is_empty() {
        return Err(parsing("input is empty"));
    }
    let violation = Cell::new(None);
    let note = |found: SyntaxViolation| {
        if found != SyntaxViolation::EmbeddedCredentials {
            violation.set(Some(found));
        }
    };
    let note: Option<&dyn Fn(SyntaxViolation)> = if strict { Some(&note) } else { None };
    let url = Url::options().syntax_violation_callback(note).parse(text).map_err(parsing)?;
    match violation.get() {
        None => Ok(url),
        Some(found) => {
            let error = found.description();
            let msg = format!("Input violated strict URL syntax rules, {error}");
            Err(Problem::new("url_syntax_violation", msg).with("error", error))
        }
    }
}

/// `scheme://host,host/path`: the last host belongs to the URL, each other one must be a host by itself.
fn several(text: &str, strict: bool) -> Result<Url, Problem> {
    if text.is_empty() {
        return Err(parsing("input is empty"));
    }
    let begin = text.find(|char: char| char > ' ').unwrap_or(text.len());
    let scheme_end = text
        .get(begin..)
        .and_then(|rest| rest.find(|char: char| !(char.is_ascii_alphanumeric() || "+-.".contains(char))))
        .map(|len| begin + len)
        .filter(|end| *end > begin && text.get(*end..).is_some_and(|rest| rest.starts_with(':')))
        .ok_or_else(|| parsing(ParseError::RelativeUrlWithoutBase))?;
    let special = is_special(&text.get(begin..scheme_end).unwrap_or_default().to_ascii_lowercase());
    let rest = text.get(scheme_end + 1..).unwrap_or_default();
    let after_slashes = rest.trim_start_matches(['/', '\\']);
    let prefix = text.get(..text.len() - after_slashes.len()).unwrap_or_default();
    let authority_end = after_slashes
        .find(|char| matches!(char, '/' | '?' | '#') || (char == '\\' && special))
        .unwrap_or(after_slashes.len());
    let authority = after_slashes.get(..authority_end).unwrap_or_default();
    let (hosts, last) = match authority.rsplit_once(',') {
        None => ("", after_slashes),
        Some((hosts, _)) => (hosts, after_slashes.get(hosts.len() + 1..).unwrap_or_default()),
    };
    if last.len() < after_slashes.len() && hosts.split(',').any(str::is_empty) {
        return Err(parsing(ParseError::EmptyHost));
    }
    let url = one(&format!("{prefix}{last}"), strict)?;
    if last.len() == after_slashes.len() {
        return Ok(url);
    }
    if !url.has_host() {
        return Err(parsing(ParseError::EmptyHost));
    }
    let scheme = if is_special(url.scheme()) { url.scheme() } else { "x" };
    let mut empty = false;
    for host in hosts.split(',') {
        empty |= !one(&format!("{scheme}://{host}"), strict)?.has_host();
    }
    if empty { Err(parsing(ParseError::EmptyHost)) } else { Ok(url) }
}

fn is_special(scheme: &str) -> bool {
    matches!(scheme, "http" | "https" | "ws" | "wss" | "ftp" | "file")
}

fn defaults(url: &mut Url, rule: &UrlRule) -> Result<(), ParseError> {
    if !url.has_host() {
        if let Some(host) = &rule.default_host {
            url.set_host(Some(host))?;
        } else if rule.host_required {
            return Err(ParseError::EmptyHost);
        }
    }
    if let Some(port) = rule.default_port
        && url.port().is_none()
    {
        url.set_port(Some(port)).map_err(|()| ParseError::EmptyHost)?;
    }
    Ok(())
}
