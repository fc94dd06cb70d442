//! The app's own document, asked for behind the gate.

use mantlet_contract::model::{Route, Router};
use mantlet_gateway::{
    Address,
    fetch::{FetchError, Target, fetch},
};

use super::{
    read::{Found, LONGEST, PATIENCE, Trouble, understood},
    router::operations,
};
use crate::say::amount;

/// Where apps have their document. FastAPI's default first; the last is asked only if nothing else
/// was found.
const USUAL: [&str; 5] =
    ["/openapi.json", "/api/openapi.json", "/api/v1/openapi.json", "/v1/openapi.json", LAST_USUAL];
const LAST_USUAL: &str = "/api";

/// The app behind the gate.
#[derive(Debug, Clone)]
pub(crate) struct Behind {
    pub(crate) address: Address,
    /// The name by which it is asked: an app may answer to no other.
    pub(crate) host: String,
    /// Its clients come over HTTPS: an app may send all others there.
    pub(crate) is_https: bool,
    pub(crate) name: String,
}

/// What the app answered where its document may be.
#[derive(Default)]
struct Asked {
    paths: Vec<&'static str>,
    found: Vec<(&'static str, Found)>,
    /// What is wrong with answers that should have been one.
    faults: Vec<String>,
    /// Why there was no answer, if that may change.
    away: Option<String>,
}

impl Behind {
    /// The app's own document. Of several, the one that says most.
    pub(super) async fn read(&self) -> Result<Found, Trouble> {
        let Asked { paths, mut found, faults, away } = self.ask().await;
        let size =
            |(_, found): &(_, Found)| (operations(&found.model.router), found.model.router.routes.len());
        let best = (0..found.len()).rev().max_by_key(|index| found.get(*index).map(size));
        let Some((path, mut best)) = best.map(|index| found.remove(index)) else {
            return Err(away.map_or_else(|| Trouble::Broken(not_found(&paths, &faults)), Trouble::Away));
        };
        add_page(path, &mut best.model.router);
        best.name = match &best.model.title {
            Some(title) => format!("{} ({title})", self.name),
            None => self.name.clone(),
        };
        for (path, other) in &found {
            // Each knows routes that the other does not.
            let why = format!("there is another document at `{path}`");
            best.aside.push(format!(
                "{why} ({}), which is not used; `--openapi` selects one",
                amount(operations(&other.model.router), "operation")
            ));
            best.model.router.complete = false;
            best.model.router.routes.push(Route::Opaque { why, path: None, methods: Vec::new() });
        }
        Ok(best)
    }

    async fn ask(&self) -> Asked {
        let mut asked = Asked::default();
        let mut has_answered = false;
        for path in USUAL {
            if path == LAST_USUAL && !asked.found.is_empty() {
                break;
            }
            let Some(target) = Target::of_app(&self.address, &self.host, path, self.is_https) else {
                asked.faults.push(format!("it cannot be asked: `{}` is not a host name", self.host));
                break;
            };
            asked.paths.push(path);
            let answer = match fetch(&target, PATIENCE, LONGEST).await {
                Ok(answer) => answer,
                // One of the app's own paths may have an answer that does not end.
                Err(error) if has_answered || matches!(error, FetchError::TooLong(_)) => {
                    asked.faults.push(format!("`{path}`: {error}"));
                    continue;
                }
                Err(error) => {
                    asked.away = Some(error.to_string());
                    break;
                }
            };
            has_answered = true;
            match (answer.status.as_u16(), answer.location()) {
                (200, _) => match understood(&answer.body, &format!("at `{path}`")) {
                    Ok(found) if asked.found.iter().any(|(_, known)| known.hash == found.hash) => {}
                    Ok(found) => asked.found.push((path, found)),
                    // Front ends answer every path with their page.
                    Err(_) if !looks_like_a_document(&answer.body) => {}
                    Err(why) => asked.faults.push(why),
                },
                (status @ 502..=504, _) => asked.away = Some(format!("it answers {status} at `{path}`")),
                (300..=399, Some(location)) if path != LAST_USUAL => asked
                    .faults
                    .push(format!("`{path}` redirects to `{location}`, and redirects are not followed")),
                (status @ (401 | 403), _) => asked.faults.push(format!("`{path}` answers {status}")),
                _ => {}
            }
        }
        asked
    }
}

fn not_found(paths: &[&str], faults: &[String]) -> String {
    let mut why = "no OpenAPI document was found behind the gate".to_owned();
    if !paths.is_empty() {
        why = format!("{why} (asked for `{}`)", paths.join("`, `"));
    }
    for fault in faults {
        why.push('\n');
        why.push_str(fault);
    }
    why + "\npass one with `--openapi FILE|URL`, or write a contract with `mantlet contract` and pass it with `--contract`"
}

/// The document itself is a page of the app, wherever it is.
fn add_page(path: &str, router: &mut Router) {
    if !router.routes.iter().any(|route| matches!(route, Route::Http { path: known, .. } if known == path)) {
        let methods = vec!["GET".to_owned(), "HEAD".to_owned()];
        let path = path.to_owned();
        router.routes.insert(
            0,
            Route::Http {
                path,
                methods,
                hidden: true,
                docs: true,
                convertors: std::collections::BTreeMap::new(),
                operation: None,
            },
        );
    }
}

/// Whether it is meant to be one.
fn looks_like_a_document(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    start.is_empty()
        || start.starts_with(b"{")
        || start.starts_with(b"openapi:")
        || start.starts_with(b"swagger:")
}
