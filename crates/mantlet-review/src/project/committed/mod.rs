//! Secrets in git: what the index says is tracked, and what stands in those files now.
//!
//! The history is not looked at, and neither are objects of git: a file that is tracked is read from the folder.
//! Only what was found is kept, never a value.

use std::{collections::BTreeSet, path::Path};

use super::{
    environment::{self, is_environment, is_example},
    files::{self, is_aside, is_for_development, name_of},
    text::listed,
};
use crate::{
    finding::{Finding, Place},
    review::{Review, Row},
    rule::{Level, Owasp, Practice, Rule, project as rules},
    secret::{self, Judged, PrivateKey},
};

mod index;

/// Bytes of a file that is looked into: sources and settings are smaller.
const MAX_FILE: u64 = 1 << 20;
/// Bytes of all of them.
const MAX_ALL: u64 = 256 << 20;
const ROWS: [Row; 2] = [Row::Practice(Practice::Tokens), Row::Owasp(Owasp::Api8)];

/// What git tracks below the project's folder, and the secrets in it.
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// Paths below the project's folder.
    pub(super) tracked: BTreeSet<String>,
    secrets: Vec<Secret>,
    /// Files that were looked into.
    read: usize,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Secret {
    rule: &'static Rule,
    path: String,
    line: Option<u32>,
    part: String,
    level: Level,
    what: String,
}

/// Reads the index of the repository that a folder is in.
///
/// # Errors
/// Why nothing can be said: there is no repository, or its index cannot be read.
pub(super) fn read(folder: &Path) -> Result<Committed, String> {
    let tracked = index::tracked(folder)?;
    let mut committed = Committed::default();
    let mut left = MAX_ALL;
    for path in &tracked {
        if let Some(secret) = key_store(path) {
            committed.secrets.push(secret);
            continue;
        }
        let file = folder.join(path);
        // A link leads elsewhere, perhaps out of the project.
        let Ok(kind) = file.symlink_metadata() else { continue };
        if !kind.is_file() || kind.len() > MAX_FILE || is_generated(path) {
            continue;
        }
        if kind.len() > left {
            committed.notes.push("not all files in git were looked into: there are too many".to_owned());
            break;
        }
        left -= kind.len();
        let Ok(text) = files::text(&file, MAX_FILE) else { continue };
        if text.get(..text.len().min(1024)).is_some_and(|start| start.contains('\0')) {
            continue;
        }
        committed.read += 1;
        committed.look(path, &text);
    }
    committed.tracked = tracked;
    Ok(committed)
}

/// Files that a tool writes, with digests in them that look like anything.
fn is_generated(path: &str) -> bool {
    let name = name_of(path);
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    matches!(
        end,
        "lock"
            | "svg"
            | "map"
            | "png"
            | "jpg"
            | "gif"
            | "ico"
            | "woff"
            | "woff2"
            | "pdf"
            | "gz"
            | "zip"
            | "whl"
            | "snap"
    ) || matches!(name, "package-lock.json" | "pnpm-lock.yaml" | "Pipfile.lock")
        || name.ends_with(".min.js")
}

fn key_store(path: &str) -> Option<Secret> {
    let end = name_of(path).rsplit_once('.')?.1.to_ascii_lowercase();
    (matches!(end.as_str(), "p12" | "pfx" | "jks" | "keystore") && !is_aside(path)).then(|| Secret {
        rule: &rules::KEY_STORE_COMMITTED,
        path: path.to_owned(),
        line: None,
        part: String::new(),
        level: Level::Low,
        what: format!("`{path}` is a key store, and it is in git."),
    })
}

impl Committed {
    fn look(&mut self, path: &str, text: &str) {
        // What stands in tests and examples is mostly made up. It may be real, so it is told.
        let most = if is_aside(path) { Level::Low } else { Level::Critical };
        if text.contains("PRIVATE KEY-----")
            && let Some((line, key)) = secret::private_key(text)
        {
            let (what, level) = match key {
                PrivateKey::Plain => ("a private key", Level::High),
                PrivateKey::Encrypted => ("a private key with a passphrase", Level::Low),
            };
            self.secrets.push(Secret {
                rule: &rules::PRIVATE_KEY_COMMITTED,
                path: path.to_owned(),
                line: Some(line),
                part: String::new(),
                level: level.min(most),
                what: format!("`{path}` holds {what}, and it is in git."),
            });
        }
        if is_environment(name_of(path)) && !is_example(path) {
            self.environment(path, text, most);
            return;
        }
        if secret::known(text).is_none() {
            return;
        }
        let mut seen = BTreeSet::new();
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(what) = secret::known(line).filter(|what| seen.insert(*what)) {
                self.secrets.push(Secret {
                    rule: &rules::SECRET_COMMITTED,
                    path: path.to_owned(),
                    line: Some(number),
                    part: what.to_owned(),
                    level: Level::High.min(most),
                    what: format!("`{path}` holds {what}, and it is in git."),
                });
            }
        }
    }

    /// One finding for a file, however many secrets it has.
    fn environment(&mut self, path: &str, text: &str, most: Level) {
        let secrets: Vec<(u32, &str, Judged)> = environment::pairs(text)
            .map(|(line, name, value)| (line, name, secret::judge(name, value)))
            // Placeholders are what such a file is shared for.
            .filter(|(_, _, judged)| *judged > Judged::Default)
            .collect();
        let Some(worst) = secrets.iter().map(|(_, _, judged)| *judged).max() else { return };
        let Some((line, _, _)) = secrets
            .iter()
            .find(|(_, _, judged)| std::mem::discriminant(judged) == std::mem::discriminant(&worst))
        else {
            return;
        };
        let names: Vec<&str> = secrets.iter().map(|(_, name, _)| *name).collect();
        let level = match worst {
            // Settings for work on the app are mostly shared on purpose.
            Judged::Secret("a random value") | Judged::Written if is_for_development(name_of(path)) => {
                Level::Low
            }
            Judged::Secret(_) => Level::High,
            _ => Level::Medium,
        };
        self.secrets.push(Secret {
            rule: &rules::ENVIRONMENT_FILE_COMMITTED,
            path: path.to_owned(),
            line: Some(*line),
            part: String::new(),
            level: level.min(most),
            what: format!("`{path}` is in git, with values for {}.", listed(&names)),
        });
    }
}

pub(super) fn review(committed: &Result<Committed, String>, review: &mut Review) {
    let committed = match committed {
        Ok(committed) => committed,
        Err(why) => {
            for row in ROWS {
                review.unjudged(row, format!("whether secrets are in git is not known: {why}"));
            }
            return;
        }
    };
    for row in ROWS {
        review.looked(row, "files in git", committed.read);
    }
    for note in &committed.notes {
        review.note(note.clone());
    }
    for secret in &committed.secrets {
        let place = Place { file: secret.path.clone(), line: secret.line };
        let finding =
            Finding::new(secret.rule, &secret.path, &secret.what).part(&secret.part).level(secret.level);
        review.found(finding.at(Some(place)));
    }
}
