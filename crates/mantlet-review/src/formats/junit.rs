//! XML as `JUnit` has it, for the test reports of a pipeline.
//!
//! A suite for each row. Its first case is the row itself: passed, skipped because it could not be judged, or
//! failed. Then comes a case for each operation or file that something was found at. A finding fails its case
//! if it fails the review; a milder one is output of a case that passes, and an accepted one skips it. The last
//! suite has the operations that nothing was found at: each passes.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    escape::markup,
    report::{Report, Reported, RowReport, Standing},
};
use crate::{
    finding::{Evidence, Finding, Fix},
    review::Row,
};

/// Operations that have a case of their own although nothing was found at them.
const MOST: usize = 1000;

/// A report as XML as `JUnit` has it.
pub(super) fn junit(report: &Report) -> String {
    let rows = report.rows.iter().map(|row| Suite::of(row, report));
    let suites: Vec<_> = rows.chain(Suite::of_operations(report)).collect();
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let (tests, failures, skipped) = (sum(Suite::tests), sum(Suite::failures), sum(Suite::skipped));
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"mantlet check\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n"
    );
    for suite in &suites {
        suite.write(&mut xml);
    }
    xml + "</testsuites>\n"
}

struct Suite {
    id: String,
    name: String,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    file: Option<String>,
    end: End,
    output: String,
}

enum End {
    Passed,
    Failed(String, String),
    Skipped(String),
}

impl Suite {
    fn of(row: &RowReport, report: &Report) -> Self {
        let id = row.row.id().to_owned();
        let mut cases = vec![Case::of_row(row, report)];
        // A finding of both lists is told once.
        if matches!(row.row, Row::Owasp(_)) {
            let mut subjects: Vec<(&str, Vec<&Reported>)> = Vec::new();
            for one in report.findings.iter().filter(|one| row.row.has(one.finding.rule)) {
                let subject = one.finding.subject.as_str();
                match subjects.iter_mut().find(|(known, _)| *known == subject) {
                    Some((_, findings)) => findings.push(one),
                    None => subjects.push((subject, vec![one])),
                }
            }
            subjects.sort_by_key(|(subject, _)| *subject);
            cases.extend(subjects.iter().map(|(subject, found)| Case::of_subject(subject, found, report)));
        }
        Self { name: format!("{id} {}", row.row.title()), id, cases }
    }

    /// Operations that nothing was found at; none if there are none.
    fn of_operations(report: &Report) -> Option<Self> {
        let found: BTreeSet<_> = report.findings.iter().map(|one| one.finding.subject.as_str()).collect();
        let clean: Vec<_> =
            report.operation_names.iter().filter(|name| !found.contains(name.as_str())).collect();
        let rest = clean.len().saturating_sub(MOST);
        let named = clean.into_iter().take(MOST).cloned();
        let cases: Vec<_> = named
            .chain((rest > 0).then(|| format!("{rest} more operations without findings")))
            .map(|name| Case { name, file: None, end: End::Passed, output: String::new() })
            .collect();
        let name = "Operations without findings".to_owned();
        (!cases.is_empty()).then(|| Self { id: "operations".to_owned(), name, cases })
    }

    fn tests(&self) -> usize {
        self.cases.len()
    }

    fn failures(&self) -> usize {
        self.cases.iter().filter(|case| matches!(case.end, End::Failed(..))).count()
    }

    fn skipped(&self) -> usize {
        self.cases.iter().filter(|case| matches!(case.end, End::Skipped(_))).count()
    }

    fn write(&self, xml: &mut String) {
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">",
            markup(&self.name),
            self.tests(),
            self.failures(),
            self.skipped()
        );
        for case in &self.cases {
            let file = case.file.as_ref().map(|file| format!(" file=\"{}\"", markup(file)));
            let _ = write!(
                xml,
                "    <testcase classname=\"{}\" name=\"{}\"{}>",
                markup(&self.id),
                markup(&case.name),
                file.unwrap_or_default()
            );
            match &case.end {
                End::Passed => {}
                End::Failed(message, text) => {
                    let (message, text) = (markup(message), markup(text));
                    let _ = write!(xml, "<failure message=\"{message}\">{text}</failure>");
                }
                End::Skipped(why) => {
                    let _ = write!(xml, "<skipped message=\"{}\"/>", markup(why));
                }
            }
            if !case.output.is_empty() {
                let _ = write!(xml, "<system-out>{}</system-out>", markup(&case.output));
            }
            xml.push_str("</testcase>\n");
        }
        xml.push_str("  </testsuite>\n");
    }
}

impl Case {
    fn of_row(row: &RowReport, report: &Report) -> Self {
        let details = row.details().join("\n");
        let end = match row.outcome {
            Standing::Found(level) if level >= report.fail_on => End::Failed(row.found(), details.clone()),
            Standing::NotJudged => End::Skipped(row.not_judged.join("; ")),
            _ => End::Passed,
        };
        let output = if matches!(end, End::Passed) { details } else { String::new() };
        Self { name: row.row.title().to_owned(), file: None, end, output }
    }

    fn of_subject(subject: &str, findings: &[&Reported], report: &Report) -> Self {
        let open = || findings.iter().filter(|one| one.accepted.is_none()).map(|one| &one.finding);
        let failing: Vec<_> = open().filter(|finding| finding.level >= report.fail_on).collect();
        let place = findings.iter().find_map(|one| one.finding.place.as_ref());
        let told =
            |findings: &[&Finding]| findings.iter().map(|one| tell(one)).collect::<Vec<_>>().join("\n\n");
        let milder: Vec<_> = open().filter(|finding| finding.level < report.fail_on).collect();
        let reasons = findings.iter().filter_map(|one| one.accepted.as_ref());
        let reasons: Vec<_> = reasons.map(|accepted| format!("accepted: {}", accepted.reason)).collect();
        let end = match failing.first() {
            Some(first) => End::Failed(first.message.clone(), told(&failing)),
            None if milder.is_empty() => End::Skipped(reasons.join("; ")),
            None => End::Passed,
        };
        Self {
            name: subject.to_owned(),
            file: place.map(|place| place.file.clone()),
            end,
            output: told(&milder),
        }
    }
}

fn tell(finding: &Finding) -> String {
    let mut text = format!("{}: {} ({})", finding.level.name(), finding.rule.title, finding.rule.id);
    if let Some(place) = &finding.place {
        let _ = write!(text, "\nat {place}");
    }
    let _ = write!(text, "\n{}", finding.message);
    for evidence in &finding.evidence {
        let _ = match evidence {
            Evidence::Fact { text: fact } => write!(text, "\n{fact}"),
            Evidence::Exchange { caller, request, response, curl } => {
                write!(text, "\nrequest of {caller}:\n{request}\nresponse:\n{response}\n{curl}")
            }
        };
    }
    let _ = match &finding.fix {
        Some(Fix::Configuration { toml }) => write!(text, "\nFix in mantlet.toml:\n{toml}"),
        Some(Fix::Author { text: fix }) => write!(text, "\nFix: {fix}"),
        None => Ok(()),
    };
    text
}
