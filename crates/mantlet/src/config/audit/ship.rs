//! `[[audit.ship]]`: where the audit log is shipped to.

use std::{collections::BTreeMap, fs, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use mantlet_controls::config::{
    Material, Mistake, Secret,
    units::{Size, Span},
};
use mantlet_gateway::{
    audit_log::{self, Destination, Http, Place, Way, Wire},
    tls::Trust,
};
use serde::{Deserialize, Serialize};

use super::super::reference::{REMEDY, Reference, secret};

/// `[[audit.ship]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// `syslog+tls://HOST:PORT`, `syslog+tcp://HOST:PORT`, `syslog+udp://HOST:PORT`, `syslog:///dev/log`, or
    /// `https://HOST/PATH`.
    to: String,
    /// How lines become the body of a request. Default `json-lines`.
    format: Format,
    /// Headers of each request. Default none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    /// Whether requests are compressed. Default no.
    gzip: bool,
    /// The facility of syslog messages. Default `audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    facility: Option<Facility>,
    /// The authority of the other end's certificate, PEM. Default empty: those that the machine trusts.
    authority: String,
    /// Our own certificate, PEM, for a server that asks for one. Default empty.
    certificate: String,
    /// Its private key, PEM. Default empty.
    key: String,
    /// Bytes of lines that are sent together, about. Default 256 KiB.
    batch: Size,
    /// How long lines wait for others before a request. Default 1 s.
    every: Span,
    /// Time for an attempt. Default 10 s.
    timeout: Span,
}

/// How lines become the body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Format {
    JsonLines,
    Json,
    Elastic,
    Loki,
    Otlp,
}

/// The facilities that a log of security events may have (RFC 5424 section 6.2.1), by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Facility {
    User = 1,
    Daemon = 3,
    Auth = 4,
    Authpriv = 10,
    Audit = 13,
    Local0 = 16,
    Local1,
    Local2,
    Local3,
    Local4,
    Local5,
    Local6,
    Local7,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            to: String::new(),
            format: Format::JsonLines,
            headers: BTreeMap::new(),
            gzip: false,
            facility: None,
            authority: String::new(),
            certificate: String::new(),
            key: String::new(),
            batch: Size(256 << 10),
            every: Span::secs(1),
            timeout: Span::secs(10),
        }
    }
}

/// Parts of the names of headers and parameters whose values are secrets.
const SECRET: [&str; 6] = ["auth", "cookie", "key", "token", "secret", "password"];

