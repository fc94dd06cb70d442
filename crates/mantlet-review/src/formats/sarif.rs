//! SARIF 2.1.0, as code scanning reads it.
//!
//! - A finding always has a file: without one of its own, a file of the project stands in, because GitHub
//!   refuses results without a place.
//! - Code scanning takes the severity from the rule alone. A finding that is milder or worse than its rule has
//!   a rule of its own, below it: `object-without-rule/low`.
//! - Fingerprints hold no line: a finding that moves within its file stays the same one.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    json::json,
    report::{Report, Reported, Repository},
};
use crate::{
    explain,
    finding::{Evidence, Finding, Fix},
    rule::{self, Level, Rule},
};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The root of the repository, which the viewer of the report knows.
const ROOT: &str = "%SRCROOT%";
/// GitHub keeps so many results, and drops the rest.
const SHOWN: usize = 5_000;
/// What a path has besides letters and digits and may stay as it is in a URI.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A report as SARIF.
pub(super) fn sarif(report: &Report, repository: &Repository) -> String {
    let rules = rules(report);
    let results: Vec<_> =
        report.findings.iter().take(SHOWN).map(|one| result(one, &rules, repository)).collect();
    let mut notes: Vec<_> = report.notes.clone();
    let left = report.findings.len() - results.len();
    if left > 0 {
        notes.push(format!("{left} findings are left out, because code scanning keeps {SHOWN}"));
    }
    let notes: Vec<_> =
        notes.iter().map(|note| json!({"level": "note", "message": {"text": note}})).collect();
    json(&json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "Mantlet",
                "semanticVersion": report.mantlet(),
                "rules": rules.iter().map(|(rule, level)| descriptor(rule, *level)).collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": "mantlet-check/"},
            "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository"}}},
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notes}],
            "results": results,
            "properties": {"app": report.app, "operations": report.operations, "rows": report.rows},
        }],
    }))
}

/// Every rule at its own level, and at each other level that a finding of it has.
fn rules(report: &Report) -> Vec<(&'static Rule, Level)> {
    let mut rules: Vec<_> = rule::all().map(|rule| (rule, rule.level)).collect();
    for one in &report.findings {
        let this = (one.finding.rule, one.finding.level);
        if !rules.contains(&this) {
            rules.push(this);
        }
    }
    rules
}

fn id_of(rule: &Rule, level: Level) -> String {
    if level == rule.level { rule.id.to_owned() } else { format!("{}/{}", rule.id, level.name()) }
}

fn descriptor(rule: &Rule, level: Level) -> Value {
    let mut tags = vec!["security".to_owned(), format!("external/cwe/cwe-{}", rule.cwe)];
    tags.push(rule.owasp.id().to_owned());
    tags.extend(rule.practice.map(|practice| practice.id().to_owned()));
    json!({
        "id": id_of(rule, level),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": format!("{}. {}", rule.title, rule.why)},
        "help": {"text": explain::in_words(rule), "markdown": explain::markdown(rule)},
        "helpUri": explain::page(rule.owasp),
        "defaultConfiguration": {"level": level_of(level)},
        "properties": {
            "tags": tags,
            "precision": "high",
            "problem.severity": severity_of(level),
            "security-severity": score_of(level),
        },
    })
}

const fn level_of(level: Level) -> &'static str {
    match level {
        Level::Critical | Level::High => "error",
        Level::Medium => "warning",
        Level::Low | Level::Info => "note",
    }
}

const fn severity_of(level: Level) -> &'static str {
    match level {
        Level::Critical | Level::High => "error",
        Level::Medium => "warning",
        Level::Low | Level::Info => "recommendation",
    }
}

/// The middle of the range that GitHub calls by the same word; its lowest begins above 0.
const fn score_of(level: Level) -> &'static str {
    match level {
        Level::Critical => "9.5",
        Level::High => "8.0",
        Level::Medium => "5.5",
        Level::Low => "2.0",
        Level::Info => "0.1",
    }
}

fn result(one: &Reported, rules: &[(&'static Rule, Level)], repository: &Repository) -> Value {
    let finding = &one.finding;
    let fingerprint = finding.fingerprint();
    let index = rules.iter().position(|rule| *rule == (finding.rule, finding.level));
    let place = finding.place.as_ref();
    let file = place.map_or(&repository.otherwise, |place| &place.file);
    let path = repository.path(file);
    let mut result = json!({
        "ruleId": id_of(finding.rule, finding.level),
        "ruleIndex": index,
        "level": level_of(finding.level),
        "message": {"text": message(finding)},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {
                    "uri": utf8_percent_encode(&path, KEPT).to_string(),
                    "uriBaseId": ROOT,
                },
                "region": {"startLine": place.and_then(|place| place.line).unwrap_or(1)},
            },
            "logicalLocations": [{"fullyQualifiedName": finding.name()}],
        }],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint, "mantletFinding/v1": fingerprint},
        "properties": {"level": finding.level},
    });
    if let (Some(accepted), Some(result)) = (&one.accepted, result.as_object_mut()) {
        let suppression =
            json!([{"kind": "external", "status": "accepted", "justification": accepted.reason}]);
        result.insert("suppressions".to_owned(), suppression);
    }
    result
}

fn message(finding: &Finding) -> String {
    let mut lines = vec![finding.told()];
    lines.extend(finding.evidence.iter().map(|evidence| match evidence {
        Evidence::Fact { text } => text.clone(),
        Evidence::Exchange { caller, curl, .. } => format!("As {caller}: {curl}"),
    }));
    lines.extend(finding.fix.iter().map(|fix| match fix {
        Fix::Configuration { toml } => format!("\nFix in mantlet.toml:\n\n{toml}"),
        Fix::Author { text } => format!("\nFix: {text}"),
    }));
    lines.join("\n")
}
