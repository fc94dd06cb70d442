//! The baseline of this project: what is accepted, and what is accepted now.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use mantlet_review::{
    baseline::{Accepted, Baseline, FILE, Until},
    formats::Report,
};

use crate::{
    cli::CheckArguments,
    say::{Failure, amount, say},
};

/// The file, and what is to be added.
pub(super) struct Acceptance {
    file: PathBuf,
    /// As it was read; none if there is no file.
    text: Option<String>,
    baseline: Baseline,
    now: Option<Accepted>,
}

impl Acceptance {
    /// Reads the file, or says all that is wrong with it.
    pub(super) fn of(arguments: &CheckArguments) -> Result<Self, Failure> {
        let file = arguments.baseline.clone().unwrap_or_else(|| PathBuf::from(FILE));
        let name = shown(&file);
        let text = match fs::read_to_string(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(Failure::usage(format!("the baseline `{name}` cannot be read: {error}")));
            }
        };
        if text.is_none() && arguments.baseline.is_some() && arguments.accept.is_none() {
            return Err(Failure::usage(format!(
                "the baseline `{name}` does not exist\n`mantlet check --baseline {name} --accept REASON` writes it"
            )));
        }
        let baseline = match &text {
            None => Baseline::empty(&name),
            Some(text) => Baseline::read(&name, text).map_err(|mistakes| {
                let lines =
                    mistakes.iter().map(|mistake| format!("\n{name}:{}: {}", mistake.line, mistake.message));
                Failure::usage(format!("the baseline cannot be used:{}", lines.collect::<String>()))
            })?,
        };
        Ok(Self { file, text, baseline, now: now(arguments)? })
    }

    pub(super) const fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Accepts what fails the review, if that was asked for. All that is accepted then.
    pub(super) fn add(
        &self,
        report: &Report,
        mut accepted: BTreeMap<String, Accepted>,
    ) -> Result<Option<BTreeMap<String, Accepted>>, Failure> {
        let Some(now) = &self.now else { return Ok(None) };
        let name = shown(&self.file);
        let addition = self.baseline.addition(report.failing(), now);
        for line in &addition.expired {
            say(format!(
                "{name}:{line}: the entry has expired, and stays as it is: give it another date yourself"
            ));
        }
        if addition.fingerprints.is_empty() {
            say("there is nothing to accept");
            return Ok(None);
        }
        fs::write(&self.file, addition.onto(self.text.as_deref()))
            .map_err(|error| Failure::usage(format!("the baseline `{name}` cannot be written: {error}")))?;
        say(format!(
            "{name}: {} accepted until {}: {}",
            amount(addition.fingerprints.len(), "finding"),
            now.until,
            now.reason
        ));
        accepted.extend(addition.fingerprints.into_iter().map(|fingerprint| (fingerprint, now.clone())));
        Ok(Some(accepted))
    }
}

/// What `--accept` and `--until` say.
fn now(arguments: &CheckArguments) -> Result<Option<Accepted>, Failure> {
    let Some(reason) = &arguments.accept else { return Ok(None) };
    if reason.trim().is_empty() {
        return Err(Failure::usage("`--accept` needs a reason, such as \"known before the first review\""));
    }
    let until = arguments.until.as_deref().map_or(Ok(Until::Fixed), str::parse);
    let until = until.map_err(|why: String| Failure::usage(format!("`--until`: {why}")))?;
    Ok(Some(Accepted { reason: reason.clone(), until }))
}

/// A file as it is named in reports: below the folder, or by its name alone.
fn shown(file: &Path) -> String {
    let file = if file.is_absolute() { file.file_name().map_or(file, Path::new) } else { file };
    let parts = file.iter().filter(|part| *part != ".").map(|part| part.to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}
