//! `mantlet keys`: makes, lists and revokes API keys.

use std::{fmt::Write as _, io, process::ExitCode};

use http::Method;
use jiff::Timestamp;
use mantlet_controls::{
    api_keys::{ApiKeys, Change, Listed, NewKey, State, id_of, life_of},
    config::Environment,
};
use mantlet_gateway::key_file::KeyFile;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Client, print_answer};
use crate::{
    cli::{KeysAction, KeysArguments},
    config::{Config, Reader, summary},
    say::{Failure, amount, say},
    state,
};

/// Characters of a name that are shown in a list.
const NAME: usize = 32;
/// Keys of which it is said that they end soon.
const TOLD: usize = 5;

pub(crate) fn keys(arguments: &KeysArguments) -> Result<ExitCode, Failure> {
    let KeysArguments { action, running } = arguments;
    let loaded = Reader::of_file(running.config.clone())
        .load()
        .map_err(|mistakes| Failure::usage(summary(&mistakes, "nothing was done")))?;
    let keys = Keys { config: &loaded.config };
    match action {
        None => print_answer(keys.list()?, running.json, |answer: &All| list(answer, false)),
        Some(KeysAction::List { all }) => {
            print_answer(keys.list()?, running.json, |answer: &All| list(answer, *all))
        }
        Some(KeysAction::Show { key }) => print_answer(keys.show(named(key))?, running.json, show),
        Some(KeysAction::Create { name, scopes, expires, account }) => {
            let life = expires.as_deref().map(life_of).transpose().map_err(Failure::usage)?;
            let life = life.unwrap_or(NewKey::default().life);
            let (name, account, scopes) = (name.clone(), account.clone(), scopes.clone());
            let new = NewKey { name, account, scopes, life };
            print_answer(keys.create(&new, expires.as_deref())?, running.json, created)
        }
        Some(KeysAction::Revoke { key }) => print_answer(keys.revoke(named(key))?, running.json, revoked),
    }
}

/// The id of a key, of which there may be more at hand.
fn named(text: &str) -> &str {
    id_of(text).unwrap_or(text)
}

/// The keys of a configuration: those of the Mantlet that runs with it, else those in its folder.
struct Keys<'c> {
    config: &'c Config,
}

