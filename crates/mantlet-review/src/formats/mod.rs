//! Reports: one review, printed for a person, a pipeline or another program.
//!
//! Each format is a function of a [`Report`] and knows no reviewer. What an app says of itself may stand in
//! any text of a report, so every format escapes for itself: control characters on a terminal, markup in
//! HTML and XML, lines that a pipeline would take for commands. The same review gives the same bytes.

mod escape;
mod github;
mod html;
mod json;
mod junit;
mod markdown;
mod report;
mod sarif;
mod text;

pub use github::annotations;
pub use report::{About, Report, Reported, Repository, RowReport, Standing, VERSION};
pub use text::{Look, text};

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For programs; docs/check.md describes it.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// One page, without a script or anything from elsewhere.
    Html,
    /// For the summary of a job.
    Markdown,
    /// For the test reports of a pipeline.
    Junit,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 6] = [Self::Text, Self::Json, Self::Sarif, Self::Html, Self::Markdown, Self::Junit];

    /// Its name as an argument.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Html => "html",
            Self::Markdown => "md",
            Self::Junit => "junit",
        }
    }

    /// Ends of the names of its files.
    pub const fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Text => &["txt"],
            Self::Json => &["json"],
            Self::Sarif => &["sarif"],
            Self::Html => &["html", "htm"],
            Self::Markdown => &["md"],
            Self::Junit => &["xml"],
        }
    }

    /// The format of a file, by its name.
    pub fn of_file(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        if name.ends_with(".sarif.json") {
            return Some(Self::Sarif);
        }
        let suffix = name.rsplit_once('.')?.1;
        Self::ALL.into_iter().find(|format| format.suffixes().contains(&suffix))
    }

    /// A report in this format. Text is as wide as `look` says.
    pub fn print(self, report: &Report, repository: &Repository, look: Look) -> String {
        match self {
            Self::Text => text(report, look),
            Self::Json => json::json(report),
            Self::Sarif => sarif::sarif(report, repository),
            Self::Html => html::html(report),
            Self::Markdown => markdown::markdown(report),
            Self::Junit => junit::junit(report),
        }
    }
}
