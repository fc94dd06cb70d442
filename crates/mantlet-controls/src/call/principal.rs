//! The principal of a request: the caller, proven by a credential.

use std::sync::Arc;

use serde_json::Value;

/// How something is known of a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A claim of a token whose signature was verified.
    Claim,
    /// The app has handed out the credential after a login to this account.
    Login,
    /// The client's certificate.
    Certificate,
    /// The operator has said it of the API key.
    Key,
    /// The app has said it itself, when it was asked with the caller's credentials.
    App,
}

/// Something that is known of a principal.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Its name, as its origin has it.
    pub name: Box<str>,
    /// Its value.
    pub value: Value,
    /// How it is known.
    pub origin: Origin,
}

/// A caller that is proven. Nothing of it comes from a body or from a header that a client can choose.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// Who vouches for it: the `iss` of its token, `app` if the app itself does, or `mantlet` for an
    /// API key.
    pub issuer: Box<str>,
    /// Its name there: `sub`. Only with the issuer it names one caller.
    pub subject: Box<str>,
    /// The app itself vouches for it, with its own key.
    pub is_of_app: bool,
    /// What else is known.
    pub attributes: Vec<Attribute>,
    /// When its credential expires, in seconds since 1970; none if that is not known.
    pub expires: Option<i64>,
}

/// Who vouches for a caller that the app itself has logged in, without a name of its own.
pub(crate) const APP: &str = "app";
/// Who vouches for a caller with an API key that Mantlet has made.
pub(crate) const MANTLET: &str = "mantlet";

impl Principal {
    /// `iss|sub`: the caller, among those of all issuers.
    pub fn key(&self) -> String {
        format!("{}|{}", self.issuer, self.subject)
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.iter().find(|own| *own.name == *name).map(|own| &own.value)
    }
}

/// A principal that may be kept beyond a request.
pub type Known = Arc<Principal>;
