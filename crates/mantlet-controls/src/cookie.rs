//! Cookies as they stand in headers (RFC 6265).

use http::{HeaderMap, header};

/// The cookies of a request, in their order, over all its lines.
pub(crate) fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).filter_map(|pair| {
        let pair = pair.trim_ascii();
        let at = memchr::memchr(b'=', pair)?;
        Some((pair.get(..at)?.trim_ascii(), pair.get(at + 1..)?.trim_ascii()))
    })
}

/// A `Set-Cookie` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SetCookie<'l> {
    pub(crate) name: &'l [u8],
    pub(crate) value: &'l [u8],
    /// What follows the first semicolon.
    attributes: &'l [u8],
}

impl<'l> SetCookie<'l> {
    /// `None` for what browsers ignore.
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
    pub(crate) fn is_removal(&self) -> bool {
        let max_age = self.attribute("max-age");
        let is_past = |seconds: &[u8]| seconds == b"0" || seconds.starts_with(b"-");
        let epoch = |date: &[u8]| memchr::memmem::find(date, b"1970").is_some();
        max_age.is_some_and(is_past)
            || (max_age.is_none() && self.attribute("expires").is_some_and(epoch))
            || self.value.is_empty()
            || self.value == b"\"\""
    }
}
