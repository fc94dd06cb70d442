//! A request for the part of the site that is ours, its response, and what has happened.
//!
//! The forms are those of `mantlet-sign-in`. The types are not: its requests carry the session of an account, and its events
//! name accounts. A caller of a provider has none.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, header};
use jiff::Timestamp;
use mantlet_controls::{accounts::COOKIES, message::authority::is_loopback};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::texts::HOST;

/// A request. What hands it in has judged it: its form, its host, its rate, its origin.
#[derive(Debug)]
pub struct Asked {
    /// The request, with its whole body.
    pub request: Request<Bytes>,
    /// Where the site is for the client: scheme and host, such as `https://orchard.example`.
    pub origin: String,
}

impl Asked {
    /// The method.
    pub fn method(&self) -> &Method {
        self.request.method()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// The query; empty if there is none.
    pub fn query(&self) -> &str {
        self.request.uri().query().unwrap_or_default()
    }

    /// What the client says of itself.
    pub fn device(&self) -> &str {
        self.header(header::USER_AGENT)
    }

    /// What the names of its cookies begin with.
    pub(crate) fn prefix(&self) -> &'static str {
        if self.origin.starts_with("https:") { HOST } else { "" }
    }

    /// The name of its session's cookie, the same as for accounts.
    pub(crate) fn cookie(&self) -> &'static str {
        let [encrypted, plain] = COOKIES;
        if self.origin.starts_with("https:") { encrypted } else { plain }
    }

    /// Whether no attacker reads it on the way: it came over HTTPS, or to this machine.
    pub(crate) fn is_safe(&self) -> bool {
        let origin = self.origin.parse::<Uri>().unwrap_or_default();
        match origin.scheme_str() {
            Some("https") => true,
            Some("http") => origin.host().is_some_and(is_loopback),
            _ => false,
        }
    }

    /// Whether its client wants JSON, and not a page.
    pub fn wants_json(&self) -> bool {
        let accept = self.header(header::ACCEPT);
        accept.contains("application/json") && !accept.contains("text/html")
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A response, and what has happened.
#[derive(Debug)]
pub struct Answer {
    /// For the client.
    pub response: Response<Bytes>,
    /// For the audit log.
    pub event: Option<Event>,
}

impl From<Response<Bytes>> for Answer {
    fn from(response: Response<Bytes>) -> Self {
        Self { response, event: None }
    }
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub what: What,
    /// The provider, as the configuration names it.
    pub provider: String,
    /// The caller, as `iss|sub`, if one is known.
    pub caller: Option<String>,
    /// The session that has begun or ended.
    pub session: Option<String>,
    /// More of it, for the operator. No token and no code is in it.
    pub detail: Option<String>,
}

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A login has succeeded.
    LoggedIn,
    /// A login has not succeeded.
    LoginRefused(Why),
    /// A session was ended by its owner.
    LoggedOut,
    /// Sessions were ended by the provider (back-channel logout); `detail` says how many.
    LoggedOutByProvider,
    /// A logout token was refused.
    LogoutRefused,
    /// A session has ended, as the provider does not confirm it any more.
    SessionEnded(Why),
    /// The provider is away. Sessions that are to be confirmed stay until the grace is over.
    ProviderAway,
    /// It is back.
    ProviderBack,
}

/// Why there is no login, or none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The login did not begin in this browser, or its cookie is gone.
    StateUnknown,
    /// It took too long.
    StateExpired,
    /// It was ended before.
    StateUsed,
    /// The response is of another provider (RFC 9207).
    IssuerMismatch,
    /// The provider has refused, or its user has.
    ProviderRefused,
    /// The provider does not take its own code, or its refresh token.
    GrantRefused,
    /// The provider does not take the app's id or password.
    ClientRefused,
    /// The ID token is not good.
    IdToken,
    /// The caller is not on the lists of who may log in.
    NotAllowed,
    /// The provider does not respond.
    ProviderAway,
    /// The site is not encrypted, and not on this machine.
    NotEncrypted,
}

impl Why {
    /// Its code in records and responses.
    pub const fn code(self) -> &'static str {
        match self {
            Self::StateUnknown => "state-unknown",
            Self::StateExpired => "state-expired",
            Self::StateUsed => "state-used",
            Self::IssuerMismatch => "issuer-mismatch",
            Self::ProviderRefused => "provider-refused",
            Self::GrantRefused => "grant-refused",
            Self::ClientRefused => "client-refused",
            Self::IdToken => "id-token",
            Self::NotAllowed => "not-allowed",
            Self::ProviderAway => "provider-away",
            Self::NotEncrypted => "not-encrypted",
        }
    }
}

/// A caller whom a provider has logged in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Caller {
    /// The session.
    pub session: String,
    /// The provider, as the configuration names it.
    pub provider: String,
    /// `iss`
    pub issuer: String,
    /// `sub`. It says nothing without the issuer.
    pub subject: String,
    /// What was kept of the claims, by the names of the configuration.
    pub attributes: Map<String, Value>,
    /// When the session ends, if nothing ends it before.
    pub expires: Timestamp,
    /// The provider has confirmed it in time. False while the provider is away, within the grace.
    pub is_confirmed: bool,
}

impl Caller {
    /// Its name among callers of all issuers: `iss|sub`.
    pub fn id(&self) -> String {
        caller_id(&self.issuer, &self.subject)
    }
}

pub(crate) fn caller_id(issuer: &str, subject: &str) -> String {
    format!("{issuer}|{subject}")
}

/// What a cookie says.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It is of this caller.
    Caller(Box<Caller>),
    /// It is of no session: there is no caller.
    Unknown,
    /// The provider has to confirm the session and is away for longer than the grace. Answer 503 with `Retry-After`: the
    /// session is not ended.
    Unavailable,
}
