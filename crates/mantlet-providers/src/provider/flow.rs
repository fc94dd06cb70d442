//! The flow, as the library `oauth2` has it, over our own HTTP client.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use http::{Response, StatusCode};
use jiff::Timestamp;
use mantlet_accounts::provider_sessions::ProviderTokens;
use mantlet_controls::config::Secret;
use mantlet_gateway::fetch::Question;
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse,
    TokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
        BasicTokenIntrospectionResponse, BasicTokenType,
    },
};
use serde::{Deserialize, Serialize};

use super::{asking::ask, discovery::Document, fault::Away};
use crate::settings::Checked;

/// Random bytes of a state and of a nonce.
const RANDOM: u32 = 32;

type Client = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;
type TokenAnswer = StandardTokenResponse<IdToken, BasicTokenType>;

/// What OpenID adds to a token response (OIDC Core section 3.1.3.3).
#[derive(Serialize, Deserialize)]
struct IdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

impl std::fmt::Debug for IdToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdToken").finish_non_exhaustive()
    }
}

/// The flow, with the endpoints of a document.
pub(crate) struct Flow<'p> {
    settings: &'p Checked,
    document: Arc<Document>,
}

/// A login that begins.
pub(crate) struct Begun {
    /// Where the browser is led.
    pub(crate) url: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

/// What the provider has given.
pub(crate) struct Granted {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) id: Option<String>,
    /// When the access token ends, if the provider says.
    pub(crate) expires: Option<Timestamp>,
}

impl Granted {
    /// What is kept. A refresh need not bring all of them (RFC 6749 section 6, OIDC Core section 12.2).
    pub(crate) fn after(&self, before: Option<&ProviderTokens>) -> Option<ProviderTokens> {
        let secret = |text: &String| Secret::new(text.clone());
        Some(ProviderTokens {
            access: secret(&self.access),
            refresh: self.refresh.as_ref().map(secret).or_else(|| before?.refresh.clone()),
            id: self.id.as_ref().map(secret).or_else(|| Some(before?.id.clone()))?,
        })
    }
}

/// Why the provider has given nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It does not take the code or the refresh token: `invalid_grant`.
    Grant,
    /// It does not take the app, or its request: for the operator.
    Client(String),
    Away(Away),
}

/// The client's side has failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unanswered(String);

impl<'p> Flow<'p> {
    pub(super) const fn new(settings: &'p Checked, document: Arc<Document>) -> Self {
        Self { settings, document }
    }

    /// Whether a response to a login may name this issuer, or none (RFC 9207 section 2.4).
    pub(crate) fn is_its_issuer(&self, named: Option<&str>) -> bool {
        match named {
            Some(named) => named == self.document.issuer,
            None => !self.document.authorization_response_iss_parameter_supported,
        }
    }

