//! What outlives this process, and what several gates share: what was handed out, and what was taken back.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A credential: the first 16 bytes of its SHA-256. The credential itself is kept nowhere. Written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Digest(pub [u8; 16]);

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl std::str::FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_one = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_one.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(|number| Self(number.to_be_bytes())).ok_or("expected 32 hexadecimal digits")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A token in an `Authorization` header.
    Bearer,
    /// A token for a new token.
    Refresh,
    /// The value of a cookie.
    Cookie,
}

/// Why a session was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Its client has logged out.
    Logout,
    /// The password of its account was changed in another session.
    PasswordChanged,
    /// The password of its account was reset.
    PasswordReset,
    /// An operator has ended it.
    Operator,
    /// The issuer of its token has ended it (OIDC Back-Channel Logout).
    Issuer,
    /// A refresh token of it came twice.
    Reused,
}

impl Cause {
    /// The cause in a few words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Logout => "its client has logged out",
            Self::PasswordChanged => "the password of its account was changed",
            Self::PasswordReset => "the password of its account was reset",
            Self::Operator => "an operator has ended it",
            Self::Issuer => "its issuer has ended it",
            Self::Reused => "a refresh token of it came twice",
        }
    }

    /// How it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::PasswordChanged => "password-changed",
            Self::PasswordReset => "password-reset",
            Self::Operator => "operator",
            Self::Issuer => "issuer",
            Self::Reused => "reused",
        }
    }
}

/// A session: all credentials that go back to one login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SessionFacts {
    /// Names it. Random.
    pub id: u64,
    /// The account, as the operator knows it: the `sub` of its token, else the name at its login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Box<str>>,
    /// Digests of all names of the account: sessions that share one are of one account.
    pub names: Vec<Digest>,
    /// When it began, in seconds since 1970.
    pub began: i64,
    /// The address of the client that has logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<std::net::IpAddr>,
    /// The session in which its client has got it: when that ends, this one has ended, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<u64>,
}

/// Something that happened to sessions. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// A session has begun, or is known under another name, too. It comes before its credentials.
    Began(SessionFacts),
    /// The app has handed out a credential.
    HandedOut {
        /// The session.
        session: u64,
        /// The credential.
        digest: Digest,
        /// What it is.
        kind: Kind,
        /// The name of its cookie.
        #[serde(skip_serializing_if = "Option::is_none")]
        cookie: Option<Box<str>>,
        /// When.
        at: i64,
        /// When it expires, if that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires: Option<i64>,
    },
    /// A session was in use.
    Used {
        /// The session.
        session: u64,
        /// When.
        at: i64,
    },
    /// The browser of a session has got a cookie with it.
    Fingerprinted {
        /// The session.
        session: u64,
        /// The cookie's part for this session.
        digest: Digest,
    },
    /// It was decided whether the tokens of a session are bound to its browser.
    Bound {
        /// The session.
        session: u64,
        /// If not, they were used without the cookie before.
        is_bound: bool,
    },
    /// Every credential of an account, or of a session at its issuer, that was made before this was ended.
    EndedBefore {
        /// The account or the session.
        name: Digest,
        /// When.
        at: i64,
        /// Why.
        cause: Cause,
    },
    /// A session was ended.
    Ended {
        /// The session.
        session: u64,
        /// When.
        at: i64,
        /// Why.
        cause: Cause,
        /// Cookies that its logout has left to the client, while it took others back.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left: Vec<Box<str>>,
    },
}

impl Event {
    /// The session, if this is its end.
    pub(crate) const fn session_that_ended(&self) -> Option<u64> {
        match self {
            Self::Ended { session, .. } => Some(*session),
            _ => None,
        }
    }
}

/// Keeps what happens to sessions: in a file, or in a store that several gates share. Events that
/// are handed in were applied to [`super::Sessions`] before.
pub trait Keeper: Send + Sync + std::fmt::Debug {
    /// Keeps events within a second or so. No request waits for it.
    fn keep_soon(&self, events: Vec<Event>);

    /// Keeps events; when the future is ready they outlive this process, and every gate that shares
    /// the store will know them. False if they could not be kept in time: then they count here, and
    /// are kept as soon as possible.
    fn keep_now(&self, events: Vec<Event>) -> BoxFuture<'_, bool>;

    /// What another gate may know of a credential that this one does not know: the events of its
    /// session. `None` if the store does not answer in time; empty if it does not know it either. A
    /// keeper that is not shared is always ready with an empty list.
    fn find(&self, digest: Digest) -> BoxFuture<'_, Option<Vec<Event>>>;

    /// What other gates may know of the sessions of an account, by one of its names: their events
    /// without their credentials. Asked before all of them are ended or listed.
    fn find_account(&self, name: Digest) -> BoxFuture<'_, Option<Vec<Event>>> {
        let _ = name;
        Box::pin(std::future::ready(Some(Vec::new())))
    }

    /// What other gates may know of a session, without its credentials.
    fn find_session(&self, id: u64) -> BoxFuture<'_, Option<Vec<Event>>> {
        let _ = id;
        Box::pin(std::future::ready(Some(Vec::new())))
    }

    /// Whether several gates share it.
    fn is_shared(&self) -> bool;
}
