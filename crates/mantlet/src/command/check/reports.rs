//! Where reports go: standard output, files, and what GitHub shows.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
};

use mantlet_review::formats::{Format, Look, Report, Repository, annotations};
use rustix::termios::tcgetwinsize;

use crate::{
    cli::CheckArguments,
    say::{Failure, print, say},
};

/// Columns where there is no terminal that says how many it has.
const COLUMNS: usize = 100;
/// The file to which the summary of a job of GitHub Actions is appended.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Bytes of a summary that GitHub takes from one step; with more it takes nothing.
const SUMMARY_SIZE: usize = 1024 * 1024;

/// What is written where.
pub(super) struct Reports {
    /// On standard output.
    printed: Format,
    files: Vec<(PathBuf, Format)>,
    for_github: bool,
}

impl Reports {
    pub(super) fn of(arguments: &CheckArguments) -> Result<Self, Failure> {
        let named = arguments.format.as_deref();
        let named = named.and_then(|name| Format::ALL.into_iter().find(|format| format.name() == name));
        if named.is_some() && arguments.output.len() > 1 {
            return Err(Failure::usage(
                "`--format` is for one report, and there are several `--output`\n\
                 leave `--format` out: the suffix of each file says its format",
            ));
        }
        let mut files = Vec::new();
        for file in &arguments.output {
            let Some(format) = named.or_else(|| Format::of_file(&file.to_string_lossy())) else {
                let suffixes = Format::ALL.iter().flat_map(|format| format.suffixes());
                let suffixes: Vec<_> = suffixes.map(|suffix| format!(".{suffix}")).collect();
                return Err(Failure::usage(format!(
                    "the suffix of `{}` does not say a format: it is none of {}\nname it with `--format`",
                    file.display(),
                    suffixes.join(", ")
                )));
            };
            files.push((file.clone(), format));
        }
        // What is written to a file is shown as well.
        let printed = named.filter(|_| files.is_empty()).unwrap_or(Format::Text);
        Ok(Self { printed, files, for_github: arguments.github })
    }

    /// Whether a person reads what is printed, and no program.
    pub(super) fn are_read(&self) -> bool {
        self.printed == Format::Text
    }

    pub(super) fn write(&self, report: &Report, repository: &Repository) -> Result<(), Failure> {
        for (file, format) in &self.files {
            let text = format.print(report, repository, Look::default());
            fs::write(file, text).map_err(|error| {
                Failure::new(format!("the report `{}` cannot be written: {error}", file.display()))
            })?;
        }
        print(&self.printed.print(report, repository, look()))?;
        for (file, format) in &self.files {
            say(format!("the report is in `{}` ({})", file.display(), format.name()));
        }
        if self.for_github { to_github(report, repository) } else { Ok(()) }
    }
}

/// Annotations go to standard error, which GitHub reads as well: standard output may be a report for a program.
fn to_github(report: &Report, repository: &Repository) -> Result<(), Failure> {
    let cannot = |what: &str, error: &io::Error| Failure::new(format!("cannot write {what}: {error}"));
    io::stderr()
        .lock()
        .write_all(annotations(report, repository).as_bytes())
        .map_err(|error| cannot("to standard error", &error))?;
    let Some(file) = env::var_os(SUMMARY).filter(|file| !file.is_empty()) else { return Ok(()) };
    let text = shortened(Format::Markdown.print(report, repository, look()));
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| cannot("the summary of the job", &error))
}

/// A summary that GitHub takes, cut at the end of a line.
fn shortened(mut text: String) -> String {
    if text.len() > SUMMARY_SIZE {
        let end = text.char_indices().take_while(|(index, _)| *index < SUMMARY_SIZE - 200);
        let end = end.filter(|(_, letter)| *letter == '\n').last().map_or(0, |(index, _)| index + 1);
        text.truncate(end);
        text.push_str(
            "\n\n**The rest is left out, because GitHub shows no more. `--output report.html` has all.**\n",
        );
    }
    text
}

/// How wide standard output is.
pub(super) fn width() -> usize {
    let columns = tcgetwinsize(io::stdout()).map(|size| usize::from(size.ws_col)).ok();
    columns.filter(|columns| *columns > 0).unwrap_or(COLUMNS)
}

/// Colours are for a terminal alone, and for a person who wants them (<https://no-color.org>).
fn look() -> Look {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    Look { width: width(), colour: io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb }
}
