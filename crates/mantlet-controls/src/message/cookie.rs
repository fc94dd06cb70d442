//! Cookies as they stand in headers (RFC 6265).

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header};
use jiff::fmt::rfc2822::DateTimeParser;

use crate::config::Clock;

/// The cookies of a request, in their order, over all its lines. A pair without a name is not a
/// cookie.
pub(crate) fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.get_all(header::COOKIE).iter().flat_map(|line| members(line.as_bytes()).filter_map(pair))
}

/// Removes a cookie from a request's lines and leaves every other byte unchanged; empty lines are
/// removed.
pub(crate) fn take_out(headers: &mut HeaderMap, name: &[u8]) {
    let is_it = |member: &[u8]| pair(member).is_some_and(|(found, _)| found == name);
    let lines: Vec<_> = headers.get_all(header::COOKIE).iter().cloned().collect();
    if !lines.iter().any(|line| members(line.as_bytes()).any(is_it)) {
        return;
    }
    headers.remove(header::COOKIE);
    for line in lines {
        let kept: Vec<_> = members(line.as_bytes()).filter(|member| !is_it(member)).collect();
        let kept = kept.join(&b';');
        if let (false, Ok(line)) = (trim(&kept).is_empty(), HeaderValue::from_bytes(kept.trim_ascii_start()))
        {
            headers.append(header::COOKIE, line);
        }
    }
}

/// Adds a cookie after the others.
pub(crate) fn append(headers: &mut HeaderMap, cookie: &str) {
    let mut lines: Vec<_> = headers.get_all(header::COOKIE).iter().cloned().collect();
    let line = match lines.pop() {
        Some(last) => [last.as_bytes(), b"; ", cookie.as_bytes()].concat(),
        None => cookie.as_bytes().to_vec(),
    };
    let Ok(line) = HeaderValue::from_bytes(&line) else { return };
    headers.remove(header::COOKIE);
    for line in lines.into_iter().chain([line]) {
        headers.append(header::COOKIE, line);
    }
}

/// A cookie's value without its quotes and escapes, as Python's `http.cookies` reads it.
pub(crate) fn unquoted(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return value.into();
    };
    if memchr::memchr(b'\\', inner).is_none() {
        return inner.into();
    }
    let mut text = Vec::with_capacity(inner.len());
    let mut rest = inner;
    loop {
        rest = match rest {
            [b'\\', first @ b'0'..=b'3', second @ b'0'..=b'7', third @ b'0'..=b'7', rest @ ..] => {
                text.push((first - b'0') << 6 | (second - b'0') << 3 | (third - b'0'));
                rest
            }
            [b'\\', other, rest @ ..] | [other, rest @ ..] => {
                text.push(*other);
                rest
            }
            [] => return text.into(),
        };
    }
}

fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b';')
}

fn pair(member: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', member)?;
    Some((trim(member.get(..at)?), trim(member.get(at + 1..)?)))
}

/// As Starlette does: Python's `strip` also takes NEL and the no-break space, which a header may hold.
fn trim(mut text: &[u8]) -> &[u8] {
    loop {
        let before = text.len();
        text = text.trim_ascii();
        while let [0x85 | 0xa0, rest @ ..] | [rest @ .., 0x85 | 0xa0] = text {
            text = rest;
        }
        if text.len() == before {
            return text;
        }
    }
}

/// A `Set-Cookie` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SetCookie<'l> {
    pub(crate) name: &'l [u8],
    pub(crate) value: &'l [u8],
    /// The part after the first semicolon.
    attributes: &'l [u8],
}

impl<'l> SetCookie<'l> {
    /// `None` for a cookie without a name.
    pub(crate) fn parse(line: &'l [u8]) -> Option<Self> {
        let (pair, attributes) = match memchr::memchr(b';', line) {
            Some(at) => line.split_at_checked(at)?,
            None => (line, &[][..]),
        };
        let at = memchr::memchr(b'=', pair)?;
        let (name, value) = (pair.get(..at)?.trim_ascii(), pair.get(at + 1..)?.trim_ascii());
        Some(Self { name, value, attributes })
    }

    /// The value of an attribute; empty if it has none.
    pub(crate) fn attribute(&self, name: &str) -> Option<&'l [u8]> {
        self.attributes.split(|byte| *byte == b';').find_map(|attribute| {
            let mut parts = attribute.splitn(2, |byte| *byte == b'=');
            let found = parts.next()?.trim_ascii();
            found.eq_ignore_ascii_case(name.as_bytes()).then(|| parts.next().unwrap_or_default().trim_ascii())
        })
    }

    /// Whether the browser shall forget it.
    pub(crate) fn is_removal(&self, clock: Clock) -> bool {
        let max_age = self.attribute("max-age");
        let is_past = |seconds: &[u8]| seconds == b"0" || seconds.starts_with(b"-");
        let has_passed = |date: &[u8]| {
            let when = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(date);
            when.is_ok_and(|when| when <= clock.time())
        };
        max_age.is_some_and(is_past)
            || (max_age.is_none() && self.attribute("expires").is_some_and(has_passed))
            || self.value.is_empty()
            || self.value == b"\"\""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(headers: &HeaderMap) -> Vec<&[u8]> {
        headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect()
    }

    #[test]
    fn other_cookies_stay_as_they_are() {
        let mut headers = HeaderMap::new();
        for line in [&b"a=1; flag; t=1; b=\"q;r=s\"; c=\xe9 ;d = 2;;e="[..], b" t = 2", b"\xa0t=3;f=4"] {
            headers.append(header::COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        assert_eq!(pairs(&headers).filter(|(name, _)| *name == b"t").count(), 3);
        take_out(&mut headers, b"t");
        let rest = b"a=1; flag; b=\"q;r=s\"; c=\xe9 ;d = 2;;e=";
        assert_eq!(lines(&headers), [&rest[..], b"f=4"]);
        append(&mut headers, "t=5");
        assert_eq!(lines(&headers), [&rest[..], b"f=4; t=5"]);
        let mut none = HeaderMap::new();
        append(&mut none, "t=5");
        assert_eq!(lines(&none), [b"t=5"]);
    }

    #[test]
    fn a_cookie_is_removed_by_age_date_or_emptiness() {
        for (line, removed) in [
            ("a=1", false),
            ("a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", false),
            ("a=1; Max-Age=0", true),
            ("a=1; max-age=-1", true),
            ("a=1; expires=Thu, 01 Jan 1970 00:00:00 GMT", true),
            ("a=1; Expires=Wed, 01 Jan 2020 00:00:00 GMT", true),
            ("a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT", false),
            ("a=1; Expires=whenever", false),
            ("a=", true),
        ] {
            assert_eq!(
                SetCookie::parse(line.as_bytes()).unwrap().is_removal(Clock::system()),
                removed,
                "{line}"
            );
        }
    }
}
