//! Where the log is shipped to, as it is configured.

use std::{path::PathBuf, time::Duration};

use http::{HeaderMap, Uri};

use crate::{
    fetch::{Target, port_of},
    tls::Trust,
};

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The address as it was written.
    pub address: String,
    /// How it is spoken to.
    pub way: Way,
    /// Whom a connection trusts.
    pub trust: Trust,
    /// Bytes of lines that are sent together, about.
    pub batch: usize,
    /// How long lines wait for others.
    pub every: Duration,
    /// Time for an attempt.
    pub timeout: Duration,
}

/// How a destination is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// RFC 5424; on this machine as its C library does it.
    Syslog {
        /// Where it listens.
        wire: Wire,
        /// The facility by its number.
        facility: u8,
    },
    /// Requests with a batch each.
    Http(Box<Http>),
}

/// Requests with a batch each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// What is asked.
    pub target: Target,
    /// Headers of each request.
    pub headers: HeaderMap,
    /// How lines become a body.
    pub format: Format,
    /// Whether bodies are compressed.
    pub gzip: bool,
}

/// How lines become a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The lines as they are, each with its end.
    JsonLines,
    /// An array.
    Json,
    /// The bulk API of Elasticsearch and `OpenSearch`.
    Elastic,
    /// The push API of Grafana Loki.
    Loki,
    /// OTLP over HTTP.
    #[cfg(feature = "otlp")]
    Otlp,
}

/// Where a syslog server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    /// Datagrams (RFC 5426).
    Udp(String, u16),
    /// A connection (RFC 6587, with octet counting).
    Tcp(String, u16),
    /// A connection with TLS (RFC 5425).
    Tls(String, u16),
    /// A unix socket of this machine.
    Unix(PathBuf),
}

/// What an address leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A syslog server.
    Syslog(Wire),
    /// A web server.
    Http(Target),
}

impl Place {
    /// Reads an address.
    pub fn of(address: &str) -> Result<Self, String> {
        if let Some(path) = address.strip_prefix("syslog://") {
            if !path.starts_with('/') {
                let why = format!("`{address}` does not say how a server is reached");
                return Err(format!("{why}; write `syslog+tls://…`, `syslog+tcp://…` or `syslog+udp://…`"));
            }
            return Ok(Self::Syslog(Wire::Unix(path.into())));
        }
        if !address.starts_with("syslog+") {
            return Target::of_url(address).map(Self::Http);
        }
        let wrong = || format!("`{address}` is not an address; write `syslog+tls://HOST:6514`");
        let uri: Uri = address.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let named = port_of(authority).map_err(|why| format!("`{address}` {why}"))?;
        if named.is_none() && authority.as_str().ends_with(':') {
            return Err(format!("`{address}` names no port after `:`"));
        }
        let port = |default| named.unwrap_or(default);
        Ok(Self::Syslog(match scheme {
            "syslog+udp" => Wire::Udp(host, port(514)),
            "syslog+tls" => Wire::Tls(host, port(6514)),
            // Servers differ in the port (514, 601).
            "syslog+tcp" => match named {
                Some(port) => Wire::Tcp(host, port),
                None => return Err(format!("`{address}` names no port")),
            },
            _ => return Err(wrong()),
        }))
    }
}

impl Place {
    /// Whether another address leads to the same place, whatever its query.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Http(one), Self::Http(other)) => one.is_same_place(other),
            (Self::Syslog(one), Self::Syslog(other)) => one.is_same(other),
            _ => false,
        }
    }
}

impl Wire {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Udp(host, port), Self::Udp(other, its))
            | (Self::Tcp(host, port), Self::Tcp(other, its))
            | (Self::Tls(host, port), Self::Tls(other, its)) => {
                host.eq_ignore_ascii_case(other) && port == its
            }
            (one, other) => one == other,
        }
    }
}

impl Destination {
    /// Whether lines go to the same place as those of another one.
    pub fn is_same_place(&self, other: &Self) -> bool {
        let place = |address: &str| Place::of(address).ok();
        let is_same =
            place(&self.address).zip(place(&other.address)).is_some_and(|(one, other)| one.is_same(&other));
        is_same || self.name() == other.name()
    }

    /// Whether its certificates are good.
    pub fn check(&self) -> Result<(), String> {
        self.trust.check().map_err(|error| error.to_string())
    }

    /// What people call it: the address without its query, in which a token may stand.
    pub fn name(&self) -> &str {
        self.address.split(['?', '#']).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let syslog = |address| match Place::of(address) {
            Ok(Place::Syslog(wire)) => wire,
            other => panic!("{address}: {other:?}"),
        };
        assert_eq!(syslog("syslog+tls://logs.example"), Wire::Tls("logs.example".into(), 6514));
        assert_eq!(syslog("syslog+udp://[::1]"), Wire::Udp("::1".into(), 514));
        assert_eq!(syslog("syslog+tcp://10.0.0.1:601"), Wire::Tcp("10.0.0.1".into(), 601));
        assert_eq!(syslog("syslog:///dev/log"), Wire::Unix("/dev/log".into()));
        assert!(matches!(Place::of("https://logs.example/push"), Ok(Place::Http(_))));
        for wrong in [
            "",
            "logs.example:514",
            "syslog://logs.example:514",
            "syslog+tcp://logs.example",
            "syslog+tcp://logs.example:",
            "syslog+tls://logs.example:",
            "syslog+tls://[::1]:",
            "syslog+udp://logs.example:0",
            "https://logs.example:99999/",
            "syslog+tls://user:word@logs.example",
            "syslog+tls://logs.example/path",
            "syslog+quic://logs.example",
            "https://user:word@logs.example/",
            "ftp://logs.example/",
        ] {
            assert!(Place::of(wrong).is_err(), "{wrong}");
        }
        let wrong = Place::of("syslog+tcp://logs.example:99999").unwrap_err();
        assert!(wrong.contains("names the port 99999; a port is a number from 1 to 65535"), "{wrong}");
    }

    #[test]
    fn places_are_the_same_however_they_are_written() {
        let is_same = |one, other| Place::of(one).unwrap().is_same(&Place::of(other).unwrap());
        assert!(is_same("https://H.example/x?a=1", "https://h.example:443/x"));
        assert!(is_same("syslog+tls://logs.example", "syslog+tls://LOGS.example:6514"));
        assert!(!is_same("syslog+tcp://logs.example:514", "syslog+udp://logs.example:514"));
        assert!(!is_same("https://h.example/x", "https://h.example/y"));
    }
}
