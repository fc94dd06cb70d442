//! Secrets in a body that is not read as a whole: a stream, a part, or one that is too large or
//! unreadable.
//!
//! The scanner understands only `"name": "value"`. If the name is that of a secret and only a
//! secret can have the value, the value is overwritten with `*`, byte by byte, so that no length
//! changes. Bytes are held back only until a suspicious value has ended.

use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, MatchKind};
use bytes::Bytes;

use super::{
    names::SecretNames,
    secrets::{self, BEGINNINGS, Secret},
};

/// Bytes before a value that are searched for its name.
const BEFORE: usize = 160;
/// A longer value, as it is written, is not a hash.
const LONGEST: usize = 2 * secrets::LONGEST;
/// Names that are told.
const MAX_NAMES: usize = 5;

/// None only if the list above could not be compiled, which a test would notice.
static FINDER: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(BEGINNINGS).ok());

/// The patterns that are searched for in a response.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) names: Arc<SecretNames>,
    /// Names that the operation's models declare: they are meant.
    pub(super) declared: Arc<[Box<str>]>,
    /// Private keys too.
    pub(super) private_keys: bool,
    /// Findings are overwritten; else they are only reported.
    pub(super) masks: bool,
}

/// Scans a response piece by piece.
#[derive(Debug)]
pub(super) struct Scanner {
    wanted: Wanted,
    /// The end of the bytes that were passed on.
    before: Vec<u8>,
    /// Bytes that were not passed on yet.
    held: Vec<u8>,
    /// Inside a private key: whether the byte before was a backslash.
    inside: Option<bool>,
    found: Vec<String>,
}

impl Scanner {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self { wanted, before: Vec::new(), held: Vec::new(), inside: None, found: Vec::new() }
    }

    /// A whole response.
    pub(super) fn whole(mut self, body: &[u8]) -> (Vec<u8>, Vec<String>) {
        let mut out = self.push(Bytes::copy_from_slice(body)).to_vec();
        out.extend(self.end());
        (out, self.found)
    }

    /// Bytes that are held back.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The names that were found since this was asked.
    pub(super) fn take_found(&mut self) -> Vec<String> {
        std::mem::take(&mut self.found)
    }

    /// The next piece; what may be given on.
    pub(super) fn push(&mut self, data: Bytes) -> Bytes {
        if self.held.is_empty()
            && self.inside.is_none()
            && !may_begin(&data)
            && unfinished(&self.before, &data).is_none()
        {
            self.gone(&data);
            return data;
        }
        self.work(&data, false).into()
    }

    /// The end; returns the bytes that were held back.
    pub(super) fn end(&mut self) -> Vec<u8> {
        if self.held.is_empty() { Vec::new() } else { self.work(&[], true) }
    }

    fn work(&mut self, data: &[u8], last: bool) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.before);
        let from = all.len();
        all.append(&mut self.held);
        all.extend_from_slice(data);
        let mut at = from;
        let mut keep = all.len();
        while at < all.len() {
            if let Some(escaped) = self.inside {
                at = self.mask_rest(&mut all, at, escaped);
                continue;
            }
            let Some(start) = next_beginning(&all, at, last) else { break };
            let key = key_before(&all, start).filter(|key| self.is_wanted(key));
            let Some(key) = key else {
                at = start + 1;
                continue;
            };
            match value_at(&all, start) {
                Value::Whole(end, text) => {
                    if self.counts(secrets::certain(&text)) {
                        self.note(key);
                        self.mask(&mut all, start + 1, end);
                    }
                    at = end + 1;
                }
                Value::Begun { text } if secrets::is_private_key(&text) => {
                    if self.counts(Some(Secret::PrivateKey)) {
                        self.note(key);
                        self.inside = Some(false);
                    }
                    at = start + 1;
                }
                Value::Begun { .. } if last || all.len() - start > LONGEST => at = start + 1,
                Value::Begun { .. } => {
                    keep = start;
                    break;
                }
            }
        }
        self.held = all.split_off(keep);
        let out = all.split_off(from);
        self.before = all;
        self.gone(&out);
        out
    }

    fn is_wanted(&self, key: &str) -> bool {
        self.wanted.names.has_name(key) && !super::names::is_among(key, &self.wanted.declared)
    }

    fn counts(&self, secret: Option<Secret>) -> bool {
        match secret {
            Some(Secret::PasswordHash) => true,
            Some(Secret::PrivateKey) => self.wanted.private_keys,
            None => false,
        }
    }

    fn note(&mut self, key: String) {
        if self.found.len() < MAX_NAMES && !self.found.contains(&key) {
            self.found.push(key);
        }
    }

    fn mask(&self, all: &mut [u8], from: usize, to: usize) {
        if self.wanted.masks
            && let Some(value) = all.get_mut(from..to)
        {
            value.fill(b'*');
        }
    }

    /// Writes over what is left of a text; where it, or what is there of it, ends.
    fn mask_rest(&mut self, all: &mut [u8], from: usize, mut escaped: bool) -> usize {
        let mut at = from;
        while let Some(byte) = all.get(at) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.inside = None;
                    self.mask(all, from, at);
                    return at + 1;
                }
                _ => {}
            }
            at += 1;
        }
        self.inside = Some(escaped);
        self.mask(all, from, at);
        at
    }

    /// Remembers the end of what was given on.
    fn gone(&mut self, out: &[u8]) {
        if out.len() >= BEFORE {
            self.before.clear();
        } else {
            let surplus = (self.before.len() + out.len()).saturating_sub(BEFORE);
            self.before.drain(..surplus.min(self.before.len()));
        }
        self.before.extend_from_slice(out.get(out.len().saturating_sub(BEFORE)..).unwrap_or_default());
    }
}

