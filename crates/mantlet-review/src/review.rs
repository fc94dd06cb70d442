//! What reviewers write: what they looked at, what they could not judge, and what they found.

use std::collections::BTreeMap;

use crate::{
    finding::{Finding, Place},
    rule::{Level, Owasp, Practice, Rule},
};

/// A row that a report has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// Of the OWASP API Security Top 10.
    Owasp(Owasp),
    /// Of the checklist for production.
    Practice(Practice),
}

impl Row {
    /// All rows, in the order of a report.
    pub fn all() -> impl Iterator<Item = Self> {
        Owasp::ALL.map(Self::Owasp).into_iter().chain(Practice::ALL.map(Self::Practice))
    }

    /// Its short name.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Owasp(row) => row.id(),
            Self::Practice(row) => row.id(),
        }
    }

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Owasp(row) => row.title(),
            Self::Practice(row) => row.title(),
        }
    }

    /// Whether a rule belongs to it.
    pub fn has(self, rule: &Rule) -> bool {
        match self {
            Self::Owasp(row) => rule.owasp == row,
            Self::Practice(row) => rule.practice == Some(row),
        }
    }
}

/// What is known of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// What was looked at, and how many of it: `operations with an id`, 12.
    pub at: BTreeMap<String, usize>,
    /// What could not be judged, and why.
    pub unjudged: Vec<String>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Something was looked at, and nothing was found.
    Passed,
    /// The worst that was found.
    Found(Level),
    /// Nothing was looked at.
    NotJudged,
}

/// A review while it is made, and when it is done.
#[derive(Debug, Default)]
pub struct Review {
    /// The worst first, then by rule and subject; each once.
    findings: Vec<Finding>,
    rows: BTreeMap<Row, Looked>,
    notes: Vec<String>,
    operations: Vec<String>,
}

impl Review {
    /// So many things of a kind were looked at for a row.
    pub fn looked(&mut self, row: Row, what: &str, count: usize) {
        *self.rows.entry(row).or_default().at.entry(what.to_owned()).or_default() += count;
    }

    /// Something of a row could not be judged, and why.
    pub fn unjudged(&mut self, row: Row, why: impl Into<String>) {
        let (unjudged, why) = (&mut self.rows.entry(row).or_default().unjudged, why.into());
        if !unjudged.contains(&why) {
            unjudged.push(why);
        }
    }

    /// A row could not be judged at all, whatever was looked at for it.
    pub fn not_judged(&mut self, row: Row, why: &str) {
        self.rows.entry(row).or_default().at.clear();
        self.unjudged(row, why);
    }

    /// Something was found. What was found already counts once, at the worse of the two levels.
    pub fn found(&mut self, finding: Finding) {
        if let Some(at) = self.findings.iter().position(|known| words(known) == words(&finding)) {
            if self.findings.get(at).is_some_and(|known| known.level >= finding.level) {
                return;
            }
            self.findings.remove(at);
        }
        let is_before = |known: &Finding| {
            finding.level.cmp(&known.level).then_with(|| words(known).cmp(&words(&finding))).is_lt()
        };
        let at = self.findings.partition_point(is_before);
        self.findings.insert(at, finding);
    }

    /// Says where findings are written of which that is not said yet.
    pub(crate) fn locate(&mut self, place_of: impl Fn(&Finding) -> Option<Place>) {
        for finding in self.findings.iter_mut().filter(|finding| finding.place.is_none()) {
            finding.place = place_of(finding);
        }
    }

    /// Something that a reader should know and that is not a finding: a record that could not be read.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// These operations of the app are known: `GET /orders/{order_id}`. With none, nothing was reviewed.
    pub fn operations_known(&mut self, names: impl IntoIterator<Item = String>) {
        self.operations.extend(names);
    }

    /// How many operations of the app are known.
    pub const fn operations(&self) -> usize {
        self.operations.len()
    }

    /// Their names, in order.
    pub fn operation_names(&self) -> Vec<String> {
        let mut names = self.operations.clone();
        names.sort();
        names.dedup();
        names
    }

    /// What was found: the worst first, then by rule and subject. The same app gives the same order.
    pub fn findings(&self) -> Vec<&Finding> {
        self.findings.iter().collect()
    }

    /// What a reader should know besides.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What is known of a row.
    pub fn row(&self, row: Row) -> Looked {
        self.rows.get(&row).cloned().unwrap_or_default()
    }

    /// What became of a row.
    pub fn outcome(&self, row: Row) -> Outcome {
        let worst = self.findings.iter().filter(|finding| row.has(finding.rule)).map(|finding| finding.level);
        match worst.max() {
            Some(level) => Outcome::Found(level),
            None if self.row(row).at.values().any(|count| *count > 0) => Outcome::Passed,
            None => Outcome::NotJudged,
        }
    }

    /// What became of a row, in a few words: `passed`, `high (2)`.
    pub fn told(&self, row: Row) -> String {
        match self.outcome(row) {
            Outcome::Passed => "passed".to_owned(),
            Outcome::NotJudged => "not judged".to_owned(),
            Outcome::Found(level) => {
                let count = self.findings.iter().filter(|finding| row.has(finding.rule)).count();
                format!("{} ({count})", level.name())
            }
        }
    }

    /// The findings at a level or above.
    pub fn at_least(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level >= level).count()
    }
}

/// By what a finding is one of its own.
fn words(finding: &Finding) -> (&str, &str, &str) {
    (finding.rule.id, &finding.subject, &finding.part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{api, live};

    #[test]
    fn findings_are_sorted_and_each_is_there_once() {
        let mut review = Review::default();
        let mut found = |rule, subject: &str, level| {
            review.found(Finding::new(rule, subject, "It is so.").level(level));
        };
        found(&live::SECRET_SHOWN, "GET /b", Level::Low);
        found(&live::SECRET_SHOWN, "GET /a", Level::High);
        found(&api::WEAK_KEY, "the app", Level::Medium);
        found(&live::SECRET_SHOWN, "GET /b", Level::High);
        found(&live::SECRET_SHOWN, "GET /a", Level::Low);
        let all: Vec<_> = review.findings().iter().map(|one| (one.level, one.subject.as_str())).collect();
        assert_eq!(all, [(Level::High, "GET /a"), (Level::High, "GET /b"), (Level::Medium, "the app")]);
    }
}
