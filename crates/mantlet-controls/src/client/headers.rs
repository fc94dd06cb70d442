use http::{HeaderMap, HeaderName, HeaderValue, header, uri::Authority};

use super::{
    Policy,
    forwarded::{X_FORWARDED_FOR, X_FORWARDED_PROTO},
};
use crate::{Call, Scheme, contract, request_id::X_REQUEST_ID};

/// The port that the client asked for. Some apps take the scheme's own where a proxy speaks and says nothing of ports.
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// What a proxy in front of us was asked for.
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

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
    if let Some(port) = port(headers, call.client.scheme) {
        headers.insert(X_FORWARDED_PORT, port.into());
    }
    headers.insert(X_REQUEST_ID, call.request_id.header().clone());
    if let Some(certificate) = &call.certificate {
        headers.insert(CLIENT_CERT, certificate.header.clone());
    }
}

/// None if a trusted peer has said it, or which host it was asked for: then the port is its to say.
fn port(headers: &HeaderMap, scheme: Scheme) -> Option<u16> {
    if headers.contains_key(X_FORWARDED_PORT) || headers.contains_key(X_FORWARDED_HOST) {
        return None;
    }
    let host = Authority::try_from(headers.get(header::HOST)?.as_bytes()).ok()?;
    Some(host.port_u16().unwrap_or(match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    }))
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
    METHOD_OVERRIDES.contains(&text)
        || (untrusted
            && (FORGEABLE.contains(&text)
                || FORGEABLE_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
                || policy.drop.contains(name)))
}
