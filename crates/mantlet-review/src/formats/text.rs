//! For a terminal: a table of the rows, what was found, and how to go on.
//!
//! An app has a say in what is printed, and a pipeline may obey lines of its log (`::add-mask::…`). So no line
//! begins with such a word.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use super::{
    escape::{line, plain},
    report::{Group, Report, RowReport, Standing},
};
use crate::{
    finding::{Evidence, Finding, Fix},
    review::Row,
    rule::Level,
    wrap::{hung, padded},
};

/// Below this many columns a row has its details on lines of their own.
const NARROW: usize = 72;
/// The narrowest that is printed; a narrower terminal breaks lines itself.
const NARROWEST: usize = 40;
/// The widest line that is read with ease.
const WIDEST: usize = 120;
/// The longest word for what became of a row: `not judged`.
const OUTCOME: usize = 10;
/// The longest title of a row, behind its id.
const LABEL: usize = 52;
/// Columns that details should have.
const DETAILS: usize = 40;
/// The longest level and two spaces: `critical  `.
const LEVEL: usize = 10;
/// Findings of one rule that are printed one by one, where they do not fail the review.
const SHOWN: usize = 5;
/// The same, where they do.
const SHOWN_FAILING: usize = 50;

/// How a report looks on a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether there are colours.
    pub colour: bool,
}

impl Default for Look {
    /// As it is written to a file.
    fn default() -> Self {
        Self { width: 100, colour: false }
    }
}

/// A report as text.
pub fn text(report: &Report, look: Look) -> String {
    let look = Look { width: look.width.clamp(NARROWEST, WIDEST), ..look };
    let mut page = Page { look, lines: Vec::new() };
    page.head(report);
    page.rows("OWASP API Security Top 10 (2023)", report.list(true));
    page.rows("Checklist for production", report.list(false));
    page.findings(report);
    page.accepted(report);
    page.notes(report);
    page.end(report);
    page.lines.iter().map(|line| disobeyed(line.trim_end()) + "\n").collect()
}

/// A line that GitHub, Azure and others do not take for a command, wherever a text was wrapped.
fn disobeyed(line: &str) -> String {
    let line = line.replace("##[", "## [").replace("##vso[", "## vso[");
    let text = line.trim_start();
    let indent = line.len() - text.len();
    if text.starts_with("::") { format!("{}│ {text}", " ".repeat(indent)) } else { line }
}

struct Page {
    look: Look,
    lines: Vec<String>,
}