/// Headers that belong to the connection or are set for each request: the length and the coding of a body are
/// those of the body (RFC 9110 section 7.6.1, RFC 9112 section 6).
const OWN: [&str; 15] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Config {
    /// The files that it reads, with their keys.
    pub(crate) fn files(&self) -> [(&'static str, &String); 3] {
        [("authority", &self.authority), ("certificate", &self.certificate), ("key", &self.key)]
    }

    /// The destination, or what is wrong with it. The key leads to it in messages.
    pub(super) fn destination(&self, key: &str) -> Result<Destination, Mistake> {
        let mistake = |name: &str, message: String| Mistake::new(format!("{key}.{name}"), message);
        let query = self.to.split_once('?').map_or("", |(_, query)| query);
        let mut names = query.split('&').filter_map(|pair| pair.split('=').next());
        if names.any(is_secret) {
            let wrong = mistake("to", "a secret does not belong in the configuration".to_owned());
            return Err(wrong.help("send it in a header: `headers = { Authorization = \"env:NAME\" }`"));
        }
        let place = Place::of(&self.to).map_err(|why| mistake("to", why))?;
        let uses_tls = self.to.starts_with("https://") || matches!(place, Place::Syslog(Wire::Tls(..)));
        let named = [&self.authority, &self.certificate, &self.key].iter().any(|file| !file.is_empty());
        if named && !uses_tls {
            let wrong = mistake("to", "there is a certificate, and the address does not use TLS".to_owned());
            return Err(wrong.help("write `syslog+tls://…` or `https://…`"));
        }
        if !(1..=60).contains(&self.timeout.0.as_secs()) {
            return Err(mistake("timeout", format!("`{}` is outside 1s to 1m", self.timeout)));
        }
        if self.every.0 > Duration::from_mins(1) {
            return Err(mistake("every", format!("`{}` is more than 1m", self.every)));
        }
        let batch = usize::try_from(self.batch.0).ok().filter(|batch| (1..=16 << 20).contains(batch));
        let batch =
            batch.ok_or_else(|| mistake("batch", format!("`{}` is outside 1 byte to 16 MiB", self.batch)))?;
        let (way, every) = match place {
            Place::Syslog(wire) => {
                if !self.headers.is_empty() || self.format != Format::JsonLines || self.gzip {
                    let why = "`headers`, `format` and `gzip` are for requests, and this is syslog";
                    return Err(mistake("to", why.to_owned()));
                }
                (
                    Way::Syslog { wire, facility: self.facility.unwrap_or(Facility::Audit) as u8 },
                    Duration::ZERO,
                )
            }
            Place::Http(target) => {
                if self.facility.is_some() {
                    let wrong = mistake("facility", "`facility` is for syslog, and this is HTTP".to_owned());
                    return Err(wrong.help("remove it"));
                }
                let headers = self.read_headers(key)?;
                let format = match self.format {
                    Format::JsonLines => audit_log::Format::JsonLines,
                    Format::Json => audit_log::Format::Json,
                    Format::Elastic => audit_log::Format::Elastic,
                    Format::Loki => audit_log::Format::Loki,
                    Format::Otlp => audit_log::Format::Otlp,
                };
                let http = Http { target, headers, format, gzip: self.gzip };
                (Way::Http(Box::new(http)), self.every.0)
            }
        };
        let trust = self.trust(key)?;
        let timeout = self.timeout.0;
        let destination = Destination { address: self.to.clone(), way, trust, batch, every, timeout };
        destination.check().map_err(|why| {
            mistake(if self.certificate.is_empty() { "authority" } else { "certificate" }, why)
        })?;
        Ok(destination)
    }

    fn read_headers(&self, key: &str) -> Result<HeaderMap, Mistake> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let mistake = |message: String| Mistake::new(format!("{key}.headers.{name}"), message);
            let parsed = HeaderName::try_from(name.to_ascii_lowercase())
                .map_err(|_| mistake(format!("`{name}` is not the name of a header")))?;
            if OWN.contains(&parsed.as_str()) {
                let why = format!(
                    "`{name}` cannot be set: it belongs to the connection, or is set for each request"
                );
                return Err(mistake(why).help("remove it; for compression, set `gzip`"));
            }
            let is_free = matches!(self.format, Format::JsonLines | Format::Json);
            if parsed == header::CONTENT_TYPE && !is_free {
                let why = format!("`{name}` cannot be set: `format` sets it");
                return Err(mistake(why).help("remove it"));
            }
            if headers.contains_key(&parsed) {
                return Err(mistake(format!("`{name}` stands there twice")).help("keep one of them"));
            }
            let is_reference = Reference::of(value).is_some();
            if !is_reference && is_secret(name) {
                let why = "a secret does not belong in the configuration".to_owned();
                return Err(mistake(why).help(REMEDY));
            }
            let bytes = if is_reference {
                secret(value).map_err(|why| mistake(why).help(REMEDY))?
            } else {
                value.clone().into_bytes()
            };
            let mut value = HeaderValue::from_bytes(&bytes)
                .map_err(|_| mistake("it is not the value of a header".to_owned()))?;
            value.set_sensitive(is_reference);
            headers.insert(parsed, value);
        }
        Ok(headers)
    }

    fn trust(&self, key: &str) -> Result<Trust, Mistake> {
        let read = |name: &str, path: &str| {
            fs::read(path).map_err(|error| {
                Mistake::new(format!("{key}.{name}"), format!("`{path}` cannot be read: {error}"))
            })
        };
        let authority = match self.authority.as_str() {
            "" => None,
            path => Some(read("authority", path)?),
        };
        let identity = match (self.certificate.as_str(), self.key.as_str()) {
            ("", "") => None,
            ("", _) => {
                let why = "there is a key without a certificate";
                return Err(Mistake::new(format!("{key}.certificate"), why));
            }
            (_, "") => {
                let why = "there is a certificate without a key";
                return Err(Mistake::new(format!("{key}.key"), why));
            }
            (certificate, private) => {
                let private = Material(Secret::new(read("key", private)?));
                Some((read("certificate", certificate)?, private))
            }
        };
        Ok(Trust { authority, identity })
    }
}

/// Whether the value of a header or parameter with this name is a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|mark| name.contains(mark))
}

