use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Networks;
use crate::{Scheme, message::authority};

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(super) const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Walks hops from the nearest to the farthest and stops at the first that is not trusted, or not an address.
fn walk(
    hops: impl Iterator<Item = Option<IpAddr>>,
    peer: Option<IpAddr>,
    trusted: &Networks,
) -> Option<IpAddr> {
    let mut client = peer;
    for hop in hops {
        // A hop that hides its address (`unknown`, `_name`) ends the walk: nothing farther out can
        // be trusted.
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

/// The nearest proxy counts: those farther out cannot know better what reached it.
pub(super) fn scheme_from_x_forwarded_proto(headers: &HeaderMap) -> Option<Scheme> {
    elements_from_right(headers, &X_FORWARDED_PROTO).next().and_then(scheme)
}

pub(super) fn scheme_from_forwarded(headers: &HeaderMap) -> Option<Scheme> {
    elements_from_right(headers, &header::FORWARDED)
        .next()
        .and_then(|element| parameter(element, "proto"))
        .and_then(scheme)
}

/// The number of trusted proxies on the way, including the peer. If each adds an element to a list,
/// that many elements are not the client's own.
fn proxies(hops: impl Iterator<Item = Option<IpAddr>>, trusted: &Networks) -> usize {
    1 + hops.take_while(|hop| hop.is_some_and(|address| trusted.contains(address))).count()
}

/// The element of the first trusted proxy, which the client connected to; if not every proxy added
/// one, the farthest element.
fn of_the_first<'h>(headers: &'h HeaderMap, name: &HeaderName, proxies: usize) -> Option<&'h str> {
    elements_from_right(headers, name).take(proxies).last()
}

pub(super) fn host_from_x_forwarded_host(headers: &HeaderMap, trusted: &Networks) -> Option<HeaderValue> {
    let (has_host, has_port) =
        (headers.contains_key(X_FORWARDED_HOST), headers.contains_key(X_FORWARDED_PORT));
    if !has_host && !has_port {
        return None;
    }
    let proxies = proxies(elements_from_right(headers, &X_FORWARDED_FOR).map(address), trusted);
    let host = match of_the_first(headers, &X_FORWARDED_HOST, proxies) {
        Some(host) => host,
        None => headers.get(header::HOST)?.to_str().ok()?,
    };
    let port = of_the_first(headers, &X_FORWARDED_PORT, proxies).and_then(|port| port.parse::<u16>().ok());
    // A host without its port, as nginx' `$host` has it, and the port beside it.
    match (authority::split(host), port) {
        ((name, None | Some("")), Some(port)) if port > 0 => well_formed(&format!("{name}:{port}")),
        _ => well_formed(host),
    }
}

pub(super) fn host_from_forwarded(headers: &HeaderMap, trusted: &Networks) -> Option<HeaderValue> {
    let element = |name| move |element| parameter(element, name);
    let hops = elements_from_right(headers, &header::FORWARDED).map(element("for"));
    let proxies = proxies(hops.map(|hop| hop.and_then(address)), trusted);
    of_the_first(headers, &header::FORWARDED, proxies).and_then(element("host")).and_then(well_formed)
}

/// A host as a normalised header, if it is a host.
fn well_formed(text: &str) -> Option<HeaderValue> {
    if !authority::is_well_formed(text.as_bytes()) {
        return None;
    }
    match authority::respelled(text) {
        Some(host) => HeaderValue::try_from(host).ok(),
        None => HeaderValue::from_str(text).ok(),
    }
}

/// Whether no header names a client, or every one that does names one on this machine.
pub(super) fn tells_of_loopback_only(headers: &HeaderMap) -> bool {
    if headers.contains_key(header::VIA) {
        return false;
    }
    let is_loopback = |address: Option<IpAddr>| address.is_some_and(|address| address.is_loopback());
    [X_FORWARDED_FOR, X_REAL_IP]
        .iter()
        .all(|name| elements_from_right(headers, name).all(|element| is_loopback(address(element))))
        && elements_from_right(headers, &header::FORWARDED)
            .all(|element| is_loopback(parameter(element, "for").and_then(address)))
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
