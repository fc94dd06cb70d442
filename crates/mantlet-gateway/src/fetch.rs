//! Asks the app behind the gate, or the server at an address, one question. Bounded in size and time;
//! redirects are not followed, because the server must not choose where the response comes from.

use std::{
    error::Error,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{self, IntoHeaderName},
    uri::Authority,
};
use http_body::Body;
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

use crate::{
    address::Address,
    tls::outgoing::{connector, roots_in, roots_of_this_machine},
};

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("mantlet/", env!("CARGO_PKG_VERSION")));
/// Bytes that are read at once, and of the head of a response.
const LONGEST_HEAD: usize = 64 << 10;
/// Bytes that are read until the response has begun: a TLS handshake, interim responses (1xx), of which a server may
/// send any number, and the head.
const BEFORE_RESPONSE: usize = 8 * LONGEST_HEAD;

/// The resource to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    server: Address,
    is_https: bool,
    host: HeaderValue,
    path: Uri,
    /// Tells the app that the client came over HTTPS, as for other requests.
    says_https: bool,
    /// Authorities to trust in place of the machine's, PEM.
    authority: Option<Vec<u8>>,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No server responds, or its response cannot be read. Another attempt may succeed.
    #[error("{0}")]
    Unreachable(String),
    /// The response is larger than the limit.
    #[error("the response is larger than {} MiB", .0 >> 20)]
    TooLong(usize),
}

/// What is asked of a resource.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The method.
    pub method: Method,
    /// Headers beside those that every request has, and in place of them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Question {
    /// Sends a body of a content type.
    pub fn post(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { method: Method::POST, headers: HeaderMap::from_iter([kind]), body: body.into() }
    }

    /// The question with a header.
    #[must_use]
    pub fn with(mut self, name: impl IntoHeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// A response.
#[derive(Debug)]
pub struct Fetched {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Fetched {
    /// Where it redirects to.
    pub fn location(&self) -> Option<&str> {
        self.headers.get(header::LOCATION)?.to_str().ok()
    }

    /// How long it is fresh, in seconds, if it says so (RFC 9111 section 5.2.2.1).
    pub fn max_age(&self) -> Option<i64> {
        let lines =
            self.headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        let mut directives = lines.flat_map(|line| line.split(',')).map(str::trim);
        directives
            .find_map(|one| one.to_ascii_lowercase().strip_prefix("max-age=")?.trim_matches('"').parse().ok())
    }
}

impl Target {
    /// Whether it is asked over TLS.
    pub(crate) const fn is_https(&self) -> bool {
        self.is_https
    }

    /// A resource of the app behind the gate, requested like a client of this host, over HTTPS or
    /// not. None if the path or the host is invalid.
    pub fn of_app(server: &Address, host: &str, path: &str, says_https: bool) -> Option<Self> {
        let (host, path) = (host.parse().ok()?, path.parse().ok()?);
        Some(Self { server: server.clone(), is_https: false, host, path, says_https, authority: None })
    }

    /// The resource at an address; fails if the address is invalid.
    pub fn of_url(url: &str) -> Result<Self, String> {
        let wrong = || format!("`{url}` is not an address; write `https://HOST/PATH`");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        if authority.as_str().contains('@') {
            return Err("an address with a password is not fetched; remove the part before `@`".into());
        }
        let (is_https, port) = match scheme {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => {
                return Err(format!(
                    "`{url}` cannot be fetched: only `http://` and `https://` are supported; for a file, pass its path"
                ));
            }
        };
        let own_port = port_of(authority).map_err(|why| format!("`{url}` {why}"))?;
        let bare = authority.host().trim_start_matches('[').trim_end_matches(']');
        let path = uri.path_and_query().map_or_else(|| Uri::from_static("/"), |path| path.clone().into());
        Ok(Self {
            server: Address::Tcp(bare.to_owned(), own_port.unwrap_or(port)),
            is_https,
            host: authority.as_str().parse().map_err(|_| wrong())?,
            path,
            says_https: false,
            authority: None,
        })
    }

    /// Whether another address leads to the same resource, whatever their queries.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        let is_same_server = match (&self.server, &other.server) {
            (Address::Tcp(host, port), Address::Tcp(other, its)) => {
                host.eq_ignore_ascii_case(other) && port == its
            }
            (one, other) => one == other,
        };
        is_same_server && self.is_https == other.is_https && self.path.path() == other.path.path()
    }

    /// Trusts these authorities (PEM) in place of the machine's.
    #[must_use]
    pub fn trusting(self, authority: Vec<u8>) -> Self {
        Self { authority: Some(authority), ..self }
    }
}

/// The port that an address names; fails if it is not a port. The rest of a message.
pub(crate) fn port_of(authority: &Authority) -> Result<Option<u16>, String> {
    let after = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, after)| after);
    let text = after.strip_prefix(authority.host()).and_then(|rest| rest.strip_prefix(':'));
    match text {
        None | Some("") => Ok(None),
        Some(text) => match text.parse() {
            Ok(port @ 1..) => Ok(Some(port)),
            _ => Err(format!("names the port {text}; a port is a number from 1 to 65535")),
        },
    }
}

