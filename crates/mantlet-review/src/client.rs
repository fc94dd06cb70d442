//! The client that asks a running app: one request after the other, bounded in size and time, never faster than the
//! app can take.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use rustls::{CertificateError, ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::exchange::{Answer, Question};

/// What says who is asking, so that an operator finds it in a log.
const NAME: HeaderName = HeaderName::from_static("x-mantlet-check");
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("mantlet-check/", env!("CARGO_PKG_VERSION")));
/// Bytes of an answer that are read.
const LONGEST: usize = 1 << 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The share of the time for which the app is left alone: after an answer that took 50 ms, 25 ms.
const REST: u32 = 2;
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_millis(500);

/// Where the app is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A unix socket: an app that check has started itself.
    Unix(PathBuf),
    /// An address.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
        /// Over TLS.
        is_https: bool,
    },
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence(pub String);

impl std::fmt::Display for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Asks a running app.
#[derive(Debug)]
pub struct Client {
    target: Target,
    host: HeaderValue,
    kept: Option<SendRequest<Full<Bytes>>>,
    /// When the app may be asked again.
    next: Instant,
    took: Duration,
    asked: usize,
}

impl Target {
    /// Reads `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    pub fn read(url: &str) -> Result<Self, String> {
        let wrong = || format!("`{url}` is not an address; write `http://127.0.0.1:8000`");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong());
        }
        let is_https = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(wrong()),
        };
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self::Tcp { host, port, is_https })
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// As evidence names it.
    pub fn base(&self) -> String {
        match self {
            Self::Unix(_) => "http://localhost".to_owned(),
            Self::Tcp { host, port, is_https } => {
                let scheme = if *is_https { "https" } else { "http" };
                let usual = if *is_https { 443 } else { 80 };
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                let port = if *port == usual { String::new() } else { format!(":{port}") };
                format!("{scheme}://{host}{port}")
            }
        }
    }
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(target: Target) -> Self {
        let base = target.base();
        let host = base.rsplit('/').next().unwrap_or_default();
        let host = HeaderValue::try_from(host).unwrap_or(HeaderValue::from_static("localhost"));
        Self { target, host, kept: None, next: Instant::now(), took: Duration::ZERO, asked: 0 }
    }

    /// By another name, where the app knows itself by one: in `Host`, and in TLS.
    #[must_use]
    pub fn to_host(self, host: HeaderValue) -> Self {
        Self { host, ..self }
    }

    /// The name or the address by which the app is asked.
    pub fn name(&self) -> &str {
        let host = self.host.to_str().unwrap_or_default();
        let name =
            if host.ends_with(']') { host } else { host.rsplit_once(':').map_or(host, |(name, _)| name) };
        name.trim_start_matches('[').trim_end_matches(']')
    }

    /// Where the app is.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// How many requests were sent.
    pub const fn asked(&self) -> usize {
        self.asked
    }

    /// How long the last answer took.
    pub const fn took(&self) -> Duration {
        self.took
    }

    /// Asks, once the app has had its rest.
    pub async fn ask(&mut self, question: &Question) -> Result<Answer, Silence> {
        tokio::time::sleep_until(self.next.into()).await;
        let start = Instant::now();
        self.asked += 1;
        let answer = tokio::time::timeout(PATIENCE, self.exchange(question)).await;
        self.took = start.elapsed();
        self.next = Instant::now() + (self.took / REST).min(LONGEST_REST);
        answer.unwrap_or_else(|_| {
            self.kept = None;
            Err(Silence(format!("no complete answer within {} s", PATIENCE.as_secs())))
        })
    }

    async fn exchange(&mut self, question: &Question) -> Result<Answer, Silence> {
        let silent = |error: hyper::Error| Silence(error.to_string());
        let mut kept = self.kept.take();
        let is_open = match &mut kept {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        let mut sender = match kept.filter(|_| is_open) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let request = self.request(question)?;
        let is_safe = question.method.is_safe();
        let response = match sender.send_request(request).await {
            // The app has closed a connection that it had kept. What may have an effect is sent again only if nothing was
            // sent yet.
            Err(error) if is_open && (is_safe || error.is_canceled()) => {
                sender = self.connect().await?;
                sender.send_request(self.request(question)?).await.map_err(silent)?
            }
            response => response.map_err(silent)?,
        };
        let (parts, body) = response.into_parts();
        // A stream of events has no end.
        let kind = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let (body, is_cut) =
            if kind.starts_with(b"text/event-stream") { (Bytes::new(), true) } else { read(body).await? };
        // What was not read to its end cannot carry another request. After an error of its own the app hangs up, and may not
        // say so.
        let closes = parts
            .headers
            .get(header::CONNECTION)
            .is_some_and(|said| said.as_bytes().eq_ignore_ascii_case(b"close"));
        let is_kept = !is_cut && !closes && !parts.status.is_server_error();
        self.kept = is_kept.then_some(sender);
        Ok(Answer { status: parts.status, headers: parts.headers, body, is_cut })
    }

    fn request(&self, question: &Question) -> Result<Request<Full<Bytes>>, Silence> {
        let uri: Uri = question.target.parse().map_err(|_| Silence("its path cannot be sent".into()))?;
        let mut request = Request::new(Full::new(question.body.clone()));
        *request.method_mut() = question.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        headers.insert(header::USER_AGENT, USER_AGENT);
        headers.insert(NAME, HeaderValue::from_static("1"));
        for (name, value) in &question.headers {
            headers.insert(name, value.clone());
        }
        Ok(request)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Silence> {
        let away = |error: io::Error| Silence(error.to_string());
        match &self.target {
            Target::Unix(path) => begin(TokioIo::new(UnixStream::connect(path).await.map_err(away)?)).await,
            Target::Tcp { host, port, is_https } => {
                let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(away)?;
                if !is_https {
                    return begin(TokioIo::new(socket)).await;
                }
                let host = self.name();
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|_| Silence(format!("`{host}` is not the name of a server")))?;
                let tls = connector().map_err(|error| Silence(error.to_string()))?;
                let stream = tls.connect(name, socket).await.map_err(|error| untrusted(host, &error))?;
                begin(TokioIo::new(stream)).await
            }
        }
    }
}

