//! Could a foreign page have sent this with the user's cookies?
//!
//! Defends users who are logged in with a cookie: a foreign page can make their browser send requests, and the cookie comes
//! along. Modern browsers say which page a request comes from; this control believes them, as Go's `CrossOriginProtection`
//! and the OWASP CSRF cheat sheet (Fetch Metadata) do.
//!
//! A request passes if
//! 1. its method is safe (GET, HEAD, OPTIONS) and it opens no WebSocket;
//! 2. it carries nothing that a browser adds by itself: no cookie, no client certificate, no Basic, Digest or Negotiate credentials;
//! 3. it carries a bearer credential, which a page has to add itself;
//! 4. `Sec-Fetch-Site` is `same-origin` or `none` (typed by the user);
//! 5. without `Sec-Fetch-Site`, its `Origin` names the host that it was sent to, or that a trusted
//!    proxy received, or is missing: then the client is not a browser, or is one from before 2020;
//! 6. its `Origin` is in `csrf.trusted-origins`, or in `cors.origins` with credentials, or the
//!    app's own CORS headers share credentials with it ([`crate::App::own_cors`]): such a page may
//!    act for the user by the app's own word;
//! 7. nothing leaves this machine: the peer is a loopback address and no header tells of another client, and both `Origin` and `Host` are
//!    loopback names or addresses, whatever their ports: a development server before the app (`csrf.loopback`);
//! 8. it carries a valid token ([`token`]), which no foreign page can know.
//!
//! If session cookies are configured, a token is required in addition.
//!
//! WebSockets are judged alike, whatever their method, but without the token: the same-origin
//! policy does not protect them.
//!
//! To mind in deployment: a front end on another origin (another port is another origin) that logs in with cookies must be trusted by
//! name, unless both are on this machine. GET requests must not change anything; that is the app's part.
//!
//! ```
//! use http::{HeaderMap, HeaderValue, Method};
//! use mantlet_controls::{Context, Reason, Section, csrf::{Config, Facts}};
//!
//! let policy = Config::default().check(&Context::default()).expect("a valid configuration");
//! let mut headers = HeaderMap::new();
//! headers.insert("host", HeaderValue::from_static("shop.example"));
//! headers.insert("cookie", HeaderValue::from_static("session=1"));
//! headers.insert("origin", HeaderValue::from_static("https://evil.net"));
//! let facts = Facts::default();
//! assert_eq!(policy.verify(&Method::POST, &headers, &facts, |_| false), Err(Reason::CsrfCrossSite));
//! assert_eq!(policy.verify(&Method::GET, &headers, &facts, |_| false), Ok(()));
//! ```

mod config;
pub mod token;

use http::{HeaderMap, HeaderName, Method, header};

pub use config::Config;

use crate::{
    Reason,
    message::{
        authority,
        origin::{self, Origins},
    },
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The checked `[csrf]` section.
#[derive(Debug, Clone)]
pub struct Policy {
    trusted: Origins,
    loopback: bool,
    pub(crate) tokens: token::Tokens,
}

/// Facts about a request besides its headers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'c> {
    /// The client has shown a certificate, which browsers send by themselves.
    pub has_certificate: bool,
    /// The host that a trusted proxy received.
    pub forwarded_host: Option<&'c str>,
    /// It comes from a program on this machine, and no header names another client behind it.
    pub is_local: bool,
}

impl Policy {
    /// Decides whether a foreign page may have sent the request. `shares_credentials` tells whether
    /// CORS lets an origin send cookies.
    pub fn verify(
        &self,
        method: &Method,
        headers: &HeaderMap,
        facts: &Facts<'_>,
        shares_credentials: impl FnOnce(&str) -> bool,
    ) -> Result<(), Reason> {
        let websocket = opens_websocket(headers);
        if (is_safe(method) && !websocket) || !(facts.has_certificate || carries_ambient_credentials(headers))
        {
            return Ok(());
        }
        let origin = origin_of(headers);
        let host = host_of(headers);
        let trusted = || {
            origin.is_some_and(|origin| self.trusted.contains(origin) || shares_credentials(origin))
                || (self.loopback
                    && facts.is_local
                    && host.is_some_and(authority::is_loopback)
                    && origin.is_some_and(origin::is_loopback))
        };
        if is_from_here(headers, facts.forwarded_host) || trusted() {
            Ok(())
        } else if websocket {
            Err(Reason::WebsocketOriginDenied)
        } else {
            Err(Reason::CsrfCrossSite)
        }
    }
}

