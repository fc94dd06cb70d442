//! Reads the file; all that is wrong with it is said at once.

use std::collections::BTreeMap;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Accepted, Baseline, Entry, Mistake};
use crate::{
    explain::nearest,
    rule::{self, Rule},
};

const TABLE: &str = "accept";
const KEYS: [&str; 6] = ["rule", "subject", "part", "reason", "until", "fingerprint"];

impl Baseline {
    /// Reads a file; its name stands in findings about it.
    pub fn read(file: impl Into<String>, text: &str) -> Result<Self, Vec<Mistake>> {
        let mut reader = Reader { text, mistakes: Vec::new() };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().unwrap_or_default().start;
            reader.mistake(at, error.message());
        }
        // What is not TOML is not understood either.
        let entries = if reader.mistakes.is_empty() { reader.file(table.get_ref()) } else { Vec::new() };
        reader.mistakes.sort_by_key(|mistake| mistake.line);
        reader.mistakes.dedup();
        if reader.mistakes.is_empty() {
            Ok(Self { file: file.into(), entries })
        } else {
            Err(reader.mistakes)
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn line(&self, byte: usize) -> u32 {
        let before = self.text.get(..byte).unwrap_or(self.text);
        u32::try_from(before.matches('\n').count()).map_or(u32::MAX, |lines| lines.saturating_add(1))
    }

    fn mistake(&mut self, at: usize, message: impl Into<String>) {
        let line = self.line(at);
        self.mistakes.push(Mistake { line, message: message.into() });
    }

    fn file(&mut self, table: &DeTable<'_>) -> Vec<Entry> {
        for (key, _) in table.iter().filter(|(key, _)| key.get_ref() != TABLE) {
            let message =
                format!("`{}` is not known: each accepted finding begins with `[[{TABLE}]]`", key.get_ref());
            self.mistake(key.span().start, message);
        }
        let Some(accepts) = table.get(TABLE) else { return Vec::new() };
        let mut entries: Vec<Entry> = Vec::new();
        let mut lines = BTreeMap::new();
        let items = accepts.get_ref().as_array().map(|items| items.iter().collect::<Vec<_>>());
        for item in items.unwrap_or_else(|| vec![accepts]) {
            let Some(keys) = item.get_ref().as_table().filter(|_| accepts.get_ref().is_array()) else {
                self.mistake(item.span().start, format!("each accepted finding begins with `[[{TABLE}]]`"));
                continue;
            };
            let Some(entry) = self.entry(item.span().start, keys) else { continue };
            if let Some(first) = lines.insert(entry.named().fingerprint(), entry.line) {
                let message =
                    format!("this finding is accepted on line {first} already: delete one of the two");
                self.mistake(item.span().start, message);
            }
            entries.push(entry);
        }
        entries
    }

    fn entry(&mut self, start: usize, keys: &DeTable<'_>) -> Option<Entry> {
        for (key, _) in keys.iter().filter(|(key, _)| !KEYS.contains(&key.get_ref().as_ref())) {
            let message =
                format!("the key `{}` is not known; known keys: {}", key.get_ref(), KEYS.join(", "));
            self.mistake(key.span().start, message);
        }
        let rule = self.required(start, keys, "rule", "the id of a rule, as reports have it");
        let rule = rule.and_then(|(at, id)| self.rule(at, &id));
        let subject = self.required(start, keys, "subject", "what the finding is about, as reports have it");
        let reason = self.required(start, keys, "reason", "why the finding is accepted");
        let ends = "the last day on which it is accepted, such as \"2027-01-31\", or \"fixed\"";
        let until = self.required(start, keys, "until", ends);
        let until =
            until.and_then(|(at, text)| text.parse().map_err(|why: String| self.mistake(at, why)).ok());
        let part = self.text(keys, "part").map(|(_, part)| part).unwrap_or_default();
        let fingerprint = self.text(keys, "fingerprint");
        let entry = Entry {
            line: self.line(start),
            rule: rule?,
            subject: subject?.1,
            part,
            accepted: Accepted { reason: reason?.1, until: until? },
        };
        if let Some((at, fingerprint)) = fingerprint
            && fingerprint != entry.named().fingerprint()
        {
            self.mistake(
                at,
                "the fingerprint belongs to another rule, subject or part: correct these, or delete the line",
            );
        }
        Some(entry)
    }

    fn rule(&mut self, at: usize, id: &str) -> Option<&'static Rule> {
        let rule = rule::by_id(id);
        if rule.is_none() {
            let help = match nearest(id).first() {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`mantlet check --explain` lists them".to_owned(),
            };
            self.mistake(at, format!("there is no rule `{id}`; {help}"));
        }
        rule
    }

    /// A text that has to be there, and where it begins.
    fn required(
        &mut self,
        start: usize,
        keys: &DeTable<'_>,
        key: &str,
        meaning: &str,
    ) -> Option<(usize, String)> {
        if keys.get(key).is_none() {
            self.mistake(start, format!("`{key}` is missing: {meaning}"));
            return None;
        }
        let (at, text) = self.text(keys, key)?;
        if text.trim().is_empty() {
            self.mistake(at, format!("`{key}` is empty: {meaning}"));
            return None;
        }
        Some((at, text))
    }

    /// A text; a date is one, too.
    fn text(&mut self, keys: &DeTable<'_>, key: &str) -> Option<(usize, String)> {
        let value: &Spanned<DeValue<'_>> = keys.get(key)?;
        let at = value.span().start;
        match value.get_ref() {
            DeValue::String(text) => Some((at, text.to_string())),
            DeValue::Datetime(date) => Some((at, date.to_string())),
            _ => {
                self.mistake(at, format!("`{key}` has to be a text between quotes"));
                None
            }
        }
    }
}
