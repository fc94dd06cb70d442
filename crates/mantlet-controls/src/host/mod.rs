//! Is this host ours?
//!
//! Defends against Host header attacks: links in e-mails, redirects and cached pages that an app builds from a Host that the
//! client made up, and DNS rebinding, by which a foreign page reaches a server on this machine under its own name.
//!
//! A host is known if
//! 1. it is in `host.allow`, exactly or under a wildcard (`*.example.com` is every name below `example.com`, not that name itself), or
//! 2. nothing is allowed by configuration, and it is a loopback name or address, an address of the listening socket, or a name of the certificate.
//!
//! Letter case, a port and a trailing dot do not matter. Without configuration an unknown host is only recorded: Mantlet cannot
//! know under which names the world knows the app. With `host.allow` it is refused: 400, over HTTP/2 421 (RFC 9110 section 15.5.20).
//!
//! To mind in deployment: health checks often use an address for a host; allow it, or let them ask for a path in `https.exempt`.
//!
//! ```
//! use mantlet_controls::host::Config;
//!
//! let config = Config { allow: vec!["example.com".into(), "*.example.com".into()], ..Config::default() };
//! let policy = config.check(&[], false).expect("a valid configuration");
//! assert!(policy.knows("API.example.com:8000") && policy.knows("example.com."));
//! assert!(!policy.knows("example.com.evil.net") && !policy.knows("evilexample.com"));
//! ```

mod config;
mod shape;

use std::collections::HashSet;

pub use config::Config;
pub use shape::is_well_formed;

use crate::{Mode, Reason, news::News};

/// Unknown hosts that are reported, each once. A client can make up any number of them.
const MAX_REPORTED: usize = 64;

/// The checked `[host]` section.
#[derive(Debug)]
pub struct Policy {
    pub(crate) mode: Mode,
    /// Names and addresses in lower case, without port.
    exact: HashSet<Box<str>>,
    /// What follows the `*` of a wildcard: `.example.com`.
    suffixes: HashSet<Box<str>>,
    /// Unknown hosts that have been reported.
    reported: News,
}

impl Policy {
    /// Whether the host (with or without a port) is ours. Costs its length, not the number of known hosts.
    pub fn knows(&self, host: &str) -> bool {
        let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
        if self.exact.contains(name.as_str()) {
            return true;
        }
        !self.suffixes.is_empty()
            && memchr::memchr_iter(b'.', name.as_bytes())
                .filter_map(|dot| name.get(dot..))
                .any(|suffix| self.suffixes.contains(suffix))
    }

    /// Refuses a host that is not ours. No host at all is the wire's business. In report mode an unknown host is refused
    /// once: it is most likely the app's public name, and a record for every request would say nothing more.
    pub fn verify(&self, host: Option<&str>) -> Result<(), Reason> {
        match host {
            Some(host) if !self.knows(host) && (self.mode != Mode::Report || self.reported.is_new(host)) => {
                Err(Reason::HostUnknown)
            }
            _ => Ok(()),
        }
    }
}

/// The host of `host:port`; brackets of an IPv6 address are dropped.
pub(crate) fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_23_only_our_hosts_are_known() {
        let allow = ["example.com", "*.example.com", "192.0.2.1", "[2001:db8::1]", "*.Caf\u{e9}.example"];
        let config =
            Config { allow: allow[..4].iter().map(|&a| a.to_owned()).collect(), ..Config::default() };
        let policy = config.check(&[], false).unwrap();
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
        ] {
            assert_eq!(policy.knows(host), known, "{host}");
        }
    }

    #[test]
    fn without_configuration_the_machine_and_the_certificate_are_known_and_the_rest_reported() {
        let policy = Config::default().check(&["shop.example".into(), "192.0.2.1".into()], false).unwrap();
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
        let verdicts: Vec<_> =
            ["evil.example", "evil.example", "b.example"].map(|host| policy.verify(Some(host))).into();
        assert_eq!(verdicts, [Err(Reason::HostUnknown), Ok(()), Err(Reason::HostUnknown)]);
    }

    #[test]
    fn patterns_that_cannot_be_are_mistakes() {
        for bad in ["*", "*example.com", "a.*.com", "https://example.com", "example.com:80", "", "*."] {
            let config = Config { allow: vec![bad.into()], ..Config::default() };
            assert_eq!(config.check(&[], false).unwrap_err()[0].key, "allow[0]", "{bad}");
        }
    }
}
