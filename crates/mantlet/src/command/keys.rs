//! `mantlet keys`: makes, lists and revokes API keys.

use std::{
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use http::Method;
use jiff::Timestamp;
use mantlet_controls::{
    api_keys::{ApiKey, ApiKeys, Change, Listed, NewKey, State, id_of, life_of},
    audit::{Actions, Outcome, Record, Sink},
    config::Environment,
};
use mantlet_gateway::{
    audit_log::{AuditConfig, AuditLog},
    key_file::KeyFile,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Client, print_answer};
use crate::{
    cli::{KeysAction, KeysArguments},
    config::{Config, Reader, summary},
    say::{Failure, amount, say, table},
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
    let keys = Keys { config: &loaded.config, file: running.config.as_deref() };
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
    /// The configuration file, if one was named.
    file: Option<&'c Path>,
}

impl Keys<'_> {
    fn ask(
        &self,
        method: Method,
        segments: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<Option<Value>, Failure> {
        let Some(socket) = self.config.admin.path(&self.config.state_folder) else { return Ok(None) };
        Client::at(&socket, self.where_to_run())?.ask_if_it_runs(method, segments, parameters)
    }

    fn where_to_run(&self) -> String {
        state::where_to_run(&self.config.state_folder, self.file)
    }

    fn list(&self) -> Result<Value, Failure> {
        if let Some(answer) = self.ask(Method::GET, &["keys"], &[])? {
            return Ok(answer);
        }
        let (keys, _) = self.open()?;
        let (environment, now) = (&self.config.environment, Timestamp::now().as_second());
        let rows: Vec<_> = keys.list().iter().map(|key| key.listed(environment, now)).collect();
        let is_complete = self.config.store.read().ok().flatten().is_none();
        Ok(json!({ "environment": environment, "keys": rows, "complete": is_complete }))
    }

    fn show(&self, id: &str) -> Result<Value, Failure> {
        if let Some(answer) = self.ask(Method::GET, &["keys", id], &[])? {
            return Ok(answer);
        }
        let (keys, _) = self.open()?;
        let key = keys.find(id).ok_or_else(|| unknown(id))?;
        Ok(json!(key.listed(&self.config.environment, Timestamp::now().as_second())))
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
        // A key in another file than Mantlet's would not be good anywhere.
        if let Some(home) = state::other_home(&self.config.state_folder, self.file) {
            let (folder, home) = (state::absolute(&self.config.state_folder), home.display());
            return Err(Failure::new(format!(
                "there is no state folder `{}`, but there is one in `{home}`\n\
                 run this in `{home}`; or start Mantlet here first",
                folder.display()
            )));
        }
        let (keys, file) = self.read()?;
        let now = Timestamp::now();
        let (facts, text) = keys.make(new, &self.config.environment, now).map_err(Failure::new)?;
        let id = facts.id.clone();
        let is_first = !self.path().exists();
        state::prepare(&self.config.state_folder).map_err(|error| self.unwritten(&error))?;
        let changes = [Change::Created(facts)];
        file.add(&changes).map_err(|error| self.unwritten(&error))?;
        keys.apply(&changes);
        let key = keys.find(&id).ok_or_else(|| unknown(&id))?;
        if is_first {
            self.say_new();
        }
        self.record("create an API key", "api-key-created", &key, now);
        self.say_directly();
        let created = key.listed(&self.config.environment, now.as_second());
        Ok(json!({ "key": text.expose(), "created": created, "durable": true }))
    }

    fn revoke(&self, id: &str) -> Result<Value, Failure> {
        if let Some(answer) = self.ask(Method::DELETE, &["keys", id], &[])? {
            return Ok(answer);
        }
        let (keys, file) = self.open()?;
        let (key, now) = (keys.find(id).ok_or_else(|| unknown(id))?, Timestamp::now());
        if key.revoked().is_none() {
            let changes = [Change::Revoked { key: id.into(), at: now.as_second() }];
            file.add(&changes).map_err(|error| self.unwritten(&error))?;
            keys.apply(&changes);
            self.record(&format!("revoke the API key {id}"), "api-key-revoked", &key, now);
        }
        self.say_directly();
        Ok(json!({ "revoked": key.listed(&self.config.environment, now.as_second()), "durable": true }))
    }

    /// The audit log has what was done here, as if a Mantlet had done it.
    fn record(&self, act: &str, event: &'static str, key: &ApiKey, now: Timestamp) {
        let config = self.config.audit.log(&self.config.state_folder);
        if config.file.is_none() {
            return;
        }
        match AuditLog::open(&AuditConfig { terminal: false, ..config }) {
            Ok((log, writer)) => {
                let operator = format!("uid:{}", rustix::process::getuid().as_raw());
                log.record(Record::of_key(event, &key.subject(), key.caller(), now));
                if self.config.audit.actions != Actions::Off {
                    log.record(Record::of_operator(act, operator, Outcome::Success, now));
                }
                writer.finish();
            }
            Err(error) => {
                say(format!("warning: this is not in the audit log, because it cannot be written: {error}"));
            }
        }
    }

    /// The keys in the state folder, which must be there.
    fn open(&self) -> Result<(ApiKeys, KeyFile), Failure> {
        let folder = &self.config.state_folder;
        if folder.try_exists().is_ok_and(|is_there| !is_there) {
            let is_elsewhere = state::other_home(folder, self.file).is_some();
            let or =
                if is_elsewhere { "" } else { "; or make the first key with `mantlet keys create NAME`" };
            return Err(Failure::new(format!(
                "there is no state folder `{}`, so there are no API keys\n{}{or}",
                state::absolute(folder).display(),
                self.where_to_run()
            )));
        }
        self.read()
    }

    fn read(&self) -> Result<(ApiKeys, KeyFile), Failure> {
        let (path, keys) = (self.path(), ApiKeys::default());
        let file = KeyFile::open(path.clone(), keys.clone());
        let file =
            file.map_err(|error| Failure::new(format!("`{}` cannot be read: {error}", path.display())))?;
        Ok((keys, file))
    }

    fn path(&self) -> PathBuf {
        state::absolute(&self.config.state_folder.join(state::KEYS))
    }

    fn unwritten(&self, error: &io::Error) -> Failure {
        let path = self.path();
        Failure::new(match error.kind() {
            io::ErrorKind::WouldBlock => format!(
                "a Mantlet runs that writes `{}`, and does not answer at its admin socket\n\
                 remove `socket` under `[admin]`, or name its configuration with `--config`",
                path.display()
            ),
            _ => format!("`{}` cannot be written: {error}", path.display()),
        })
    }

    /// Which file now holds keys: it is of use only to a Mantlet that finds it.
    fn say_new(&self) {
        let made = format!("note: the keys are kept in the new file `{}`", self.path().display());
        say(if self.config.state_folder.is_relative() {
            let here = state::absolute(Path::new("."));
            format!("{made}\nstart Mantlet in `{}`, or it does not find them", here.display())
        } else {
            made
        });
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
    if keys.is_empty() {
        say("there are no API keys; `mantlet keys create NAME` makes one");
        return String::new();
    }
    for key in keys.iter().filter(|key| key.state == State::Good && key.ends_soon).take(TOLD) {
        let name = key.name.escape_debug();
        say(format!(
            "note: {} ({name}) {}; `mantlet keys create` with the same name makes the next one",
            key.id,
            end(key)
        ));
    }
    let foreign = keys.iter().filter(|key| key.state == State::OfAnotherEnvironment).count();
    if foreign > 0 {
        let are = if foreign == 1 { "is" } else { "are" };
        say(format!(
            "note: {} {are} refused, because `environment` is `{environment}` here\n\
             if it was changed, change it back or make new keys",
            amount(foreign, "key")
        ));
    }
    let is_over = |key: &&Listed| matches!(key.state, State::Revoked | State::Expired);
    let (ended, open): (Vec<_>, Vec<_>) = keys.iter().partition(is_over);
    let shown: Vec<_> = if all { open.iter().chain(&ended).collect() } else { open.iter().collect() };
    let mut text = String::new();
    if !shown.is_empty() {
        let head = ["key", "name", "account", "scopes", "made", "last used", "state"].map(str::to_owned);
        let cut = |text: &str| text.chars().take(NAME).collect::<String>().escape_debug().to_string();
        let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let rows = shown.iter().map(|key| {
            [
                key.id.to_string(),
                cut(&key.name),
                or_none(key.account.as_deref().map(cut).unwrap_or_default()),
                or_none(key.scopes.join(" ")),
                format!("{:.0}", key.created),
                or_none(key.used.map(|at| format!("{at:.0}")).unwrap_or_default()),
                end(key),
            ]
        });
        text = table(&[head].into_iter().chain(rows).collect::<Vec<_>>());
    }
    if shown.len() < keys.len() {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "and {} revoked or expired; `--all` lists all", amount(ended.len(), "key"));
    }
    text
}

/// How a key ends, or has ended.
fn end(key: &Listed) -> String {
    match (key.state, key.expires) {
        (State::Revoked, _) => {
            key.revoked.map_or_else(|| "revoked".to_owned(), |at| format!("revoked at {at:.0}"))
        }
        (State::Expired, at) => at.map_or_else(|| "expired".to_owned(), |at| format!("expired at {at:.0}")),
        (State::OfAnotherEnvironment, _) => format!("refused here: only for `{}`", key.environment),
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
        ("state", end(key)),
    ];
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<12}  {value}");
        text
    })
}

fn created(AfterCreate { key, created, shared }: &AfterCreate) -> String {
    say_unshared(*shared);
    let (id, name) = (&created.id, created.name.escape_debug());
    say(format!("{id} ({name}) is {}; the key is not shown again", end(created)));
    key.clone()
}

fn revoked(AfterRevoke { revoked, durable, shared }: &AfterRevoke) -> String {
    if !durable {
        say("note: the state folder cannot be written now\n\
             the revocation is in force, but it is lost if Mantlet ends before it can be written");
    }
    say_unshared(*shared);
    format!("{} ({}) is revoked", revoked.id, revoked.name.escape_debug())
}

fn say_unshared(shared: Option<bool>) {
    if shared == Some(false) {
        say("note: the store does not respond: other gates learn of this when it does");
    }
}
