//! Certificates made for a test, and a client that speaks TLS.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CrlDistributionPoint, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

use super::{Client, PATIENCE, raw::Socket};

/// An authority, with a folder for what it signs.
pub(crate) struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        Self { folder: folder.to_owned(), issuer }
    }

    /// Signs a certificate for a name; the files are named after the file name.
    pub(crate) fn sign(&self, file: &str, name: &str) -> Pair {
        self.sign_with(file, &CertificateParams::new(vec![name.to_owned()]).expect("a name"))
    }

    /// Signs a certificate as public authorities do: for 90 days, with all that a strict judge asks for.
    pub(crate) fn sign_strictly(&self, file: &str, name: &str) -> Pair {
        const DAY: Duration = Duration::from_hours(24);
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let uris = vec!["http://crl.example/authority.crl".to_owned()];
        params.crl_distribution_points = vec![CrlDistributionPoint { uris }];
        let yesterday = SystemTime::now() - DAY;
        params.not_before = yesterday.into();
        params.not_after = (yesterday + 90 * DAY).into();
        self.sign_with(file, &params)
    }

    /// Signs a certificate that was good until yesterday.
    pub(crate) fn sign_expired(&self, file: &str, name: &str) -> Pair {
        const DAY: Duration = Duration::from_hours(24);
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = (SystemTime::now() - 90 * DAY).into();
        params.not_after = (SystemTime::now() - DAY).into();
        self.sign_with(file, &params)
    }

    /// Signs a certificate for a client that has this common name and these alternative names.
    pub(crate) fn sign_client(&self, file: &str, common: &str, alternatives: Vec<SanType>) -> Pair {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = alternatives;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign_with(file, &params)
    }

    fn sign_with(&self, file: &str, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let pair = Pair {
            certificate: self.folder.join(format!("{file}.pem")),
            key: self.folder.join(format!("{file}-key.pem")),
        };
        fs::write(&pair.certificate, certificate.pem()).expect("a file");
        fs::write(&pair.key, key.serialize_pem()).expect("a file");
        pair
    }

    /// Its own certificate, as a file.
    pub(crate) fn file(&self) -> PathBuf {
        let file = self.folder.join("authority.pem");
        fs::write(&file, self.issuer.pem()).expect("a file");
        file
    }
}

impl Pair {
    /// As keys of `[tls]`.
    pub(crate) fn config(&self) -> String {
        format!(
            "certificate = {:?}\nkey = {:?}\n",
            self.certificate.to_string_lossy(),
            self.key.to_string_lossy()
        )
    }
}

/// How a client speaks TLS.
pub(crate) struct Speaks {
    roots: RootCertStore,
    own: Option<Pair>,
    alpn: Vec<Vec<u8>>,
}

impl Speaks {
    /// Trusts one authority, of which this is the certificate.
    pub(crate) fn trusting(authority: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).expect("a certificate")).expect("an authority");
        Self { roots, own: None, alpn: Vec::new() }
    }

    pub(crate) fn showing(mut self, own: Pair) -> Self {
        self.own = Some(own);
        self
    }

    pub(crate) fn offering(mut self, protocol: &str) -> Self {
        self.alpn.push(protocol.as_bytes().to_vec());
        self
    }

    /// Connects; an error if the handshake fails.
    pub(crate) fn connect(self, address: SocketAddr, name: &str) -> io::Result<Stream> {
        self.settle().connect(address, name)
    }

    /// A client that remembers its sessions, and resumes them where it may.
    pub(crate) fn settle(self) -> Settled {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.roots);
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let chain = vec![CertificateDer::from_pem_file(&own.certificate).expect("a certificate")];
                let key = PrivateKeyDer::from_pem_file(&own.key).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        config.alpn_protocols = self.alpn;
        Settled(Arc::new(config))
    }
}

/// How a client speaks TLS, connection after connection.
pub(crate) struct Settled(Arc<ClientConfig>);

impl Settled {
    pub(crate) fn connect(&self, address: SocketAddr, name: &str) -> io::Result<Stream> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let connection = ClientConnection::new(Arc::clone(&self.0), name).expect("a client");
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Stream(stream))
    }
}

/// A TLS connection.
pub(crate) struct Stream(StreamOwned<ClientConnection, TcpStream>);

impl Stream {
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.0.conn.peer_certificates().expect("a certificate")[0].clone().into_owned()
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.0.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        self.0.conn.alpn_protocol()
    }

    pub(crate) fn group(&self) -> String {
        format!("{:?}", self.0.conn.negotiated_key_exchange_group().expect("a group").name())
    }

    pub(crate) fn into_client(self) -> Client {
        Client::over(self)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Socket for Stream {
    fn finish(&self) {
        self.0.sock.shutdown(Shutdown::Write).expect("it is open");
    }
}
