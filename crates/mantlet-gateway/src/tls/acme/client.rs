//! The HTTPS client for the ACME server, with limits on time and size.

use std::{
    fmt,
    future::Future,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body::Body;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use rustls::{RootCertStore, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tls::{
    TlsError,
    certificates::read_chain,
    outgoing::{connector, roots_of_this_machine},
};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest wait that a server may demand.
const LONGEST_WAIT: Duration = Duration::from_hours(7 * 24);
/// The largest response that is read, in bytes. Certificate chains have a few KiB.
const LONGEST_ANSWER: usize = 1 << 20;
/// Let's Encrypt asks clients to identify themselves.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("mantlet/", env!("CARGO_PKG_VERSION"), " (instant-acme)"));

/// A client that opens a connection for each request, because requests are rare.
#[derive(Clone)]
pub(super) struct Client {
    tls: TlsConnector,
    /// The last `Retry-After` of the server.
    retry_after: Arc<Mutex<Option<Duration>>>,
}

/// Why there was no response, in words for the operator.
#[derive(Debug)]
pub(super) struct Fault(pub(super) String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl Client {
    /// Trusts one authority, or those that this machine trusts.
    pub(super) fn new(authority: Option<&Path>) -> Result<Self, Fault> {
        let roots = match authority {
            Some(file) => roots_of(file).map_err(|error| Fault(error.to_string()))?,
            None => roots_of_this_machine(),
        };
        let tls = connector(roots).map_err(|error| Fault(error.to_string()))?;
        Ok(Self { tls, retry_after: Arc::default() })
    }

    /// How long the server asked us to wait, if it did.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        *self.retry_after.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn exchange(&self, mut request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Fault> {
        let uri = request.uri().clone();
        let (host, port) = match (uri.scheme_str(), uri.host()) {
            (Some("https"), Some(host)) => (host, uri.port_u16().unwrap_or(443)),
            _ => return Err(Fault(format!("`{uri}` is not an HTTPS address"))),
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| Fault(format!("`{host}` is not the name of a server")))?;
        let socket = TcpStream::connect((bare, port)).await.map_err(|error| Fault(error.to_string()))?;
        let stream = self.tls.connect(name, socket).await.map_err(|error| Fault(error.to_string()))?;
        let broken = |error: hyper::Error| Fault(format!("the connection broke: {error}"));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends with the sender and the response.
        tokio::spawn(connection);
        if let Some(authority) = uri.authority()
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            request.headers_mut().insert(header::HOST, host);
        }
        request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
        *request.uri_mut() =
            uri.path_and_query().map_or_else(|| Uri::from_static("/"), |path| path.clone().into());
        let (parts, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = read(body).await?;
        if matches!(parts.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let seconds =
                parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            *self.retry_after.lock().unwrap_or_else(PoisonError::into_inner) =
                seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
        }
        Ok(BytesResponse { parts, body: Box::new(body) })
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            let answer = tokio::time::timeout(PATIENCE, client.exchange(request)).await;
            let answer =
                answer.unwrap_or_else(|_| Err(Fault(format!("no response within {} s", PATIENCE.as_secs()))));
            answer.map_err(|fault| instant_acme::Error::Other(Box::new(fault)))
        })
    }
}

async fn read(mut body: Incoming) -> Result<Bytes, Fault> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| Fault(format!("the connection broke: {error}")))?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        if bytes.len() > LONGEST_ANSWER {
            return Err(Fault("its response is larger than 1 MiB".into()));
        }
    }
    Ok(bytes.freeze())
}

/// The authorities in a PEM file.
pub(super) fn roots_of(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_chain(file)? {
        roots.add(certificate).map_err(|error| {
            TlsError(format!(
                "`{}` contains a certificate that cannot be used as an authority: {error}",
                file.display()
            ))
        })?;
    }
    Ok(roots)
}
