use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

use super::Networks;
use crate::Scheme;

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Walks hops from the nearest to the farthest and stops at the first that is not trusted, or not an address.
fn walk(
    hops: impl Iterator<Item = Option<IpAddr>>,
    peer: Option<IpAddr>,
    trusted: &Networks,
) -> Option<IpAddr> {
    let mut client = peer;
    for hop in hops {
        // A hop that hides its address (`unknown`, `_name`) ends what can be known.
        let Some(address) = hop else { break };
        client = Some(address);
        if !trusted.contains(address) {
            break;
        }
    }
    client
}

pub(super) fn from_x_forwarded_for(
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    trusted: &Networks,
) -> Option<IpAddr> {
    walk(elements_from_right(headers, &X_FORWARDED_FOR).map(address), peer, trusted)
}

pub(super) fn from_forwarded(
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    trusted: &Networks,
) -> Option<IpAddr> {
    let hops = elements_from_right(headers, &header::FORWARDED)
        .map(|element| parameter(element, "for").and_then(address));
    walk(hops, peer, trusted)
}

/// The nearest proxy's word; proxies farther out are behind it and cannot know better what reached it.
pub(super) fn scheme_from_x_forwarded_proto(headers: &HeaderMap) -> Option<Scheme> {
    elements_from_right(headers, &X_FORWARDED_PROTO).next().and_then(scheme)
}

pub(super) fn scheme_from_forwarded(headers: &HeaderMap) -> Option<Scheme> {
    elements_from_right(headers, &header::FORWARDED)
        .next()
        .and_then(|element| parameter(element, "proto"))
        .and_then(scheme)
}

fn scheme(text: &str) -> Option<Scheme> {
    if text.eq_ignore_ascii_case("https") || text.eq_ignore_ascii_case("wss") {
        Some(Scheme::Https)
    } else if text.eq_ignore_ascii_case("http") || text.eq_ignore_ascii_case("ws") {
        Some(Scheme::Http)
    } else {
        None
    }
}

/// The members of a list header, the last one first, over all its lines.
fn elements_from_right<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(name)
        .iter()
        .rev()
        .flat_map(|value| value.to_str().unwrap_or_default().rsplit(','))
        .map(str::trim)
        // An empty member counts for nothing (RFC 9110 section 5.6.1).
        .filter(|element| !element.is_empty())
}

/// The value of a parameter of a `Forwarded` element, without quotes.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
        .map(|address| address.to_canonical())
}
