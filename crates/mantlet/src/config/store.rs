//! The `[store]` section: where several gates count together.

use std::fs;

use mantlet_controls::config::{Mistake, units::Span};
use mantlet_gateway::StoreConfig;
use serde::{Deserialize, Serialize};

use super::reference::{REMEDY, Reference};

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// `redis://HOST:PORT/DB`, `redis+unix:///PATH`, `redis+cluster://HOST:PORT,HOST:PORT`,
    /// `redis+sentinel://HOST:PORT,HOST:PORT/NAME/DB`; `rediss` with TLS; `env:NAME` or `file:PATH`
    /// say where it is, and must where it holds a password. Default empty: each gate counts for
    /// itself.
    pub(crate) url: String,
    /// The authority of its certificate, PEM. Default empty: those that the machine trusts.
    pub(crate) authority: String,
    /// How long a request waits for the store. Default 50 ms.
    pub(crate) timeout: Span,
    /// What the names of its keys begin with. Default `mantlet`.
    pub(crate) prefix: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: String::new(),
            authority: String::new(),
            timeout: Span(std::time::Duration::from_millis(50)),
            prefix: "mantlet".into(),
        }
    }
}

impl Config {
    /// The store, if there is one.
    pub(crate) fn read(&self) -> Result<Option<StoreConfig>, Mistake> {
        let mistake = |message: String| Mistake::new("store.url", message);
        if self.url.is_empty() {
            return Ok(None);
        }
        let url = match Reference::of(&self.url) {
            Some(reference) => {
                let bytes = reference.and_then(|reference| reference.read()).map_err(mistake)?;
                String::from_utf8(bytes)
                    .map_err(|_| mistake(format!("`{}` is not text in UTF-8", self.url)))?
            }
            None if self.url.contains('@') || self.url.contains("pass=") => {
                return Err(mistake("a password does not belong in the configuration".into()).help(REMEDY));
            }
            None => self.url.clone(),
        };
        if !(1..=1_000).contains(&self.timeout.0.as_millis()) {
            return Err(Mistake::new("store.timeout", format!("`{}` is outside 1ms to 1s", self.timeout)));
        }
        let authority = match self.authority.as_str() {
            "" => None,
            path => Some(fs::read(path).map_err(|error| {
                Mistake::new("store.authority", format!("`{path}` cannot be read: {error}"))
            })?),
        };
        if authority.is_some() && !url.starts_with("rediss") && !url.starts_with("valkeys") {
            let mistake = Mistake::new("store.authority", "the URL does not use TLS");
            return Err(mistake.help("write `rediss://…`"));
        }
        let store =
            StoreConfig { url: url.into(), authority, timeout: self.timeout.0, prefix: self.prefix.clone() };
        if !store.is_valid() {
            let help = "write `redis://127.0.0.1:6379`, `redis+cluster://HOST:PORT,HOST:PORT` or `redis+sentinel://HOST:PORT,HOST:PORT/NAME`";
            return Err(mistake("this is not the URL of a store".into()).help(help));
        }
        Ok(Some(store))
    }
}
