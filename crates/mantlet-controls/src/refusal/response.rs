//! Turns a refusal into its response. The reason has the status and the text.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use mantlet_contract::fault::Fault;
use serde::Serialize;

use crate::{Call, Reason, Refusal};

#[derive(Serialize)]
struct Plain<'a> {
    detail: Detail<'a>,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Challenge<'a>,
}

/// A puzzle whose answer lets the request pass.
type Challenge<'a> = Option<&'a serde_json::Value>;

/// A text, or FastAPI's form of errors.
#[derive(Serialize)]
#[serde(untagged)]
enum Detail<'a> {
    Text(&'a str),
    Faults(&'a [Fault]),
}

/// RFC 9457. The docs list the reasons by code.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Challenge<'a>,
}

/// RFC 6750 section 3.1: a request without a credential gets no error.
static INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");
static NO_TOKEN: HeaderValue = HeaderValue::from_static("Bearer");

/// The response to a refused call, without the headers that every response gets.
pub fn refuse(call: &Call, refusal: &Refusal) -> Response<Bytes> {
    let reason = refusal.told();
    let status = match reason {
        // RFC 9113 section 9.1.2: over HTTP/2 the client may have reused a connection for a host that is not ours.
        Reason::HostUnknown if call.version == Version::HTTP_2 => StatusCode::MISDIRECTED_REQUEST,
        reason => reason.status(),
    };
    let own = refusal.words.as_deref().filter(|_| !call.wants_problem);
    let status = own.map_or(status, |own| own.status);
    let (content_type, body) = if let Some(body) = own.and_then(|own| own.body.clone()) {
        (None, body)
    } else {
        let (content_type, body) = self::body(
            call,
            reason,
            (&refusal.faults, refusal.challenge.as_ref().map(|challenge| &challenge.puzzle)),
            status,
        );
        (Some(content_type), body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    match own {
        Some(own) => headers.clone_from(&own.headers),
        // RFC 9110 section 15.5.2: a 401 says how to authenticate.
        None if status == StatusCode::UNAUTHORIZED => {
            let challenge = if reason == Reason::CredentialsMissing { &NO_TOKEN } else { &INVALID_TOKEN };
            headers.insert(header::WWW_AUTHENTICATE, challenge.clone());
        }
        None => {}
    }
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    if let Some(page) = refusal.challenge.as_ref().and_then(|challenge| challenge.page(headers)) {
        *response.body_mut() = page;
    }
    let headers = response.headers_mut();
    // Several refusals have statuses that caches may keep by themselves (RFC 9110 section 15.1).
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if reason == Reason::MethodForbidden {
        let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        headers.insert(header::ALLOW, allow);
    }
    if let Some(brought) = &refusal.headers {
        headers.extend(HeaderMap::clone(brought));
    }
    if reason.closes_connection() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Replaces a response that would reveal the app's internals; the status and all other headers stay
/// the app's.
pub(crate) fn hide(call: &Call, status: StatusCode) -> (HeaderValue, Bytes) {
    body(call, Reason::AppErrorHidden, (&[], None), status)
}

/// Replaces a response that could not be examined.
pub(crate) fn unjudged(call: &Call) -> (HeaderValue, Bytes) {
    body(call, Reason::ResponseNotJudged, (&[], None), Reason::ResponseNotJudged.status())
}

fn body(
    call: &Call,
    reason: Reason,
    (faults, challenge): (&[Fault], Challenge<'_>),
    status: StatusCode,
) -> (HeaderValue, Bytes) {
    let (detail, code, request_id) = (reason.detail(), reason.code(), call.request_id.as_str());
    let (content_type, body) = if call.wants_problem {
        let problem = Problem {
            r#type: format!("urn:mantlet:reason:{code}"),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail,
            code,
            request_id,
            errors: faults,
            challenge,
        };
        ("application/problem+json", serde_json::to_vec(&problem))
    } else {
        let detail = match faults {
            [] => Detail::Text(detail),
            faults => Detail::Faults(faults),
        };
        ("application/json", serde_json::to_vec(&Plain { detail, code, request_id, challenge }))
    };
    (HeaderValue::from_static(content_type), Bytes::from(body.unwrap_or_default()))
}

/// Sends a plain request to the encrypted address.
pub fn redirect(location: HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// Leads a browser to the page to log in. The same address is another page afterwards, so nothing is kept of it.
pub fn log_in(location: HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The response to an issuer that has ended a session (OIDC Back-Channel Logout 1.0 section 2.8).
pub fn done() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The response to an allowed preflight.
pub fn preflight(headers: HeaderMap) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    response
}
