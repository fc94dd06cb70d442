//! What the stops of the pipeline know about a request: the one place where controls meet.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version, header};

use crate::{
    Policy, Refusal,
    client::{self, Client},
    contract::{Matched, agreement::Judged},
    csrf,
    host::Host,
    path::{CanonicalPath, Place, Spellings},
    request_id::RequestId,
    route::RoutePolicy,
    throttle,
    watch::Findings,
};

/// How a request reached the gate, as far as the transport can tell.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Who is at the other end of the connection.
    pub peer: Peer,
    /// Whether this connection is encrypted by us.
    pub scheme: Scheme,
    /// What a strict reader said of the bytes.
    pub wire: Wire,
    /// The certificate that the client has shown and TLS has verified (mTLS).
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// A client's certificate: a principal that the transport vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Whom it names: a URI, an e-mail address or a host of the alternative names, else the common name.
    pub name: String,
    /// The certificate as the header `Client-Cert` carries it (RFC 9440).
    pub header: HeaderValue,
}

/// What a strict reader said of a request's bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Wire {
    /// Nobody has looked: they came through another parser. The pipeline judges what that one left to see.
    Unread,
    /// Nobody is asked to look.
    NotAsked,
    /// They are one well-formed request.
    WellFormed,
    /// They are not.
    Refused(Refusal),
}

/// The other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// An Internet address, from the socket or from a PROXY header.
    Ip(SocketAddr),
    /// A load balancer that named no client in its PROXY header: nothing that came with the request may speak for one.
    Unnamed(SocketAddr),
    /// Nobody knows. Nothing that came with the request may speak for a client.
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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Call {
    /// The id that ties the answer, the app's log and the audit record together.
    pub request_id: RequestId,
    /// Who is really calling.
    pub client: Client,
    /// The method as sent.
    pub method: Method,
    /// The version of HTTP that the client speaks.
    pub version: Version,
    /// The host that is asked, in one spelling once the wire has passed it.
    pub host: Host,
    /// The origin of the page that asks, if a browser named one.
    pub origin: Option<HeaderValue>,
    /// The path, canonical once the `path` stop has passed it.
    pub path: CanonicalPath,
    /// Where that goes in the app, however it is spelled.
    pub(crate) place: Place,
    /// What the configuration says about this path.
    pub route: Arc<RoutePolicy>,
    /// The route of the app's contract, if one is known.
    pub operation: Option<Matched>,
    /// Nothing is there for clients: whatever the app says to a preflight but that it may ask, this is the answer.
    pub(crate) absent: Option<Box<Refusal>>,
    /// What the app's verdict on its input is held against.
    pub(crate) judged: Judged,
    /// A refusal of this request counts towards a ban.
    pub(crate) may_be_banned: bool,
    /// What its answer decides, if it tries to log in or the like.
    pub(crate) attempt: Option<Box<throttle::Attempt>>,
    /// Where it was counted by rules that only report: they learn how it was answered.
    pub(crate) counted: Option<Box<throttle::Counted>>,
    /// The quotas that it is counted for, until the app has answered.
    pub(crate) taken: Option<Box<throttle::Taken>>,
    /// Where the client stands with the rule that is nearest to its end, if answers tell.
    pub(crate) standing: Option<Box<throttle::Standing>>,
    /// What the request holds of session and token, where tokens are asked for.
    pub csrf: Option<Box<csrf::token::Held>>,
    /// What was seen in the body, if somebody looks at it.
    pub(crate) watched: Option<Arc<Findings>>,
    /// The certificate that the client has shown.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// The request carries a credential: an Authorization header, a cookie, or the client's certificate.
    pub authenticated: bool,
    /// The client asked for `application/problem+json` (RFC 9457).
    pub wants_problem: bool,
    /// A page of the same site asks for it as a script or a style, as browsers say.
    pub(crate) loaded_as_code: bool,
}

impl Call {
    /// Takes back what was counted of a request that the app will not see.
    pub(crate) fn give_back(&self) {
        self.unanswered(true);
    }

    /// Takes back what was counted of a request that the app has not answered.
    pub(crate) fn unanswered(&self, unseen: bool) {
        if let Some(attempt) = &self.attempt {
            attempt.unanswered(unseen);
        }
        if let Some(taken) = self.taken.as_ref().filter(|_| unseen) {
            taken.give_back();
        }
    }

    /// The path that the app routes by: what settings are about.
    pub fn own_path(&self) -> &str {
        self.place.own(self.path.as_str())
    }

    /// The spellings by which the configuration may name that path.
    pub(crate) fn spellings(&self) -> Spellings<'_> {
        self.place.spellings(self.path.as_str())
    }

    /// Learns who is calling. Nothing is refused here.
    pub fn open<B>(policy: &Policy, arrival: &Arrival, request: &Request<B>) -> Self {
        let headers = request.headers();
        let client = Client::of(arrival, headers, &policy.client);
        // A trusted proxy's certificate is its own and not its users'; what it says of theirs is left as it is.
        let certificate = arrival.certificate.clone().filter(|_| !client.peer_trusted);
        Self {
            request_id: RequestId::of(headers, client.peer_trusted),
            method: request.method().clone(),
            version: request.version(),
            host: Host::of(headers, client::forwarded_host(headers, &client, &policy.client)),
            client,
            origin: headers.get(header::ORIGIN).cloned(),
            path: CanonicalPath::as_sent(request.uri()),
            place: Place::default(),
            route: Arc::clone(policy.routes.fallback()),
            operation: None,
            absent: None,
            judged: Judged::Unasked,
            may_be_banned: false,
            attempt: None,
            counted: None,
            taken: None,
            standing: None,
            csrf: None,
            watched: None,
            authenticated: headers.contains_key(header::AUTHORIZATION)
                || headers.contains_key(header::COOKIE)
                || certificate.is_some(),
            certificate,
            wants_problem: wants_problem(headers),
            loaded_as_code: is_code(headers),
        }
    }
}

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Fetch Metadata: what the answer is for, and whose page asks.
fn is_code(headers: &HeaderMap) -> bool {
    let is_for_code = |value: &HeaderValue| {
        let value = value.as_bytes();
        [&b"script"[..], b"style", b"worker", b"sharedworker", b"serviceworker"].contains(&value)
    };
    headers.get(SEC_FETCH_DEST).is_some_and(is_for_code)
        && headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "cross-site")
}

fn wants_problem(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .is_some_and(|accept| memchr::memmem::find(accept.as_bytes(), b"application/problem+json").is_some())
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
