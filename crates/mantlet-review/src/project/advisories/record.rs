//! One record in the format of OSV (schema 1.x), read as far as it counts here, and what it says of a version.

use std::{cmp::Ordering, str::FromStr as _};

use pep440_rs::Version;
use serde_json::Value;

use super::severity;
use crate::rule::Level;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `GHSA-…`, `PYSEC-…`, `CVE-…`.
    pub id: String,
    /// Its names in other databases.
    pub aliases: Vec<String>,
    /// What is weak, in a line.
    pub summary: Option<String>,
    /// It was a mistake, or told twice.
    pub withdrawn: bool,
    /// How bad it is, if the record says so.
    pub level: Option<Level>,
    /// The same, as the record writes it.
    pub severity: Option<String>,
    /// Which packages, in which versions.
    pub affected: Vec<Affected>,
}

/// A package and its affected versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// As the record writes it.
    pub name: String,
    /// Single versions.
    pub versions: Vec<String>,
    /// Ranges of versions.
    pub ranges: Vec<Range>,
}

/// A range of versions, by what happened at which version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Range {
    /// The kind of an event and its version, in the order of the record.
    pub events: Vec<(String, String)>,
}

impl Record {
    /// Reads a record. Packages that are not of Python are left out.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(value: &Value) -> Result<Self, String> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let id = text("id").filter(|id| !id.is_empty()).ok_or("it has no `id`")?;
        let mut record = Self {
            aliases: texts(value.get("aliases")),
            summary: text("summary").or_else(|| text("details").map(|details| first_line(&details))),
            withdrawn: value.get("withdrawn").is_some_and(|withdrawn| !withdrawn.is_null()),
            level: None,
            severity: None,
            affected: Vec::new(),
            id,
        };
        let affected = match value.get("affected") {
            None => return Ok(record),
            Some(affected) => affected.as_array().ok_or("`affected` is not a list")?,
        };
        let mut of_packages = Vec::new();
        for (at, affected) in affected.iter().enumerate() {
            // Without a package, it is about commits of a repository.
            let Some(package) = affected.get("package") else { continue };
            let ecosystem = package.get("ecosystem").and_then(Value::as_str).unwrap_or_default();
            if ecosystem.split(':').next() != Some("PyPI") {
                continue;
            }
            let name = package
                .get("name")
                .and_then(Value::as_str)
                .ok_or_else(|| format!("`affected[{at}].package` has no `name`"))?;
            let mut one = Affected {
                name: name.to_owned(),
                versions: texts(affected.get("versions")),
                ranges: Vec::new(),
            };
            for range in affected.get("ranges").and_then(Value::as_array).into_iter().flatten() {
                if matches!(range.get("type").and_then(Value::as_str), Some("ECOSYSTEM" | "SEMVER")) {
                    let events = range
                        .get("events")
                        .and_then(Value::as_array)
                        .ok_or_else(|| format!("a range of `affected[{at}]` has no `events`"))?;
                    one.ranges.push(Range::read(events).map_err(|why| format!("`affected[{at}]`: {why}"))?);
                }
            }
            of_packages.push(affected);
            record.affected.push(one);
        }
        (record.level, record.severity) = severity::of(value, &of_packages);
        Ok(record)
    }

    /// All its names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// The package itself is the attack.
    pub(super) fn is_malicious(&self) -> bool {
        self.id.starts_with("MAL-")
    }
}

impl Affected {
    /// Whether a version is affected, and if so by which versions it is fixed.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub fn judge(&self, version: &str) -> Result<Option<Vec<String>>, String> {
        let parsed = Version::from_str(version).ok();
        let is_listed = self.versions.iter().any(|listed| {
            listed == version || (parsed.is_some() && Version::from_str(listed).ok() == parsed)
        });
        let Some(parsed) = parsed else {
            return match (is_listed, self.ranges.is_empty()) {
                (true, _) => Ok(Some(Vec::new())),
                (false, true) => Ok(None),
                (false, false) => Err("the version does not follow PEP 440".to_owned()),
            };
        };
        let mut affected = is_listed;
        let mut fixed = Vec::new();
        let mut wrong = None;
        for range in &self.ranges {
            match range.contains(&parsed) {
                Ok(is_in) => {
                    affected |= is_in;
                    if is_in || is_listed {
                        fixed.extend(range.fixed_after(&parsed));
                    }
                }
                Err(why) => wrong = Some(why),
            }
        }
        match (affected, wrong) {
            (true, _) => Ok(Some(fixed)),
            (false, None) => Ok(None),
            (false, Some(why)) => Err(why),
        }
    }
}

