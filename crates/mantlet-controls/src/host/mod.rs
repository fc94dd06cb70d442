//! Is the host known?
//!
//! Defends against Host header attacks: links in e-mails, redirects and cached pages that an app builds from a Host that the
//! client made up, and DNS rebinding, by which a foreign page reaches a server on this machine under its own name.
//!
//! A host is known if
//! 1. it is in `host.allow`: exactly, under a wildcard (`*.example.com` is every name below `example.com`, not that name itself), or in a
//!    network (`10.0.0.0/8`), or
//! 2. nothing is allowed by configuration, and it is a loopback name or address, an address of the listening socket, or a name of the certificate, or
//! 3. it is an address, and the request is a health probe by its path (`/health`, `/readyz`, `/ping`): a kubelet and many balancers name the
//!    address that they connect to, or
//! 4. a trusted proxy received a request for such a host. If unknown hosts are refused, the app
//!    gets that host, which was judged.
//!
//! Letter case, a port and one dot at the end do not matter. Without configuration an unknown host is only recorded: Mantlet cannot
//! know under which names the world knows the app. With `host.allow` it is refused: 400, over HTTP/2 421 (RFC 9110 section 15.5.20).
//!
//! The judged host is the one that the app gets: a Host is normalised first ([`Host`]), so that no
//! server reads another host in it.
//!
//! ```
//! use mantlet_controls::{Context, Section, host::Config};
//!
//! let allow = ["example.com", "*.example.com", "10.0.0.0/8"].map(str::to_owned).to_vec();
//! let config = Config { allow, ..Config::default() };
//! let policy = config.check(&Context::default()).expect("a valid configuration");
//! assert!(policy.knows("API.example.com:8000") && policy.knows("example.com.") && policy.knows("10.1.2.3:8000"));
//! assert!(!policy.knows("example.com.evil.net") && !policy.knows("evilexample.com") && !policy.knows("example.com.."));
//! ```

mod config;
mod probe;

use std::collections::HashSet;

use http::{HeaderValue, Method, Request, header};

pub use config::Config;

pub use crate::call::Host;
use crate::{Mode, Reason, Refusal, audit::FirstTime, config::Networks, message::authority};

/// Unknown hosts that are reported, each once. A client can make up any number of them.
const MAX_REPORTED: usize = 64;

/// The checked `[host]` section.
#[derive(Debug)]
pub struct Policy {
    pub(crate) mode: Mode,
    /// Names and addresses in lower case, without port.
    exact: HashSet<Box<str>>,
    /// The part of a wildcard after its `*`: `.example.com`.
    suffixes: HashSet<Box<str>>,
    networks: Networks,
    /// The first name or address that is allowed.
    first: Option<Box<str>>,
    /// Unknown hosts that have been reported.
    reported: FirstTime,
}

/// Why the request's host is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// By its Host, or without a check.
    AsSent,
    /// By the host that a trusted proxy received.
    AsForwarded,
}

impl Policy {
    /// Whether the host (with or without a port) is known. Costs its length, not the number of
    /// known hosts.
    pub fn knows(&self, host: &str) -> bool {
        let name = authority::name(host);
        if self.exact.contains(&*name) {
            return true;
        }
        if !self.networks.is_empty()
            && let Some(address) = authority::address(host)
            && self.networks.contains(address)
        {
            return true;
        }
        !self.suffixes.is_empty()
            && memchr::memchr_iter(b'.', name.as_bytes())
                .filter_map(|dot| name.get(dot..))
                .any(|suffix| self.suffixes.contains(suffix))
    }

    /// Refuses an unknown host. The wire handles a missing one. In report mode an unknown host is
    /// refused once: it is most likely the app's public name, and a record for every request would
    /// say nothing more.
    pub fn verify(&self, mode: Mode, host: &Host, method: &Method, path: &str) -> Result<Known, Refusal> {
        let Some(sent) = host.sent() else { return Ok(Known::AsSent) };
        if self.knows(sent) {
            return Ok(Known::AsSent);
        }
        if host.forwarded().is_some_and(|forwarded| self.knows(forwarded)) {
            return Ok(Known::AsForwarded);
        }
        if authority::address(sent).is_some() && probe::is_probe(method, path) {
            return Ok(Known::AsSent);
        }
        if mode == Mode::Report && !self.reported.is_new(sent) {
            return Ok(Known::AsSent);
        }
        Err(Refusal { subject: Some(sent.into()), ..Reason::HostUnknown.into() })
    }

    /// The host for links and redirects: the one that a trusted proxy received. If unknown hosts
    /// are refused, it must be known, because a proxy may pass on a value that the client wrote.
    pub(crate) fn to_build_from<'h>(&self, mode: Mode, host: &'h Host) -> Option<&'h str> {
        host.forwarded()
            .filter(|forwarded| mode != Mode::Enforce || self.knows(forwarded))
            .or_else(|| host.sent())
    }

    /// A known name, for a request that names none; none if no list of hosts is configured.
    pub fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }
}

