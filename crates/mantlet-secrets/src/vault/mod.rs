//! `OpenBao` and Vault: a session, and what is read in it.
//!
//! Paths are written as for the command line, so what holds them is asked first: version 2 of the KV engine wants `data/`
//! after its mount. A session is renewed at two thirds of its time. One that ends is begun anew where that is possible.

mod server;
mod session;

use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime},
};

use http::Method;
use serde_json::{Value, json};

use self::{
    server::{Answer, Server},
    session::Session,
};
use crate::{
    found::{Found, Lease, Trouble},
    settings::{ReadHere, Vault as Settings},
};

/// A client of a server.
pub(crate) struct Vault {
    settings: Settings,
    read_here: ReadHere,
    session: Option<Session>,
    /// What is mounted where, as the server has said.
    mounts: HashMap<String, Engine>,
}

/// What answers under a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Kv1,
    Kv2,
    /// One that makes secrets when it is asked.
    Other,
}

impl Vault {
    pub(crate) fn new(settings: Settings, read_here: ReadHere) -> Self {
        Self { settings, read_here, session: None, mounts: HashMap::new() }
    }

    /// Reads a secret. If the session has ended meanwhile, in another one.
    pub(crate) async fn read(&mut self, path: &str) -> Result<Found, Trouble> {
        let server = Server::of(&self.settings)?;
        if self.session.is_none() {
            self.session = Some(Session::begin(&server, &self.settings, &self.read_here).await?);
        }
        match self.read_in_session(&server, path).await {
            Err(Denied::Here(why)) if !self.has_session(&server).await? => {
                self.session = None;
                let ended = |trouble| match trouble {
                    Trouble::Refused(other) => {
                        Trouble::Refused(format!("{other}; the session before has ended ({why})"))
                    }
                    away @ Trouble::Away(_) => away,
                };
                let new = Session::begin(&server, &self.settings, &self.read_here).await;
                self.session = Some(new.map_err(ended)?);
                self.read_in_session(&server, path).await.map_err(Denied::into_trouble)
            }
            other => other.map_err(Denied::into_trouble),
        }
    }