/// A version of an event. `introduced` at `0` is before all versions, and `limit` at `*` is after them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Bound {
    First,
    At(Version),
    Last,
}

impl Bound {
    fn read(kind: &str, text: &str) -> Result<Self, String> {
        match (kind, text) {
            ("introduced", "0") => Ok(Self::First),
            ("limit", "*") => Ok(Self::Last),
            _ => {
                Version::from_str(text).map(Self::At).map_err(|_| format!("`{text}` does not follow PEP 440"))
            }
        }
    }

    /// How a version stands to it.
    fn compare(&self, version: &Version) -> Ordering {
        match self {
            Self::First => Ordering::Greater,
            Self::At(bound) => version.cmp(bound),
            Self::Last => Ordering::Less,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::At(one), Self::At(other)) => one.cmp(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::First => 0,
            Self::At(_) => 1,
            Self::Last => 2,
        }
    }
}

impl Range {
    fn read(events: &[Value]) -> Result<Self, String> {
        let mut range = Self::default();
        for event in events {
            let event = event.as_object().ok_or("an event is not an object")?;
            for kind in ["introduced", "fixed", "last_affected", "limit"] {
                match event.get(kind) {
                    None => {}
                    Some(Value::String(version)) => range.events.push((kind.to_owned(), version.clone())),
                    Some(_) => return Err(format!("`{kind}` is not a text")),
                }
            }
        }
        Ok(range)
    }

    /// A range of these events.
    pub fn of(events: &[(&str, &str)]) -> Self {
        Self {
            events: events
                .iter()
                .map(|(kind, version)| ((*kind).to_owned(), (*version).to_owned()))
                .collect(),
        }
    }

    /// Whether a version is in it, by the algorithm of the OSV schema.
    ///
    /// # Errors
    /// Which of its versions cannot be compared.
    pub fn contains(&self, version: &Version) -> Result<bool, String> {
        let mut events = Vec::new();
        let mut limits = Vec::new();
        for (kind, text) in &self.events {
            let bound = Bound::read(kind, text)?;
            if kind == "limit" { limits.push(bound) } else { events.push((kind.as_str(), bound)) }
        }
        if !limits.is_empty() && !limits.iter().any(|limit| limit.compare(version) == Ordering::Less) {
            return Ok(false);
        }
        events.sort_by(|(_, one), (_, other)| one.order(other));
        let mut is_in = false;
        for (kind, bound) in events {
            let at = bound.compare(version);
            match kind {
                "introduced" if at != Ordering::Less => is_in = true,
                "fixed" if at != Ordering::Less => is_in = false,
                "last_affected" if at == Ordering::Greater => is_in = false,
                _ => {}
            }
        }
        Ok(is_in)
    }

    /// The first version after this one in which it is fixed.
    fn fixed_after(&self, version: &Version) -> Option<String> {
        let fixed = self.events.iter().filter(|(kind, _)| kind == "fixed").map(|(_, text)| text);
        let later = fixed
            .filter_map(|text| Some((Version::from_str(text).ok()?, text)))
            .filter(|(fixed, _)| fixed > version);
        later.min_by(|one, other| one.0.cmp(&other.0)).map(|(_, text)| text.clone())
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// At most 200 characters of the first line that is not empty.
fn first_line(text: &str) -> String {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .unwrap_or_default();
    let mut short: String = line.chars().take(200).collect();
    if line.chars().count() > 200 {
        short.push('…');
    }
    short
}
