//! A contract, read from a file or an address.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::Path,
    time::Duration,
};

use mantlet_contract::{
    document::{self, DocumentError},
    model::{self, VERSION},
};
use mantlet_gateway::fetch::{FetchError, Target, fetch};

use super::router::is_empty;

/// Time that a server may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The same before anything listens.
pub(crate) const PATIENCE_AT_START: Duration = Duration::from_secs(1);
/// The longest document that is fetched. The longest that is known has 10 MiB.
pub(super) const LONGEST: usize = 16 << 20;

/// A contract that was read.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) model: model::Contract,
    /// Whose it is.
    pub(crate) name: String,
    /// Where it was read, as one says it.
    pub(crate) from: String,
    /// Changes with its text.
    pub(crate) hash: u64,
    /// What else has to be said.
    pub(crate) aside: Vec<String>,
}

impl Found {
    /// What an app that we run said of itself.
    pub(crate) fn of_app(name: &str, text: &str, model: model::Contract) -> Self {
        let (name, from) = (name.to_owned(), "read from the app".to_owned());
        Self { model, name, from, hash: hash_of(text.as_bytes()), aside: Vec::new() }
    }
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There is no answer: that may change by itself.
    Away(String),
    /// There is one, or should be, and it cannot be used.
    Broken(String),
}

fn hash_of(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What is said of a file that cannot be read.
fn unreadable(error: &io::Error, file: &Path, remedy: &str) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        let folder = std::env::current_dir().ok().filter(|_| file.is_relative());
        let place = folder.map(|folder| format!(" in `{}`", folder.display()));
        return format!("does not exist{}\n{remedy}", place.unwrap_or_default());
    }
    let text = error.to_string();
    // The number says nothing that the words do not.
    let why = text.split(" (os error").next().unwrap_or_default();
    format!("cannot be read: {why}")
}

/// What `mantlet contract` wrote.
pub(super) fn read_contract(file: &Path) -> Result<Found, Trouble> {
    let broken = |why: String| Trouble::Broken(format!("the contract `{}` {why}", file.display()));
    let write = "write it with `mantlet contract APP > contract.json`";
    let text = fs::read(file).map_err(|error| broken(unreadable(&error, file, write)))?;
    let value: serde_json::Value = serde_json::from_slice(&text)
        .map_err(|error| broken(format!("is not valid JSON: {error}\n{write}")))?;
    if value.get("openapi").is_some() || value.get("swagger").is_some() {
        return Err(broken("is an OpenAPI document; pass it with `--openapi`".to_owned()));
    }
    let again = "write it again with `mantlet contract APP > contract.json`";
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) => {
            return Err(broken(format!(
                "has version {version}, but this Mantlet knows version {VERSION}; {again}"
            )));
        }
        None => return Err(broken(format!("is not a contract file; {again}"))),
    }
    let model: model::Contract = serde_json::from_value(value)
        .map_err(|error| broken(format!("cannot be understood: {error}; {again}")))?;
    if is_empty(&model.router) {
        return Err(broken(format!("has no operations, so nothing would be checked; {again}")));
    }
    let name = model.title.clone().unwrap_or_else(|| "the app".to_owned());
    Ok(Found { model, name, from: format!("from `{}`", file.display()), hash: hash_of(&text), aside: vec![] })
}

/// An OpenAPI document in a file.
pub(crate) fn read_document(file: &Path) -> Result<Found, Trouble> {
    let place = format!("`{}`", file.display());
    let remedy = "name the app's OpenAPI document: a file, or an address such as `https://HOST/openapi.json`";
    let text = fs::read(file).map_err(|error| {
        Trouble::Broken(format!("the document {place} {}", unreadable(&error, file, remedy)))
    })?;
    understood(&text, &place).map_err(Trouble::Broken)
}

/// A document that was read from a place.
pub(super) fn understood(text: &[u8], place: &str) -> Result<Found, String> {
    let text = std::str::from_utf8(text).map_err(|_| format!("the document {place} is not UTF-8"))?;
    if is_page(text) {
        return Err(format!(
            "{place} is an HTML page, not an OpenAPI document; a FastAPI app has its document at `/openapi.json`"
        ));
    }
    let model = document::read(text).map_err(|error| {
        if error == DocumentError::NotOpenApi && text.contains("\"made-with\"") {
            return format!("{place} is a contract file; pass it with `--contract`");
        }
        format!("{place} cannot be used: {error}")
    })?;
    let name = model.title.clone().unwrap_or_else(|| "the app".to_owned());
    Ok(Found {
        model,
        name,
        from: format!("from the document {place}"),
        hash: hash_of(text.as_bytes()),
        aside: vec![],
    })
}

fn is_page(text: &str) -> bool {
    let start = text.trim_start();
    ["<!doctype html", "<html"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)))
}

/// A document at an address.
pub(crate) async fn read_url(url: &str, patience: Duration) -> Result<Found, Trouble> {
    let target = Target::of_url(url).map_err(Trouble::Broken)?;
    let answer = match fetch(&target, patience, LONGEST).await {
        Ok(answer) => answer,
        Err(FetchError::Unreachable(why)) => {
            return Err(Trouble::Away(format!("cannot reach `{url}`: {why}")));
        }
        Err(error @ FetchError::TooLong(_)) => return Err(Trouble::Broken(format!("`{url}`: {error}"))),
    };
    let status = answer.status.as_u16();
    match (status, answer.location()) {
        (200, _) => understood(&answer.body, &format!("`{url}`")).map_err(Trouble::Broken),
        (300..=399, Some(location)) => Err(Trouble::Broken(format!(
            "`{url}` redirects to `{location}`, and redirects are not followed; pass that address if it is right"
        ))),
        (502..=504, _) => Err(Trouble::Away(format!("`{url}` answers {status}"))),
        _ => Err(Trouble::Broken(format!("`{url}` answers {status} instead of a document"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let why = |read: &dyn Fn(&Path) -> Result<Found, Trouble>, file: &Path| match read(file) {
            Err(Trouble::Broken(why)) => why,
            other => panic!("{other:?}"),
        };
        let write = "\nwrite it with `mantlet contract APP > contract.json`";
        let missing = why(&read_contract, &file);
        assert!(missing.ends_with(&format!("file` does not exist{write}")), "{missing}");
        let missing = why(&read_document, Path::new("nowhere.yaml"));
        assert!(missing.contains("does not exist in `/"), "{missing}");
        assert!(missing.contains("\nname the app's OpenAPI document"), "{missing}");
        let no_file = why(&read_document, folder.path());
        assert!(no_file.ends_with("cannot be read: Is a directory"), "{no_file}");
        fs::write(&file, "app = FastAPI()").unwrap();
        assert!(why(&read_contract, &file).ends_with(write));
        fs::write(&file, "\n<!DOCTYPE html><html>").unwrap();
        let page = why(&read_document, &file);
        assert!(page.ends_with(
            "is an HTML page, not an OpenAPI document; a FastAPI app has its document at `/openapi.json`"
        ));
    }
}