    /// When the session is to be renewed.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.session.as_ref()?.due
    }

    /// Renews the session, or begins another one.
    pub(crate) async fn keep_session(&mut self) -> Result<(), Trouble> {
        let server = Server::of(&self.settings)?;
        let Some(session) = &mut self.session else { return Ok(()) };
        match session.renew(&server).await {
            Err(Trouble::Refused(_)) => {
                let new = Session::begin(&server, &self.settings, &self.read_here).await;
                // Until it ends, the old one may still be good.
                session.try_again();
                self.session = Some(new?);
                Ok(())
            }
            Err(away) => {
                session.try_again();
                Err(away)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Renews a lease: how long it is good for from now on.
    pub(crate) async fn renew(&mut self, lease: &Lease) -> Result<Duration, Trouble> {
        let server = Server::of(&self.settings)?;
        let token = self.session.as_ref().map(|session| &session.token);
        let body = json!({"lease_id": lease.id, "increment": lease.time.as_secs()});
        let answer = server.ask(Method::POST, "sys/leases/renew", token, Some(&body)).await?;
        match answer.seconds("/lease_duration") {
            Some(time) if answer.is_good() => Ok(time),
            _ => Err(Trouble::Refused(format!("the lease is not renewed ({})", answer.errors()))),
        }
    }

    async fn has_session(&self, server: &Server) -> Result<bool, Trouble> {
        let Some(session) = &self.session else { return Ok(false) };
        let answer = server.ask(Method::GET, "auth/token/lookup-self", Some(&session.token), None).await?;
        Ok(answer.is_good())
    }

    async fn read_in_session(&mut self, server: &Server, path: &str) -> Result<Found, Denied> {
        let (mount, engine) = self.engine(server, path).await?;
        let inner = path.strip_prefix(mount.as_str()).unwrap_or(path).trim_start_matches('/');
        let asked = if engine == Engine::Kv2 { format!("{mount}data/{inner}") } else { path.to_owned() };
        let token = self.session.as_ref().map(|session| &session.token);
        let answer = server.ask(Method::GET, &asked, token, None).await.map_err(Denied::Trouble)?;
        match answer.status {
            200 => {}
            403 => return Err(Denied::Here(server.may_not(&asked, &answer))),
            404 => return Err(Denied::refused(missing(&answer, engine, path, &mount))),
            _ => {
                let why = format!("{server} says {} to `{asked}`: {}", answer.status, answer.errors());
                return Err(Denied::refused(why));
            }
        }
        let data = if engine == Engine::Kv2 { "/data/data" } else { "/data" };
        let Some(object) = answer.body.pointer(data).and_then(Value::as_object) else {
            return Err(Denied::refused(format!("the secret `{path}` of {server} has no fields")));
        };
        let mut found = Found::of_object(object);
        let created = answer.body.pointer("/data/metadata/created_time").and_then(Value::as_str);
        if engine == Engine::Kv2 {
            found.created = created.and_then(time_of);
        }
        found.lease = lease(&answer);
        Ok(found)
    }

    /// What answers for a path, and where it is mounted (`secret/`).
    async fn engine(&mut self, server: &Server, path: &str) -> Result<(String, Engine), Denied> {
        let known = self.mounts.iter().find(|(mount, _)| path.starts_with(mount.as_str()));
        if let Some((mount, engine)) = known {
            return Ok((mount.clone(), *engine));
        }
        let asked = format!("sys/internal/ui/mounts/{path}");
        let token = self.session.as_ref().map(|session| &session.token);
        let answer = server.ask(Method::GET, &asked, token, None).await.map_err(Denied::Trouble)?;
        let text = |at| answer.body.pointer(at).and_then(Value::as_str);
        match (answer.status, text("/data/path")) {
            (200, Some(mount)) => {
                let engine = match (text("/data/type"), text("/data/options/version")) {
                    (Some("kv"), Some("2")) => Engine::Kv2,
                    (Some("kv" | "generic"), _) => Engine::Kv1,
                    _ => Engine::Other,
                };
                self.mounts.insert(mount.to_owned(), engine);
                Ok((mount.to_owned(), engine))
            }
            // The server does not tell "there is none" from "you may not".
            (403, _) => Err(Denied::Here(format!(
                "{server} denies `{path}`: nothing is mounted there, or no policy of the token allows to read there"
            ))),
            // A server from before this question has version 1 alone.
            (404, _) => Ok((String::new(), Engine::Kv1)),
            _ => Err(Denied::refused(format!("{server} says {}: {}", answer.status, answer.errors()))),
        }
    }
}

/// Why a path was not read.
enum Denied {
    /// The session, or its policies, do not reach it.
    Here(String),
    Trouble(Trouble),
}

impl Denied {
    const fn refused(why: String) -> Self {
        Self::Trouble(Trouble::Refused(why))
    }

    fn into_trouble(self) -> Trouble {
        match self {
            Self::Here(why) => Trouble::Refused(why),
            Self::Trouble(trouble) => trouble,
        }
    }
}

fn missing(answer: &Answer, engine: Engine, path: &str, mount: &str) -> String {
    let deleted = answer.body.pointer("/data/metadata/deletion_time").and_then(Value::as_str);
    let inner = path.strip_prefix(mount).unwrap_or(path);
    match (engine, inner.strip_prefix("data/")) {
        (Engine::Kv2, _) if deleted.is_some() => format!("the current version of `{path}` is deleted"),
        (Engine::Kv2, Some(rest)) => format!(
            "there is no secret `{path}`; if it is `{mount}{rest}`, leave `data/` out: version 2 of KV is found by itself"
        ),
        (Engine::Kv1, Some(rest)) => format!(
            "there is no secret `{path}`; `{mount}` is version 1 of KV, which has no `data/`: is it `{mount}{rest}`?"
        ),
        _ => format!("there is no secret `{path}`"),
    }
}

fn lease(answer: &Answer) -> Option<Lease> {
    let id = answer.body.pointer("/lease_id")?.as_str().filter(|id| !id.is_empty())?;
    let renewable = answer.body.pointer("/renewable").and_then(Value::as_bool).unwrap_or_default();
    Some(Lease { id: id.to_owned(), renewable, time: answer.seconds("/lease_duration")? })
}

fn time_of(text: &str) -> Option<SystemTime> {
    let time: jiff::Timestamp = text.parse().ok()?;
    let since = Duration::from_secs(u64::try_from(time.as_second()).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}