impl Keys<'_> {
    fn ask(
        &self,
        method: Method,
        segments: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<Option<Value>, Failure> {
        let Some(socket) = self.config.admin.path(&self.config.state_folder) else { return Ok(None) };
        Client::at(socket)?.ask_if_it_runs(method, segments, parameters)
    }

    fn list(&self) -> Result<Value, Failure> {
        if let Some(answer) = self.ask(Method::GET, &["keys"], &[])? {
            return Ok(answer);
        }
        let (keys, _) = self.open()?;
        let now = Timestamp::now().as_second();
        let rows: Vec<_> = keys.list().iter().map(|key| key.listed(now)).collect();
        let is_complete = self.config.store.read().ok().flatten().is_none();
        Ok(json!({ "environment": self.config.environment, "keys": rows, "complete": is_complete }))
    }

    fn show(&self, id: &str) -> Result<Value, Failure> {
        if let Some(answer) = self.ask(Method::GET, &["keys", id], &[])? {
            return Ok(answer);
        }
        let (keys, _) = self.open()?;
        let key = keys.find(id).ok_or_else(|| unknown(id))?;
        Ok(json!(key.listed(Timestamp::now().as_second())))
    }

    fn create(&self, new: &NewKey, expires: Option<&str>) -> Result<Value, Failure> {
        let scopes = new.scopes.join(" ");
        if let Some(scope) = new.scopes.iter().find(|scope| scope.contains(char::is_whitespace)) {
            return Err(Failure::usage(format!(
                "`{}` is not a scope; repeat `--scope`",
                scope.escape_debug()
            )));
        }
        let mut parameters = vec![("name", new.name.as_str()), ("scopes", &scopes)];
        parameters.extend(new.account.as_deref().map(|account| ("account", account)));
        parameters.extend(expires.map(|text| ("expires", text)));
        if let Some(answer) = self.ask(Method::POST, &["keys"], &parameters)? {
            return Ok(answer);
        }
        let (keys, file) = self.open()?;
        let now = Timestamp::now();
        let (facts, text) = keys.make(new, &self.config.environment, now).map_err(Failure::new)?;
        let id = facts.id.clone();
        state::prepare(&self.config.state_folder).map_err(|error| self.unwritten(&error))?;
        let changes = [Change::Created(facts)];
        file.add(&changes).map_err(|error| self.unwritten(&error))?;
        keys.apply(&changes);
        let key = keys.find(&id).ok_or_else(|| unknown(&id))?;
        self.say_directly();
        Ok(json!({ "key": text.expose(), "created": key.listed(now.as_second()), "durable": true }))
    }

    fn revoke(&self, id: &str) -> Result<Value, Failure> {
        if let Some(answer) = self.ask(Method::DELETE, &["keys", id], &[])? {
            return Ok(answer);
        }
        let (keys, file) = self.open()?;
        let (key, now) = (keys.find(id).ok_or_else(|| unknown(id))?, Timestamp::now().as_second());
        if key.revoked().is_none() {
            let changes = [Change::Revoked { key: id.into(), at: now }];
            file.add(&changes).map_err(|error| self.unwritten(&error))?;
            keys.apply(&changes);
        }
        self.say_directly();
        Ok(json!({ "revoked": key.listed(now), "durable": true }))
    }

    fn open(&self) -> Result<(ApiKeys, KeyFile), Failure> {
        let (path, keys) = (self.config.state_folder.join(state::KEYS), ApiKeys::default());
        let file = KeyFile::open(path.clone(), keys.clone());
        let file =
            file.map_err(|error| Failure::new(format!("`{}` cannot be read: {error}", path.display())))?;
        Ok((keys, file))
    }

    fn unwritten(&self, error: &io::Error) -> Failure {
        let path = self.config.state_folder.join(state::KEYS);
        Failure::new(match error.kind() {
            io::ErrorKind::WouldBlock => format!(
                "a Mantlet runs that writes `{}`, and does not answer at its admin socket\n\
                 remove `socket` under `[admin]`, or name its configuration with `--config`",
                path.display()
            ),
            _ => format!("`{}` cannot be written: {error}", path.display()),
        })
    }

    /// With a store, others learn of it through a Mantlet.
    fn say_directly(&self) {
        if self.config.store.read().ok().flatten().is_some() {
            say(
                "note: no Mantlet runs with this configuration, so gates that share its store learn of this when one \
                 starts",
            );
        }
    }
}

fn unknown(id: &str) -> Failure {
    Failure::new(format!("there is no key `{}`; `mantlet keys list --all` lists all", id.escape_debug()))
}

#[derive(Deserialize)]
struct All {
    environment: Environment,
    keys: Vec<Listed>,
    complete: bool,
}

#[derive(Deserialize)]
struct AfterCreate {
    key: String,
    created: Listed,
    shared: Option<bool>,
}

#[derive(Deserialize)]
struct AfterRevoke {
    revoked: Listed,
    durable: bool,
    shared: Option<bool>,
}

