//! Entries for findings that a team decides to accept.

use std::fmt::Write as _;

use super::{Accepted, Baseline};
use crate::{finding::Finding, rule::baseline as rules};

/// What a new file begins with.
const HEAD: &str = "\
# Findings of `mantlet check` that we accept, each with a reason and an end: a date, or \"fixed\".
";

/// Entries that were written, as text behind what the file has.
#[derive(Debug, PartialEq, Eq)]
pub struct Addition {
    /// The text to append.
    pub text: String,
    /// The findings that it accepts.
    pub fingerprints: Vec<String>,
    /// Lines of entries that have expired: a person has to decide about them.
    pub expired: Vec<u32>,
}

impl Baseline {
    /// Entries for findings. What stands in the file stays as it is.
    pub fn addition<'f>(&self, findings: impl Iterator<Item = &'f Finding>, accepted: &Accepted) -> Addition {
        let mut addition = Addition { text: String::new(), fingerprints: Vec::new(), expired: Vec::new() };
        for finding in findings.filter(|finding| !rules::ALL.contains(&finding.rule)) {
            let fingerprint = finding.fingerprint();
            let mut entries = self.entries.iter();
            if let Some(entry) = entries.find(|entry| entry.named().fingerprint() == fingerprint) {
                addition.expired.push(entry.line);
            } else {
                write(&mut addition.text, finding, accepted);
                addition.fingerprints.push(fingerprint);
            }
        }
        addition
    }
}

impl Addition {
    /// The file with the entries: `before` is what it had.
    pub fn onto(&self, before: Option<&str>) -> String {
        let before = before.unwrap_or(HEAD);
        let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
        [before, end, &self.text].concat()
    }
}

fn write(text: &mut String, finding: &Finding, Accepted { reason, until }: &Accepted) {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    text.push_str("\n[[accept]]\n");
    let mut add = |key: &str, value: &str| {
        let _ = writeln!(text, "{key:<11} = {}", quoted(value));
    };
    add("rule", finding.rule.id);
    add("subject", &finding.subject);
    if !finding.part.is_empty() {
        add("part", &finding.part);
    }
    add("reason", reason);
    add("until", &until.to_string());
    add("fingerprint", &finding.fingerprint());
}
