//! A review as all formats print it: what became of each row, what was found, and what is accepted.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    baseline::{Accepted, Until},
    finding::{Finding, Fix},
    review::{Outcome, Review, Row},
    rule::{Level, Rule},
};

/// The version of [`Report`] as JSON. It changes when a key is renamed, removed or gets another meaning.
pub const VERSION: u32 = 1;

/// What is said of a row that no reviewer wrote anything about.
const NOT_LOOKED_AT: &str = "not part of this review";

/// What a report is about.
#[derive(Debug, Clone)]
pub struct About {
    /// The version of Mantlet.
    pub mantlet: String,
    /// The app, as its operator calls it: `main:app (Shop)`.
    pub app: String,
    /// The level from which a finding fails the review.
    pub fail_on: Level,
}

/// Where the project stands in its repository.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    /// The folder of the project below that of the repository, with `/` at its end; empty if they are one.
    pub below: String,
    /// The file, below the folder of the project, for findings that are about none.
    pub otherwise: String,
}

impl Repository {
    /// A file of the project, below the folder of the repository.
    pub(super) fn path(&self, file: &str) -> String {
        let mut parts: Vec<&str> = Vec::new();
        for part in self.below.split('/').chain(file.split('/')).filter(|part| !matches!(*part, "" | ".")) {
            match part {
                // The lock of a workspace stands above the project.
                ".." if parts.last().is_some_and(|last| *last != "..") => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        parts.join("/")
    }
}

/// A review that is done, against what a team accepts.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    version: u32,
    mantlet: String,
    /// The app, as its operator calls it.
    pub app: String,
    /// How many operations of it are known.
    pub operations: usize,
    /// Their names, in order.
    #[serde(skip)]
    pub(super) operation_names: Vec<String>,
    /// The level from which a finding fails the review.
    pub fail_on: Level,
    /// Whether one does.
    pub failed: bool,
    /// Findings that are not accepted, by level, the mildest first.
    #[serde(serialize_with = "every_level")]
    pub counts: BTreeMap<Level, usize>,
    /// Findings that the baseline accepts.
    pub accepted: usize,
    /// The rows, in the order of [`Row::all`].
    pub rows: Vec<RowReport>,
    /// What was found: the worst first.
    pub findings: Vec<Reported>,
    /// What a reader should know besides.
    pub notes: Vec<String>,
}

/// What became of a row.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RowReport {
    /// Which one.
    #[serde(rename = "id", serialize_with = "id_of_row")]
    pub row: Row,
    title: &'static str,
    /// In one word.
    pub outcome: Standing,
    /// Findings that are not accepted, by level.
    #[serde(serialize_with = "worst_first")]
    pub counts: BTreeMap<Level, usize>,
    /// Findings that the baseline accepts.
    pub accepted: usize,
    /// What was looked at, and how many of it.
    pub looked_at: BTreeMap<String, usize>,
    /// What could not be judged, and why.
    pub not_judged: Vec<String>,
    /// What was found of the app alone, where both were reviewed: `high (2)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alone: Option<String>,
}

/// What became of a row, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The worst that was found and is not accepted.
    Found(Level),
    /// All that was found is accepted.
    Accepted,
    /// Something was looked at, and nothing was found.
    Passed,
    /// The same, and something else could not be judged.
    PassedInPart,
    /// Nothing was looked at.
    NotJudged,
}

/// A finding, and whether it is accepted.
#[derive(Debug, Clone)]
pub struct Reported {
    /// What was found.
    pub finding: Finding,
    /// Why it is accepted, and until when.
    pub accepted: Option<Accepted>,
}

impl Report {
    /// The report of a review; `accepted` are findings of it by their fingerprints.
    pub fn new(about: About, review: &Review, accepted: &BTreeMap<String, Accepted>) -> Self {
        let findings: Vec<_> = review
            .findings()
            .into_iter()
            .map(|finding| Reported {
                finding: finding.clone(),
                accepted: accepted.get(&finding.fingerprint()).cloned(),
            })
            .collect();
        let counts = counted(&findings, |_| true);
        Self {
            version: VERSION,
            mantlet: about.mantlet,
            app: about.app,
            operations: review.operations(),
            operation_names: review.operation_names(),
            fail_on: about.fail_on,
            failed: counts.keys().any(|level| *level >= about.fail_on),
            accepted: findings.iter().filter(|one| one.accepted.is_some()).count(),
            counts,
            rows: Row::all().map(|row| RowReport::new(row, review, &findings)).collect(),
            findings,
            notes: review.notes().to_vec(),
        }
    }