/// All of them, or what is wrong with them.
pub(super) fn destinations(all: &[Config]) -> (Vec<Destination>, Vec<Mistake>) {
    let (mut good, mut mistakes) = (Vec::<Destination>::new(), Vec::new());
    for (index, one) in all.iter().enumerate() {
        let key = format!("audit.ship[{index}]");
        match one.destination(&key) {
            Ok(one) if good.iter().any(|other| other.is_same_place(&one)) => {
                mistakes.push(Mistake::new(format!("{key}.to"), "this address stands there twice"));
            }
            Ok(one) => good.push(one),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    (good, mistakes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Destination, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        config.destination("audit.ship[0]").map_err(|wrong| format!("{}: {}", wrong.key, wrong.message))
    }

    #[test]
    fn a_destination_is_read() {
        let found = of("to = \"syslog+tls://logs.example\"\nfacility = \"local3\"").unwrap();
        let wire = Wire::Tls("logs.example".into(), 6514);
        assert_eq!(found.way, Way::Syslog { wire, facility: 19 });
        let found = of("to = \"https://logs.example/push?x=y\"\nformat = \"loki\"\n\
                        headers = { Authorization = \"env:PATH\", X-Scope-OrgID = \"shop\" }")
        .unwrap();
        let Way::Http(http) = &found.way else { panic!("{found:?}") };
        assert!(http.headers["authorization"].is_sensitive());
        assert_eq!(http.headers["x-scope-orgid"], "shop");
        assert_eq!(found.name(), "https://logs.example/push");
        assert!(!format!("{found:?}").contains(&std::env::var("PATH").unwrap()));
    }

    #[test]
    fn a_content_type_of_lines_may_be_set() {
        let found = of("to = \"https://a.example/\"\nheaders = { Content-Type = \"text/plain\" }").unwrap();
        let Way::Http(http) = &found.way else { panic!("{found:?}") };
        assert_eq!(http.headers["content-type"], "text/plain");
    }

    #[test]
    fn an_address_stands_once_however_it_is_written() {
        let all = |addresses: [&str; 2]| {
            let of = |to: &str| Config { to: to.to_owned(), ..Config::default() };
            destinations(&addresses.map(of)).1.len()
        };
        assert_eq!(all(["https://H.example/x", "https://h.example:443/x?y=z"]), 1);
        assert_eq!(all(["syslog+tls://h.example", "syslog+tls://h.example:6514"]), 1);
        assert_eq!(all(["https://h.example/x", "https://h.example/y"]), 0);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, says) in [
            ("", "audit.ship[0].to: "),
            ("to = \"logs.example\"", "audit.ship[0].to: "),
            (
                "to = \"https://a.example/\"\nheaders = { Authorization = \"Bearer x\" }",
                "audit.ship[0].headers.Authorization: a secret does not belong",
            ),
            (
                "to = \"https://a.example/\"\nheaders = { X-Api-Key = \"x\" }",
                "audit.ship[0].headers.X-Api-Key: a secret",
            ),
            (
                "to = \"https://a.example/\"\nheaders = { Authorization = \"env:NO_SUCH_VARIABLE\" }",
                "audit.ship[0].headers.Authorization: the variable",
            ),
            ("to = \"https://a.example/\"\nheaders = { \"a b\" = \"x\" }", "audit.ship[0].headers.a b: "),
            ("to = \"http://a.example/\"\nauthority = \"/x\"", "audit.ship[0].to: there is a certificate"),
            (
                "to = \"https://a.example/\"\nauthority = \"/no/such\"",
                "audit.ship[0].authority: `/no/such` cannot be read",
            ),
            (
                "to = \"https://a.example/\"\nauthority = \"/dev/null\"",
                "audit.ship[0].authority: it contains no certificate",
            ),
            (
                "to = \"https://a.example/\"\ncertificate = \"/dev/null\"",
                "audit.ship[0].key: there is a certificate",
            ),
            (
                "to = \"https://a.example/\"\nheaders = { Content-Length = \"5\" }",
                "audit.ship[0].headers.Content-Length: `Content-Length` cannot be set",
            ),
            (
                "to = \"https://a.example/\"\nheaders = { transfer-encoding = \"chunked\" }",
                "audit.ship[0].headers.transfer-encoding: `transfer-encoding` cannot be set",
            ),
            ("to = \"https://a.example/\"\nheaders = { Host = \"b\" }", "audit.ship[0].headers.Host: `Host`"),
            (
                "to = \"https://a.example/\"\nheaders = { Proxy-Authorization = \"env:PATH\" }",
                "audit.ship[0].headers.Proxy-Authorization: `Proxy-Authorization` cannot be set",
            ),
            (
                "to = \"https://a.example/\"\nformat = \"otlp\"\nheaders = { Content-Type = \"text/plain\" }",
                "audit.ship[0].headers.Content-Type: `Content-Type` cannot be set: `format` sets it",
            ),
            (
                "to = \"https://a.example/\"\nheaders = { X-A = \"1\", x-a = \"2\" }",
                "audit.ship[0].headers.x-a: `x-a` stands there twice",
            ),
            (
                "to = \"https://a.example/\"\nfacility = \"audit\"",
                "audit.ship[0].facility: `facility` is for syslog",
            ),
            (
                "to = \"syslog+tcp://a.example:99999\"",
                "audit.ship[0].to: `syslog+tcp://a.example:99999` names",
            ),
            ("to = \"syslog+tcp://a.example:1\"\ngzip = true", "audit.ship[0].to: `headers`, `format`"),
            ("to = \"https://a.example/\"\ntimeout = \"0s\"", "audit.ship[0].timeout: "),
            ("to = \"https://a.example/\"\nevery = \"2m\"", "audit.ship[0].every: "),
            ("to = \"https://a.example/\"\nbatch = \"1 GiB\"", "audit.ship[0].batch: "),
        ] {
            let wrong = of(text).unwrap_err();
            assert!(wrong.starts_with(says), "{text}: {wrong}");
        }
    }
}
