//! What goes wrong on our side, as clients and operators learn of it.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use mantlet_accounts::Fault;
use serde_json::json;

/// Seconds after which a client may try again that found the database away.
const AWAY: &str = "5";

/// What has gone wrong, for the operator's log. It stands among the extensions of a response with status 503; the client
/// does not see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable(pub String);

/// Seconds after which a client may try again, and what it is told.
pub(crate) fn said(fault: &Fault) -> (HeaderValue, &'static str) {
    match fault {
        Fault::Busy => (
            HeaderValue::from_static("1"),
            "Too many logins are being checked at the moment. Try again in a second.",
        ),
        _ => (
            HeaderValue::from_static(AWAY),
            "Accounts cannot be reached at the moment, so nothing was changed or checked. Try again in a few seconds.",
        ),
    }
}

/// 503 as JSON.
pub(crate) fn unavailable(fault: &Fault) -> Response<Bytes> {
    let (after, detail) = said(fault);
    let mut response = Response::new(Bytes::from(json!({ "detail": detail }).to_string()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::RETRY_AFTER, after);
    response.extensions_mut().insert(Unavailable(fault.to_string()));
    response
}
