//! What a client reads: a small page, or JSON in FastAPI's shape for a client that asks for it.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::exchange::{Asked, Why};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:32rem;padding:4rem 1.5rem}\
h1{font-size:1.5rem;line-height:1.25}a,button{font:inherit}button{padding:.5rem 1rem}li{margin:.5rem 0}\
:root{color-scheme:light dark}";

/// Nothing is loaded, run or framed; the style is the one above.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'");
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// A page, with what is said on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) status: StatusCode,
    /// For clients that read JSON.
    pub(crate) code: &'a str,
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    /// Where to go on, and its name.
    pub(crate) on: Option<(&'a str, &'a str)>,
}

/// A response with a page, or with JSON.
pub(crate) fn say(asked: &Asked, app: &str, said: Said<'_>) -> Response<Bytes> {
    if asked.wants_json() {
        return json_of(said.status, &json!({"detail": said.text, "code": said.code}));
    }
    let on = html! { @if let Some((href, name)) = said.on { p { a href=(href) { (name) } } } };
    page(said.status, app, said.title, &html! { p { (said.text) } (on) })
}

/// A page.
pub(crate) fn page(status: StatusCode, app: &str, title: &str, body: &Markup) -> Response<Bytes> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · " (app) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { h1 { (title) } (body) } }
        }
    };
    let mut response = plain(status, page.into_string());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

/// JSON.
pub(crate) fn json_of(status: StatusCode, value: &serde_json::Value) -> Response<Bytes> {
    let mut response = plain(status, value.to_string());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Leads a browser to an address, with GET. A page that says so is shown where the address cannot stand in a header.
pub(crate) fn lead(to: &str) -> Response<Bytes> {
    let Ok(location) = HeaderValue::try_from(to) else {
        return plain(StatusCode::BAD_GATEWAY, "the address to go on to cannot be written".to_owned());
    };
    let mut response = plain(StatusCode::SEE_OTHER, String::new());
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// Another method was asked for than these.
pub(crate) fn not_this_method(allowed: &'static str) -> Response<Bytes> {
    let mut response = json_of(StatusCode::METHOD_NOT_ALLOWED, &json!({"detail": "Method Not Allowed"}));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

fn plain(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The address of a callback has a code in it.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// What is said of a login that has not succeeded: status, title and text.
pub(crate) const fn words(why: Why) -> (StatusCode, &'static str, &'static str) {
    const ANEW: &str = "The login has to begin anew";
    match why {
        Why::StateUnknown => (
            StatusCode::BAD_REQUEST,
            ANEW,
            "This login did not begin in this browser, or the browser has not kept its cookie.",
        ),
        Why::StateExpired => (StatusCode::BAD_REQUEST, ANEW, "This login took longer than 10 minutes."),
        Why::StateUsed => {
            (StatusCode::BAD_REQUEST, ANEW, "This login has ended already, in this or another tab.")
        }
        Why::IssuerMismatch => {
            (StatusCode::BAD_REQUEST, ANEW, "The response to this login is of another provider.")
        }
        Why::ProviderRefused => (
            StatusCode::FORBIDDEN,
            "The login was refused",
            "The provider has refused this login, or it was cancelled there.",
        ),
        Why::GrantRefused => {
            (StatusCode::BAD_REQUEST, ANEW, "The provider does not accept this login any more.")
        }
        Why::ClientRefused => (
            StatusCode::BAD_GATEWAY,
            "The login does not work",
            "The provider does not accept this app. Its operator has to check the app's id and password at the provider.",
        ),
        Why::IdToken => (
            StatusCode::BAD_GATEWAY,
            ANEW,
            "What the provider says about this login cannot be believed. If it happens again, tell the operator of this app.",
        ),
        Why::NotAllowed => (
            StatusCode::FORBIDDEN,
            "This account may not log in here",
            "The provider knows this account, but it is not among those that may use this app. Ask the operator of this app, \
             or log in with another account.",
        ),
        Why::NotEncrypted => (
            StatusCode::FORBIDDEN,
            "This site is not encrypted",
            "A login over plain HTTP could be read and taken over on the way. Open the site with https://. If you did, its \
             operator has to say so: with `url` under `[accounts]`, or with the trusted proxies.",
        ),
        Why::ProviderAway => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The login is not available at the moment",
            "The provider of this login does not respond. Try again in a moment.",
        ),
    }
}
