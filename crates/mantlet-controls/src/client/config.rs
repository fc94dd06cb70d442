use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::Networks;
use crate::config::{Context, Mistake, Posture, Section, Server, header_names};

/// The `[client]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Networks whose proxies may name the client: `10.0.0.0/8`, an address, or the words
    /// `loopback` and `private`. Default none.
    pub trusted: Vec<String>,
    /// The header that trusted proxies write. Default `x-forwarded-for`.
    pub header: ForwardingHeader,
    /// Whether connections begin with a PROXY protocol header (v1 or v2). Default no.
    pub proxy_protocol: bool,
    /// Header names to drop from untrusted peers, beside the well-known identity headers; those that ask for another method from all.
    /// Default none.
    pub drop: Vec<String>,
    /// Header names of the well-known ones that clients may send themselves; in `strict` posture also those that ask for another method.
    /// Default none.
    pub keep: Vec<String>,
    /// The treatment of header names with an underscore. Default `drop-if-confused` where Mantlet
    /// has started uvicorn and the posture is `compatible`, else `drop` (as nginx does).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub underscore_headers: Option<UnderscoreHeaders>,
    /// The client is found, but the request's headers are not changed: the setting of a control
    /// that is off. It is not a key of the file.
    #[serde(skip)]
    pub leaves_headers: bool,
}

/// The header that trusted proxies write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardingHeader {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The treatment of header names with an underscore, which CGI-style servers read as a hyphen. ASGI
/// servers do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnderscoreHeaders {
    /// Dropped.
    #[default]
    Drop,
    /// Dropped if, with hyphens, they are headers that Mantlet writes, judges or removes; or if a WSGI app is mounted in the app.
    DropIfConfused,
    /// Passed to the app.
    Pass,
}

/// The checked `[client]` section.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub(crate) trusted: Networks,
    pub(crate) header: ForwardingHeader,
    pub(crate) drop: Vec<HeaderName>,
    pub(crate) keep: Vec<HeaderName>,
    pub(crate) underscores: UnderscoreHeaders,
    /// Headers that ask for another method are removed, too.
    pub(crate) drops_overrides: bool,
    /// Another control runs alone, and the request's headers are not its concern.
    pub(crate) leaves_headers: bool,
}

impl Policy {
    /// Whether connections from this address may name another client.
    pub fn trusts(&self, address: std::net::IpAddr) -> bool {
        self.trusted.contains(address)
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { leaves_headers: true, ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let (server, posture) = (context.deployment.server, context.posture);
        let mut mistakes = Vec::new();
        let trusted = Networks::parse(&self.trusted).unwrap_or_else(|bad| {
            mistakes.extend(bad.into_iter().map(|(index, text)| {
                Mistake::new(format!("trusted[{index}]"), format!("`{text}` is not a network"))
                    .help("write `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`, `loopback` or `private`")
            }));
            Networks::default()
        });
        let drop = header_names("drop", self.drop.iter().enumerate(), &mut mistakes);
        let keep = header_names("keep", self.keep.iter().enumerate(), &mut mistakes);
        let by_default = match (server, posture) {
            (Server::Uvicorn, Posture::Compatible) => UnderscoreHeaders::DropIfConfused,
            _ => UnderscoreHeaders::Drop,
        };
        if mistakes.is_empty() {
            Ok(Policy {
                trusted,
                header: self.header,
                drop,
                keep,
                underscores: self.underscore_headers.unwrap_or(by_default),
                drops_overrides: posture == Posture::Strict,
                leaves_headers: self.leaves_headers,
            })
        } else {
            Err(mistakes)
        }
    }
}
