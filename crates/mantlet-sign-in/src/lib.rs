//! Accounts over HTTP, for apps that have none.
//!
//! [`SignIn`] answers the requests below one path of a site ([`Settings::path`], `/auth` by default): an API in
//! FastAPI's shapes (`api`) and plain pages (`pages`). It knows no sockets, no configuration file and no gate.
//! [`Accounts`] decides everything; this crate reads requests, and says in HTTP what was decided.
//!
//! | path below `/auth` | what it is |
//! |---|---|
//! | `/register`, `/verify`, `/login`, `/second-factor`, `/forgot`, `/reset`, `/confirm-address`, `/undo-address`, `/logout` | pages: GET shows a form, POST does it |
//! | `/account` and below | pages of who is logged in |
//! | `/style.css` | the pages' one style sheet, and the operator's beside it |
//! | `/token` | RFC 6749: password form, refresh token |
//! | `/api/…` | JSON |
//!
//! `/.well-known/jwks.json` and `/.well-known/oauth-authorization-server` are ours, too.

mod answers;
mod api;
mod asked;
mod callers;
mod cookie;
mod document;
mod faults;
mod fields;
mod form;
mod operations;
mod pages;

use jiff::Timestamp;
use mantlet_accounts::Accounts;

pub use self::{
    asked::{Answer, Asked, Event, What},
    callers::Caller,
    faults::Unavailable,
};

/// How the pages and the API present themselves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the app, as pages say it.
    pub app: String,
    /// The path below which everything stands, without a slash at its end. Default `/auth`.
    pub path: String,
    /// Where a login leads if nothing else was asked for. Default `/`.
    pub home: String,
    /// Whether anybody may register. Default true.
    pub registration: bool,
    /// The operator's own style, added to ours; none if there is none.
    pub style: Option<String>,
    /// Other logins that the page offers: what each is called, and the path that begins it. Default none.
    pub others: Vec<(String, String)>,
}

/// The part of the site that is ours.
#[derive(Debug)]
pub struct SignIn {
    accounts: Accounts,
    settings: Settings,
    /// The scopes that a client may have for the asking.
    scopes: Vec<String>,
}

impl SignIn {
    /// The part of a site for these accounts.
    pub fn new(accounts: Accounts, settings: Settings) -> Self {
        Self { accounts, settings, scopes: Vec::new() }
    }

    /// The scopes that any client may have for the asking. Default none: a scope that is not here is left out of the token,
    /// as RFC 6749 section 3.3 allows, or a client could give itself what the app's operations ask for.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Vec<String>) -> Self {
        self.scopes = scopes;
        self
    }

    /// The accounts.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Whether a path of the site is ours. The query is not part of it.
    pub fn owns(&self, path: &str) -> bool {
        is_well_known(path) || self.below(path).is_some()
    }

    /// Answers a request for one of our paths.
    pub async fn answer(&self, now: Timestamp, asked: Asked) -> Answer {
        let path = asked.uri().path();
        let below =
            if is_well_known(path) { Some(path) } else { self.below(path).filter(|path| api::owns(path)) };
        match below.map(str::to_owned) {
            Some(below) => api::answer(self, now, &asked, &below).await,
            None => pages::answer(self, now, asked).await,
        }
    }

    /// All our operations, those of the pages' forms included, as an OpenAPI 3.1 document.
    pub fn document(&self) -> serde_json::Value {
        document::document(self)
    }

    /// What stands below our path.
    fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        let below = path.strip_prefix(self.settings.path.as_str())?;
        (below.is_empty() || below.starts_with('/')).then_some(below)
    }

    /// Of the scopes that a client asks for, those that it gets.
    fn granted<'s>(&self, asked: &[&'s str]) -> Vec<&'s str> {
        let mut granted: Vec<&str> = Vec::new();
        for scope in asked {
            if self.scopes.iter().any(|known| known == scope) && !granted.contains(scope) {
                granted.push(scope);
            }
        }
        granted
    }
}

fn is_well_known(path: &str) -> bool {
    matches!(path, operations::JWKS | operations::METADATA)
}

#[cfg(test)]
mod rooms_tests;
