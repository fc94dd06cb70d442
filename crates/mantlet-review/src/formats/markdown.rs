//! Markdown, for the summary of a job or a comment.

use std::fmt::Write as _;

use super::{
    escape::{line, plain},
    report::{Report, RowReport},
};
use crate::{
    finding::{Evidence, Finding, Fix},
    review::Row,
};

/// A report as Markdown.
pub(super) fn markdown(report: &Report) -> String {
    let mut page = format!(
        "# Review of {}\n\n**{}**\n\nReviewed: {} operations, by Mantlet {}.\n",
        inline(&report.app),
        inline(&report.verdict()),
        report.operations,
        inline(report.mantlet())
    );
    for (title, is_owasp) in [("OWASP API Security Top 10 (2023)", true), ("Checklist for production", false)]
    {
        let _ = write!(page, "\n## {title}\n\n| outcome | row | details |\n|---|---|---|\n");
        for row in report.list(is_owasp) {
            write_row(&mut page, row);
        }
    }
    let groups = report.groups();
    if !groups.is_empty() {
        page.push_str("\n## Findings\n");
    }
    for group in groups {
        let rule = group.rule;
        let _ = write!(
            page,
            "\n### {}: {}\n\n`{}` · {} · CWE-{}\n\n{}\n",
            group.level.name(),
            inline(rule.title),
            rule.id,
            rule.owasp.id(),
            rule.cwe,
            inline(rule.why)
        );
        for run in group.runs() {
            page.push('\n');
            for alike in &run.alike {
                write_alike(&mut page, alike);
            }
            match run.fix {
                Some(Fix::Configuration { toml }) => {
                    let _ = write!(page, "\nFix in mantlet.toml:\n\n{}", fenced(toml, "toml", ""));
                }
                Some(Fix::Author { text }) => {
                    let _ = write!(page, "\nFix: {}\n", inline(text));
                }
                None => {}
            }
        }
    }
    let accepted: Vec<_> =
        report.findings.iter().filter_map(|one| Some((one, one.accepted.as_ref()?))).collect();
    if !accepted.is_empty() {
        page.push_str("\n## Accepted\n\n");
    }
    for (one, accepted) in accepted {
        let finding = &one.finding;
        let _ = writeln!(
            page,
            "- {} `{}` {}: {} (until {})",
            finding.level.name(),
            finding.rule.id,
            code(&finding.name()),
            inline(&accepted.reason),
            accepted.until
        );
    }
    if !report.notes.is_empty() {
        page.push_str("\n## Notes\n\n");
    }
    for note in &report.notes {
        let _ = writeln!(page, "- {}", inline(note));
    }
    page
}

fn write_row(page: &mut String, row: &RowReport) {
    let title = match row.row {
        Row::Owasp(owasp) => format!("{} {}", owasp.id(), owasp.title()),
        Row::Practice(practice) => practice.title().to_owned(),
    };
    let details = row.details().iter().map(|part| inline(part)).collect::<Vec<_>>().join("<br>");
    // A bar ends a cell, in code as well.
    let details = details.replace('|', "\\|");
    let _ = writeln!(page, "| {} | {title} | {details} |", row.outcome.spoken());
}

fn write_alike(page: &mut String, findings: &[&Finding]) {
    let Some(finding) = findings.first() else { return };
    let names = findings.iter().map(|finding| {
        let place = finding.place_beside().map(|place| format!(" ({})", code(&place)));
        format!("**{}**{}", code(&finding.name()), place.unwrap_or_default())
    });
    let names = names.collect::<Vec<_>>().join(", ");
    let _ = writeln!(page, "- {names}: {}", inline(&finding.message));
    for evidence in &finding.evidence {
        match evidence {
            Evidence::Fact { text } if !text.contains('\n') => {
                let _ = writeln!(page, "  - {}", inline(text));
            }
            Evidence::Fact { text } => {
                page.push('\n');
                page.push_str(&fenced(text, "", "    "));
            }
            Evidence::Exchange { caller, request, response, curl } => {
                let text = format!("{request}\n\n{response}\n\n{curl}");
                let _ = write!(page, "  - as {}:\n\n{}", inline(caller), fenced(&text, "", "    "));
            }
        }
    }
}

/// A text that is shown as it is. Inside of backticks it looks like code and stays so.
fn inline(text: &str) -> String {
    let text = line(text);
    let are_in_pairs = text.matches('`').count().is_multiple_of(2);
    let mut written = String::new();
    for (number, part) in text.split('`').enumerate() {
        // Every second part was between backticks.
        if are_in_pairs && !number.is_multiple_of(2) {
            written += &code(part);
            continue;
        }
        if number > 0 && !are_in_pairs {
            written += "\\`";
        }
        for letter in part.chars() {
            if r"\*_[]<>#~&!".contains(letter) {
                written.push('\\');
            }
            written.push(letter);
        }
    }
    written
}

/// A text as code on a line.
fn code(text: &str) -> String {
    let text = line(text);
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
    let ticks = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// A text as a block of code that nothing in it can end.
fn fenced(text: &str, language: &str, indent: &str) -> String {
    let text = plain(text);
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(3.max(longest + 1));
    let (first, last) = (format!("{fence}{language}"), fence);
    let lines = std::iter::once(first.as_str()).chain(text.lines()).chain([last.as_str()]);
    lines.flat_map(|line| [indent, line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_app_says_is_not_markup() {
        assert_eq!(inline("a_b <img> `GET /x_y` [l](u)"), r"a\_b \<img\> `GET /x_y` \[l\](u)");
        assert_eq!(inline("one ` tick"), r"one \` tick");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(fenced("```\nx", "toml", "  "), "  ````toml\n  ```\n  x\n  ````\n");
    }
}