fn list(All { environment, keys, complete }: &All, all: bool) -> String {
    if !complete {
        say("note: the store was not asked: other gates may know more keys");
    }
    let (good, ended): (Vec<_>, Vec<_>) = keys.iter().partition(|key| is_good(key, environment));
    if keys.is_empty() {
        say("there are no API keys; `mantlet keys create NAME` makes one");
    }
    for key in good.iter().filter(|key| key.ends_soon).take(TOLD) {
        let name = key.name.escape_debug();
        say(format!(
            "note: {} ({name}) {}; `mantlet keys create` with the same name makes the next one",
            key.id,
            end(key, environment)
        ));
    }
    let mut text = String::new();
    let shown: Vec<_> = if all { good.into_iter().chain(ended).collect() } else { good };
    if !shown.is_empty() {
        let mut line = |[id, name, account, scopes, created, used, end]: [&str; 7]| {
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "{id:<12}  {name:<16}  {account:<20}  {scopes:<20}  {created:<20}  {used:<20}  {end}"
            );
        };
        line(["key", "name", "account", "scopes", "made", "last used", "state"]);
        for key in shown {
            let cut = |text: &str| text.chars().take(NAME).collect::<String>().escape_debug().to_string();
            let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
            line([
                &key.id,
                &cut(&key.name),
                &or_none(key.account.as_deref().map(cut).unwrap_or_default()),
                &or_none(key.scopes.join(" ")),
                &format!("{:.0}", key.created),
                &or_none(key.used.map(|at| format!("{at:.0}")).unwrap_or_default()),
                &end(key, environment),
            ]);
        }
    }
    let hidden = keys.len() - text.lines().count().saturating_sub(1);
    if hidden > 0 {
        let _ = writeln!(text, "and {} not good any more; `--all` lists all", amount(hidden, "key"));
    }
    text
}

fn is_good(key: &Listed, environment: &Environment) -> bool {
    key.state == State::Good && key.environment == *environment
}

/// How a key ends, or has ended.
fn end(key: &Listed, environment: &Environment) -> String {
    match (key.state, key.expires) {
        (State::Revoked, _) => {
            key.revoked.map_or_else(|| "revoked".to_owned(), |at| format!("revoked at {at:.0}"))
        }
        (State::Expired, at) => at.map_or_else(|| "expired".to_owned(), |at| format!("expired at {at:.0}")),
        (State::Good, _) if key.environment != *environment => format!("only for `{}`", key.environment),
        (State::Good, None) => "good".to_owned(),
        (State::Good, Some(at)) if key.ends_soon => {
            let hours = at.duration_since(Timestamp::now()).as_hours().max(0);
            let left = if hours < 48 {
                amount(usize::try_from(hours).unwrap_or_default(), "hour")
            } else {
                amount(usize::try_from(hours / 24).unwrap_or_default(), "day")
            };
            format!("ends in {left}, at {at:.0}")
        }
        (State::Good, Some(at)) => format!("good until {at:.0}"),
    }
}

fn show(key: &Listed) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let scopes = (!key.scopes.is_empty()).then(|| key.scopes.join(" "));
    let rows = [
        ("key", key.id.to_string()),
        ("name", key.name.escape_debug().to_string()),
        ("account", or_none(key.account.as_deref().map(|account| account.escape_debug().to_string()))),
        ("environment", key.environment.to_string()),
        ("scopes", or_none(scopes)),
        ("made", format!("{:.0}", key.created)),
        ("last used", or_none(key.used.map(|at| format!("{at:.0}")))),
        ("state", end(key, &key.environment)),
    ];
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<12}  {value}");
        text
    })
}

fn created(AfterCreate { key, created, shared }: &AfterCreate) -> String {
    say_unshared(*shared);
    let (id, name) = (&created.id, created.name.escape_debug());
    say(format!("{id} ({name}) is {}; the key is not shown again", end(created, &created.environment)));
    key.clone()
}

fn revoked(AfterRevoke { revoked, durable, shared }: &AfterRevoke) -> String {
    if !durable {
        say(
            "note: this cannot be written to the state folder now: the revocation is in force, and lost if Mantlet \
             ends before it can be written",
        );
    }
    say_unshared(*shared);
    format!("{} ({}) is revoked", revoked.id, revoked.name.escape_debug())
}

fn say_unshared(shared: Option<bool>) {
    if shared == Some(false) {
        say("note: the store does not respond: other gates learn of this when it does");
    }
}
