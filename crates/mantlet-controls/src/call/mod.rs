//! The request as the stops of the pipeline see it: the one place where controls meet.

mod client;
mod host;
pub(crate) mod path;
mod place;
mod principal;
pub mod request_id;
pub mod trace;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Version, header};
use serde_json::Value;

pub(crate) use self::principal::{APP, MANTLET};
pub use self::{
    client::Client,
    host::Host,
    path::CanonicalPath,
    place::{Place, Spellings},
    principal::{Attribute, Known, Origin, Principal},
};
use self::{request_id::RequestId, trace::Trace};
use crate::{config::Clock, operation::Matched};

/// A client's certificate: a principal that the transport vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The name in it: a URI, an e-mail address or a host of the alternative names, else the common
    /// name.
    pub name: String,
    /// The certificate as the header `Client-Cert` carries it (RFC 9440).
    pub header: HeaderValue,
}

/// The other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// An Internet address, from the socket or from a PROXY header.
    Ip(SocketAddr),
    /// A load balancer that named no client in its PROXY header. Nothing in the request may name
    /// one either.
    Unnamed(SocketAddr),
    /// Not known. Nothing in the request may name a client.
    Unknown,
    /// A process on this machine, through a unix socket. Always trusted: the folder's permissions decided who may connect.
    Unix,
}

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// As in a URI and in `X-Forwarded-Proto`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// One request on its way through the pipeline.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct Call {
    /// The id that connects the response, the app's log and the audit record.
    pub request_id: RequestId,
    /// The trace that it is part of, if there are traces.
    pub trace: Option<Trace>,
    /// The client, as found by the `client` control.
    pub client: Client,
    /// The method as sent.
    pub method: Method,
    /// The version of HTTP that the client speaks.
    pub version: Version,
    /// The requested host, normalised once the wire has passed it.
    pub host: Host,
    /// The origin of the requesting page, if a browser named one.
    pub origin: Option<HeaderValue>,
    /// The path, canonical once the `path` stop has passed it.
    pub path: CanonicalPath,
    /// The place in the app that the path leads to, however it is spelled.
    pub(crate) place: Place,
    /// It is for the accounts that Mantlet keeps, and never reaches the app.
    pub is_for_accounts: bool,
    /// It asks for a WebSocket ([`wants_websocket`]).
    pub(crate) opens_websocket: bool,
    /// The route of the app's contract, if one is known.
    pub operation: Option<Matched>,
    /// The caller, if a credential proves it.
    pub principal: Option<Known>,
    /// The caller by its API key, if it has shown one that Mantlet has made.
    pub api_key: Option<Known>,
    /// The number of its session, if it shows one that is known.
    pub session: Option<u64>,
    /// What the app itself says of the caller, if it was asked: the answer of its *Me* operation.
    pub told_by_app: Option<Arc<[Attribute]>>,
    /// The certificate that the client has shown.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// The request carries a credential: an Authorization header, a cookie, an API key of ours, or
    /// the client's certificate.
    pub carries_credentials: bool,
    /// The time for the app to respond, if it differs from the usual one.
    pub response_timeout: Option<Duration>,
    /// The client asked for `application/problem+json` (RFC 9457).
    pub wants_problem: bool,
    /// The browser says that a page of the same site loads this as a script or a style.
    pub(crate) loaded_as_code: bool,
    /// The clock, by which the records of this request are dated and its quotas are counted.
    pub(crate) clock: Clock,
}

impl Call {
    /// The caller's name, if it is proven: that of its credential, else of its certificate.
    pub fn user(&self) -> Option<&str> {
        let of_credential = self.principal.as_ref().map(|principal| &*principal.subject);
        of_credential.or_else(|| self.certificate.as_ref().map(|certificate| &*certificate.name))
    }

    /// What is known of the caller under this name: by its credential, or else by what the app says.
    pub(crate) fn attribute(&self, name: &str) -> Option<&Value> {
        let of_credential = self.principal.as_ref().and_then(|principal| principal.attribute(name));
        let by_app = || self.told_by_app.iter().flat_map(|all| all.iter()).find(|own| *own.name == *name);
        of_credential.or_else(|| by_app().map(|own| &own.value))
    }

    /// The path that the app routes by, to which settings apply.
    pub fn own_path(&self) -> &str {
        self.place.own(self.path.as_str())
    }

    /// The spellings by which the configuration may name that path.
    pub(crate) fn spellings(&self) -> Spellings<'_> {
        self.place.spellings(self.path.as_str())
    }
}

/// A WebSocket handshake (RFC 6455 section 4.1). Other protocols are not spoken; a request for them is an ordinary one.
pub fn wants_websocket(method: &Method, version: Version, headers: &HeaderMap) -> bool {
    *method == Method::GET
        && version == Version::HTTP_11
        && headers
            .get(header::UPGRADE)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && headers.get_all(header::CONNECTION).iter().any(|value| {
            value
                .as_bytes()
                .split(|b| *b == b',')
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
        })
}
