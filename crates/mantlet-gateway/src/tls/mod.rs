//! TLS: certificates from files or fetched by ACME, chosen by name, swapped without dropping a connection.
//!
//! rustls with aws-lc-rs: TLS 1.2 and 1.3, only suites with forward secrecy and authenticated encryption, the
//! post-quantum hybrid group first, session tickets whose keys rotate. HTTP/2 and HTTP/1.1 are offered by ALPN.

pub mod acme;
mod certificates;
pub(crate) mod client;
pub mod dev;
pub(crate) mod outgoing;
mod prefixed;

use std::{
    future::Future,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    server::{
        Acceptor, NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier, danger::ClientCertVerifier,
    },
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::watch,
};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor, server::TlsStream};

pub use self::outgoing::Trust;
pub(crate) use self::prefixed::Prefixed;
use self::{
    acme::challenge::Challenges,
    certificates::{Certificate, Certificates},
};

/// A fatal alert, `unrecognized_name` (RFC 8446 section 6, RFC 6066 section 3), as a TLS record
/// before anything is negotiated.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// How connections are encrypted.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// Certificates with their keys. The first is also for clients that name no host, or a host
    /// without a certificate.
    pub certificates: Vec<CertificateFiles>,
    /// A certificate that is fetched. Without certificates from files it is for those clients too.
    pub acme: Option<acme::Settings>,
    /// Authorities (PEM) whose client certificates are accepted, and whether a client must have one.
    pub client_authorities: Option<(PathBuf, ClientCertificates)>,
    /// Time for a handshake.
    pub handshake_timeout: Duration,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
}

/// A certificate chain and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Whether clients show certificates of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// A client may show one; an invalid one ends the handshake.
    Optional,
    /// Every client must show one.
    Required,
}

/// Why TLS cannot be set up. The text names the file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

/// The certificates in force, and state that outlives them.
#[derive(Debug)]
pub(crate) struct Tls {
    current: ArcSwap<InForce>,
    challenges: Challenges,
    tickets: Mutex<Tickets>,
    handshake_timeout: Duration,
}

/// The keys of session tickets.
#[derive(Debug)]
struct Tickets {
    current: Arc<dyn ProducesTickets>,
    /// The tickets contain client certificates.
    asks_clients: bool,
}

/// The settings of new connections.
#[derive(Debug)]
struct InForce {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

/// Everything read and checked, ready to be put in force.
#[derive(Debug)]
pub struct LoadedTls {
    config: TlsConfig,
    certificates: Certificates,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl LoadedTls {
    /// Reads the files; nothing is in force yet.
    pub fn read(config: TlsConfig) -> Result<Self, TlsError> {
        let from_files = config.certificates.iter().map(Certificate::read).collect::<Result<Vec<_>, _>>()?;
        if from_files.is_empty() && config.acme.is_none() {
            return Err(TlsError("no certificate is configured".to_owned()));
        }
        let fetched = config.acme.as_ref().and_then(acme::Settings::fetched);
        let domains = config.acme.as_ref().map(|acme| acme.domains.clone()).unwrap_or_default();
        let certificates = Certificates::new(from_files, fetched.as_ref(), domains);
        let verifier = match &config.client_authorities {
            Some((file, clients)) => Some(client_verifier(file, *clients)?),
            None => None,
        };
        Ok(Self { config, certificates, verifier })
    }

    /// The names of the certificates, also of one that is not fetched yet; wildcards as
    /// `*.example.com`.
    pub fn names(&self) -> Vec<String> {
        self.certificates.names()
    }

    /// The settings of the certificate to fetch.
    pub fn acme(&self) -> Option<&acme::Settings> {
        self.config.acme.as_ref()
    }

    fn into_force(self, tickets: Arc<dyn ProducesTickets>) -> Result<Arc<InForce>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| TlsError(format!("TLS cannot be set up: {error}")))?;
        let builder = match self.verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let certificates = Arc::new(self.certificates);
        let mut config = builder.with_cert_resolver(Arc::clone(&certificates) as _);
        config.alpn_protocols = if self.config.http2 {
            vec![b"h2".to_vec(), b"http/1.1".to_vec()]
        } else {
            vec![b"http/1.1".to_vec()]
        };
        // All suites are strong, but the server chooses the strongest, even if the client prefers
        // another.
        config.ignore_client_order = true;
        // Tickets resume sessions on every thread and cost no memory here.
        config.ticketer = tickets;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(InForce { config: Arc::new(config), certificates }))
    }
}

