//! One page of HTML: no script, nothing from elsewhere, light or dark as the reader's screen, made for paper
//! and phones as well.
//!
//! Its content security policy allows its own style and nothing else, because an app has a say in its texts.

use std::fmt::Write as _;

use super::{
    escape::{line, markup},
    report::{Group, Report, RowReport, Standing},
};
use crate::{
    explain,
    finding::{Evidence, Finding, Fix},
    review::Row,
    rule::Level,
};

const STYLE: &str = include_str!("report.css");

/// A report as a page.
pub(super) fn html(report: &Report) -> String {
    let mut page = String::new();
    head(&mut page, report);
    page.push_str("<main>\n");
    for (title, is_owasp) in [("OWASP API Security Top 10 (2023)", true), ("Checklist for production", false)]
    {
        table(&mut page, title, report.list(is_owasp), report);
    }
    let groups = report.groups();
    if !groups.is_empty() {
        page.push_str("<h2 id=\"findings\">Findings</h2>\n");
    }
    for group in &groups {
        write_group(&mut page, group);
    }
    accepted(&mut page, report);
    if !report.notes.is_empty() {
        page.push_str("<h2>Notes</h2>\n<ul>\n");
        for note in &report.notes {
            let _ = writeln!(page, "<li>{}</li>", prose(note));
        }
        page.push_str("</ul>\n");
    }
    let _ = write!(
        page,
        "</main>\n<footer><p>Made by Mantlet {}. <code>mantlet check --explain RULE</code> says more about a rule.</p></footer>\n</body>\n</html>\n",
        markup(report.mantlet())
    );
    page
}

fn head(page: &mut String, report: &Report) {
    let app = markup(&line(&report.app));
    let verdict = if report.failed { "failed" } else { "passed" };
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Review of {app}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>Review of {app}</h1>\n<p class=\"verdict {verdict}\">{}</p>\n<ul class=\"counts\">\n",
        prose(&report.verdict())
    );
    for level in Level::ALL.into_iter().rev() {
        let count = report.counts.get(&level).copied().unwrap_or_default();
        let class = if count == 0 { "none" } else { level.name() };
        let _ = writeln!(page, "<li class=\"{class}\"><b>{count}</b> {}</li>", level.name());
    }
    let _ = writeln!(page, "<li class=\"none\"><b>{}</b> accepted</li>", report.accepted);
    let _ = writeln!(page, "<li class=\"none\"><b>{}</b> operations</li>", report.operations);
    page.push_str("</ul>\n</header>\n");
}

/// Roles are said again, because the style takes the table apart on a narrow screen.
fn table<'r>(page: &mut String, title: &str, rows: impl Iterator<Item = &'r RowReport>, report: &Report) {
    let _ = write!(
        page,
        "<table role=\"table\">\n<caption>{title}</caption>\n<thead role=\"rowgroup\"><tr role=\"row\">\
         <th role=\"columnheader\" scope=\"col\">Outcome</th><th role=\"columnheader\" scope=\"col\">Row</th>\
         <th role=\"columnheader\" scope=\"col\">Details</th></tr></thead>\n<tbody role=\"rowgroup\">\n"
    );
    for row in rows {
        let name = match row.row {
            Row::Owasp(owasp) => format!(
                "<a href=\"{}\"><span class=\"id\">{}</span> {}</a>",
                explain::page(owasp),
                owasp.id(),
                markup(owasp.title())
            ),
            Row::Practice(practice) => markup(practice.title()),
        };
        let details: Vec<_> =
            row.details().iter().map(|part| format!("<div>{}</div>", prose(part))).collect();
        let _ = writeln!(
            page,
            "<tr role=\"row\"><td role=\"cell\">{}</td><th role=\"rowheader\" scope=\"row\">{name}</th>\
             <td role=\"cell\">{}{}</td></tr>",
            badge(row.outcome.spoken(), class_of(row.outcome)),
            details.concat(),
            links(row, report)
        );
    }
    page.push_str("</tbody>\n</table>\n");
}

/// Links from a row to what was found for it.
fn links(row: &RowReport, report: &Report) -> String {
    let groups = report.groups();
    let of_row = groups.iter().filter(|group| row.row.has(group.rule));
    let links: Vec<String> = of_row
        .map(|group| {
            let (anchor, level, title) = (anchor(group), group.level.name(), markup(group.rule.title));
            format!("<div><a href=\"#{anchor}\">{title}</a> ({level})</div>")
        })
        .collect();
    links.concat()
}