/// Normalises the Host of a request; returns whether it changed. If only the target has a host,
/// that is used (RFC 9112 section 3.2.2).
pub(crate) fn respell<B>(request: &mut Request<B>) -> bool {
    let authority = || request.uri().authority().map(http::uri::Authority::as_str);
    let spelling = match request.headers().get(header::HOST) {
        Some(host) => host.to_str().ok().and_then(authority::respelled),
        None => authority()
            .filter(|host| authority::is_well_formed(host.as_bytes()))
            .map(|host| authority::respelled(host).unwrap_or_else(|| host.to_owned())),
    };
    let Some(host) = spelling.and_then(|host| HeaderValue::try_from(host).ok()) else { return false };
    request.headers_mut().insert(header::HOST, host);
    true
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::{Context, Deployment, Section};

    #[test]
    fn row_23_only_our_hosts_are_known() {
        let allow = ["example.com", "*.example.com", "192.0.2.1", "[2001:db8::1]", "10.0.0.0/8", "fd00::/8"];
        let config = Config { allow: allow.map(str::to_owned).to_vec(), ..Config::default() };
        let policy = config.check(&Context::default()).unwrap();
        for (host, known) in [
            ("example.com", true),
            ("EXAMPLE.com:443", true),
            ("example.com.", true),
            ("a.example.com", true),
            ("a.b.example.com:80", true),
            ("192.0.2.1:8000", true),
            ("[2001:db8::1]:8000", true),
            ("evilexample.com", false),
            ("example.com.evil.net", false),
            ("localhost", false),
            ("127.0.0.1", false),
            ("192.0.2.10", false),
            (".example.com", true),
            ("example.com..", false),
            ("[2001:DB8:0::1]", true),
            ("[::ffff:192.0.2.1]", true),
            ("10.244.0.5:8000", true),
            ("11.0.0.1", false),
            ("[fd00::7]:8000", true),
            ("10.0.0.0.evil.net", false),
        ] {
            assert_eq!(policy.knows(host), known, "{host}");
        }
    }

    #[test]
    fn without_configuration_the_machine_and_the_certificate_are_known_and_the_rest_reported() {
        let own_hosts = vec!["shop.example".into(), "192.0.2.1".into()];
        let deployment = Deployment { own_hosts, ..Deployment::default() };
        let context = Context { deployment, ..Context::default() };
        let policy = Config::default().check(&context).unwrap();
        for (host, known) in [
            ("localhost:8000", true),
            ("127.0.0.1:8000", true),
            ("127.8.8.8", false),
            ("[::1]", true),
            ("shop.example", true),
            ("192.0.2.1", true),
            ("evil.example", false),
        ] {
            assert_eq!(policy.knows(host), known, "{host}");
        }
        assert_eq!(policy.mode, Mode::Report);
        let verify = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static(host));
            let host = Host::of(&headers, None);
            policy.verify(Mode::Report, &host, &Method::GET, "/").map_err(|refusal| refusal.reason)
        };
        let verdicts = ["evil.example", "evil.example", "b.example"].map(verify);
        assert_eq!(verdicts, [Err(Reason::HostUnknown), Ok(Known::AsSent), Err(Reason::HostUnknown)]);
    }

    #[test]
    fn patterns_that_cannot_be_are_mistakes() {
        for bad in [
            "*",
            "*example.com",
            "a.*.com",
            "https://example.com",
            "example.com:80",
            "",
            "*.",
            "10.0.0.0/33",
            "a/8",
        ] {
            let config = Config { allow: vec![bad.into()], ..Config::default() };
            assert_eq!(config.check(&Context::default()).unwrap_err()[0].key, "allow[0]", "{bad}");
        }
    }

    #[test]
    fn probes_may_name_any_address_and_trusted_proxies_the_host() {
        let config = Config { allow: vec!["ok.example".into()], ..Config::default() };
        let policy = config.check(&Context::default()).unwrap();
        let verify = |host: &'static str, forwarded: Option<&'static str>, method: &Method, path: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static(host));
            let host = Host::of(&headers, forwarded.map(HeaderValue::from_static));
            policy.verify(Mode::Enforce, &host, method, path).map_err(|refusal| refusal.subject)
        };
        let unknown = |host: &str| Err(Some(host.into()));
        let (get, post) = (Method::GET, Method::POST);
        assert_eq!(verify("10.244.0.5:8000", None, &get, "/healthz"), Ok(Known::AsSent));
        assert_eq!(verify("[fd00::7]:8000", None, &get, "/health/live"), Ok(Known::AsSent));
        assert_eq!(verify("10.244.0.5:8000", None, &get, "/items"), unknown("10.244.0.5:8000"));
        assert_eq!(verify("10.244.0.5:8000", None, &post, "/healthz"), unknown("10.244.0.5:8000"));
        assert_eq!(verify("evil.example", None, &get, "/healthz"), unknown("evil.example"));
        assert_eq!(verify("app:8000", Some("ok.example:8443"), &post, "/items"), Ok(Known::AsForwarded));
        assert_eq!(verify("ok.example", Some("evil.example"), &post, "/items"), Ok(Known::AsSent));
        assert_eq!(verify("app:8000", Some("evil.example"), &post, "/items"), unknown("app:8000"));

        let builds = |mode, forwarded: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static("ok.example"));
            let host = Host::of(&headers, Some(HeaderValue::from_static(forwarded)));
            policy.to_build_from(mode, &host).unwrap().to_owned()
        };
        assert_eq!(builds(Mode::Enforce, "ok.example:8443"), "ok.example:8443");
        assert_eq!(builds(Mode::Enforce, "evil.example"), "ok.example");
        assert_eq!(builds(Mode::Report, "public.example"), "public.example");
    }
}
