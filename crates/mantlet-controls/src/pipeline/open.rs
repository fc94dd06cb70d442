//! The facts of a request that are known at its start.

use http::{HeaderMap, HeaderName, HeaderValue, Request, header};

use super::{Arrival, Policy};
use crate::{
    Call,
    call::{self, CanonicalPath, Client, Host, Place, request_id::RequestId},
    client,
};

/// Finds the client. Nothing is refused here.
pub(crate) fn open<B>(policy: &Policy, arrival: &Arrival, request: &Request<B>) -> Call {
    let headers = request.headers();
    let client = Client::of(arrival.peer, arrival.scheme, headers, &policy.client);
    // A trusted proxy's certificate is its own, not its users'; its headers about theirs are kept.
    let certificate = arrival.certificate.clone().filter(|_| !client.peer_trusted);
    Call {
        request_id: RequestId::of(headers, client.peer_trusted, policy.clock),
        trace: None,
        method: request.method().clone(),
        version: request.version(),
        host: Host::of(headers, client::forwarded_host(headers, &client, &policy.client)),
        client,
        origin: headers.get(header::ORIGIN).cloned(),
        path: CanonicalPath::as_sent(request.uri()),
        place: Place::default(),
        is_for_accounts: false,
        opens_websocket: call::wants_websocket(request.method(), request.version(), headers),
        operation: None,
        principal: None,
        api_key: None,
        session: None,
        told_by_app: None,
        response_timeout: None,
        carries_credentials: headers.contains_key(header::AUTHORIZATION)
            || headers.contains_key(header::COOKIE)
            || certificate.is_some(),
        certificate,
        wants_problem: wants_problem(headers),
        loaded_as_code: is_code(headers),
        clock: policy.clock,
    }
}

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Fetch Metadata: the use of the response, and the requesting page.
fn is_code(headers: &HeaderMap) -> bool {
    let is_for_code = |value: &HeaderValue| {
        let value = value.as_bytes();
        [&b"script"[..], b"style", b"worker", b"sharedworker", b"serviceworker"].contains(&value)
    };
    headers.get(SEC_FETCH_DEST).is_some_and(is_for_code)
        && headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "cross-site")
}

fn wants_problem(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .is_some_and(|accept| memchr::memmem::find(accept.as_bytes(), b"application/problem+json").is_some())
}
