//! Tokens that an app must refuse: the gate asks with them what the app does.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The same token with another signature of the same length.
pub(crate) fn forged(token: &str) -> Option<String> {
    let (signed, signature) = token.rsplit_once('.')?;
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).ok()?;
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The same token with `alg: none` and without a signature.
pub(crate) fn unsigned(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    Some(format!("{header}.{payload}."))
}

/// Where a credential stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// `Authorization: Bearer`
    Bearer,
    /// A cookie of this name.
    Cookie(Box<str>),
    /// A parameter of this name in the query.
    Query(&'static str),
    /// `Sec-WebSocket-Protocol`
    Protocol,
}
