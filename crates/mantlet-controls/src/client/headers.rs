use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header, header::InvalidHeaderValue};

use super::{
    Policy,
    config::UnderscoreHeaders as Underscores,
    forwarded::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO},
    names::{
        is_forgeable, is_method_override, may_be_named_away, named_in_connection, resembles_what_matters,
    },
};
use crate::{Call, Scheme, call::request_id::X_REQUEST_ID, message::authority, operation};

/// The client's certificate, for the app (RFC 9440).
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// A header that the app does not receive, or would not receive in `strict` posture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Its name.
    pub name: HeaderName,
    /// Why.
    pub why: Why,
    /// The app receives it nevertheless: it is only reported.
    pub stays: bool,
}

/// Why the app does not receive a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Known proxies or platforms write it.
    Forgeable,
    /// `client.drop` names it.
    Configured,
    /// Its name has an underscore.
    Underscore,
    /// The client's own `Connection` header names it.
    Named,
    /// It asks for a method other than the judged one.
    MethodOverride,
}

/// Prepares the request's headers for the app: removes forgeries and headers that `Connection`
/// names, and states the client, the scheme and the request id once. Returns the headers that were
/// removed and might be missed, and those that are only reported. `folds` is whether something in
/// the app reads `_` as `-`.
pub fn prepare(
    headers: &mut HeaderMap,
    call: &Call,
    policy: &Policy,
    folds: impl Fn() -> bool,
) -> Vec<Removed> {
    if policy.leaves_headers {
        return Vec::new();
    }
    let untrusted = !call.client.peer_trusted;
    let mut removed: Vec<Removed> = headers
        .keys()
        .filter_map(|name| {
            let (why, stays) = why_dropped(name, untrusted, policy, call, &folds)?;
            Some(Removed { name: name.clone(), why, stays })
        })
        .collect();
    if headers.get_all(header::CONNECTION).iter().any(|value| !is_plain_connection(value)) {
        removed.extend(named_away(headers, policy));
    }
    for header in removed.iter().filter(|header| !header.stays) {
        headers.remove(&header.name);
    }
    // The call holds what a trusted peer sent in these; the app gets our reading of it.
    headers.remove(header::FORWARDED);
    match call.client.address.map(text_of) {
        Some(Ok(address)) => headers.insert(X_FORWARDED_FOR, address),
        _ => headers.remove(X_FORWARDED_FOR),
    };
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(call.client.scheme.as_str()));
    // Of other peers they were removed.
    let is_said = call.client.peer_trusted || !policy.keep.is_empty();
    // The port that the client asked for. Without it, some apps use the scheme's default port
    // behind a proxy.
    if let Some(port) = port(headers, call, is_said) {
        headers.insert(X_FORWARDED_PORT, port.into());
    }
    headers.insert(X_REQUEST_ID, call.request_id.header().clone());
    if let Some(certificate) = &call.certificate {
        headers.insert(CLIENT_CERT, certificate.header.clone());
    }
    removed
}

/// An address as a header. IPv4 is written by hand: its `Display` pads, and takes longer than
/// everything else here.
fn text_of(address: IpAddr) -> Result<HeaderValue, InvalidHeaderValue> {
    let IpAddr::V4(address) = address else { return HeaderValue::try_from(address.to_string()) };
    let mut text = String::with_capacity("255.255.255.255".len());
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        for (least, power) in [(100, 100), (10, 10), (0, 1)] {
            if octet >= least {
                text.push(char::from(b'0' + octet / power % 10));
            }
        }
    }
    HeaderValue::try_from(text)
}

/// None if the peer already names a port, or names a host without one.
fn port(headers: &HeaderMap, call: &Call, is_said: bool) -> Option<u16> {
    let forwarded = call.host.forwarded();
    if is_said
        && (headers.contains_key(X_FORWARDED_PORT)
            || forwarded.is_none() && headers.contains_key(X_FORWARDED_HOST))
    {
        return None;
    }
    let host = forwarded.or_else(|| headers.get(header::HOST)?.to_str().ok())?;
    match authority::split(host).1.and_then(|port| port.parse().ok()) {
        Some(port) => Some(port),
        None if forwarded.is_some() => None,
        None => Some(match call.client.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }),
    }
}

/// Why a header is dropped, and whether it stays nevertheless.
fn why_dropped(
    name: &HeaderName,
    untrusted: bool,
    policy: &Policy,
    call: &Call,
    folds: &impl Fn() -> bool,
) -> Option<(Why, bool)> {
    let text = name.as_str();
    if memchr::memchr(b'_', text.as_bytes()).is_some() {
        let is_dropped = match policy.underscores {
            Underscores::Pass => false,
            Underscores::Drop => true,
            Underscores::DropIfConfused => resembles_what_matters(text, policy) || folds(),
        };
        // A header that the operation itself declares is kept.
        let declares = || {
            call.operation.as_ref().is_some_and(|matched| operation::declares_header(&matched.route, text))
        };
        return (is_dropped && !declares()).then_some((Why::Underscore, false));
    }
    if is_method_override(text) {
        // If no code of the app reads it, it has no effect; if some code does, clients send it on
        // purpose.
        let stays = !policy.drops_overrides && !policy.drop.contains(name);
        (!policy.keep.contains(name)).then_some((Why::MethodOverride, stays))
    } else if untrusted && policy.drop.contains(name) {
        Some((Why::Configured, false))
    } else if untrusted && is_forgeable(text) && !policy.keep.contains(name) {
        Some((Why::Forgeable, false))
    } else {
        None
    }
}

/// The value that nearly every client sends, if any.
fn is_plain_connection(value: &HeaderValue) -> bool {
    matches!(value.as_bytes(), b"keep-alive" | b"close" | b"Keep-Alive" | b"Upgrade" | b"upgrade")
}

/// The headers that `Connection` names and may name.
fn named_away(headers: &HeaderMap, policy: &Policy) -> Vec<Removed> {
    named_in_connection(headers)
        .filter(|name| may_be_named_away(name, policy) && headers.contains_key(name))
        .map(|name| Removed { name, why: Why::Named, stays: false })
        .collect()
}
