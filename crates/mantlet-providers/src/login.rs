//! Logs in: the authorization code flow (OIDC Core section 3.1) with PKCE S256 (RFC 7636), state, nonce and `iss` (RFC 9207).
//!
//! A login succeeds if
//! 1. it began in the same browser: the cookie of its state is there and opens;
//! 2. it took less than 10 minutes, and was not ended before;
//! 3. the response names the provider's issuer, or the provider never does;
//! 4. the provider gives tokens for the code and the verifier, and the ID token is good and has the nonce;
//! 5. the caller is on the lists of who may log in.
//!
//! The browser gets the cookie of a session that is new with each login. It never gets a token of the provider.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};
use jiff::Timestamp;
use mantlet_accounts::{
    Fault,
    provider_sessions::{Begin, ProviderEnd, ProviderSession, ProviderTokens},
};
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::{
    claims::{are_missing, attributes, refusal},
    exchange::{Answer, Asked, Event, What, Why, caller_id},
    pages::{Said, json_of, lead, not_this_method, page, say, words},
    provider::{Away, Failure, Flow, Granted, Provider, Unbelieved},
    shared::Shared,
    texts::{local, parameter, set_cookie},
    ticket::{self, Ticket},
};

/// Seconds after which a provider that is away may be tried again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("10");

/// A login that has not succeeded.
struct Refused {
    why: Why,
    detail: Option<String>,
    caller: Option<String>,
}

impl From<Why> for Refused {
    fn from(why: Why) -> Self {
        Self { why, detail: None, caller: None }
    }
}

impl From<Away> for Refused {
    fn from(away: Away) -> Self {
        Self { detail: Some(away.0), ..Why::ProviderAway.into() }
    }
}

impl From<Unbelieved> for Refused {
    fn from(fault: Unbelieved) -> Self {
        match fault {
            Unbelieved::Away(away) => away.into(),
            Unbelieved::Bad(detail) => Self { detail: Some(detail), ..Why::IdToken.into() },
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Grant => Why::GrantRefused.into(),
            Failure::Client(detail) => Self { detail: Some(detail), ..Why::ClientRefused.into() },
            Failure::Away(away) => away.into(),
        }
    }
}

/// The page with all providers; with one, its login.
pub(crate) async fn choose(shared: &Shared, now: Timestamp, asked: &Asked) -> Result<Answer, Fault> {
    if asked.method() != Method::GET {
        return Ok(not_this_method("GET").into());
    }
    if let [only] = &shared.providers[..] {
        return begin(shared, now, asked, only).await;
    }
    let next = next(shared, asked);
    let links: Vec<_> = shared
        .providers
        .iter()
        .map(|provider| {
            let name = &provider.settings.name;
            let next = utf8_percent_encode(&next, NON_ALPHANUMERIC);
            (provider.settings.title.clone(), format!("{}/login/{name}?next={next}", shared.settings.path))
        })
        .collect();
    if asked.wants_json() {
        let all = links.iter().map(|(title, href)| serde_json::json!({"title": title, "href": href}));
        return Ok(json_of(http::StatusCode::OK, &all.collect()).into());
    }
    let list =
        html! { ul { @for (title, href) in &links { li { a href=(href) { "Log in with " (title) } } } } };
    Ok(page(http::StatusCode::OK, &shared.settings.app, "Log in", &list).into())
}

/// Where the login of a request leads.
fn next(shared: &Shared, asked: &Asked) -> String {
    let next = parameter(asked.query(), "next").and_then(|next| local(&next, &shared.settings.path));
    next.unwrap_or_else(|| shared.settings.home.clone())
}

fn redirect_uri(shared: &Shared, asked: &Asked, provider: &Provider) -> String {
    format!("{}{}/callback/{}", asked.origin, shared.settings.path, provider.settings.name)
}

