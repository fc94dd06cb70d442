//! A line of the log on its way, and the place up to which lines have been shipped.

use std::borrow::Cow;

use jiff::Timestamp;
use mantlet_audit::{Chain, Link, link_of, read_seq, verify};
use mantlet_controls::audit::Severity;
use serde::{Deserialize, Serialize};

/// The last line that was shipped, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Position {
    /// What its log is called.
    pub(super) log: String,
    /// Its number.
    pub(super) seq: u64,
    /// The link in it, to the line before it.
    pub(super) prev: Link,
    /// The link to it.
    pub(super) link: Link,
    /// The number of the first line of its file, and its place in the file in bytes.
    pub(super) first: u64,
    pub(super) offset: u64,
}

/// A line as it was written, without its end.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) position: Position,
    pub(super) text: Vec<u8>,
    /// Lines before it that are not there any more.
    pub(super) missed: u64,
}

impl Line {
    /// None if it is not the line of a log.
    pub(super) fn of(text: Vec<u8>, log: &str, first: u64, offset: u64) -> Option<Self> {
        let (seq, prev) = read_seq(&text)?;
        let prev = prev.to_owned();
        let position = Position { log: log.to_owned(), seq, prev, link: link_of(&text), first, offset };
        Some(Self { position, text, missed: 0 })
    }

    pub(super) fn seq(&self) -> u64 {
        self.position.seq
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        serde_json::from_slice(&self.text).unwrap_or_default()
    }
}

/// What a receiver is told beside the line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Facts<'l> {
    time: Option<Timestamp>,
    #[serde(borrow)]
    security_event: Cow<'l, str>,
    #[serde(borrow)]
    action: Option<Cow<'l, str>>,
    #[serde(borrow)]
    outcome: Option<Cow<'l, str>>,
    #[serde(borrow)]
    trace: Option<Cow<'l, str>>,
}

impl Facts<'_> {
    pub(super) const fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// The trace that the request is part of, in hexadecimal digits.
    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "only OTLP has a field for it"))]
    pub(super) fn trace(&self) -> Option<u128> {
        self.trace
            .as_deref()
            .filter(|digits| digits.len() == 32)
            .and_then(|digits| u128::from_str_radix(digits, 16).ok())
    }

    pub(super) fn event(&self) -> &str {
        &self.security_event
    }

    pub(super) fn severity(&self) -> Severity {
        Severity::of(&self.security_event, self.action.as_deref(), self.outcome.is_some())
    }
}

/// What a log is called, from the first line of one of its files.
pub(super) fn log_of(first_line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Continued {
        log: String,
    }
    match verify::key_of_opening(first_line) {
        Some(key) => Some(Chain::named_after(&key).origin().to_owned()),
        None => serde_json::from_slice::<Continued>(first_line).ok().map(|said| said.log),
    }
}