/// Whether the request comes from a page of the host that it was sent to or that a trusted proxy
/// received, or from no page.
pub(crate) fn is_from_here(headers: &HeaderMap, forwarded_host: Option<&str>) -> bool {
    let origin = origin_of(headers);
    let names =
        |host: Option<&str>| origin.zip(host).is_some_and(|(origin, host)| origin::is_host(origin, host));
    match headers.get(&SEC_FETCH_SITE) {
        Some(site) => site == "same-origin" || site == "none",
        None => origin.is_none() || names(host_of(headers)) || names(forwarded_host),
    }
}

fn origin_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null"))
}

fn host_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|host| host.to_str().ok())
}

/// Methods that change nothing (RFC 9110 section 9.2.1).
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn opens_websocket(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Credentials that browsers send by themselves.
fn carries_ambient_credentials(headers: &HeaderMap) -> bool {
    match headers.get(header::AUTHORIZATION) {
        Some(authorization) => {
            let scheme = authorization.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
            ["basic", "digest", "negotiate", "ntlm"]
                .iter()
                .any(|ambient| scheme.eq_ignore_ascii_case(ambient.as_bytes()))
        }
        None => headers.contains_key(header::COOKIE),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::{Context, Section};

    #[test]
    fn row_62_only_our_own_pages_act_with_the_users_cookies() {
        use Reason::{CsrfCrossSite as Csrf, WebsocketOriginDenied as Ws};
        let config = Config { trusted_origins: vec!["https://admin.example".into()], ..Config::default() };
        let policy = config.check(&Context::default()).unwrap();
        let check = |method: Method, lines: &[(&'static str, &'static str)], expected: Result<(), Reason>| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static("shop.example:8000"));
            for (name, value) in lines {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let shares = |origin: &str| origin == "https://app.example";
            assert_eq!(
                policy.verify(&method, &headers, &Facts::default(), shares),
                expected,
                "{method} {lines:?}"
            );
        };
        let cookie = ("cookie", "session=1");
        let (evil, null) = (("origin", "https://evil.net"), ("origin", "null"));
        let site = |value| ("sec-fetch-site", value);
        // Nothing that a browser adds by itself, or nothing that changes anything.
        check(Method::POST, &[evil, site("cross-site")], Ok(()));
        check(Method::GET, &[cookie, evil, site("cross-site")], Ok(()));
        check(Method::POST, &[cookie, evil, site("cross-site"), ("authorization", "Bearer t")], Ok(()));
        // Our own pages, and programs that are not browsers.
        check(Method::POST, &[cookie, site("same-origin")], Ok(()));
        check(Method::POST, &[cookie, site("none")], Ok(()));
        check(Method::POST, &[cookie], Ok(()));
        check(Method::POST, &[cookie, ("origin", "http://shop.example:8000")], Ok(()));
        check(Method::POST, &[cookie, ("origin", "https://shop.example:8000")], Ok(()));
        // Foreign pages.
        let (mut headers, shares) = (HeaderMap::new(), |_: &str| false);
        let certified = Facts { has_certificate: true, ..Facts::default() };
        assert_eq!(
            policy.verify(&Method::POST, &headers, &certified, shares),
            Ok(()),
            "a program with a certificate"
        );
        headers.insert("origin", HeaderValue::from_static("https://evil.net"));
        headers.insert("host", HeaderValue::from_static("shop.example"));
        assert_eq!(
            policy.verify(&Method::POST, &headers, &certified, shares),
            Err(Csrf),
            "a browser with one"
        );
        check(Method::POST, &[cookie, evil], Err(Csrf));
        check(Method::POST, &[cookie, null], Err(Csrf));
        check(Method::POST, &[cookie, site("cross-site")], Err(Csrf));
        check(Method::POST, &[cookie, site("same-site")], Err(Csrf));
        check(Method::POST, &[cookie, site("anything"), ("origin", "http://shop.example:8000")], Err(Csrf));
        check(Method::DELETE, &[cookie, evil], Err(Csrf));
        check(Method::POST, &[cookie, ("origin", "http://shop.example:3000")], Err(Csrf));
        check(Method::POST, &[cookie, ("origin", "http://shop.example.evil.net:8000")], Err(Csrf));
        check(Method::POST, &[("authorization", "Basic YTpi"), evil], Err(Csrf));
        // Trusted by name.
        check(Method::POST, &[cookie, ("origin", "https://admin.example"), site("cross-site")], Ok(()));
        check(Method::POST, &[cookie, ("origin", "https://app.example"), site("cross-site")], Ok(()));
        // WebSockets.
        let upgrade = ("upgrade", "WebSocket");
        check(Method::GET, &[upgrade, cookie, evil], Err(Ws));
        check(Method::GET, &[upgrade, cookie, null, site("cross-site")], Err(Ws));
        check(Method::GET, &[upgrade, cookie, ("origin", "http://shop.example:8000")], Ok(()));
        check(Method::GET, &[upgrade, cookie], Ok(()));
        check(Method::GET, &[upgrade, evil], Ok(()));
    }

    #[test]
    fn what_a_trusted_proxy_was_asked_for_is_ours() {
        let policy = Config::default().check(&Context::default()).unwrap();
        let verify = |origin: &'static str, site: Option<&'static str>, forwarded_host| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static("nas.lan"));
            headers.insert("cookie", HeaderValue::from_static("session=1"));
            headers.insert("origin", HeaderValue::from_static(origin));
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            let facts = Facts { forwarded_host, ..Facts::default() };
            policy.verify(&Method::POST, &headers, &facts, |_| false).is_ok()
        };
        assert!(verify("http://nas.lan:8080", None, Some("nas.lan:8080")));
        assert!(verify("https://Shop.Example", None, Some("shop.example:443")));
        assert!(verify("http://nas.lan", None, Some("nas.lan:8080")), "as the Host has it");
        assert!(!verify("http://nas.lan:8080", None, None));
        assert!(!verify("http://nas.lan:3000", None, Some("nas.lan:8080")));
        assert!(!verify("http://evil.example", None, Some("nas.lan:8080")));
        assert!(
            !verify("http://nas.lan:8080", Some("cross-site"), Some("nas.lan:8080")),
            "the browser knows better"
        );
    }

    #[test]
    fn pages_and_apps_of_this_machine_are_no_strangers() {
        let verify = |loopback, is_local, host: &'static str, origin: &'static str| {
            let config = Config { loopback: Some(loopback), ..Config::default() };
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static(host));
            headers.insert("cookie", HeaderValue::from_static("theme=dark"));
            headers.insert("origin", HeaderValue::from_static(origin));
            headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
            let facts = Facts { is_local, ..Facts::default() };
            config
                .check(&Context::default())
                .unwrap()
                .verify(&Method::POST, &headers, &facts, |_| false)
                .is_ok()
        };
        assert!(verify(true, true, "localhost:8000", "http://localhost:5173"));
        assert!(verify(true, true, "127.0.0.1:8000", "http://localhost:3000"));
        assert!(verify(true, true, "[::1]:8000", "https://app.localhost:5173"));
        assert!(verify(true, true, "localhost:8000", "http://[::1]:5173"));
        for (loopback, is_local, host, origin) in [
            (false, true, "localhost:8000", "http://localhost:5173"),
            (true, false, "localhost:8000", "http://localhost:5173"),
            // A name that was bound anew to this machine, and a page from elsewhere.
            (true, true, "rebound.evil.example:8000", "http://localhost:5173"),
            (true, true, "rebound.evil.example:8000", "http://rebound.evil.example:8001"),
            (true, true, "localhost:8000", "http://localhost.evil.example"),
            (true, true, "localhost:8000", "http://192.168.0.7:5173"),
            (true, true, "localhost:8000", "null"),
            (true, true, "localhost:8000", "file://localhost"),
            (true, true, "localhost:8000", "http://localhost@evil.example"),
        ] {
            assert!(!verify(loopback, is_local, host, origin), "{host} {origin}");
        }
    }
}