    /// With what was found of the app without the gate.
    #[must_use]
    pub fn compared_with(mut self, alone: &Review) -> Self {
        for row in &mut self.rows {
            row.alone = Some(alone.told(row.row));
        }
        self
    }

    /// Findings that are not accepted.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|one| one.accepted.is_none()).map(|one| &one.finding)
    }

    /// Findings that fail the review.
    pub fn failing(&self) -> impl Iterator<Item = &Finding> {
        self.open().filter(|finding| finding.level >= self.fail_on)
    }

    /// Findings that are not accepted, by rule and level: the worst first.
    pub(super) fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for finding in self.open() {
            match groups.last_mut() {
                Some(group) if group.rule == finding.rule && group.level == finding.level => {
                    group.findings.push(finding);
                }
                _ => groups.push(Group { rule: finding.rule, level: finding.level, findings: vec![finding] }),
            }
        }
        groups
    }

    /// The version of Mantlet.
    pub(super) fn mantlet(&self) -> &str {
        &self.mantlet
    }

    /// Rows of one of the two lists.
    pub(super) fn list(&self, is_owasp: bool) -> impl Iterator<Item = &RowReport> {
        self.rows.iter().filter(move |row| matches!(row.row, Row::Owasp(_)) == is_owasp)
    }

    /// What the review comes to, as a sentence.
    pub fn verdict(&self) -> String {
        let (failing, level) = (self.failing().count(), self.fail_on.name());
        let open = self.open().count();
        let findings = |number: usize| match number {
            1 => "1 finding".to_owned(),
            number => format!("{number} findings"),
        };
        let outcome = match (failing, open) {
            (0, 0) => "Passed: nothing was found".to_owned(),
            (0, _) => format!("Passed: {} below `{level}`", findings(open)),
            (_, _) if failing == open => format!("Failed: {} at or above `{level}`", findings(failing)),
            _ => {
                format!("Failed: {} at or above `{level}`, and {} below", findings(failing), open - failing)
            }
        };
        let accepted = (self.accepted > 0).then(|| format!("{} accepted", findings(self.accepted)));
        let unjudged = self.rows.iter().filter(|row| row.outcome == Standing::NotJudged).count();
        let unjudged =
            (unjudged > 0).then(|| format!("{unjudged} of {} rows could not be judged", self.rows.len()));
        [Some(outcome), accepted, unjudged].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// Findings of one rule at one level.
pub(super) struct Group<'r> {
    pub(super) rule: &'static Rule,
    pub(super) level: Level,
    pub(super) findings: Vec<&'r Finding>,
}

/// Findings that the same text closes, so that it is printed once.
pub(super) struct Run<'r> {
    /// Those of which the same is said, together.
    pub(super) alike: Vec<Vec<&'r Finding>>,
    pub(super) fix: Option<&'r Fix>,
}

impl<'r> Group<'r> {
    pub(super) fn runs(&self) -> Vec<Run<'r>> {
        let mut runs: Vec<Run<'_>> = Vec::new();
        for finding in &self.findings {
            let fix = finding.fix.as_ref();
            let Some(run) = runs.iter_mut().find(|run| run.fix == fix) else {
                runs.push(Run { alike: vec![vec![finding]], fix });
                continue;
            };
            let is_alike =
                |known: &Finding| known.message == finding.message && known.evidence == finding.evidence;
            match run.alike.iter_mut().find(|known| known.first().is_some_and(|first| is_alike(first))) {
                Some(known) => known.push(finding),
                None => run.alike.push(vec![finding]),
            }
        }
        runs
    }
}

