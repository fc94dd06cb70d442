//! What the app's own CORS says, and how it is asked.
//!
//! A page's request that would be refused otherwise may be one that the app's authors have allowed, with a middleware of their own. So the app is asked
//! as the page's browser would ask it, with a preflight that has all that an app may look at: the target byte for byte with its query,
//! the host, the scheme and the client as the app would see them, the method, the names of the headers that the page has set.
//!
//! An answer counts for what was asked and nothing else: another path may be another app, mounted beside this one.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};

use crate::{Call, Policy, Refusal, client, media_type::MediaType, vary};

/// What the app's own CORS answers say to one origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// `Access-Control-Allow-Origin`; none if its pages may not read.
    pub allow_origin: Option<HeaderValue>,
    /// Whether its pages may send cookies.
    pub credentials: bool,
}

/// Why the app has said nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Silence {
    /// It could not be asked: it is away, or busy.
    Unasked(Refusal),
    /// What it answered is not about CORS.
    Unclear,
}

impl Own {
    /// Reads it off an answer of the app.
    pub fn of(answer: &HeaderMap) -> Self {
        let credentials = answer.get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        Self {
            allow_origin: answer.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).cloned(),
            credentials: credentials.is_some_and(|value| value == "true"),
        }
    }

    /// Reads the answer to a preflight. Words about CORS count, whatever the status: a middleware that allows the origin and not the method says so
    /// with 400. Without a word only an app counts that was asked and has none: there is no such method or path, or a handler of its own
    /// answers OPTIONS. A redirect, a failure, a demand for credentials is no answer.
    pub fn of_preflight(status: StatusCode, answer: &HeaderMap) -> Result<Self, Silence> {
        let speaks = super::CORS_HEADERS.iter().any(|name| answer.contains_key(name));
        let counts = match status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => true,
            status if status.is_success() => true,
            status if status.is_client_error() => speaks,
            _ => false,
        };
        if counts { Ok(Self::of(answer)) } else { Err(Silence::Unclear) }
    }

    /// Whether pages of this origin may act with the user's cookies.
    pub fn shares_credentials_with(&self, origin: &HeaderValue) -> bool {
        self.credentials && self.allow_origin.as_ref() == Some(origin)
    }

    /// Says it on an answer of ours.
    pub(crate) fn dress(self, answer: &mut HeaderMap) {
        let Some(origin) = self.allow_origin else { return };
        if origin != "*" {
            vary::add(answer, "origin");
        }
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// The preflight that the page's browser would send before this request, as the app would get it from us.
pub(crate) fn preflight<B>(policy: &Policy, call: &Call, request: &Request<B>) -> Option<Request<()>> {
    let origin = call.origin.clone()?;
    let mut preflight = Request::new(());
    *preflight.method_mut() = Method::OPTIONS;
    *preflight.uri_mut() = request.uri().path_and_query().cloned().map_or_else(Uri::default, Uri::from);
    let asked = preflight.headers_mut();
    let mut set = Vec::new();
    for (name, value) in request.headers() {
        match part(name, value, call.client.peer_trusted) {
            Part::Browser => {
                asked.append(name, value.clone());
            }
            Part::Page => set.push(name.as_str()),
            Part::Request => {}
        }
    }
    asked.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    if asked.contains_key(&SEC_FETCH_SITE) {
        asked.insert(SEC_FETCH_MODE, HeaderValue::from_static("cors"));
        asked.insert(SEC_FETCH_DEST, HeaderValue::from_static("empty"));
    }
    client::prepare(asked, call, &policy.client, || policy.contract.folds_headers());
    // Browsers show no certificate with a preflight, as they send no cookie (Fetch standard, credentials mode).
    if call.certificate.is_some() {
        asked.remove("client-cert");
    }
    asked.insert(header::ORIGIN, origin);
    asked.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_str(call.method.as_str()).ok()?);
    // Fetch standard, CORS-unsafe request-header names: sorted, each once, without a space.
    set.sort_unstable();
    set.dedup();
    if let Ok(names) = HeaderValue::try_from(set.join(","))
        && !names.is_empty()
    {
        asked.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, names);
    }
    Some(preflight)
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Whose part a header of the page's request is.
enum Part {
    /// The browser's, or a proxy's on the way: a preflight has it too.
    Browser,
    /// The page's: a preflight has its name.
    Page,
    /// The request's alone: its body, its credentials, what the browser knows of its cache.
    Request,
}

fn part(name: &HeaderName, value: &HeaderValue, from_proxy: bool) -> Part {
    let text = name.as_str();
    match text {
        "host" | "user-agent" | "referer" | "accept-language" | "accept-encoding" | "sec-fetch-site"
        | "dnt" | "sec-gpc" | "via" => Part::Browser,
        "origin"
        | "accept"
        | "accept-charset"
        | "content-language"
        | "content-length"
        | "content-encoding"
        | "transfer-encoding"
        | "cookie"
        | "cookie2"
        | "connection"
        | "keep-alive"
        | "upgrade"
        | "upgrade-insecure-requests"
        | "expect"
        | "te"
        | "trailer"
        | "date"
        | "range"
        | "if-range"
        | "if-match"
        | "if-none-match"
        | "if-modified-since"
        | "if-unmodified-since"
        | "cache-control"
        | "pragma"
        | "priority"
        | "x-request-id"
        | "access-control-request-method"
        | "access-control-request-headers"
        | "http2-settings" => Part::Request,
        "content-type" if is_safelisted(value) => Part::Request,
        "authorization" if is_ambient(value) => Part::Request,
        _ if text.starts_with("sec-") || text.starts_with("proxy-") => Part::Request,
        _ if client::is_forgeable(text) => {
            if from_proxy {
                Part::Browser
            } else {
                Part::Request
            }
        }
        _ => Part::Page,
    }
}

