//! Checks for a request that our strict reader has not seen: one over HTTP/2, or one that another
//! server has parsed.

use http::{HeaderValue, Method, Request, Version, header, uri::PathAndQuery};

use crate::{
    Reason,
    message::{REFUSED_METHOD, authority},
};

/// Refuses methods that open tunnels or mirror secrets, however the request was read.
pub(crate) fn verify_method(method: &Method) -> Result<(), Reason> {
    if matches!(*method, Method::CONNECT | Method::TRACE) || method == REFUSED_METHOD {
        return Err(Reason::MethodForbidden);
    }
    Ok(())
}

/// Judges what can still be seen after another parser, and sets `Host` to the host. `raw_bytes` if
/// the app accepts bytes beyond ASCII in a query.
pub(crate) fn verify<B>(
    (header_count, target_length): (usize, usize),
    raw_bytes: bool,
    request: &mut Request<B>,
) -> Result<(), Reason> {
    // HTTP/2 clients may split one Cookie header into many fields (RFC 9113 section 8.2.3).
    let crumbs = match request.version() {
        Version::HTTP_2 => request.headers().get_all(header::COOKIE).iter().count().saturating_sub(1),
        _ => 0,
    };
    if request.headers().len() - crumbs > header_count {
        return Err(Reason::HeaderCountExceeded);
    }
    let target = request.uri().path_and_query().map_or("", PathAndQuery::as_str);
    if target.len() > target_length {
        return Err(Reason::TargetTooLong);
    }
    // Starlette reads bytes beyond ASCII in a query as latin-1; uvicorn accepts none in a path.
    let is_plain = target.is_ascii() || raw_bytes && request.uri().path().is_ascii();
    if !target.starts_with('/') || !is_plain {
        return Err(Reason::TargetMalformed);
    }
    // Parsers compare the body with the first one only; the app would see them all.
    if request.headers().get_all(header::CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(Reason::ContentLengthRepeated);
    }
    verify_host(request)
}

/// RFC 9113 section 8.3.1 and RFC 9112 section 3.2.2: the authority replaces Host; if both are
/// present they must agree.
fn verify_host<B>(request: &mut Request<B>) -> Result<(), Reason> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(Reason::HostRepeated);
    }
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let port = if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) { "443" } else { "80" };
    let host = match (authority, host) {
        (Some(authority), Some(host))
            if !host.to_str().is_ok_and(|host| authority::is_same(authority, host, port)) =>
        {
            return Err(Reason::HostMismatch);
        }
        (Some(authority), None) => {
            let host = HeaderValue::from_str(authority).map_err(|_| Reason::HostMalformed)?;
            request.headers_mut().insert(header::HOST, host.clone());
            host
        }
        (_, Some(host)) => host.clone(),
        // Only HTTP/1.0 may leave it out (RFC 9112 section 3.2).
        (None, None) if request.version() < Version::HTTP_11 => return Ok(()),
        (None, None) => return Err(Reason::HostMissing),
    };
    if authority::is_well_formed(host.as_bytes()) { Ok(()) } else { Err(Reason::HostMalformed) }
}
