//! Where the contract comes from, if not from the app that we run: a file, an address, or the app behind the gate, which may be away.
//!
//! The last good one stays in force until there is another. The gate never waits for it.

use std::{
    cell::{Cell, RefCell},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mantlet_contract::{
    document::{self, DocumentError},
    model::{self, Route, Router, VERSION},
};
use mantlet_controls::{
    Mode,
    contract::Config,
    operation::{Contract, ContractHandle},
    route::Routes,
};
use mantlet_gateway::{
    Address,
    fetch::{FetchError, Target, fetch},
};
use tokio::sync::Notify;

use crate::{
    agreement,
    config::is_url,
    effect::{Facts, Settings},
    inspector::{is_empty, operations},
    report::{Report, amount},
    say::say,
};

/// Where apps have their document. FastAPI's default first; the last is asked only if nothing else was found.
const USUAL: [&str; 5] =
    ["/openapi.json", "/api/openapi.json", "/api/v1/openapi.json", "/v1/openapi.json", LAST_USUAL];
const LAST_USUAL: &str = "/api";
/// Time that a server may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The same before anything listens.
pub(crate) const PATIENCE_AT_START: Duration = Duration::from_secs(1);
/// The longest document that is fetched. The longest that is known has 10 MiB.
const LONGEST: usize = 16 << 20;
/// Pauses between two attempts at what could not be reached.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Where the contract comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// There is none.
    None,
    /// The app that we run tells it.
    App,
    /// What `mantlet contract` wrote.
    File(PathBuf),
    /// An OpenAPI document in a file.
    Document(PathBuf),
    /// One at an address.
    Url(String),
    /// The app's own, wherever it is.
    Behind,
}

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
    /// Nobody answers: that may change by itself.
    Away(String),
    /// There is one, or should be, and it cannot be used.
    Broken(String),
}

impl Source {
    /// What the configuration says; `app_tells` if the app is ours to run and to ask.
    pub(crate) fn of(config: &Config, app_tells: bool) -> Self {
        match (config.file.as_str(), config.openapi.as_str()) {
            _ if config.mode == Mode::Off => Self::None,
            ("", "") if app_tells => Self::App,
            ("", "") => Self::Behind,
            ("", "off") => Self::None,
            ("", url) if is_url(url) => Self::Url(url.to_owned()),
            ("", file) => Self::Document(file.into()),
            (file, _) => Self::File(file.into()),
        }
    }