impl Page {
    fn add(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn blank(&mut self) {
        self.add("");
    }

    /// A text in lines, each behind an indent.
    fn wrapped(&mut self, text: &str, indent: &str) {
        self.lines.extend(hung(&plain(text), self.look.width, indent, indent));
    }

    fn painted(&self, text: &str, style: Style) -> String {
        if self.look.colour && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The same, each line in a style.
    fn styled(&mut self, text: &str, indent: &str, style: Style) {
        for line in hung(&plain(text), self.look.width, indent, indent) {
            let line = self.painted(&line, style);
            self.add(line);
        }
    }

    fn heading(&mut self, text: &str) {
        self.styled(text, "", Style::new().bold());
    }

    fn head(&mut self, report: &Report) {
        let operations = match report.operations {
            1 => "1 operation".to_owned(),
            number => format!("{number} operations"),
        };
        self.heading(&format!("Review of {}, {operations}", line(&report.app)));
        self.blank();
    }

    /// A table: what became of each row, its title, and why.
    fn rows<'r>(&mut self, title: &str, rows: impl Iterator<Item = &'r RowReport>) {
        self.heading(title);
        self.blank();
        let is_narrow = self.look.width < NARROW;
        let rest = self.look.width - 2 - OUTCOME - 2;
        let label_width = match rest {
            _ if is_narrow => rest,
            rest if rest > LABEL + DETAILS => LABEL,
            rest => rest * 45 / 100,
        };
        for row in rows {
            let (before, title) = match row.row {
                Row::Owasp(row) => (padded(row.id().trim_end_matches(":2023"), 6), row.title()),
                Row::Practice(row) => (String::new(), row.title()),
            };
            let labels = hung(title, label_width, &before, &" ".repeat(before.len()));
            let details = row.details();
            let details: Vec<_> = if is_narrow {
                details.iter().flat_map(|detail| hung(&line(detail), rest, "", "  ")).collect()
            } else {
                let width = rest - label_width - 2;
                details.iter().flat_map(|detail| hung(&line(detail), width, "", "  ")).collect()
            };
            let outcome = self.painted(&padded(row.outcome.spoken(), OUTCOME), style_of(row.outcome));
            let faint = Style::new().dimmed();
            if is_narrow {
                for (number, label) in labels.iter().enumerate() {
                    let first = if number == 0 { &outcome } else { &" ".repeat(OUTCOME) };
                    self.add(format!("  {first}  {label}"));
                }
                for detail in details {
                    let detail = self.painted(&detail, faint);
                    self.add(format!("  {}  {detail}", " ".repeat(OUTCOME)));
                }
                continue;
            }
            for number in 0..labels.len().max(details.len()) {
                let first = if number == 0 { outcome.clone() } else { " ".repeat(OUTCOME) };
                let label = labels.get(number).map(String::as_str).unwrap_or_default();
                let detail = details.get(number).map(String::as_str).unwrap_or_default();
                let detail = self.painted(detail, faint);
                self.add(format!("  {first}  {}  {detail}", padded(label, label_width)));
            }
        }
        self.blank();
    }

    fn findings(&mut self, report: &Report) {
        let groups = report.groups();
        if groups.is_empty() {
            return;
        }
        self.heading("Findings");
        self.blank();
        for group in groups {
            self.group(&group, report.fail_on);
        }
    }

    fn group(&mut self, group: &Group<'_>, fail_on: Level) {
        let rule = group.rule;
        let level = format!("{:<LEVEL$}", group.level.name());
        let level = self.painted(&level, style_of(Standing::Found(group.level)));
        let indent = " ".repeat(LEVEL);
        for (number, line) in hung(rule.title, self.look.width - LEVEL, "", "").iter().enumerate() {
            let title = self.painted(line, Style::new().bold());
            self.add(format!("{}{title}", if number == 0 { &level } else { &indent }));
        }
        let about = format!("{} · {} · CWE-{}", rule.id, rule.owasp.id(), rule.cwe);
        self.styled(&about, &indent, Style::new().dimmed());
        self.wrapped(rule.why, &indent);
        self.blank();
        let most = if group.level >= fail_on { SHOWN_FAILING } else { SHOWN };
        let mut left = most;
        for run in group.runs() {
            let is_shown = left > 0;
            for alike in &run.alike {
                let shown = alike.len().min(left);
                left -= shown;
                self.alike(alike.get(..shown).unwrap_or_default());
            }
            if let Some(fix) = run.fix.filter(|_| is_shown) {
                self.fix(fix);
            }
        }
        if let Some(more) = group.findings.len().checked_sub(most).filter(|more| *more > 0) {
            self.wrapped(&format!("… and {more} more: `--output report.html` shows all"), "  ");
            self.blank();
        }
    }

    /// Findings of which the same is said.
    fn alike(&mut self, findings: &[&Finding]) {
        let Some(finding) = findings.first() else { return };
        for finding in findings {
            self.name(finding);
        }
        self.wrapped(&finding.message, "    ");
        for evidence in &finding.evidence {
            match evidence {
                Evidence::Fact { text } => self.quoted(text),
                Evidence::Exchange { caller, request, response, curl } => {
                    self.quoted(&format!("request of {caller}:"));
                    self.quoted(request);
                    self.quoted("response:");
                    self.quoted(response);
                    // It is copied: so it is not wrapped, and there is no bar.
                    self.add(format!("    {}", line(curl)));
                }
            }
        }
        self.blank();
    }

    /// What it is about, and where.
    fn name(&mut self, finding: &Finding) {
        let name = line(&finding.name());
        let place = finding.place_beside().map(|place| line(&place)).unwrap_or_default();
        if place.is_empty() || 2 + name.width() + 2 + place.width() > self.look.width {
            self.styled(&name, "  ", Style::new().bold());
            self.styled(&place, "    ", Style::new().dimmed());
        } else {
            let bold = self.painted(&name, Style::new().bold());
            let faint = self.painted(&place, Style::new().dimmed());
            self.add(format!("  {bold}  {faint}"));
        }
    }

    fn quoted(&mut self, text: &str) {
        self.styled(text, "    │ ", Style::new().dimmed());
    }

    /// What closes findings. Configuration is neither wrapped nor behind a bar, so that it can be copied.
    fn fix(&mut self, fix: &Fix) {
        match fix {
            Fix::Configuration { toml } => {
                let heading = self.painted("Fix in mantlet.toml:", Style::new().bold());
                self.add(format!("    {heading}"));
                self.blank();
                for line in plain(toml).lines() {
                    self.add(format!("    {line}"));
                }
            }
            Fix::Author { text } => self.wrapped(&format!("Fix: {text}"), "    "),
        }
        self.blank();
    }

    fn accepted(&mut self, report: &Report) {
        let accepted = report.findings.iter().filter_map(|one| Some((&one.finding, one.accepted.as_ref()?)));
        let accepted: Vec<_> = accepted.collect();
        if accepted.is_empty() {
            return;
        }
        self.heading("Accepted");
        self.blank();
        for (finding, accepted) in accepted {
            let name = format!("{}  {}  {}", finding.level.name(), finding.rule.id, line(&finding.subject));
            self.wrapped(&name, "  ");
            self.wrapped(&format!("{} (until {})", line(&accepted.reason), accepted.until), "    ");
        }
        self.blank();
    }

    fn notes(&mut self, report: &Report) {
        if report.notes.is_empty() {
            return;
        }
        self.heading("Notes");
        self.blank();
        for note in &report.notes {
            self.wrapped(note, "  ");
        }
        self.blank();
    }

    fn end(&mut self, report: &Report) {
        let colour = if report.failed { AnsiColor::Red } else { AnsiColor::Green };
        self.styled(&report.verdict(), "", Style::new().bold().fg_color(Some(colour.into())));
        self.wrapped(&next(report), "");
    }
}

/// One line that says how to go on.
fn next(report: &Report) -> String {
    let first = report.failing().next().or_else(|| report.open().next());
    let Some(first) = first else {
        return "Next: `mantlet check --explain` lists what is looked for".to_owned();
    };
    let explain = format!("`mantlet check --explain {}` says what it is", first.rule.id);
    match &first.fix {
        Some(Fix::Configuration { .. }) => {
            format!("Next: put the fix into mantlet.toml and run `mantlet check` again; {explain}")
        }
        _ => format!("Next: {explain}, and how to mend it"),
    }
}

const fn style_of(standing: Standing) -> Style {
    let colour = match standing {
        Standing::Found(Level::Critical | Level::High) => AnsiColor::Red,
        Standing::Found(Level::Medium) => AnsiColor::Yellow,
        Standing::Found(Level::Low | Level::Info) => AnsiColor::Cyan,
        Standing::Passed => AnsiColor::Green,
        Standing::Accepted | Standing::PassedInPart => return Style::new(),
        Standing::NotJudged => return Style::new().dimmed(),
    };
    let style = Style::new().fg_color(Some(anstyle::Color::Ansi(colour)));
    match standing {
        Standing::Found(Level::Critical | Level::High) => style.bold(),
        _ => style,
    }
}
