//! The media type of a body: without its parameters, and without regard to case (RFC 9110 section 8.3.1).

use http::{HeaderMap, header};

/// Types of bodies that hold one JSON text after another.
pub(crate) const JSON_SEQUENCES: [&str; 6] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/jsonlines",
    "application/json-seq",
];

/// A media type, as a header has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MediaType<'h>(&'h [u8]);

impl<'h> MediaType<'h> {
    /// The type in the Content-Type header, if there is one.
    pub(crate) fn of(headers: &'h HeaderMap) -> Option<Self> {
        headers.get(header::CONTENT_TYPE).map(|value| Self::read(value.as_bytes()))
    }

    pub(crate) fn read(value: &'h [u8]) -> Self {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        Self(value.get(..end).unwrap_or_default().trim_ascii())
    }

    pub(crate) fn is(self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name.as_bytes())
    }

    pub(crate) fn is_among(self, names: &[&str]) -> bool {
        names.iter().any(|name| self.is(name))
    }

    pub(crate) fn starts_with(self, prefix: &str) -> bool {
        self.0.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    }

    pub(crate) fn ends_with(self, suffix: &str) -> bool {
        let at = self.0.len().checked_sub(suffix.len());
        at.and_then(|at| self.0.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
    }

    /// `application/json`, `application/problem+json` and the like.
    pub(crate) fn is_json(self) -> bool {
        self.ends_with("/json") || self.ends_with("+json")
    }
}

/// Whether a body is a form with files, or something else in parts.
pub(crate) fn is_multipart(headers: &HeaderMap) -> bool {
    MediaType::of(headers).is_some_and(|kind| kind.starts_with("multipart/"))
}