/// Why there is no TLS, in words.
fn untrusted(host: &str, error: &io::Error) -> Silence {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(wrong)) = inner else {
        return Silence(format!("no TLS connection to `{host}`: {error}"));
    };
    let why = match wrong {
        CertificateError::UnknownIssuer => {
            "no authority that this machine trusts has signed it; name the file of yours in `SSL_CERT_FILE`"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name; ask by a name that it has"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired; renew it",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; look at the clocks of both machines"
        }
        CertificateError::Revoked => "it has been revoked; replace it",
        _ => return Silence(format!("the certificate of `{host}` cannot be trusted: {error}")),
    };
    Silence(format!("the certificate of `{host}` cannot be trusted: {why}"))
}

/// Trusts the authorities of this machine.
fn connector() -> Result<TlsConnector, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn begin(io: impl Read + Write + Unpin + Send + 'static) -> Result<SendRequest<Full<Bytes>>, Silence> {
    let (sender, connection) = http1::handshake(io).await.map_err(|error| Silence(error.to_string()))?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Reads an answer, or its beginning.
async fn read(mut body: Incoming) -> Result<(Bytes, bool), Silence> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Silence(error.to_string()))?;
        if let Ok(data) = frame.into_data() {
            let room = LONGEST.saturating_sub(whole.len());
            whole.extend_from_slice(data.get(..room).unwrap_or(&data));
            if data.len() > room {
                return Ok((whole.freeze(), true));
            }
        }
    }
    Ok((whole.freeze(), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written() {
        for (url, base, is_loopback) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000", true),
            ("http://localhost/", "http://localhost", true),
            ("https://[::1]:443", "https://[::1]", true),
            ("https://api.example.com", "https://api.example.com", false),
            ("http://localhost.example.com", "http://localhost.example.com", false),
        ] {
            let target = Target::read(url).unwrap();
            assert_eq!((target.base().as_str(), target.is_loopback()), (base, is_loopback), "{url}");
            let client = Client::new(target);
            assert!(
                ["127.0.0.1", "localhost", "::1", "api.example.com", "localhost.example.com"]
                    .contains(&client.name())
            );
        }
        for wrong in ["", "localhost:8000", "ftp://a", "http://u:p@a", "http://a/api", "http://a?b"] {
            assert!(Target::read(wrong).unwrap_err().contains("http://127.0.0.1:8000"), "{wrong}");
        }
    }
}