    fn client(&self, redirect: Option<&str>) -> Result<Client, Away> {
        let unusable = |what: &str| Away(format!("the provider names a {what} that is not an address"));
        let document = &self.document;
        let auth = AuthUrl::new(document.authorization_endpoint.clone())
            .map_err(|_| unusable("authorization endpoint"))?;
        let token = TokenUrl::new(document.token_endpoint.clone()).map_err(|_| unusable("token endpoint"))?;
        // The default where nothing is said is Basic (OIDC Discovery section 3).
        let methods = &document.token_endpoint_auth_methods_supported;
        let is_basic = methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic");
        let mut client = oauth2::Client::new(ClientId::new(self.settings.client_id.clone()))
            .set_auth_uri(auth)
            .set_token_uri(token)
            .set_auth_type(if is_basic { AuthType::BasicAuth } else { AuthType::RequestBody });
        if let Some(secret) = &self.settings.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().clone()));
        }
        if let Some(redirect) = redirect {
            let url = RedirectUrl::new(redirect.to_owned());
            client = client.set_redirect_uri(url.map_err(|_| unusable("callback"))?);
        }
        Ok(client)
    }

    /// Begins a login that comes back to an address: PKCE with S256, a state, a nonce.
    pub(crate) fn begin(&self, redirect: &str) -> Result<Begun, Away> {
        let client = self.client(Some(redirect))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random_len(RANDOM).into_secret();
        let mut request = client
            .authorize_url(|| CsrfToken::new_random_len(RANDOM))
            .set_pkce_challenge(challenge)
            .add_scopes(self.scopes().into_iter().map(Scope::new))
            .add_extra_param("nonce", nonce.clone());
        for (name, value) in &self.settings.parameters {
            request = request.add_extra_param(name, value);
        }
        let (url, state) = request.url();
        let (state, verifier) = (state.into_secret(), verifier.into_secret());
        Ok(Begun { url: url.into(), state, nonce, verifier })
    }

    fn scopes(&self) -> Vec<String> {
        if !self.settings.scopes.is_empty() {
            return self.settings.scopes.clone();
        }
        let offered = |name: &&str| self.document.scopes_supported.iter().any(|own| own == name);
        let more = ["groups", "offline_access"].into_iter().filter(offered);
        ["openid", "email", "profile"].into_iter().chain(more).map(str::to_owned).collect()
    }

    /// Tokens for the code of a login.
    pub(crate) async fn exchange(
        &self,
        now: Timestamp,
        code: &str,
        (redirect, verifier): (&str, &str),
    ) -> Result<Granted, Failure> {
        let client = self.client(Some(redirect)).map_err(Failure::Away)?;
        let http = Http(self.settings);
        let response = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
            .request_async(&http)
            .await;
        granted(now, response)
    }

    /// Tokens for a refresh token.
    pub(crate) async fn refresh(&self, now: Timestamp, token: &Secret<String>) -> Result<Granted, Failure> {
        let client = self.client(None).map_err(Failure::Away)?;
        let http = Http(self.settings);
        let token = RefreshToken::new(token.expose().clone());
        let response = client.exchange_refresh_token(&token).request_async(&http).await;
        granted(now, response)
    }
}

/// The HTTP client that the library asks with.
struct Http<'p>(&'p Checked);

impl<'c> AsyncHttpClient<'c> for Http<'_> {
    type Error = Unanswered;
    type Future = BoxFuture<'c, Result<HttpResponse, Unanswered>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        post(self.0, request).boxed()
    }
}

async fn post(settings: &Checked, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
    let (parts, body) = request.into_parts();
    let url = parts.uri.to_string();
    let question = Question { method: parts.method, headers: parts.headers, body: body.into() };
    let fetched = ask(settings, &url, question).await.map_err(|away| Unanswered(away.0))?;
    // Whatever such an answer says of the token, it is not about the token.
    if fetched.status.is_server_error() || fetched.status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Unanswered(format!("`{url}` responds with {}", fetched.status.as_u16())));
    }
    let mut response = Response::new(fetched.body.into());
    (*response.status_mut(), *response.headers_mut()) = (fetched.status, fetched.headers);
    Ok(response)
}

fn granted(
    now: Timestamp,
    response: Result<TokenAnswer, RequestTokenError<Unanswered, BasicErrorResponse>>,
) -> Result<Granted, Failure> {
    let response = response.map_err(|error| match error {
        RequestTokenError::ServerResponse(said) => match said.error() {
            BasicErrorResponseType::InvalidGrant => Failure::Grant,
            BasicErrorResponseType::Extension(code)
                if matches!(&**code, "temporarily_unavailable" | "server_error" | "slow_down") =>
            {
                Failure::Away(Away(format!("the token endpoint says `{code}`")))
            }
            code => Failure::Client(format!("the token endpoint says `{}`", code.as_ref())),
        },
        RequestTokenError::Request(unanswered) => Failure::Away(Away(unanswered.0)),
        // The body is not told: it may hold a token.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Failure::Away(Away("the token endpoint answers with something that is not understood".into()))
        }
    })?;
    Ok(Granted {
        access: response.access_token().secret().clone(),
        refresh: response.refresh_token().map(|token| token.secret().clone()),
        id: response.extra_fields().id_token.clone(),
        expires: response.expires_in().and_then(|span| now.checked_add(span).ok()),
    })
}