/// Leads the browser to the provider.
pub(crate) async fn begin(
    shared: &Shared,
    now: Timestamp,
    asked: &Asked,
    provider: &Arc<Provider>,
) -> Result<Answer, Fault> {
    if asked.method() != Method::GET {
        return Ok(not_this_method("GET").into());
    }
    let next = next(shared, asked);
    if !asked.is_safe() {
        return Ok(refuse(shared, asked, provider, Why::NotEncrypted.into(), Some(&next)));
    }
    let begun = match provider.flow(now.as_second(), true).await {
        Ok(flow) => flow.begin(&redirect_uri(shared, asked, provider)),
        Err(away) => Err(away),
    };
    let begun = match begun {
        Ok(begun) => begun,
        Err(away) => {
            shared.note(provider, Some(&away));
            return Ok(refuse(shared, asked, provider, away.into(), Some(&next)));
        }
    };
    shared.note(provider, None);
    let ticket = Ticket { nonce: begun.nonce, verifier: begun.verifier, next, begun: now.as_second() };
    let keys = shared.sessions.keys();
    let lines = ticket.keep(keys, (asked.prefix(), &provider.settings), &begun.state, asked.headers())?;
    Ok(with_cookies(lead(&begun.url), lines).into())
}

/// The browser comes back from the provider.
pub(crate) async fn end(
    shared: &Shared,
    now: Timestamp,
    asked: &Asked,
    provider: &Arc<Provider>,
) -> Result<Answer, Fault> {
    if asked.method() != Method::GET {
        return Ok(not_this_method("GET").into());
    }
    let Some(state) = parameter(asked.query(), "state") else {
        return Ok(refuse(shared, asked, provider, Why::StateUnknown.into(), None));
    };
    let ticket =
        Ticket::find(shared.sessions.keys(), (asked.prefix(), &provider.settings), &state, asked.headers());
    let Some(ticket) = ticket else {
        return Ok(refuse(shared, asked, provider, Why::StateUnknown.into(), None));
    };
    let ended = match log_in(shared, now, asked, provider, (&state, &ticket)).await? {
        Ok((session, cookie)) => {
            let mut answer = Answer::from(with_cookies(lead(&ticket.next), cookie));
            answer.event = Some(Event {
                what: What::LoggedIn,
                provider: session.provider,
                caller: Some(caller_id(&session.issuer, &session.subject)),
                session: Some(session.id),
                detail: None,
            });
            answer
        }
        Err(refused) => refuse(shared, asked, provider, refused, Some(&ticket.next)),
    };
    Ok(Answer { response: with_cookies(ended.response, ticket::forget(asked.prefix(), &state)), ..ended })
}

type LoggedIn = (ProviderSession, Option<HeaderValue>);

async fn log_in(
    shared: &Shared,
    now: Timestamp,
    asked: &Asked,
    provider: &Provider,
    (state, ticket): (&str, &Ticket),
) -> Result<Result<LoggedIn, Refused>, Fault> {
    if ticket.is_over(now) {
        return Ok(Err(Why::StateExpired.into()));
    }
    let flow = match provider.flow(now.as_second(), false).await {
        Ok(flow) => flow,
        Err(away) => return Ok(Err(away.into())),
    };
    // Before anything is done with the response: it may be of a provider that wants the code of another one (RFC 9207).
    let issuers =
        oauth2::url::form_urlencoded::parse(asked.query().as_bytes()).filter(|(name, _)| name == "iss");
    let issuer = parameter(asked.query(), "iss");
    if issuers.count() > 1 || !flow.is_its_issuer(issuer.as_deref()) {
        return Ok(Err(Why::IssuerMismatch.into()));
    }
    let until = now.checked_add(ticket::LASTS).map_err(|_| Fault::Failed("reading the clock"))?;
    if !shared.sessions.use_once(&format!("login {state}"), until).await? {
        return Ok(Err(Why::StateUsed.into()));
    }
    let (granted, claims) = match identity(&flow, now, asked, provider, (shared, ticket)).await {
        Ok(found) => found,
        Err(refused) => return Ok(Err(refused)),
    };
    begin_session(shared, now, asked, provider, &granted, &claims).await
}