/// A type that a form can send: a page needs no leave for it (Fetch standard, CORS-safelisted request-header).
fn is_safelisted(content_type: &HeaderValue) -> bool {
    MediaType::read(content_type.as_bytes()).is_among(&[
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    ])
}

/// Credentials that the browser has asked its user for.
fn is_ambient(authorization: &HeaderValue) -> bool {
    let scheme = authorization.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
    ["basic", "digest", "negotiate", "ntlm"]
        .iter()
        .any(|ambient| scheme.eq_ignore_ascii_case(ambient.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arrival, Peer, Scheme, Wire};

    /// The preflight that comes of a request, one line for each header, sorted.
    fn asked(lines: &[(&str, &str)], trusted: &str) -> Vec<String> {
        let mut config = crate::Config::default();
        config.client.trusted = vec![trusted.into()];
        let policy = config.check().unwrap();
        let mut request = Request::post("/a%20b/caf%C3%A9%3F?tenant=%61&x").body(()).unwrap();
        for (name, value) in lines {
            request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let arrival = Arrival {
            peer: Peer::Ip("10.0.0.1:4711".parse().unwrap()),
            scheme: Scheme::Http,
            wire: Wire::WellFormed,
            certificate: None,
        };
        let call = Call::open(&policy, &arrival, &request);
        let preflight = preflight(&policy, &call, &request).unwrap();
        assert_eq!((preflight.method(), preflight.uri()), (&Method::OPTIONS, request.uri()));
        let line =
            |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let mut lines: Vec<_> = preflight.headers().iter().map(line).collect();
        lines.retain(|line| !line.starts_with("x-request-id: "));
        lines.sort();
        lines
    }

    const PAGE: [(&str, &str); 14] = [
        ("host", "shop.example:8000"),
        ("origin", "https://app.example"),
        ("user-agent", "Mozilla/5.0"),
        ("accept", "application/json"),
        ("accept-language", "de"),
        ("referer", "https://app.example/"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "no-cors"),
        ("cookie", "session=1"),
        ("content-type", "application/json"),
        ("content-length", "2"),
        ("x-tenant", "a"),
        ("x-client", "b"),
        ("authorization", "Bearer t"),
    ];

    #[test]
    fn the_app_is_asked_as_the_browser_would_ask() {
        let expected = [
            "accept-language: de",
            "accept: */*",
            "access-control-request-headers: authorization,content-type,x-client,x-tenant",
            "access-control-request-method: POST",
            "host: shop.example:8000",
            "origin: https://app.example",
            "referer: https://app.example/",
            "sec-fetch-dest: empty",
            "sec-fetch-mode: cors",
            "sec-fetch-site: cross-site",
            "user-agent: Mozilla/5.0",
            "x-forwarded-for: 10.0.0.1",
            "x-forwarded-port: 8000",
            "x-forwarded-proto: http",
        ];
        assert_eq!(asked(&PAGE, "192.0.2.1"), expected);
    }

    #[test]
    fn what_proxies_say_goes_with_it_if_they_are_trusted() {
        let lines = [
            ("host", "inside"),
            ("origin", "https://app.example"),
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
            ("x-real-ip", "203.0.113.7"),
            ("content-type", "multipart/form-data; boundary=a"),
            ("authorization", "Basic YTpi"),
        ];
        let of_a_proxy = asked(&lines, "10.0.0.0/8");
        for line in [
            "x-forwarded-for: 203.0.113.7",
            "x-forwarded-proto: https",
            "x-forwarded-host: shop.example",
            "x-real-ip: 203.0.113.7",
        ] {
            assert!(of_a_proxy.iter().any(|own| own == line), "{line}: {of_a_proxy:?}");
        }
        assert!(
            !of_a_proxy.iter().any(|own| own.starts_with("access-control-request-headers")),
            "{of_a_proxy:?}"
        );
        let of_a_client = asked(&lines, "192.0.2.1");
        assert!(of_a_client.iter().any(|own| own == "x-forwarded-for: 10.0.0.1"), "{of_a_client:?}");
        assert!(!of_a_client.iter().any(|own| own.contains("shop.example")), "{of_a_client:?}");
    }

    #[test]
    fn only_what_is_about_cors_is_an_answer() {
        let allow = ("access-control-allow-origin", "https://app.example");
        let methods = ("access-control-allow-methods", "GET");
        for (status, lines, counts, allowed) in [
            (200, &[allow][..], true, true),
            (400, &[allow, methods], true, true),
            (400, &[methods], true, false),
            (204, &[], true, false),
            (404, &[], true, false),
            (405, &[], true, false),
            (405, &[allow], true, true),
            (400, &[], false, false),
            (401, &[], false, false),
            (401, &[allow], true, true),
            (403, &[], false, false),
            (429, &[], false, false),
            (307, &[], false, false),
            (308, &[allow], false, false),
            (500, &[], false, false),
            (503, &[allow], false, false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            let own = Own::of_preflight(StatusCode::from_u16(status).unwrap(), &headers);
            let seen = own.as_ref().ok().map(|own| own.allow_origin.is_some());
            assert_eq!(seen, counts.then_some(allowed), "{status} {lines:?}");
        }
    }
}
