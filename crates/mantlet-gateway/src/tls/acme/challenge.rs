//! Challenges under way, and how the gate answers them.

use std::{collections::HashMap, io, sync::Arc};

use arc_swap::ArcSwap;
use bytes::Bytes;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::PrivateKeyDer,
    server::ClientHello,
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};

/// The protocol of TLS-ALPN-01 (RFC 8737 section 6.2).
const PROTOCOL: &[u8] = b"acme-tls/1";
/// Where HTTP-01 is answered (RFC 8555 section 8.3).
const PATH: &str = "/.well-known/acme-challenge/";

/// The challenges that all threads answer. Nearly always empty.
#[derive(Debug, Default)]
pub(crate) struct Challenges(ArcSwap<UnderWay>);

#[derive(Debug, Default, Clone)]
struct UnderWay {
    /// TLS-ALPN-01, by the name in lower case.
    by_name: HashMap<String, Arc<ServerConfig>>,
    /// HTTP-01, by the token.
    by_token: HashMap<String, Bytes>,
}

impl Challenges {
    /// Whether no TLS handshake can be a challenge.
    pub(crate) fn leave_tls_alone(&self) -> bool {
        self.0.load().by_name.is_empty()
    }

    /// The TLS settings for an authority that validates a name; none for any other client. The
    /// authority offers this protocol alone and names the host (RFC 8737 section 3).
    pub(crate) fn for_handshake(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let mut offered = hello.alpn()?;
        if offered.next()? != PROTOCOL || offered.next().is_some() {
            return None;
        }
        self.0.load().by_name.get(&hello.server_name()?.to_ascii_lowercase()).cloned()
    }

    /// The response to a request for a challenge that is under way.
    pub(crate) fn answer(&self, path: &str) -> Option<Bytes> {
        let token = path.strip_prefix(PATH)?;
        self.0.load().by_token.get(token).cloned()
    }

    /// Begins challenges, which are answered until the guard is dropped. There is only one guard at
    /// a time.
    pub(super) const fn begin(&self) -> Guard<'_> {
        Guard(self)
    }

    fn change(&self, change: impl FnOnce(&mut UnderWay)) {
        // INVARIANT: only the guard changes the challenges, and there is one guard.
        let mut under_way = UnderWay::clone(&self.0.load());
        change(&mut under_way);
        self.0.store(Arc::new(under_way));
    }
}

/// Adds challenges, and removes them when it is dropped.
pub(super) struct Guard<'a>(&'a Challenges);

impl Guard<'_> {
    /// Answers TLS-ALPN-01 for a name, with the digest of the key authorization.
    pub(super) fn by_handshake(&self, name: &str, digest: &[u8]) -> io::Result<()> {
        let config = Arc::new(server_config(name, digest).map_err(io::Error::other)?);
        self.0.change(|under_way| drop(under_way.by_name.insert(name.to_ascii_lowercase(), config)));
        Ok(())
    }

    /// Answers HTTP-01.
    pub(super) fn by_request(&self, token: &str, key_authorization: &str) {
        let answer = Bytes::copy_from_slice(key_authorization.as_bytes());
        self.0.change(|under_way| drop(under_way.by_token.insert(token.to_owned(), answer)));
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.change(|under_way| *under_way = UnderWay::default());
    }
}

/// TLS settings with a self-signed certificate for one name that contains the digest (RFC 8737
/// section 3).
fn server_config(
    name: &str,
    digest: &[u8],
) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    let provider = aws_lc_rs::default_provider();
    let key = provider.key_provider.load_private_key(PrivateKeyDer::try_from(key.serialize_der())?)?;
    // Without the usual checks: the extension is critical, and only the authority knows it.
    let certified = CertifiedKey::new(vec![certificate.der().clone()], key);
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}