    /// Reads it from a file, if it is in one.
    pub(crate) fn read_file(&self) -> Option<Result<Found, Trouble>> {
        match self {
            Self::File(file) => Some(read_contract(file)),
            Self::Document(file) => Some(read_document(file)),
            Self::None | Self::App | Self::Url(_) | Self::Behind => None,
        }
    }
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
fn read_contract(file: &Path) -> Result<Found, Trouble> {
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
fn understood(text: &[u8], place: &str) -> Result<Found, String> {
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
    match (status, answer.location) {
        (200, _) => understood(&answer.body, &format!("`{url}`")).map_err(Trouble::Broken),
        (300..=399, Some(location)) => Err(Trouble::Broken(format!(
            "`{url}` redirects to `{location}`, and redirects are not followed; pass that address if it is right"
        ))),
        (502..=504, _) => Err(Trouble::Away(format!("`{url}` answers {status}"))),
        _ => Err(Trouble::Broken(format!("`{url}` answers {status} instead of a document"))),
    }
}

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
    /// Why nobody answered, if that may change.
    away: Option<String>,
}

impl Behind {
    /// The app's own document. Of several, the one that says most.
    async fn read(&self) -> Result<Found, Trouble> {
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
        let mut somebody_answered = false;
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
                Err(error) if somebody_answered || matches!(error, FetchError::TooLong(_)) => {
                    asked.faults.push(format!("`{path}`: {error}"));
                    continue;
                }
                Err(error) => {
                    asked.away = Some(error.to_string());
                    break;
                }
            };
            somebody_answered = true;
            match (answer.status.as_u16(), answer.location) {
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

/// Whether somebody meant it to be one.
fn looks_like_a_document(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    start.is_empty()
        || start.starts_with(b"{")
        || start.starts_with(b"openapi:")
        || start.starts_with(b"swagger:")
}

/// Says that the configuration wants no contract.
pub(crate) fn say_none() {
    say("note: the configuration switches the contract off\nrequests are not checked against a contract");
}

/// Puts contracts in force, and says what they lead to.
#[derive(Debug)]
pub(crate) struct Keeper {
    slot: ContractHandle,
    behind: Behind,
    source: RefCell<Source>,
    /// What the configuration says of every route.
    policy: RefCell<Arc<Routes>>,
    report: RefCell<Option<Report>>,
    /// What the configuration says, and what is known of the app: what has no effect is told.
    settings: RefCell<Option<Settings>>,
    facts: RefCell<Option<Facts>>,
    /// What was said last.
    told: RefCell<String>,
    hash: Cell<Option<u64>>,
    /// What is kept of how often the app agrees.
    agreement: Option<PathBuf>,
    /// Somebody wants it read again.
    pub(crate) asked: Notify,
}

impl Keeper {
    pub(crate) fn new(slot: ContractHandle, source: Source, behind: Behind, policy: Arc<Routes>) -> Self {
        Self {
            slot,
            behind,
            source: RefCell::new(source),
            policy: RefCell::new(policy),
            report: RefCell::default(),
            settings: RefCell::default(),
            facts: RefCell::default(),
            told: RefCell::default(),
            hash: Cell::default(),
            agreement: None,
            asked: Notify::new(),
        }
    }

    /// Recalls what was kept in this file.
    pub(crate) fn recalling(self, file: PathBuf) -> Self {
        Self { agreement: Some(file), ..self }
    }

    /// Puts a contract in force, if it is another one.
    pub(crate) fn put(&self, found: Found) {
        let Found { model, name, from, hash, aside } = found;
        if self.slot.is_known() && self.hash.replace(Some(hash)) == Some(hash) {
            return;
        }
        self.hash.set(Some(hash));
        let (contract, left) = Contract::compile(&model);
        let contract = contract.identified(hash);
        if let Some(file) = &self.agreement {
            agreement::recall(file, &contract);
        }
        let routes = Arc::clone(&self.policy.borrow());
        let report = Report::new(name, from, &model, &contract, left)
            .with_agreement(&contract, |method, path| agreement::rules_of(&routes, method, path));
        if is_empty(&model.router) {
            say(
                "error: the contract has no operation that can be read: only paths are known, and no input is judged",
            );
        }
        self.report.replace(Some(report));
        self.facts.replace(Some(Facts::of(&model, contract.routes())));
        self.slot.put(contract);
        self.tell();
        for text in aside {
            say(format!("note: {text}"));
        }
    }

    /// Says what is in force, unless that was said last.
    fn tell(&self) {
        if let Some(report) = &*self.report.borrow() {
            let text = report.brief(&self.policy.borrow());
            let notes = match (&*self.settings.borrow(), &*self.facts.borrow()) {
                (Some(settings), Some(facts)) => settings.notes(facts),
                _ => Vec::new(),
            };
            let told =
                std::iter::once(&text).chain(&notes).fold(String::new(), |told, one| told + one + "\n");
            if *self.told.borrow() != told {
                say(&text);
                for note in notes {
                    say(note);
                }
                self.told.replace(told);
            }
        }
    }

    /// Takes another configuration; then everything is read again.
    pub(crate) fn reload(&self, source: Source, policy: Arc<Routes>) {
        self.policy.replace(policy);
        let has_ended = source == Source::None && self.source() != Source::None;
        self.source.replace(source);
        if has_ended {
            self.forget();
        }
        self.tell();
        self.asked.notify_one();
    }

    /// Takes what a configuration says, to be held against what is known of the app.
    pub(crate) fn heed(&self, settings: Settings) {
        self.settings.replace(Some(settings));
    }

    /// Where the contract comes from by now.
    pub(crate) fn source(&self) -> Source {
        self.source.borrow().clone()
    }

    /// Goes on without one, because the configuration says so.
    fn forget(&self) {
        self.slot.forget();
        self.hash.take();
        self.report.take();
        self.facts.take();
        self.told.take();
        say_none();
    }

    /// Goes on with the last one, if there is one.
    pub(crate) fn go_on_without(&self, why: &str) {
        self.slot.give_up();
        let consequence = if self.slot.is_known() {
            "the last contract stays in force"
        } else {
            "requests are not checked against a contract"
        };
        say(format!("note: {why}\n{consequence}"));
    }

    /// Reads the contract whenever it may be another one, for as long as it is polled; what is away, again and again.
    pub(crate) async fn keep(&self, starts_at_once: bool, app_returned: impl AsyncFn()) {
        let mut is_wanted = starts_at_once;
        let mut pause = FIRST_PAUSE;
        let mut known_trouble = None;
        loop {
            let source = self.source();
            let read = match &source {
                _ if !is_wanted => None,
                Source::None | Source::App => None,
                Source::File(_) | Source::Document(_) => source.read_file(),
                Source::Url(url) => Some(read_url(url, PATIENCE).await),
                Source::Behind => Some(self.behind.read().await),
            };
            is_wanted = true;
            let mut is_away = false;
            // While it was read, another source may have been named. That was asked for, too.
            match read.filter(|_| source == self.source()) {
                None => {}
                Some(Ok(found)) => {
                    (pause, known_trouble) = (FIRST_PAUSE, None);
                    self.put(found);
                }
                Some(Err(trouble)) => {
                    is_away = matches!(trouble, Trouble::Away(_));
                    if known_trouble.as_ref() != Some(&trouble) {
                        self.go_on_without(&match &trouble {
                            Trouble::Away(why) if source == Source::Behind => {
                                format!(
                                    "cannot ask {} for its document yet: {why}; trying again",
                                    self.behind.name
                                )
                            }
                            Trouble::Away(why) => format!("{why}; trying again"),
                            Trouble::Broken(why) => why.clone(),
                        });
                        known_trouble = Some(trouble);
                    }
                }
            }
            tokio::select! {
                () = self.asked.notified() => (pause, known_trouble) = (FIRST_PAUSE, None),
                // Its own document may be another one by now; nothing else is.
                () = app_returned(), if source == Source::Behind => {
                    // One that comes and goes all the time is not asked each time.
                    tokio::time::sleep(FIRST_PAUSE).await;
                    pause = FIRST_PAUSE;
                }
                () = tokio::time::sleep(pause), if is_away => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }
}

#[cfg(test)]
#[path = "contract_source_tests.rs"]
mod tests;