/// Fetches; reads a response of at most so many bytes.
pub async fn fetch(target: &Target, patience: Duration, most: usize) -> Result<Fetched, FetchError> {
    send(target, Question::default(), patience, most).await
}

/// Asks; reads a response of at most so many bytes.
pub async fn send(
    target: &Target,
    question: Question,
    patience: Duration,
    most: usize,
) -> Result<Fetched, FetchError> {
    send_by(None, target, question, patience, most).await
}

/// The same with a connector for TLS; without one, the authorities of this machine are trusted.
pub(crate) async fn send_by(
    tls: Option<&TlsConnector>,
    target: &Target,
    question: Question,
    patience: Duration,
    most: usize,
) -> Result<Fetched, FetchError> {
    let answer = tokio::time::timeout(patience, ask(tls, target, question, most)).await;
    answer.unwrap_or_else(|_| {
        Err(FetchError::Unreachable(format!("no complete response within {} s", patience.as_secs())))
    })
}

async fn ask(
    tls: Option<&TlsConnector>,
    target: &Target,
    question: Question,
    most: usize,
) -> Result<Fetched, FetchError> {
    let away = |error: std::io::Error| FetchError::Unreachable(error.to_string());
    let response = match &target.server {
        Address::Unix(path) => {
            let (socket, left) = Bounded::new(UnixStream::connect(path).await.map_err(away)?);
            exchange(target, question, socket, &left).await?
        }
        Address::Tcp(host, port) => {
            let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(away)?;
            let (socket, left) = Bounded::new(socket);
            if target.is_https {
                let unreachable = |error: String| FetchError::Unreachable(error);
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| unreachable(format!("`{host}` is not the name of a server")))?;
                let tls = match (tls, &target.authority) {
                    (Some(tls), _) => Ok(tls.clone()),
                    (None, None) => connector(roots_of_this_machine()),
                    (None, Some(pem)) => roots_in(pem).and_then(connector),
                };
                let tls = tls.map_err(|error| unreachable(error.to_string()))?;
                let socket = tls.connect(name, socket).await.map_err(away)?;
                exchange(target, question, socket, &left).await?
            } else {
                exchange(target, question, socket, &left).await?
            }
        }
    };
    let (parts, body) = response.into_parts();
    Ok(Fetched { status: parts.status, headers: parts.headers, body: read(body, most).await? })
}

async fn exchange<T>(
    target: &Target,
    question: Question,
    socket: T,
    left: &AtomicUsize,
) -> Result<Response<Incoming>, FetchError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    let handshake = http.max_buf_size(LONGEST_HEAD).handshake(TokioIo::new(socket));
    let (mut sender, connection) = handshake.await.map_err(|error| broken(&error))?;
    // Ends with the sender and the response.
    tokio::spawn(connection);
    let Question { method, headers: own, body } = question;
    let mut request = Request::new(Full::new(body));
    (*request.method_mut(), *request.uri_mut()) = (method, target.path.clone());
    let headers = request.headers_mut();
    headers.insert(header::USER_AGENT, USER_AGENT);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
    headers.extend(own);
    // The body alone says how long it is.
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    headers.insert(header::HOST, target.host.clone());
    if target.says_https {
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    }
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    // The body has a limit of its own.
    left.store(usize::MAX, Relaxed);
    Ok(response)
}

fn broken(error: &hyper::Error) -> FetchError {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    FetchError::Unreachable(format!("the connection broke: {error}{cause}"))
}

/// A connection of which so many bytes are read, with a pause after each read: a server that sends and sends cannot
/// keep a thread for itself, and timeouts fire.
struct Bounded<T> {
    socket: T,
    left: Arc<AtomicUsize>,
    has_read: bool,
}

impl<T> Bounded<T> {
    fn new(socket: T) -> (Self, Arc<AtomicUsize>) {
        let left = Arc::new(AtomicUsize::new(BEFORE_RESPONSE));
        (Self { socket, left: Arc::clone(&left), has_read: false }, left)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Bounded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.has_read) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = bytes.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, bytes))?;
        self.has_read = true;
        let read = bytes.filled().len() - before;
        let left = self.left.fetch_update(Relaxed, Relaxed, |left| match left {
            usize::MAX => Some(left),
            _ => left.checked_sub(read),
        });
        Poll::Ready(left.map(|_| ()).map_err(|_| {
            io::Error::other(format!("no response has begun within {} KiB", BEFORE_RESPONSE >> 10))
        }))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Bounded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

pub(crate) async fn read(mut body: Incoming, most: usize) -> Result<Bytes, FetchError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        bytes.extend_from_slice(frame.map_err(|error| broken(&error))?.data_ref().map_or(&[], |data| data));
        if bytes.len() > most {
            return Err(FetchError::TooLong(most));
        }
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
