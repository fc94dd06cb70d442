//! Keeps a contract in force: reads it whenever it may be another one, and says what it leads to.
//!
//! The last good one stays in force until there is another. The gate never waits for it.

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use mantlet_controls::{
    operation::{Contract, ContractHandle},
    route::Routes,
};
use tokio::sync::Notify;

use super::{
    agreement,
    behind::Behind,
    effect::{EffectCheck, Facts},
    read::{Found, PATIENCE, Trouble, read_url},
    report::Report,
    router::is_empty,
    source::Source,
};
use crate::{
    accounts::{self, Reserved},
    say::say,
};

/// Pauses between two attempts at what could not be reached.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

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
    effect: RefCell<Option<EffectCheck>>,
    facts: RefCell<Option<Facts>>,
    /// What was said last.
    told: RefCell<String>,
    hash: Cell<Option<u64>>,
    /// What is kept of how often the app agrees.
    agreement: Option<PathBuf>,
    /// The paths of the accounts, where the app may have nothing.
    reserved: Option<Reserved>,
    /// What the first contract has there.
    conflict: RefCell<Option<String>>,
    pub(crate) in_conflict: Notify,
    /// It is to be read again.
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
            effect: RefCell::default(),
            facts: RefCell::default(),
            told: RefCell::default(),
            hash: Cell::default(),
            agreement: None,
            reserved: None,
            conflict: RefCell::default(),
            in_conflict: Notify::new(),
            asked: Notify::new(),
        }
    }

    /// Recalls what was kept in this file.
    pub(crate) fn recalling(self, file: PathBuf) -> Self {
        Self { agreement: Some(file), ..self }
    }

    /// Refuses an app that has routes of its own there.
    pub(crate) fn reserving(self, reserved: Option<Reserved>) -> Self {
        Self { reserved, ..self }
    }

    /// Why the app cannot be run with these accounts, if that has shown.
    pub(crate) fn conflict(&self) -> Option<String> {
        self.conflict.borrow().clone()
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
        if let Some(why) = self.reserved.as_ref().and_then(|own| accounts::conflict(contract.routes(), own)) {
            if !self.slot.is_known() {
                self.conflict.replace(Some(why));
                self.in_conflict.notify_one();
                return;
            }
            // It runs already. The route is not reached, and everything else is.
            say(format!("error: {why}"));
        }
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
            let notes = match (&*self.effect.borrow(), &*self.facts.borrow()) {
                (Some(effect), Some(facts)) => effect.notes(facts),
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
    pub(crate) fn heed(&self, effect: EffectCheck) {
        self.effect.replace(Some(effect));
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

    /// Reads the contract whenever it may be another one, for as long as it is polled; what is
    /// away, again and again.
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
#[path = "keeper_tests.rs"]
mod tests;
