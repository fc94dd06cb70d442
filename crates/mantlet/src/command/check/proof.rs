//! `--prove`: the app alone, and behind the gate with the configuration that closes what was found.

use std::{fs, io::Write as _, path::PathBuf};

use mantlet_contract::{
    model::Contract,
    objects::{self, Place},
};
use mantlet_review::{
    Evidence, Finding, Fix, Level, Owasp, Review,
    proposal::{self, merged},
    review::Row,
};

use super::NOT_REVIEWED;
use crate::{
    config::{Checked, Config, Reader, summary},
    say::{Failure, table},
    settings::{Flag, Loaded},
};

/// The file that is made if there is none.
const OWN: &str = "mantlet.toml";

/// What a proposed rule says of itself until it is known to be right.
const REPORTS: &str = "mode    = \"report\"";

/// The configuration that closes what was found.
pub(super) struct Proposal {
    /// Where it belongs.
    file: PathBuf,
    pub(super) text: String,
    /// It says something else than what is there.
    pub(super) is_new: bool,
}

impl Proposal {
    /// Puts the texts of all findings from a level on into the configuration, but for those that need values of the
    /// operator's own.
    pub(super) fn of(
        loaded: &Loaded<Config>,
        review: &Review,
        contract: &Contract,
        level: Level,
    ) -> Result<Self, Failure> {
        let file = loaded.file.clone().unwrap_or_else(|| OWN.into());
        let text = match &loaded.file {
            Some(file) => fs::read_to_string(file)
                .map_err(|error| Failure::usage(format!("`{}` cannot be read: {error}", file.display())))?,
            None => String::new(),
        };
        let findings = review.findings();
        let shown = shown_rules(&findings, contract);
        let texts = findings.iter().filter_map(|finding| match &finding.fix {
            Some(Fix::Configuration { toml }) if !finding.needs_values && finding.level >= level => {
                Some(if is_shown(&findings, finding) { enforced(toml) } else { toml.clone() })
            }
            _ => None,
        });
        let texts: Vec<_> = shown.into_iter().chain(texts).collect();
        let is_pyproject = file.ends_with("pyproject.toml");
        let proposed = merged(&text, is_pyproject, texts.iter().map(String::as_str)).map_err(
            |why: proposal::Unreadable| {
                Failure::new(format!("the configuration that closes the findings cannot be made: {why}"))
            },
        )?;
        Ok(Self { file, is_new: proposed != text, text: proposed })
    }

    /// A copy beside nothing else, and what it means.
    pub(super) fn read(&self, flags: Vec<Flag>) -> Result<(tempfile::TempDir, PathBuf, Checked), Failure> {
        let cannot =
            |error: std::io::Error| Failure::new(format!("the configuration cannot be tried: {error}"));
        let folder = tempfile::tempdir().map_err(cannot)?;
        let copy = folder.path().join(self.file.file_name().unwrap_or(OWN.as_ref()));
        fs::File::create(&copy).and_then(|mut file| file.write_all(self.text.as_bytes())).map_err(cannot)?;
        let checked = Reader::of_file(Some(copy.clone())).with_flags(flags).read().map_err(|mistakes| {
            let why = summary(&mistakes, "the configuration that closes the findings cannot be used");
            Failure::new(format!("{why}\nthis is a defect in Mantlet: please report it"))
                .with_code(NOT_REVIEWED)
        })?;
        Ok((folder, copy, checked))
    }

    /// Puts it where it belongs. Where that is.
    pub(super) fn write(&self) -> Result<String, Failure> {
        let name = self.file.display().to_string();
        fs::write(&self.file, &self.text)
            .map_err(|error| Failure::usage(format!("`{name}` cannot be written: {error}")))?;
        Ok(name)
    }
}

/// Proposed rules about owners for what a running app was seen to show to another user. Where the answers are not
/// declared, such a rule would only report; now it is known what the answers are.
fn shown_rules(findings: &[&Finding], contract: &Contract) -> Vec<String> {
    let found = objects::find(contract);
    let proposals = || found.tables.iter().flat_map(|table| &table.proposals);
    let mut rules = Vec::new();
    for finding in findings.iter().filter(|finding| finding.rule.owasp == Owasp::Api1 && is_asked(finding)) {
        let Some((methods, path)) = finding.subject.split_once(' ') else { continue };
        let place = Place { path: path.to_owned(), methods: methods.split(',').map(str::to_owned).collect() };
        let mut complete = proposals().filter(|proposal| proposal.missing.is_empty());
        let rule = complete.find(|proposal| proposal.is_for(&place));
        rules.extend(rule.map(|proposal| enforced(&proposal.to_toml())));
    }
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// Whether a running app was asked.
fn is_asked(finding: &Finding) -> bool {
    finding.evidence.iter().any(|one| matches!(one, Evidence::Exchange { .. }))
}

/// Whether a running app was seen to do what a rule about owners or callers is about.
fn is_shown(findings: &[&Finding], proposed: &Finding) -> bool {
    let is_it =
        |finding: &Finding| finding.rule.owasp == proposed.rule.owasp && finding.subject == proposed.subject;
    findings.iter().any(|finding| is_it(finding) && is_asked(finding))
}

/// The same rule, which does not only report.
fn enforced(toml: &str) -> String {
    toml.lines()
        .filter(|line| !line.starts_with(REPORTS))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// What became of each row, before and after.
pub(super) fn compared(before: &Review, after: &Review) -> String {
    let mut rows = vec![["row", "the app alone", "behind the gate", ""].map(str::to_owned)];
    for row in Row::all() {
        let said = [row.id().to_owned(), before.told(row), after.told(row), row.title().to_owned()];
        rows.push(said);
    }
    table(&rows)
}
