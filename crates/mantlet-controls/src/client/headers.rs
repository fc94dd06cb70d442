use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    Policy,
    forwarded::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO},
};
use crate::{Call, Scheme, contract, host, request_id::X_REQUEST_ID};

/// The client's certificate, for the app (RFC 9440).
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// Headers by which known proxies tell the app who is calling or what was asked for, and `Proxy` (httpoxy). From
/// anybody else they are forgeries.
const FORGEABLE: [&str; 37] = [
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "client-cert",
    "client-cert-chain",
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "front-end-https",
    "proxy",
    "proxy-client-ip",
    "remote-user",
    "true-client-ip",
    "wl-proxy-client-ip",
    "x-appengine-user-ip",
    "x-authenticated-email",
    "x-authenticated-groups",
    "x-authenticated-user",
    "x-authenticated-userid",
    "x-azure-clientip",
    "x-client-cert",
    "x-client-dn",
    "x-client-ip",
    "x-client-verify",
    "x-cluster-client-ip",
    "x-endpoint-api-userinfo",
    "x-envoy-external-address",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-url",
    "x-real-ip",
    "x-remote-user",
    "x-rewrite-url",
    "x-scheme",
    "x-url-scheme",
    "x-vercel-forwarded-for",
    "x-webauth-user",
];

/// The same by prefix.
const FORGEABLE_PREFIXES: [&str; 12] = [
    "cf-access-",
    "ssl-client-",
    "tailscale-user-",
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-consumer-",
    "x-forwarded-",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-mantlet-",
    "x-ms-client-principal",
    "x-ssl-client-",
];

/// Headers by which a client asks for another method than the one that was judged.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];

/// Makes the request's headers fit for the app: forgeries gone; the client, the scheme and the request id stated once.
pub fn prepare(headers: &mut HeaderMap, call: &Call, policy: &Policy) {
    if policy.leaves_headers {
        return;
    }
    let untrusted = !call.client.peer_trusted;
    let dropped: Vec<HeaderName> =
        headers.keys().filter(|name| is_dropped(name, untrusted, policy, call)).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
    // Whatever a trusted peer sent in these has been read into the call; the app gets our reading of it.
    headers.remove(header::FORWARDED);
    match call.client.address.map(|address| HeaderValue::try_from(address.to_string())) {
        Some(Ok(address)) => headers.insert(X_FORWARDED_FOR, address),
        _ => headers.remove(X_FORWARDED_FOR),
    };
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(call.client.scheme.as_str()));
    // The port that the client asked for: some apps take the scheme's own where a proxy speaks and says nothing of ports.
    if let Some(port) = port(headers, call) {
        headers.insert(X_FORWARDED_PORT, port.into());
    }
    headers.insert(X_REQUEST_ID, call.request_id.header().clone());
    if let Some(certificate) = &call.certificate {
        headers.insert(CLIENT_CERT, certificate.header.clone());
    }
}

/// None if a trusted peer has said it, or which host it was asked for without saying a port: then the port is its to say.
fn port(headers: &HeaderMap, call: &Call) -> Option<u16> {
    if headers.contains_key(X_FORWARDED_PORT) {
        return None;
    }
    let forwarded = call.host.forwarded();
    if forwarded.is_none() && headers.contains_key(X_FORWARDED_HOST) {
        return None;
    }
    let host = forwarded.or_else(|| headers.get(header::HOST)?.to_str().ok())?;
    match host::split(host).1.and_then(|port| port.parse().ok()) {
        Some(port) => Some(port),
        None if forwarded.is_some() => None,
        None => Some(match call.client.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }),
    }
}

/// Whether proxies add a header of this name, to tell who is calling or what was asked for.
pub(crate) fn is_of_proxies(name: &str) -> bool {
    FORGEABLE.contains(&name) || FORGEABLE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_dropped(name: &HeaderName, untrusted: bool, policy: &Policy, call: &Call) -> bool {
    let text = name.as_str();
    if policy.drop_underscores && memchr::memchr(b'_', text.as_bytes()).is_some() {
        // What the operation itself asks for is confused with nothing.
        return !call
            .operation
            .as_ref()
            .is_some_and(|matched| contract::declares_header(&matched.route, text));
    }
    match text.as_bytes().first() {
        Some(b'c' | b'f' | b'p' | b'r' | b's' | b't' | b'w' | b'x') => {}
        _ => return untrusted && policy.drop.contains(name),
    }
    METHOD_OVERRIDES.contains(&text) || (untrusted && (is_of_proxies(text) || policy.drop.contains(name)))
}
