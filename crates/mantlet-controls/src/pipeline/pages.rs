//! Pages of a browser: whether a foreign one may act for its user, and whether it may read why it was refused.
//!
//! If the app handles CORS itself, it is asked, as the page's browser would ask.

use http::{HeaderName, HeaderValue, Method, Request, Uri, header};

use super::{App, Policy, Road};
use crate::{
    Arrival, Call, Mode, Reason, Refusal,
    audit::Sink,
    client, cors, csrf,
    message::{media_type::MediaType, origin},
};

/// A request that a foreign page may have sent, by all that is known without asking the app.
pub(super) struct Suspect {
    refusal: Refusal,
    /// The preflight for the app; none if it does not matter.
    preflight: Option<Request<()>>,
}

/// Whether a request is one. Boxed: rare, and the future of every request would be larger for it.
pub(super) fn suspect<B, S: Sink>(
    road: &Road<'_, S>,
    arrival: &Arrival,
    request: &Request<B>,
) -> Option<Box<Suspect>> {
    let (policy, call) = (road.policy, &road.call);
    let facts = csrf::Facts {
        has_certificate: call.certificate.is_some(),
        forwarded_host: call.host.forwarded(),
        // Only for a page's request, because it is expensive.
        is_local: call.origin.is_some() && client::is_local(arrival.peer, request.headers()),
    };
    let shares = |origin: &str| policy.cors.shares_credentials_with(origin);
    let reason = policy.csrf.verify(&call.method, request.headers(), &facts, shares).err()?;
    let is_asked = road.settings.csrf != Mode::Off;
    let preflight = is_asked.then(|| preflight(policy, call, request)).flatten();
    Some(Box::new(Suspect { refusal: of_origin(reason, call), preflight }))
}

/// A refusal for an origin, which its record shows.
pub(super) fn of_origin(reason: Reason, call: &Call) -> Refusal {
    let origin = call.origin.as_ref().and_then(|origin| origin::shown(origin.to_str().ok()?));
    Refusal { subject: origin.map(Into::into), ..reason.into() }
}

/// The refusal of a suspect, if the app does not trust its page either. A response that is not
/// about CORS does not show trust. If the app cannot be asked, its unavailability is the refusal.
pub(super) async fn foreign<B, A: App<B>>(
    call: &Call,
    suspect: Suspect,
    app: &mut A,
) -> Result<Option<Box<Refusal>>, Refusal> {
    let Suspect { refusal, preflight } = suspect;
    let refusal = Some(Box::new(refusal));
    let (Some(origin), Some(preflight)) = (&call.origin, preflight) else { return Ok(refusal) };
    match app.own_cors(call, preflight).await {
        Ok(own) if own.shares_credentials_with(origin) => Ok(None),
        Ok(_) | Err(cors::Silence::Unclear) => Ok(refusal),
        Err(cors::Silence::Unasked(refusal)) => Err(refusal),
    }
}

/// The preflight for the app, so that a page may read a refusal; none if the page need not read it,
/// or if a known answer must do.
pub(super) fn question<B>(
    policy: &Policy,
    call: &Call,
    request: &Request<B>,
    refusal: &Refusal,
) -> Option<Request<()>> {
    let is_asked = refusal.reason.is_for_pages()
        && !refusal.reason.is_about_amounts()
        && !policy.cors.is_ours()
        // A page of our own needs no permission.
        && !csrf::is_from_here(request.headers(), call.host.forwarded());
    is_asked.then(|| preflight(policy, call, request)).flatten()
}

/// If the app handles CORS itself, adds the app's CORS headers to a refusal that the page must
/// read.
pub(super) async fn let_read<B, A: App<B>>(
    policy: &Policy,
    call: &Call,
    question: Option<Request<()>>,
    app: &mut A,
    refusal: &mut Refusal,
) {
    if call.origin.is_none() || policy.cors.is_ours() {
        return;
    }
    let own = match question {
        Some(question) => app.own_cors(call, question).await.ok(),
        None if refusal.reason.is_about_amounts() => app.known_cors(call),
        None => None,
    };
    if let Some(own) = own {
        own.set_headers(refusal.headers_mut());
    }
}

/// The preflight that the page's browser would send before this request, as the app would get it from us.
fn preflight<B>(policy: &Policy, call: &Call, request: &Request<B>) -> Option<Request<()>> {
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

/// The origin of a header in the page's request.
enum Part {
    /// From the browser, or from a proxy on the way: a preflight has it too.
    Browser,
    /// From the page: a preflight has its name.
    Page,
    /// Only in the request itself: about its body, its credentials, or the browser's cache.
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

/// A type that a form can send: a page needs no permission for it (Fetch standard, CORS-safelisted
/// request-header).
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
    use crate::{Arrival, Peer, Scheme, WireVerdict, pipeline::open};

    /// The preflight for a request, one line for each header, sorted.
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
            wire: WireVerdict::WellFormed,
            certificate: None,
        };
        let call = open(&policy, &arrival, &request);
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
}
