//! What a session is, and what it begins and ends with.

use jiff::Timestamp;
use mantlet_controls::config::Secret;
use serde::Serialize;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderSession {
    /// Its id.
    pub id: String,
    /// The provider, as the configuration names it.
    pub provider: String,
    /// `iss` of the ID token.
    pub issuer: String,
    /// `sub` of the ID token.
    pub subject: String,
    /// The provider's own session, if it has named one.
    pub sid: Option<String>,
    /// What was kept of the claims: JSON.
    pub attributes: String,
    /// What the client says of itself.
    pub device: String,
    /// When it began.
    pub created: Timestamp,
    /// When the provider has last confirmed it.
    pub refreshed: Timestamp,
    /// When what the provider has said ends. None: it gave nothing with which it could be asked again.
    pub expires: Option<Timestamp>,
    /// Counts refreshes.
    pub generation: i64,
    /// Until when no other gate may refresh it: one does, or the provider is left alone.
    pub leased_until: Timestamp,
    /// Since when the provider is away, as the last refresh has found it.
    pub failed: Option<Timestamp>,
}

/// The tokens of a provider.
#[derive(Debug, Clone)]
pub struct ProviderTokens {
    /// For the provider's own resources.
    pub access: Secret<String>,
    /// With which others are asked for.
    pub refresh: Option<Secret<String>>,
    /// Says who was logged in. A logout at the provider shows it.
    pub id: Secret<String>,
}

/// What a login says of the session that it begins.
#[derive(Debug, Clone, Copy)]
pub struct Begin<'a> {
    /// The provider, as the configuration names it.
    pub provider: &'a str,
    /// `iss` of the ID token.
    pub issuer: &'a str,
    /// `sub` of the ID token.
    pub subject: &'a str,
    /// The provider's own session.
    pub sid: Option<&'a str>,
    /// What is kept of the claims: JSON.
    pub attributes: &'a str,
    /// What the client says of itself.
    pub device: &'a str,
    /// The tokens.
    pub tokens: &'a ProviderTokens,
    /// When what the provider has said ends; none if it cannot be asked again.
    pub expires: Option<Timestamp>,
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderEnd {
    /// Its owner has logged out.
    Logout,
    /// The provider has said so.
    LoggedOutByProvider,
    /// The provider does not take its refresh token any more.
    Refused,
    /// It is not on the list of who may log in any more.
    NotAllowed,
    /// Another login in the same browser has taken its place.
    Replaced,
}

impl ProviderEnd {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LoggedOutByProvider => "logged-out-by-provider",
            Self::Refused => "refresh-refused",
            Self::NotAllowed => "not-allowed",
            Self::Replaced => "replaced",
        }
    }
}
