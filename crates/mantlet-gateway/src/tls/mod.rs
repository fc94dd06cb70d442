//! TLS: certificates from files, chosen by name, swapped without dropping a connection.
//!
//! rustls with aws-lc-rs: TLS 1.2 and 1.3, only suites with forward secrecy and authenticated encryption, the
//! post-quantum hybrid group first, session tickets whose keys rotate. HTTP/2 and HTTP/1.1 are offered by ALPN.

mod certificates;
pub mod dev;
mod prefixed;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use self::certificates::Certificates;
pub(crate) use self::prefixed::Prefixed;

/// How connections are encrypted.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// Certificates with their keys; the first is for clients that name no host, or one that none is for.
    pub certificates: Vec<CertificateFiles>,
    /// Authorities (PEM) whose client certificates are accepted, and whether a client must have one.
    pub client_authorities: Option<(PathBuf, ClientCertificates)>,
    /// Time that a handshake may take.
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
    /// Those who have one may show it; a wrong one ends the handshake.
    Optional,
    /// All must.
    Required,
}

/// Why TLS cannot be set up. The text names the file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

/// The certificates in force, and what does not change with them.
#[derive(Debug)]
pub(crate) struct Tls {
    current: ArcSwap<ServerConfig>,
    tickets: Arc<dyn ProducesTickets>,
    handshake_timeout: Duration,
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
        let certificates = Certificates::read(&config.certificates)?;
        let verifier = match &config.client_authorities {
            Some((file, clients)) => Some(client_verifier(file, *clients)?),
            None => None,
        };
        Ok(Self { config, certificates, verifier })
    }

    /// The names that the certificates are for; wildcards as `*.example.com`.
    pub fn names(&self) -> Vec<String> {
        self.certificates.names()
    }

    fn server_config(self, tickets: Arc<dyn ProducesTickets>) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| TlsError(format!("TLS cannot be set up: {error}")))?;
        let builder = match self.verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(self.certificates));
        config.alpn_protocols = if self.config.http2 {
            vec![b"h2".to_vec(), b"http/1.1".to_vec()]
        } else {
            vec![b"http/1.1".to_vec()]
        };
        // All suites are strong, but the strongest is chosen here and not by a client that puts it last.
        config.ignore_client_order = true;
        // Tickets resume sessions on every thread and cost no memory here.
        config.ticketer = tickets;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}

impl Tls {
    pub(crate) fn new(loaded: LoadedTls) -> Result<Self, TlsError> {
        let tickets = aws_lc_rs::Ticketer::new()
            .map_err(|error| TlsError(format!("session tickets cannot be set up: {error}")))?;
        let handshake_timeout = loaded.config.handshake_timeout;
        let current = ArcSwap::new(loaded.server_config(Arc::clone(&tickets))?);
        Ok(Self { current, tickets, handshake_timeout })
    }

    /// Puts other certificates in force. Connections keep the one they began with; tickets stay good.
    pub(crate) fn replace(&self, loaded: LoadedTls) -> Result<(), TlsError> {
        self.current.store(loaded.server_config(Arc::clone(&self.tickets))?);
        Ok(())
    }

    /// The handshake, within its time.
    pub(crate) async fn accept<T>(&self, io: T) -> io::Result<TlsStream<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(self.current.load_full());
        let handshake = tokio::time::timeout(self.handshake_timeout, acceptor.accept(io)).await;
        handshake.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

fn client_verifier(
    file: &std::path::Path,
    clients: ClientCertificates,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates::read_chain(file)? {
        roots.add(certificate).map_err(|error| {
            TlsError(format!("`{}` holds a certificate that cannot be an authority: {error}", file.display()))
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
