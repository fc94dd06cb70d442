//! A rule in words: what it is, what an attacker gains by it, how to mend it.

mod examples;

use std::fmt::Write as _;

use self::examples::example;
use crate::{
    rule::{self, Owasp, Rule},
    wrap::wrapped,
};

/// A rule for a terminal with so many columns.
pub fn text(rule: &Rule, width: usize) -> String {
    let mut written = format!("{}\n\n", rule.title);
    let belongs =
        rule.practice.map(|row| format!(", and to \u{201c}{}\u{201d} of the checklist", row.title()));
    for (title, text) in [
        ("Rule", rule.id.to_owned()),
        ("Level", level(rule)),
        ("Belongs to", format!("{} {}{}", rule.owasp.id(), rule.owasp.title(), belongs.unwrap_or_default())),
        ("Weakness", format!("CWE-{}, {}", rule.cwe, weakness(rule.cwe))),
        ("Why", rule.why.to_owned()),
        ("To mend it", rule.remedy.to_owned()),
        ("More", page(rule.owasp)),
    ] {
        let lines = wrapped(&text, width.saturating_sub(12).max(24));
        for (number, line) in lines.iter().enumerate() {
            let title = if number == 0 { title } else { "" };
            let _ = writeln!(written, "{title:<12}{line}");
        }
    }
    if let Some(example) = example(rule.id) {
        written.push_str("\nExample\n\n");
        for line in example.lines() {
            let _ = writeln!(written, "    {line}");
        }
    }
    written.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Its level, and the worst that a finding may have.
fn level(rule: &Rule) -> String {
    let (usual, worst) = (rule.level, rule.worst());
    if worst == usual {
        return usual.name().to_owned();
    }
    format!("{}, up to {}", usual.name(), worst.name())
}

/// A rule as Markdown.
pub fn markdown(rule: &Rule) -> String {
    let mut text = format!(
        "{}\n\n**How to mend it.** {}\n\nRow: [{} {}]({}). Weakness: [CWE-{}]({}).\n",
        rule.why,
        rule.remedy,
        rule.owasp.id(),
        rule.owasp.title(),
        page(rule.owasp),
        rule.cwe,
        weakness(rule.cwe)
    );
    if let Some(example) = example(rule.id) {
        let _ = write!(text, "\n```\n{example}\n```\n");
    }
    text
}

/// A rule as a paragraph.
pub fn in_words(rule: &Rule) -> String {
    format!("{} {}", rule.why, rule.remedy)
}

/// All rules, each on a line: id, level, row and title, by row.
pub fn list() -> String {
    let mut rules: Vec<_> = rule::all().collect();
    rules.sort_by_key(|rule| (rule.owasp, std::cmp::Reverse(rule.level), rule.id));
    let widest = rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    rules.iter().fold(String::new(), |mut text, rule| {
        let row = rule.owasp.id();
        let _ = writeln!(text, "{row:<10}  {:<8}  {:<widest$}  {}", rule.level.name(), rule.id, rule.title);
        text
    })
}

/// Ids that resemble one that is not known, or whose first words do: the nearest first.
pub fn nearest(id: &str) -> Vec<&'static str> {
    let id = id.to_lowercase().replace('_', "-");
    let words = id.split('-').count();
    let most = (id.len() / 3).min(4);
    let mut known: Vec<_> = rule::all()
        .map(|rule| {
            let start = rule.id.split('-').take(words).collect::<Vec<_>>().join("-");
            let distances = [rule.id, &start].map(|known| strsim::osa_distance(&id, known));
            (distances.into_iter().min().unwrap_or_default(), rule.id)
        })
        .filter(|(distance, _)| *distance <= most)
        .collect();
    known.sort_unstable();
    known.into_iter().map(|(_, id)| id).take(3).collect()
}

/// The page of a row at OWASP.
pub fn page(row: Owasp) -> String {
    let name = match row {
        Owasp::Api1 => "0xa1-broken-object-level-authorization",
        Owasp::Api2 => "0xa2-broken-authentication",
        Owasp::Api3 => "0xa3-broken-object-property-level-authorization",
        Owasp::Api4 => "0xa4-unrestricted-resource-consumption",
        Owasp::Api5 => "0xa5-broken-function-level-authorization",
        Owasp::Api6 => "0xa6-unrestricted-access-to-sensitive-business-flows",
        Owasp::Api7 => "0xa7-server-side-request-forgery",
        Owasp::Api8 => "0xa8-security-misconfiguration",
        Owasp::Api9 => "0xa9-improper-inventory-management",
        Owasp::Api10 => "0xaa-unsafe-consumption-of-apis",
    };
    format!("https://owasp.org/API-Security/editions/2023/en/{name}/")
}

/// The page of a weakness.
fn weakness(number: u16) -> String {
    format!("https://cwe.mitre.org/data/definitions/{number}.html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_an_id_of_its_own_and_an_example() {
        let mut ids = std::collections::BTreeSet::new();
        for rule in rule::all() {
            assert!(ids.insert(rule.id), "{}: two rules have this id", rule.id);
            assert!(example(rule.id).is_some(), "{}: give it an example", rule.id);
        }
    }

    #[test]
    fn the_worst_level_is_told() {
        assert_eq!(level(&rule::api::OBJECT_WITHOUT_RULE), "high, up to critical");
        assert_eq!(level(&rule::api::DEBUG), "medium");
        assert!(rule::all().all(|rule| rule.worst() >= rule.level));
    }

    #[test]
    fn a_slip_is_understood() {
        assert_eq!(nearest("object_witout_rule"), ["object-without-rule"]);
        assert!(
            nearest("objekt").iter().all(|id| id.starts_with("object-")) && !nearest("objekt").is_empty()
        );
        assert!(nearest("xyzzy").is_empty());
    }
}
