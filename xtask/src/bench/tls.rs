//! A client that does a full handshake for each request, and the certificate that both servers show it.

use std::{
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, NamedGroup, RootCertStore, StreamOwned,
    client::Resumption,
    crypto::{
        CryptoProvider, SupportedKxGroup,
        aws_lc_rs::{cipher_suite::TLS13_AES_128_GCM_SHA256, default_provider, kx_group::X25519},
    },
    pki_types::{CertificateDer, ServerName},
    version::TLS13,
};

use super::connections::{self, PATIENCE};

/// Handshakes at once: enough to keep a server busy on every core.
const AT_ONCE: usize = 8;

/// A certificate for `localhost`, with a key on P-256, both PEM.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
    der: CertificateDer<'static>,
}

impl Identity {
    pub(super) fn new() -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        Ok(Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            der: made.cert.into(),
        })
    }
}

/// TLS 1.3 with one group and one suite, so that both servers do the same work; nothing is resumed.
#[derive(Clone)]
pub(super) struct Client(Arc<ClientConfig>);

impl Client {
    pub(super) fn new(identity: &Identity) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(identity.der.clone())?;
        let provider = CryptoProvider {
            kx_groups: vec![X25519],
            cipher_suites: vec![TLS13_AES_128_GCM_SHA256],
            ..default_provider()
        };
        let config = ClientConfig::builder_with_provider(Arc::new(provider));
        let mut config =
            config.with_protocol_versions(&[&TLS13])?.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self(Arc::new(config)))
    }

    /// A new connection, its handshake, one GET and its answer.
    pub(super) fn ask(&self, port: u16) -> Result<()> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let session = ClientConnection::new(Arc::clone(&self.0), ServerName::try_from("localhost")?)?;
        let mut stream = StreamOwned::new(session, socket);
        connections::exchange(
            &mut stream,
            b"GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        )?;
        let agreed = (
            stream.conn.negotiated_key_exchange_group().map(SupportedKxGroup::name),
            stream.conn.negotiated_cipher_suite().map(|suite| suite.suite()),
        );
        let wanted = (Some(NamedGroup::X25519), Some(CipherSuite::TLS13_AES_128_GCM_SHA256));
        ensure!(agreed == wanted, "other things were agreed on than wanted: {agreed:?}");
        Ok(())
    }

    /// Asks for some time, some at once; returns how often. The first failure ends it.
    pub(super) fn load(&self, port: u16, seconds: u64) -> Result<u64> {
        let end = Instant::now() + Duration::from_secs(seconds);
        let asking = || {
            let client = self.clone();
            thread::spawn(move || {
                let mut asked = 0;
                while Instant::now() < end {
                    client.ask(port).with_context(|| format!("handshake {} of a thread", asked + 1))?;
                    asked += 1;
                }
                Ok(asked)
            })
        };
        let threads: Vec<_> = (0..AT_ONCE).map(|_| asking()).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a thread of the client failed"))?)
            .sum()
    }
}
