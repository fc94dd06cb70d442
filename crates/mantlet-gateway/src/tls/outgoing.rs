//! TLS to servers that Mantlet connects to.

use std::sync::Arc;

use mantlet_controls::config::Material;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsConnector;

use super::TlsError;

/// Whom a connection trusts, and who we are to the other end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// The only authorities, PEM; none: those that this machine trusts.
    pub authority: Option<Vec<u8>>,
    /// Our own certificate and its key, PEM, for a server that asks for one.
    pub identity: Option<(Vec<u8>, Material)>,
}

impl Trust {
    /// What connects so.
    pub(crate) fn connector(&self) -> Result<TlsConnector, TlsError> {
        let roots = match &self.authority {
            None => roots_of_this_machine(),
            Some(pem) => roots_in(pem)?,
        };
        self.connector_with(roots)
    }

    /// Whether the files are good. The authorities of this machine may be there later.
    pub(crate) fn check(&self) -> Result<(), TlsError> {
        if self.authority.is_some() || self.identity.is_some() {
            self.connector()?;
        }
        Ok(())
    }

    fn connector_with(&self, roots: RootCertStore) -> Result<TlsConnector, TlsError> {
        if roots.is_empty() {
            return Err(TlsError(
                "this machine has no trusted certificate authorities (is `ca-certificates` installed?)"
                    .into(),
            ));
        }
        let said = |error: rustls::Error| TlsError(error.to_string());
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(said)?
            .with_root_certificates(roots);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.0.expose())
                    .map_err(|_| TlsError("the key is not PEM".into()))?;
                builder.with_client_auth_cert(certificates_in(chain)?, key).map_err(said)?
            }
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// Trusts these authorities; fails if there are none.
pub(crate) fn connector(roots: RootCertStore) -> Result<TlsConnector, TlsError> {
    Trust::default().connector_with(roots)
}

/// The authorities that this machine trusts.
pub(crate) fn roots_of_this_machine() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // Authorities that cannot be parsed are skipped, as other programs do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Those of a PEM file.
pub(crate) fn roots_in(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_in(pem)? {
        roots.add(certificate).map_err(|error| TlsError(error.to_string()))?;
    }
    Ok(roots)
}

fn certificates_in(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| TlsError("it contains no certificate in PEM format".into()))
}
