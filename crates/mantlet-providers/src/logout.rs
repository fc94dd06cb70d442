//! Logs out: here and at the provider (RP-Initiated Logout 1.0), or because the provider says so (Back-Channel Logout 1.0).

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use jiff::Timestamp;
use mantlet_accounts::{Fault, provider_sessions::ProviderEnd};
use maud::html;
use oauth2::url::Url;
use serde_json::{Value, json};

use crate::{
    exchange::{Answer, Asked, Event, What, caller_id},
    pages::{Said, json_of, lead, not_this_method, page, say},
    provider::{Provider, Unbelieved},
    shared::Shared,
    texts::{parameter, set_cookie},
};

/// The page that asks whether to log out, and the logout. GET changes nothing: any page could have a link to it.
pub(crate) async fn log_out(shared: &Shared, now: Timestamp, asked: &Asked) -> Result<Answer, Fault> {
    let app = &shared.settings.app;
    if asked.method() == Method::GET {
        let form = html! {
            form method="post" action={ (shared.settings.path) "/logout" } { button type="submit" { "Log out" } }
        };
        return Ok(page(StatusCode::OK, app, &format!("Log out of {app}?"), &form).into());
    }
    if asked.method() != Method::POST {
        return Ok(not_this_method("GET, POST").into());
    }
    let (mut at_provider, mut event) = (None, None);
    if let Some(session) = shared.session(asked).await? {
        // Read before the session ends: they are gone then.
        let tokens = shared.sessions.tokens(&session.id).await?;
        if shared.sessions.end(now, &session.id, ProviderEnd::Logout).await? {
            event = Some(Event {
                what: What::LoggedOut,
                provider: session.provider.clone(),
                caller: Some(caller_id(&session.issuer, &session.subject)),
                session: Some(session.id.clone()),
                detail: None,
            });
        }
        if let (Some(provider), Some(tokens)) = (shared.provider_of(&session), tokens) {
            at_provider = end_session(provider, now, &asked.origin, tokens.id.expose()).await;
        }
    }
    let mut response = match &at_provider {
        _ if asked.wants_json() => json_of(
            StatusCode::OK,
            &json!({"detail": "You are logged out of this app.", "provider_logout": at_provider}),
        ),
        Some(url) => lead(url),
        None => {
            let text = "Your session in this app has ended.";
            let on = Some((&*shared.settings.home, "Back to the app"));
            let said =
                Said { status: StatusCode::OK, code: "logged-out", title: "You are logged out", text, on };
            say(asked, app, said)
        }
    };
    if let Some(line) = set_cookie(asked.cookie(), "", 0) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    Ok(Answer { response, event })
}

/// Where the browser is led, so that the provider's own session ends, too. None if the provider has no such page, or is away:
/// then the logout is only here.
async fn end_session(provider: &Provider, now: Timestamp, origin: &str, id_token: &str) -> Option<String> {
    let endpoint = provider.end_session_endpoint(now.as_second()).await?;
    let mut url: Url = endpoint.parse().ok()?;
    let settings = &provider.settings;
    url.query_pairs_mut()
        .append_pair("id_token_hint", id_token)
        .append_pair("client_id", &settings.client_id);
    if let Some(path) = &settings.after_logout {
        url.query_pairs_mut().append_pair("post_logout_redirect_uri", &format!("{origin}{path}"));
    }
    Some(url.into())
}

/// The provider says that a session has ended.
pub(crate) async fn by_provider(
    shared: &Shared,
    now: Timestamp,
    asked: &Asked,
    provider: &Provider,
) -> Result<Answer, Fault> {
    if asked.method() != Method::POST {
        return Ok(not_this_method("POST").into());
    }
    let name = provider.settings.name.clone();
    let event = |what, caller, detail| {
        Some(Event { what, provider: name.clone(), caller, session: None, detail: Some(detail) })
    };
    let refuse = |why: &str| Answer {
        response: refusal(why),
        event: event(What::LogoutRefused, None, why.to_owned()),
    };
    let token = is_form(asked.headers())
        .then(|| std::str::from_utf8(asked.request.body()).ok())
        .flatten()
        .and_then(|form| parameter(form, "logout_token"));
    let Some(token) = token else { return Ok(refuse("it has no `logout_token`")) };
    let logout = match provider.read_logout(now, &token).await {
        Ok(logout) => logout,
        Err(Unbelieved::Bad(why)) => return Ok(refuse(&why)),
        Err(Unbelieved::Away(away)) => {
            // It is its own keys that cannot be had. It may say so again.
            let mut response = json_of(StatusCode::SERVICE_UNAVAILABLE, &json!({"error": "server_error"}));
            response.headers_mut().insert(header::RETRY_AFTER, 10.into());
            return Ok(Answer { response, event: event(What::LogoutRefused, None, away.0) });
        }
    };
    let (subject, sid) = (logout.subject.as_deref(), logout.sid.as_deref());
    let issuer = &provider.settings.issuer;
    let ended =
        shared.sessions.end_by_provider(now, issuer, (subject, sid), (&logout.jti, logout.until)).await?;
    let Some(ended) = ended else { return Ok(refuse("it was used before")) };
    let caller = subject.map(|subject| caller_id(issuer, subject));
    let response = json_of(StatusCode::OK, &Value::Object(serde_json::Map::new()));
    Ok(Answer {
        response,
        event: event(What::LoggedOutByProvider, caller, format!("{ended} sessions have ended")),
    })
}

/// As section 2.8 has it.
fn refusal(why: &str) -> Response<Bytes> {
    let text = format!("the logout token is not good: {why}");
    json_of(StatusCode::BAD_REQUEST, &json!({"error": "invalid_request", "error_description": text}))
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
