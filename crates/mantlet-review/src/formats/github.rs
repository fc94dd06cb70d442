//! Annotations of GitHub Actions: lines that its runner takes for commands.

use super::report::{Report, Repository};
use crate::{finding::Finding, rule::Level};

/// GitHub shows so many of each kind for a step, and drops the rest.
const SHOWN: usize = 10;

/// A line for each finding that is not accepted, the worst first, as many as are shown.
pub fn annotations(report: &Report, repository: &Repository) -> String {
    let mut lines = String::new();
    for kind in ["error", "warning", "notice"] {
        for finding in report.open().filter(|finding| kind_of(finding.level) == kind).take(SHOWN) {
            lines += &annotation(kind, finding, repository);
        }
    }
    lines
}

const fn kind_of(level: Level) -> &'static str {
    match level {
        Level::Critical | Level::High => "error",
        Level::Medium => "warning",
        Level::Low | Level::Info => "notice",
    }
}

fn annotation(kind: &str, finding: &Finding, repository: &Repository) -> String {
    let mut properties = Vec::new();
    if let Some(place) = &finding.place {
        properties.push(format!("file={}", property(&repository.path(&place.file))));
        properties.extend(place.line.map(|line| format!("line={line}")));
    }
    let title = format!("{} ({})", finding.rule.title, finding.rule.owasp.id());
    properties.push(format!("title={}", property(&title)));
    let message = format!("{}\n`mantlet check --explain {}` says more", finding.told(), finding.rule.id);
    format!("::{kind} {}::{}\n", properties.join(","), data(&message))
}

/// What stands behind the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{finding::Place, rule::api};

    #[test]
    fn what_the_runner_would_obey_is_escaped() {
        let place = Place { file: "a,b:c.py".into(), line: Some(7) };
        let finding =
            Finding::new(&api::OBJECT_WITHOUT_RULE, "GET /50%", "one\n::error::two").at(Some(place));
        let repository = Repository { below: "shop/".into(), otherwise: String::new() };
        let line = annotation("error", &finding, &repository);
        let start = "::error file=shop/a%2Cb%3Ac.py,line=7,title=No rule checks whose object this is (API1%3A2023)::GET /50%25: one%0A::error::two%0A";
        assert!(line.starts_with(start), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
    }
}