/// Who has logged in, as the provider says.
async fn identity(
    flow: &Flow<'_>,
    now: Timestamp,
    asked: &Asked,
    provider: &Provider,
    (shared, ticket): (&Shared, &Ticket),
) -> Result<(Granted, Map<String, Value>), Refused> {
    if let Some(error) = parameter(asked.query(), "error") {
        let why = match &*error {
            "server_error" | "temporarily_unavailable" => Why::ProviderAway,
            "invalid_request" | "unauthorized_client" | "invalid_scope" | "unsupported_response_type" => {
                Why::ClientRefused
            }
            _ => Why::ProviderRefused,
        };
        let known = error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && error.len() <= 64;
        let detail = known.then(|| format!("the provider says `{error}`"));
        return Err(Refused { detail, ..why.into() });
    }
    let Some(code) = parameter(asked.query(), "code") else {
        return Err(Why::ProviderRefused.into());
    };
    let redirect = redirect_uri(shared, asked, provider);
    let granted = flow.exchange(now, &code, (&redirect, &ticket.verifier)).await?;
    let Some(token) = &granted.id else {
        let detail = Some("the token response has none: is the scope `openid` asked for?".to_owned());
        return Err(Refused { detail, ..Why::IdToken.into() });
    };
    let mut claims = provider.identify(now, token, Some(&ticket.nonce)).await?;
    if are_missing(&provider.settings, &claims) {
        provider.complete(now.as_second(), &granted.access, &mut claims).await?;
    }
    Ok((granted, claims))
}

async fn begin_session(
    shared: &Shared,
    now: Timestamp,
    asked: &Asked,
    provider: &Provider,
    granted: &Granted,
    claims: &Map<String, Value>,
) -> Result<Result<LoggedIn, Refused>, Fault> {
    let settings = &provider.settings;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let subject = text("sub").unwrap_or_default();
    if let Some(detail) = refusal(settings, claims) {
        let caller = Some(caller_id(&settings.issuer, subject));
        return Ok(Err(Refused { why: Why::NotAllowed, detail: Some(detail), caller }));
    }
    let Some(tokens) = granted.after(None) else { return Ok(Err(Why::IdToken.into())) };
    let begin = Begin {
        provider: &settings.name,
        issuer: &settings.issuer,
        subject,
        sid: text("sid"),
        attributes: &Value::from(attributes(settings, claims)).to_string(),
        device: asked.device(),
        tokens: &tokens,
        expires: confirmed_until(provider, now, &tokens, granted.expires),
    };
    // A session of the same browser, which loses its cookie now.
    let old = shared.session(asked).await?;
    let (session, cookie) = shared.sessions.begin(now, begin).await?;
    if let Some(old) = old {
        shared.sessions.end(now, &old.id, ProviderEnd::Replaced).await?;
    }
    Ok(Ok((session, set_cookie(asked.cookie(), cookie.expose(), settings.max_age.as_secs()))))
}

/// Until when a session need not be confirmed again; none if it cannot be: there is no refresh token.
pub(crate) fn confirmed_until(
    provider: &Provider,
    now: Timestamp,
    tokens: &ProviderTokens,
    expires: Option<Timestamp>,
) -> Option<Timestamp> {
    /// Where the provider does not say how long its access token lasts.
    const UNSAID: Duration = Duration::from_hours(1);
    tokens.refresh.as_ref()?;
    let recheck = provider.settings.recheck.and_then(|span| now.checked_add(span).ok());
    let ends = [expires, recheck];
    ends.into_iter().flatten().min().or_else(|| now.checked_add(UNSAID).ok())
}

fn refuse(
    shared: &Shared,
    asked: &Asked,
    provider: &Provider,
    refused: Refused,
    next: Option<&str>,
) -> Answer {
    let Refused { why, detail, caller } = refused;
    let (status, title, text) = words(why);
    let next = next.unwrap_or(&shared.settings.home);
    let anew = format!(
        "{}/login/{}?next={}",
        shared.settings.path,
        provider.settings.name,
        utf8_percent_encode(next, NON_ALPHANUMERIC)
    );
    let on = Some((&*anew, "Log in"));
    let mut response = say(asked, &shared.settings.app, Said { status, code: why.code(), title, text, on });
    if why == Why::ProviderAway {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    let provider = provider.settings.name.clone();
    let event = Event { what: What::LoginRefused(why), provider, caller, session: None, detail };
    Answer { response, event: Some(event) }
}

fn with_cookies(
    mut response: Response<Bytes>,
    lines: impl IntoIterator<Item = HeaderValue>,
) -> Response<Bytes> {
    for line in lines {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response
}