fn anchor(group: &Group<'_>) -> String {
    format!("{}-{}", group.rule.id, group.level.name())
}

fn write_group(page: &mut String, group: &Group<'_>) {
    let (rule, anchor) = (group.rule, anchor(group));
    let _ = write!(
        page,
        "<section class=\"group\" aria-labelledby=\"{anchor}\">\n<h3 id=\"{anchor}\">{} {}</h3>\n\
         <p class=\"about\"><code>{}</code> · <a href=\"{}\">{}</a> · \
         <a href=\"https://cwe.mitre.org/data/definitions/{cwe}.html\">CWE-{cwe}</a></p>\n<p>{}</p>\n",
        badge(group.level.name(), group.level.name()),
        markup(rule.title),
        markup(rule.id),
        explain::page(rule.owasp),
        rule.owasp.id(),
        prose(rule.why),
        cwe = rule.cwe
    );
    for run in group.runs() {
        for alike in &run.alike {
            write_alike(page, alike);
        }
        match run.fix {
            Some(Fix::Configuration { toml }) => {
                let _ = writeln!(
                    page,
                    "<div class=\"fix\"><p><b>Fix in <code>mantlet.toml</code>:</b></p>\n<pre tabindex=\"0\">{}</pre></div>",
                    markup(toml)
                );
            }
            Some(Fix::Author { text }) => {
                let _ = writeln!(page, "<div class=\"fix\"><p><b>Fix:</b> {}</p></div>", prose(text));
            }
            None => {}
        }
    }
    page.push_str("</section>\n");
}

fn write_alike(page: &mut String, findings: &[&Finding]) {
    let Some(finding) = findings.first() else { return };
    page.push_str("<article>\n");
    for finding in findings {
        let _ = write!(page, "<h4>{}", markup(&line(&finding.name())));
        if let Some(place) = finding.place_beside() {
            let _ = write!(page, " <span class=\"place\">{}</span>", markup(&line(&place)));
        }
        page.push_str("</h4>\n");
    }
    let _ = writeln!(page, "<p>{}</p>", prose(&finding.message));
    for evidence in &finding.evidence {
        match evidence {
            Evidence::Fact { text } if text.contains('\n') => {
                let _ = writeln!(page, "<pre tabindex=\"0\">{}</pre>", markup(text));
            }
            Evidence::Fact { text } => {
                let _ = writeln!(page, "<p class=\"fact\">{}</p>", prose(text));
            }
            Evidence::Exchange { caller, request, response, curl } => {
                for (title, text) in [
                    (format!("Request of {caller}:"), request),
                    ("Response:".into(), response),
                    ("To send the same:".into(), curl),
                ] {
                    let _ = writeln!(
                        page,
                        "<p class=\"fact\">{}</p>\n<pre tabindex=\"0\">{}</pre>",
                        markup(&title),
                        markup(text)
                    );
                }
            }
        }
    }
    page.push_str("</article>\n");
}

fn accepted(page: &mut String, report: &Report) {
    if report.accepted == 0 {
        return;
    }
    page.push_str("<h2>Accepted</h2>\n<ul class=\"accepted\">\n");
    for one in &report.findings {
        let Some(accepted) = &one.accepted else { continue };
        let finding = &one.finding;
        let _ = writeln!(
            page,
            "<li>{} <b>{}</b> <code>{}</code><br>{} (until {})</li>",
            badge(finding.level.name(), "muted"),
            markup(&line(&finding.name())),
            markup(finding.rule.id),
            prose(&accepted.reason),
            accepted.until
        );
    }
    page.push_str("</ul>\n");
}

fn badge(text: &str, class: &str) -> String {
    format!("<span class=\"badge {class}\">{}</span>", markup(text))
}

const fn class_of(standing: Standing) -> &'static str {
    match standing {
        Standing::Accepted | Standing::PassedInPart | Standing::NotJudged => "muted",
        other => other.code(),
    }
}

/// A text in which what stands between backticks is code, if they are in pairs.
fn prose(text: &str) -> String {
    let text = line(text);
    if !text.matches('`').count().is_multiple_of(2) {
        return markup(&text);
    }
    let parts = text.split('`').enumerate().map(|(number, part)| {
        let part = markup(part);
        if number.is_multiple_of(2) { part } else { format!("<code>{part}</code>") }
    });
    parts.collect()
}
