//! Accounts over HTTP, for apps that have none.
//!
//! [`SignIn`] answers the requests below one path of a site ([`Settings::path`], `/auth` by default): an API in
//! FastAPI's shapes (`api`) and plain pages (`pages`). It knows no sockets, no configuration file and no gate.
//! [`Accounts`](mantlet_accounts::Accounts) decides everything; this crate reads requests, and says in HTTP what was decided.
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

mod api;
mod asked;
mod cookie;
mod faults;
mod form;
mod pages;

use jiff::Timestamp;
use mantlet_accounts::Accounts;

pub use self::{
    asked::{Answer, Asked, Event, What},
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
}

/// The part of the site that is ours.
#[derive(Debug)]
pub struct SignIn {
    accounts: Accounts,
    settings: Settings,
}
