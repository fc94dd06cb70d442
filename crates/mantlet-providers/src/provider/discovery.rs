//! The document in which a provider says where its endpoints are.

use serde::Deserialize;

use super::{asking::get, fault::Away};
use crate::settings::{Checked, wrong_address};

/// What is read of it (OIDC Discovery 1.0 section 3; RFC 8414; RFC 9207; RP-Initiated Logout 1.0).
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) jwks_uri: String,
    pub(super) userinfo_endpoint: Option<String>,
    pub(super) end_session_endpoint: Option<String>,
    #[serde(default)]
    pub(super) scopes_supported: Vec<String>,
    #[serde(default)]
    pub(super) token_endpoint_auth_methods_supported: Vec<String>,
    /// Every response to a login names the issuer.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// Asks for it.
pub(super) async fn ask(settings: &Checked) -> Result<Document, Away> {
    let url = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
    let fetched = get(settings, &url, None).await?;
    let document: Document =
        serde_json::from_slice(&fetched.body).map_err(|why| Away(format!("`{url}`: {why}")))?;
    // Section 4.3: else another provider could speak for this one.
    if document.issuer != settings.issuer {
        return Err(Away(format!(
            "`{url}` says that its issuer is `{}`; write exactly that as `issuer`, if it is the right one",
            document.issuer
        )));
    }
    let named = [&document.authorization_endpoint, &document.token_endpoint, &document.jwks_uri];
    let optional = [&document.userinfo_endpoint, &document.end_session_endpoint];
    for endpoint in named.into_iter().chain(optional.into_iter().flatten()) {
        if let Some(why) = wrong_address(endpoint) {
            return Err(Away(format!("`{url}` names the endpoint `{endpoint}`, which {why}")));
        }
        if settings.issuer.starts_with("https://") && !endpoint.starts_with("https://") {
            return Err(Away(format!("`{url}` names the endpoint `{endpoint}`, which is not encrypted")));
        }
    }
    Ok(document)
}