/// Whether a value that may be a secret begins in these bytes.
fn may_begin(data: &[u8]) -> bool {
    FINDER.as_ref().is_none_or(|finder| finder.is_match(data))
}

/// Where a value begins of which too little is there: the next piece has to be seen. Only a quote after a colon opens a value.
fn unfinished(before: &[u8], data: &[u8]) -> Option<usize> {
    let longest = BEGINNINGS.iter().map(|beginning| beginning.len()).max().unwrap_or_default();
    let first = data.len().saturating_sub(longest - 1);
    (first..data.len()).find(|start| {
        let rest = data.get(*start..).unwrap_or_default();
        BEGINNINGS
            .iter()
            .any(|beginning| beginning.len() > rest.len() && beginning.as_bytes().starts_with(rest))
            && {
                let last = data.get(..*start).unwrap_or_default().trim_ascii_end().last();
                last.or_else(|| before.trim_ascii_end().last()) == Some(&b':')
            }
    })
}

fn next_beginning(all: &[u8], from: usize, last: bool) -> Option<usize> {
    let found =
        FINDER.as_ref().and_then(|finder| finder.find(all.get(from..)?)).map(|found| from + found.start());
    found.or_else(|| unfinished(&[], all).filter(|start| !last && *start >= from))
}

/// The key in front of a value.
fn key_before(all: &[u8], value: usize) -> Option<String> {
    let before = all.get(..value)?.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    let end = before.len();
    let text = before.strip_suffix(b"\"")?;
    let lowest = text.len().saturating_sub(BEFORE);
    let start =
        (lowest..text.len()).rev().find(|at| text.get(*at) == Some(&b'"') && !is_escaped(text, *at))?;
    serde_json::from_slice(before.get(start..end)?).ok()
}

