//! The second stage: lines, with card numbers and patterns of the operator's own replaced.

use std::{fmt, mem, ops::Range};

use regex::bytes::{Regex, RegexBuilder};

use crate::cards;

/// Bytes of a line that are looked at together.
const LONGEST: usize = 16 << 10;
/// Bytes at the end of a part of a longer line that are looked at again with the next part: what is longer may be missed.
const OVERLAP: usize = 1 << 10;
/// Memory for one pattern.
const PATTERN_SIZE: usize = 1 << 20;

/// What is replaced only where it is asked for, a line at a time.
#[derive(Debug, Default)]
pub struct Further<'f> {
    /// Numbers of payment cards.
    pub cards: bool,
    /// Regular expressions with what is shown in place of what they match: `[NAME]`. Where one has a group, only the
    /// first group is replaced.
    pub patterns: Vec<(&'f str, &'f str)>,
}

/// Why there are no rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A pattern of the operator's own is not a regular expression, or one that needs too much memory.
    Pattern {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// All known secrets together are too long.
    TooMuch,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern { why, .. } => f.write_str(why),
            Self::TooMuch => f.write_str("all secrets together are too long to be looked for"),
        }
    }
}

impl std::error::Error for Error {}

/// A name is shown within texts of other languages.
pub(crate) fn plain(letter: char) -> char {
    if letter.is_alphanumeric() || " ._-[]".contains(letter) { letter } else { '?' }
}

#[derive(Debug)]
pub(crate) struct LineRules {
    cards: bool,
    patterns: Vec<(String, Regex)>,
}

impl LineRules {
    /// None where nothing is asked for.
    pub(crate) fn new(further: Further<'_>) -> Result<Option<Self>, Error> {
        let Further { cards, patterns } = further;
        let patterns = patterns.into_iter().map(|(name, pattern)| {
            let regex = RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).build();
            let regex =
                regex.map_err(|error| Error::Pattern { name: name.to_owned(), why: error.to_string() })?;
            Ok((format!("[{}]", name.chars().map(plain).collect::<String>()), regex))
        });
        let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
        Ok((cards || !patterns.is_empty()).then_some(Self { cards, patterns }))
    }

    /// What is to be replaced in a line, by what, from left to right. Of two that overlap, the first is.
    fn find(&self, line: &[u8]) -> Vec<(Range<usize>, String)> {
        let mut found = Vec::new();
        if self.cards {
            found.extend(cards::find(line).into_iter().map(|range| {
                let is_bare = is_bare_in_json(line, &range);
                (range, if is_bare { "\"[card]\"" } else { "[card]" }.to_owned())
            }));
        }
        for (label, regex) in &self.patterns {
            let matches = regex.captures_iter(line).filter_map(|groups| {
                let found = groups.get(1).or_else(|| groups.get(0))?;
                (!found.is_empty()).then(|| (found.range(), label.clone()))
            });
            found.extend(matches);
        }
        found.sort_by_key(|(range, _)| range.start);
        let mut end = 0;
        found.retain(|(range, _)| {
            let is_free = range.start >= end;
            end = if is_free { range.end } else { end };
            is_free
        });
        found
    }
}

/// Whether digits stand as a number in a line of JSON: a text has to have quotes there.
fn is_bare_in_json(line: &[u8], range: &Range<usize>) -> bool {
    let before = line.get(..range.start).unwrap_or_default().trim_ascii_end().last();
    let after = line.get(range.end..).unwrap_or_default().trim_ascii_start().first();
    let is_json = matches!(line.trim_ascii_start().first(), Some(b'{' | b'['));
    is_json && matches!(before, Some(b':' | b'[' | b',')) && matches!(after, Some(b',' | b']' | b'}'))
}

#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// A line that has not ended.
    text: Vec<u8>,
    /// How much of it was shown.
    shown: usize,
}

impl Lines {
    pub(crate) const fn holds(&self) -> bool {
        self.shown < self.text.len()
    }

    pub(crate) fn push(&mut self, rules: &LineRules, bytes: &[u8], out: &mut Vec<u8>) {
        let mut new = self.text.len();
        self.text.extend_from_slice(bytes);
        let text = mem::take(&mut self.text);
        let mut rest = text.as_slice();
        loop {
            let window = rest.get(..LONGEST).unwrap_or(rest);
            let end = window.iter().skip(new).position(|byte| *byte == b'\n').map(|more| new + more + 1);
            let (window, to) = match end {
                Some(end) => (rest.get(..end).unwrap_or(rest), end),
                None if window.len() == LONGEST => (window, LONGEST - OVERLAP),
                None => break,
            };
            let done = self.show(rules, window, to, out);
            self.shown -= done;
            rest = rest.get(done..).unwrap_or_default();
            new = 0;
        }
        self.text = rest.to_vec();
    }

    /// Shows the unfinished line as far as it goes.
    pub(crate) fn rest(&mut self, rules: &LineRules, out: &mut Vec<u8>) {
        let text = mem::take(&mut self.text);
        self.show(rules, &text, text.len(), out);
        self.text = text;
    }

    pub(crate) fn finish(&mut self, rules: &LineRules, out: &mut Vec<u8>) {
        self.rest(rules, out);
        *self = Self::default();
    }

    /// Shows a line up to there, or up to the end of what is replaced there. Returns how far that is.
    fn show(&mut self, rules: &LineRules, line: &[u8], to: usize, out: &mut Vec<u8>) -> usize {
        let mut at = self.shown;
        for (range, label) in rules.find(line) {
            if range.start >= to {
                break;
            }
            if range.end > at {
                out.extend_from_slice(line.get(at..range.start).unwrap_or_default());
                out.extend(label.bytes());
                at = range.end;
            }
        }
        let end = at.max(to);
        out.extend_from_slice(line.get(at..end).unwrap_or_default());
        self.shown = end;
        end
    }
}
