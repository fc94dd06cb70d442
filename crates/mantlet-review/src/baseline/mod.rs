//! `mantlet-check.toml`: findings that a team accepts, each with a reason and an end.
//!
//! 1. An entry names a finding by its rule, its subject and, if there are several, its part: what a finding is
//!    known by from run to run, wherever its line moves.
//! 2. `reason` and `until` are required. `until = "fixed"` holds as long as the finding is there; a date holds
//!    through that day.
//! 3. An entry that has expired accepts nothing, and is a finding itself. So is one without a finding, if its
//!    row was looked at: where nothing was looked at, nothing is known.
//!
//! ```
//! use mantlet_review::{Finding, Review, baseline::Baseline, rule::api::OBJECT_WITHOUT_RULE};
//!
//! let baseline = Baseline::read("mantlet-check.toml", r#"
//!     [[accept]]
//!     rule    = "object-without-rule"
//!     subject = "GET /orders/{order_id}"
//!     reason  = "orders are public"
//!     until   = "2027-01-31"
//! "#).unwrap();
//! let finding = Finding::new(&OBJECT_WITHOUT_RULE, "GET /orders/{order_id}", "it is not checked");
//! let (mut review, fingerprint) = (Review::default(), finding.fingerprint());
//! review.found(finding);
//!
//! let accepted = baseline.apply(&mut review, "2027-01-31".parse().unwrap());
//! assert_eq!(accepted[&fingerprint].reason, "orders are public");
//! let accepted = baseline.apply(&mut review, "2027-02-01".parse().unwrap());
//! assert!(accepted.is_empty() && review.findings().len() == 2);
//! ```

mod read;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::civil::Date;
use serde::Serialize;

pub use self::write::Addition;

use crate::{
    finding::{Finding, Place},
    review::{Review, Row},
    rule::{Rule, baseline as rules},
};

/// The file's name.
pub const FILE: &str = "mantlet-check.toml";

/// What a team accepts.
#[derive(Debug, Clone)]
pub struct Baseline {
    file: String,
    entries: Vec<Entry>,
}

/// One finding that is accepted.
#[derive(Debug, Clone)]
struct Entry {
    line: u32,
    rule: &'static Rule,
    subject: String,
    part: String,
    accepted: Accepted,
}

/// Why a finding is accepted, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// In the words of the team.
    pub reason: String,
    /// When it ends.
    pub until: Until,
}

/// When an entry ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// With the finding.
    Fixed,
    /// After a day.
    Date(Date),
}

/// What is wrong with the file, and on which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: u32,
    /// What is wrong, and what to write.
    pub message: String,
}

impl Baseline {
    /// One that accepts nothing.
    pub fn empty(file: impl Into<String>) -> Self {
        Self { file: file.into(), entries: Vec::new() }
    }

    /// How many findings it accepts.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it accepts nothing.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The findings of a review that are accepted, by their fingerprints. Entries that are wrong become findings.
    pub fn apply(&self, review: &mut Review, today: Date) -> BTreeMap<String, Accepted> {
        let found: BTreeSet<_> = review.findings().into_iter().map(Finding::fingerprint).collect();
        let mut accepted = BTreeMap::new();
        for entry in &self.entries {
            let fingerprint = entry.named().fingerprint();
            if !found.contains(&fingerprint) {
                if review.row(Row::Owasp(entry.rule.owasp)).at.values().any(|count| *count > 0) {
                    review.found(self.unmatched(entry));
                }
            } else if entry.accepted.until.is_over(today) {
                review.found(self.expired(entry));
            } else {
                accepted.insert(fingerprint, entry.accepted.clone());
            }
        }
        accepted
    }

    fn expired(&self, entry: &Entry) -> Finding {
        let Accepted { reason, until } = &entry.accepted;
        Finding::new(&rules::ENTRY_EXPIRED, entry.spoken(), format!("it was accepted until {until}"))
            .fact(format!("the reason was: {reason}"))
            .at(Some(self.place(entry)))
            .mended_by("mend the finding, or give the entry another date and say why")
    }

    fn unmatched(&self, entry: &Entry) -> Finding {
        let reason = &entry.accepted.reason;
        Finding::new(&rules::ENTRY_UNMATCHED, entry.spoken(), "it is accepted, and was not found")
            .fact(format!("the reason was: {reason}"))
            .at(Some(self.place(entry)))
            .mended_by("delete the entry")
    }

    fn place(&self, entry: &Entry) -> Place {
        Place { file: self.file.clone(), line: Some(entry.line) }
    }
}

impl Entry {
    /// A finding that it accepts.
    fn named(&self) -> Finding {
        Finding::new(self.rule, self.subject.clone(), "").part(self.part.clone())
    }

    fn spoken(&self) -> String {
        format!("{} at {}", self.rule.id, self.named().name())
    }
}

impl Until {
    fn is_over(self, today: Date) -> bool {
        matches!(self, Self::Date(last) if today > last)
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed => f.write_str("fixed"),
            Self::Date(date) => write!(f, "{date}"),
        }
    }
}

impl std::str::FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "fixed" {
            return Ok(Self::Fixed);
        }
        text.parse()
            .map(Self::Date)
            .map_err(|_| format!("`{text}` is not a date such as \"2027-01-31\", and not \"fixed\""))
    }
}
