//! What is published for clients and for apps that verify tokens themselves.

use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::Call;
use crate::{
    answers::{Stop, json, text},
    asked::Answer,
    operations::{JWKS, MFA_GRANT},
};

const HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

pub(super) async fn jwks(call: &Call<'_>) -> Result<Answer, Stop> {
    let keys = call.sign_in.accounts.jwks(call.now).await?;
    let mut answer = text(StatusCode::OK, keys, HeaderValue::from_static("application/jwk-set+json"));
    // The next key is published a day before it signs.
    answer.response.headers_mut().insert(header::CACHE_CONTROL, HOUR);
    Ok(answer)
}

pub(super) fn metadata(call: &Call<'_>) -> Answer {
    let issuer = &call.sign_in.accounts.issuer().issuer;
    let (root, path) = (issuer.trim_end_matches('/'), &call.sign_in.settings.path);
    json(
        StatusCode::OK,
        &json!({
            "issuer": issuer,
            "token_endpoint": format!("{root}{path}/token"),
            "revocation_endpoint": format!("{root}{path}/revoke"),
            "jwks_uri": format!("{root}{JWKS}"),
            // There is no authorization endpoint: the password is typed at the app's own pages.
            "response_types_supported": [],
            "grant_types_supported": ["password", "refresh_token", MFA_GRANT],
            "scopes_supported": call.sign_in.scopes,
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
        }),
    )
}