impl RowReport {
    fn new(row: Row, review: &Review, findings: &[Reported]) -> Self {
        let looked = review.row(row);
        let counts = counted(findings, |finding| row.has(finding.rule));
        let accepted =
            findings.iter().filter(|one| one.accepted.is_some() && row.has(one.finding.rule)).count();
        let worst = counts.keys().next_back();
        let outcome = match (worst, review.outcome(row)) {
            (Some(level), _) => Standing::Found(*level),
            (None, Outcome::Found(_)) => Standing::Accepted,
            (None, Outcome::Passed) if looked.unjudged.is_empty() => Standing::Passed,
            (None, Outcome::Passed) => Standing::PassedInPart,
            (None, Outcome::NotJudged) => Standing::NotJudged,
        };
        let mut not_judged = looked.unjudged;
        not_judged.sort();
        if outcome == Standing::NotJudged && not_judged.is_empty() {
            not_judged.push(NOT_LOOKED_AT.to_owned());
        }
        let looked_at = looked.at.into_iter().filter(|(_, count)| *count > 0).collect();
        Self { row, title: row.title(), outcome, counts, accepted, looked_at, not_judged, alone: None }
    }

    /// Its findings in words: `2 high, 1 low, 1 accepted`. Empty if there are none.
    pub fn found(&self) -> String {
        let levels = self.counts.iter().rev().map(|(level, count)| format!("{count} {}", level.name()));
        let accepted = (self.accepted > 0).then(|| format!("{} accepted", self.accepted));
        levels.chain(accepted).collect::<Vec<_>>().join(", ")
    }

    /// What was looked at, in words: `operations (12), secrets (1)`. Empty if that is nothing.
    pub fn looked_at(&self) -> String {
        self.looked_at.iter().map(|(what, count)| format!("{what} ({count})")).collect::<Vec<_>>().join(", ")
    }

    /// All that there is to say of it, in parts.
    pub fn details(&self) -> Vec<String> {
        let (found, looked_at) = (self.found(), self.looked_at());
        let mut parts = Vec::new();
        if !found.is_empty() {
            parts.push(found);
        }
        if !looked_at.is_empty() {
            parts.push(format!("looked at: {looked_at}"));
        }
        for why in &self.not_judged {
            let is_only = self.outcome == Standing::NotJudged;
            parts.push(if is_only { why.clone() } else { format!("not judged: {why}") });
        }
        parts.extend(self.alone.iter().map(|alone| format!("the app alone: {alone}")));
        parts
    }
}

impl Standing {
    /// As it is written in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Found(level) => level.name(),
            Self::Accepted => "accepted",
            Self::Passed => "passed",
            Self::PassedInPart => "passed-in-part",
            Self::NotJudged => "not-judged",
        }
    }

    /// As people read it.
    pub const fn spoken(self) -> &'static str {
        match self {
            Self::PassedInPart => "in part",
            Self::NotJudged => "not judged",
            other => other.code(),
        }
    }
}

impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl Serialize for Reported {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Finding { rule, level, subject, part, place, message, evidence, fix, needs_values } =
            &self.finding;
        let mut object = serializer.serialize_struct("Finding", 15)?;
        object.serialize_field("fingerprint", &self.finding.fingerprint())?;
        object.serialize_field("rule", rule.id)?;
        object.serialize_field("title", rule.title)?;
        object.serialize_field("level", level)?;
        object.serialize_field("owasp", rule.owasp.id())?;
        object.serialize_field("practice", &rule.practice.map(crate::rule::Practice::id))?;
        object.serialize_field("cwe", &rule.cwe)?;
        object.serialize_field("subject", subject)?;
        object.serialize_field("part", part)?;
        object.serialize_field("place", place)?;
        object.serialize_field("message", message)?;
        object.serialize_field("evidence", evidence)?;
        object.serialize_field("fix", fix)?;
        object.serialize_field("needs-values", needs_values)?;
        object.serialize_field("accepted", &self.accepted)?;
        object.end()
    }
}

impl Serialize for Until {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn counted(findings: &[Reported], has: impl Fn(&Finding) -> bool) -> BTreeMap<Level, usize> {
    let mut counts = BTreeMap::new();
    for one in findings.iter().filter(|one| one.accepted.is_none() && has(&one.finding)) {
        *counts.entry(one.finding.level).or_default() += 1;
    }
    counts
}

fn every_level<S: Serializer>(counts: &BTreeMap<Level, usize>, serializer: S) -> Result<S::Ok, S::Error> {
    let of = |level: Level| (level.name(), counts.get(&level).copied().unwrap_or_default());
    serializer.collect_map(Level::ALL.into_iter().rev().map(of))
}

fn worst_first<S: Serializer>(counts: &BTreeMap<Level, usize>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().rev())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn id_of_row<S: Serializer>(row: &Row, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(row.id())
}