impl Tls {
    pub(crate) fn new(loaded: LoadedTls) -> Result<Self, TlsError> {
        let handshake_timeout = loaded.config.handshake_timeout;
        let asks_clients = loaded.verifier.is_some();
        let tickets = new_tickets()?;
        let current = ArcSwap::new(loaded.into_force(Arc::clone(&tickets))?);
        let tickets = Mutex::new(Tickets { current: tickets, asks_clients });
        Ok(Self { current, challenges: Challenges::default(), tickets, handshake_timeout })
    }

    /// Puts other certificates in force. Connections keep the one they began with. Tickets stay
    /// valid, unless clients show certificates: TLS does not verify a resumed session again, so an
    /// old ticket could outlive its authority.
    pub(crate) fn replace(&self, loaded: LoadedTls) -> Result<(), TlsError> {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let asks_clients = loaded.verifier.is_some();
        let next =
            if asks_clients || tickets.asks_clients { new_tickets()? } else { Arc::clone(&tickets.current) };
        self.current.store(loaded.into_force(Arc::clone(&next))?);
        *tickets = Tickets { current: next, asks_clients };
        Ok(())
    }

    /// Puts a fetched certificate in force, in the place of the one before it.
    fn put_fetched(&self, fetched: &Certificate) {
        let current = self.current.load();
        let certificates = Arc::new(current.certificates.with_fetched(fetched));
        let mut config = ServerConfig::clone(&current.config);
        config.cert_resolver = Arc::clone(&certificates) as _;
        self.current.store(Arc::new(InForce { config: Arc::new(config), certificates }));
    }

    /// Keeps the fetched certificate valid; see [`acme::keep`].
    pub(crate) fn keep_fetched(
        &self,
        settings: watch::Receiver<Option<acme::Settings>>,
        tell: impl Fn(acme::Event),
    ) -> impl Future<Output = ()> {
        acme::keep(self, settings, tell)
    }

    /// When the first of the certificates in force expires, in seconds since 1970.
    pub(crate) fn expiry(&self) -> Option<i64> {
        self.current.load().certificates.expiry()
    }

    pub(crate) const fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// The handshake, within its time.
    pub(crate) async fn accept<T>(&self, io: T) -> io::Result<TlsStream<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let current = self.current.load_full();
        let handshake = async {
            if self.challenges.leave_tls_alone() && !current.certificates.is_incomplete() {
                return TlsAcceptor::from(Arc::clone(&current.config)).accept(io).await;
            }
            // Boxed: rare, and larger.
            Box::pin(self.accept_by_hello(io, &current)).await
        };
        let handshake = tokio::time::timeout(self.handshake_timeout, handshake).await;
        handshake.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// The handshake if it depends on the client's hello. An authority with a challenge gets its
    /// response and nothing else. A client that asks for a name whose certificate is not fetched
    /// yet gets an alert.
    async fn accept_by_hello<T>(&self, io: T, current: &InForce) -> io::Result<TlsStream<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let mut start = LazyConfigAcceptor::new(Acceptor::default(), io).await?;
        let challenge = self.challenges.for_handshake(&start.client_hello());
        if let Some(config) = challenge {
            start.into_stream(config).await?.shutdown().await?;
            return Err(io::Error::other("a challenge was answered"));
        }
        if current.certificates.find(start.client_hello().server_name()).is_none() {
            start.io.write_all(&UNRECOGNIZED_NAME).await?;
            start.io.shutdown().await?;
            return Err(io::Error::other("there is no certificate yet"));
        }
        start.into_stream(Arc::clone(&current.config)).await
    }
}

fn new_tickets() -> Result<Arc<dyn ProducesTickets>, TlsError> {
    aws_lc_rs::Ticketer::new().map_err(|error| TlsError(format!("session tickets cannot be set up: {error}")))
}

fn client_verifier(
    file: &std::path::Path,
    clients: ClientCertificates,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates::read_chain(file)? {
        roots.add(certificate).map_err(|error| {
            TlsError(format!(
                "`{}` contains a certificate that cannot be used as an authority: {error}",
                file.display()
            ))
        })?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match clients {
        ClientCertificates::Optional => builder.allow_unauthenticated(),
        ClientCertificates::Required => builder,
    };
    builder.build().map_err(|error| TlsError(format!("`{}` cannot be used: {error}", file.display())))
}
