//! Questions of our own to the app.

use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};

use crate::{Call, Scheme};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The host that the request is for.
pub(super) fn host(call: &Call) -> Option<HeaderValue> {
    call.host.sent().and_then(|host| HeaderValue::from_str(host).ok())
}

/// A GET in the scheme of a request, with these headers. `agent` stands in the app's own log, and `client`
/// is the address that is asked for.
pub(super) fn get(
    call: &Call,
    target: Uri,
    headers: HeaderMap,
    agent: HeaderValue,
    client: Option<HeaderValue>,
) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = target;
    *request.headers_mut() = headers;
    let headers = request.headers_mut();
    if let Some(client) = client {
        headers.insert(X_FORWARDED_FOR, client);
    }
    headers.insert(header::USER_AGENT, agent);
    if call.client.scheme == Scheme::Https {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
    }
    request
}