fn is_escaped(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

enum Value {
    /// Up to its closing quote.
    Whole(usize, String),
    /// As far as it is there.
    Begun { text: String },
}

/// The text whose opening quote is here.
fn value_at(all: &[u8], start: usize) -> Value {
    let rest = all.get(start + 1..).unwrap_or_default();
    let within = rest.get(..LONGEST).unwrap_or(rest);
    let mut escaped = false;
    let end = within.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    match end {
        Some(end) => {
            let end = start + 1 + end;
            let text = serde_json::from_slice(all.get(start..=end).unwrap_or_default()).unwrap_or_default();
            Value::Whole(end, text)
        }
        None => Value::Begun { text: String::from_utf8_lossy(within).into_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::{super::secrets::BCRYPT, *};

    fn wanted() -> Wanted {
        Wanted {
            names: Arc::new(SecretNames::new(&SecretNames::default_names())),
            declared: Arc::new(["client_secret".into()]),
            private_keys: true,
            masks: true,
        }
    }

    /// What leaves of a body that comes in pieces of this size.
    fn passed(body: &str, size: usize) -> (String, Vec<String>) {
        let mut scanner = Scanner::new(wanted());
        let mut out = Vec::new();
        for piece in body.as_bytes().chunks(size) {
            out.extend(scanner.push(Bytes::copy_from_slice(piece)));
        }
        out.extend(scanner.end());
        (String::from_utf8(out).unwrap(), scanner.take_found())
    }

    fn stars(text: &str) -> String {
        "*".repeat(text.len())
    }

    #[test]
    fn secrets_are_written_over_whatever_is_around_them_and_however_they_come() {
        let key = r"-----BEGIN RSA PRIVATE KEY-----\nMIIE\\\n".to_owned() + &"a".repeat(5_000);
        for (body, gone) in [
            (format!(r#"{{"id": 1, "password_hash": "{BCRYPT}", "x": 2}}"#), BCRYPT),
            (format!(r#"[{{"hashedPassword"  :  "{BCRYPT}"}}, "#), BCRYPT),
            // The rest of a part that begins anywhere.
            (format!(r#"n", "b": "c", "pwd":"{BCRYPT}", "more"#), BCRYPT),
            (format!(r#"x" {{'broken', "\u0070assword": "{BCRYPT}""#), BCRYPT),
            (format!(r#"{{"private_key": "{key}", "id": 1}}"#), &key),
            (format!("data: {{\"passwd\": \"{BCRYPT}\"}}\n\n"), BCRYPT),
        ] {
            for size in [1, 2, 3, 7, 64, 1_000, 100_000] {
                let (out, found) = passed(&body, size);
                assert_eq!(out, body.replace(gone, &stars(gone)), "{size}");
                assert_eq!(found.len(), 1, "{size}: {body}");
            }
        }
    }

    #[test]
    fn everything_else_passes_as_it_came() {
        for body in [
            format!(r#"{{"hash": "{BCRYPT}", "password": "hunter2", "pwd": "/workspace"}}"#),
            format!(r#"{{"client_secret": "{BCRYPT}"}}"#),
            format!(r#"["password_hash", "{BCRYPT}"]"#),
            r#"{"password": "$2b$12$"#.to_owned(),
            r#"{"password": "-----BEGIN PUBLIC KEY-----\nMIIE"}"#.to_owned(),
            r#"{"password": "$"#.to_owned() + &"x".repeat(5_000) + "\"}",
            r#"{"password": ""#.to_owned(),
        ] {
            for size in [1, 5, 100_000] {
                assert_eq!(passed(&body, size), (body.clone(), Vec::new()), "{size}");
            }
        }
    }

    #[test]
    fn nothing_is_held_back_that_is_not_the_beginning_of_a_secret() {
        let mut scanner = Scanner::new(wanted());
        for piece in [r#"{"a":"b""#, r#","password""#, r#": "x", "tok""#, "data: {}\n\n", r#"{"c": ["d""#] {
            let piece = Bytes::from_static(piece.as_bytes());
            assert_eq!(scanner.push(piece.clone()), piece);
        }
        assert_eq!(scanner.push(Bytes::from_static(b", \"pwd\":\"")), &b", \"pwd\":"[..]);
        assert_eq!(scanner.push(Bytes::from_static(b"hunter2\"")), &b"\"hunter2\""[..]);
    }
}
