//! TLS to servers that Mantlet connects to.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_rustls::TlsConnector;

use super::TlsError;

/// Trusts these authorities; fails if there are none.
pub(crate) fn connector(roots: RootCertStore) -> Result<TlsConnector, TlsError> {
    if roots.is_empty() {
        return Err(TlsError(
            "this machine has no trusted certificate authorities (is `ca-certificates` installed?)".into(),
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The authorities that this machine trusts.
pub(crate) fn roots_of_this_machine() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // Authorities that cannot be parsed are skipped, as other programs do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Those of a PEM file.
pub(crate) fn roots_of(pem: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).filter_map(Result::ok));
    roots
}
