//! What was found, where, how that is known, and what closes it.

use std::fmt::{self, Write as _};

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::rule::{Level, Rule};

/// One weakness at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The rule that it breaks.
    #[serde(serialize_with = "id_of")]
    pub rule: &'static Rule,
    /// How bad it is here.
    pub level: Level,
    /// What it is about: `GET /orders/{order_id}`, `Dockerfile`, `jinja2 2.4.1`. Stable from run to run.
    pub subject: String,
    /// Which one of several at the same subject: `parameter limit`. Stable from run to run; often empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// Where it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What is wrong here, as a sentence.
    pub message: String,
    /// How that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// What closes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// The text of configuration has values that only the operator knows: it is not put anywhere as it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub needs_values: bool,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Below the project's folder, with `/`.
    pub file: String,
    /// From 1; none means the file as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// How something is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Evidence {
    /// A fact, as a sentence or a line of a file. Secrets are masked.
    Fact {
        /// The fact.
        text: String,
    },
    /// What was sent to the app, and what it answered. Secrets are masked.
    Exchange {
        /// Who asked: the name of an identity, or `nobody`.
        caller: String,
        /// The head of the request, and its body.
        request: String,
        /// The head of the answer, and the beginning of its body.
        response: String,
        /// A command that sends the same.
        curl: String,
    },
}

/// What closes a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Fix {
    /// Text for `mantlet.toml`, which closes it without a change to the app.
    Configuration {
        /// The text, valid by itself.
        toml: String,
    },
    /// What the app's author has to do.
    Author {
        /// As a sentence.
        text: String,
    },
}

impl Finding {
    /// A finding at the level of its rule.
    pub fn new(rule: &'static Rule, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule,
            level: rule.level,
            subject: subject.into(),
            part: String::new(),
            place: None,
            message: message.into(),
            evidence: Vec::new(),
            fix: None,
            needs_values: false,
        }
    }

    /// Which one of several at the same subject.
    #[must_use]
    pub fn part(self, part: impl Into<String>) -> Self {
        Self { part: part.into(), ..self }
    }

    /// Where it is written.
    #[must_use]
    pub fn at(self, place: Option<Place>) -> Self {
        Self { place, ..self }
    }

    /// How bad it is here.
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        debug_assert!(level <= self.rule.worst(), "{}: its table says that it is milder", self.rule.id);
        Self { level, ..self }
    }

    /// A fact by which it is known.
    #[must_use]
    pub fn fact(mut self, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence::Fact { text: text.into() });
        self
    }

    /// What was asked and answered by which it is known.
    #[must_use]
    pub fn shown_by(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// Text for `mantlet.toml` that closes it.
    #[must_use]
    pub fn closed_by(self, toml: impl Into<String>) -> Self {
        Self { fix: Some(Fix::Configuration { toml: toml.into() }), ..self }
    }

    /// The same, where a comment in it says which values the operator has to put in.
    #[must_use]
    pub fn closed_with_own_values(self, toml: impl Into<String>) -> Self {
        Self { needs_values: true, ..self.closed_by(toml) }
    }

    /// What the app's author has to do.
    #[must_use]
    pub fn mended_by(self, text: impl Into<String>) -> Self {
        Self { fix: Some(Fix::Author { text: text.into() }), ..self }
    }

    /// What it is about, in words: the subject, and which one of several.
    pub fn name(&self) -> String {
        if self.part.is_empty() { self.subject.clone() } else { format!("{}, {}", self.subject, self.part) }
    }

    /// What is wrong, and at what.
    pub fn told(&self) -> String {
        if self.message.starts_with(&self.subject) {
            return self.message.clone();
        }
        format!("{}: {}", self.name(), self.message)
    }

    /// Where it is written, unless that says no more than the subject does.
    pub fn place_beside(&self) -> Option<String> {
        self.place.as_ref().map(ToString::to_string).filter(|place| *place != self.subject)
    }

    /// By what a baseline knows it again: the rule, the subject and the part, however the line moves.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for word in [self.rule.id, &self.subject, &self.part] {
            hash.update(word.len().to_be_bytes());
            hash.update(word);
        }
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn id_of<S: Serializer>(rule: &&'static Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.id)
}
