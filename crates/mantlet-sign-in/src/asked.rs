//! A request for the part of the site that is ours, and its response.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use mantlet_accounts::sessions::Session;

/// A request. Whoever hands it in has judged it: its form, its host, its rate, its origin.
#[derive(Debug)]
pub struct Asked {
    /// The request, with its whole body.
    pub request: Request<Bytes>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// Where the site is for the client: scheme and host, such as `https://orchard.example`.
    pub origin: String,
    /// The session of its cookie or access token, if it is good.
    pub session: Option<Session>,
}

impl Asked {
    /// The method.
    pub fn method(&self) -> &Method {
        self.request.method()
    }

    /// The target.
    pub fn uri(&self) -> &Uri {
        self.request.uri()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// What the client says of itself.
    pub fn device(&self) -> &str {
        self.headers().get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
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

/// What has happened to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub what: What,
    /// The id of the account; none where no account is concerned, such as a login to an unknown address.
    pub account: Option<String>,
    /// The address that the client has named, if it named one.
    pub address: Option<String>,
    /// The session with which it was done, or that it began.
    pub session: Option<String>,
}

/// The kinds of events. A refused one has not changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A registration was asked for. Whether it made an account is not told apart.
    Registered,
    /// An address was verified.
    Verified,
    /// A login has succeeded.
    LoggedIn,
    /// A login was refused: address, password or second factor.
    LoginRefused,
    /// A session was ended by its owner.
    LoggedOut,
    /// All sessions of an account were ended by its owner.
    LoggedOutEverywhere,
    /// One session was ended by its owner from another one.
    SessionRevoked,
    /// A refresh token was used again: its session has ended.
    RefreshReused,
    /// The password was changed.
    PasswordChanged,
    /// A reset was asked for.
    ResetAsked,
    /// A password was set by a link.
    PasswordReset,
    /// Another address was asked for.
    AddressChangeAsked,
    /// The address was changed.
    AddressChanged,
    /// A change of the address was undone.
    AddressRestored,
    /// A second factor was set up.
    SecondFactorOn,
    /// It was taken away.
    SecondFactorOff,
    /// Recovery codes were made anew.
    RecoveryCodesRenewed,
    /// The account was closed.
    Closed,
    /// A password, a code or a link was refused somewhere else than at a login.
    Refused,
}
