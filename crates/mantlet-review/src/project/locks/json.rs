//! `Pipfile.lock`.

use serde_json::Value;

use super::{Artifact, Format, Lock, Locked, Origin};
use crate::project::requirement::normal;

pub(super) fn pipenv(file: &str, source: &str) -> Lock {
    let mut lock = Lock::of(file, Format::Pipenv);
    let document: Value = match serde_json::from_str(source) {
        Ok(document) => document,
        Err(error) => {
            lock.notes.push(format!("`{file}` is not valid JSON: {error}"));
            return lock;
        }
    };
    // Pipenv sorts names and writes each on a line of its own.
    let line = |name: &str| {
        let key = format!("\"{name}\": {{");
        let at = source.lines().position(|line| line.trim_start().starts_with(&key)).unwrap_or_default();
        u32::try_from(at + 1).unwrap_or(u32::MAX)
    };
    for (section, for_development) in [("default", false), ("develop", true)] {
        for (name, value) in document.get(section).and_then(Value::as_object).into_iter().flatten() {
            let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
            let hashes = value.get("hashes").and_then(Value::as_array).into_iter().flatten();
            let artifacts = hashes.filter_map(|hash| {
                let (algorithm, digest) = hash.as_str()?.split_once(':')?;
                Some(Artifact { url: None, digest: (algorithm.to_owned(), digest.to_owned()) })
            });
            let origin = match (text("path"), text("git").or_else(|| text("file"))) {
                (Some(folder), _) => Origin::Folder(folder),
                (None, Some(url)) => Origin::Url(url),
                (None, None) => Origin::Index,
            };
            lock.packages.push(Locked {
                name: normal(name),
                version: text("version").map(|version| version.trim_start_matches('=').to_owned()),
                line: line(name),
                origin,
                artifacts: artifacts.collect(),
                dependencies: Vec::new(),
                for_development,
            });
        }
    }
    lock
}
