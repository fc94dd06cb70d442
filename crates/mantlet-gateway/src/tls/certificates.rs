use std::{collections::HashMap, path::Path, sync::Arc};

use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use webpki::EndEntityCert;

use super::{CertificateFiles, TlsError};

/// Certificates by the names they are for.
#[derive(Debug)]
pub(super) struct Certificates {
    /// In lower case.
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows the `*` of `*.example.com`, which stands for one label.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
}

impl Certificates {
    pub(super) fn read(files: &[CertificateFiles]) -> Result<Self, TlsError> {
        let (mut exact, mut wildcard, mut default) = (HashMap::new(), HashMap::new(), None);
        for files in files {
            let (key, names) = read_one(files)?;
            for name in names {
                match name.strip_prefix('*') {
                    Some(suffix) => wildcard.insert(suffix.to_owned(), Arc::clone(&key)),
                    None => exact.insert(name, Arc::clone(&key)),
                };
            }
            default.get_or_insert(key);
        }
        let default = default.ok_or_else(|| TlsError("no certificate is configured".to_owned()))?;
        Ok(Self { exact, wildcard, default })
    }

    pub(super) fn names(&self) -> Vec<String> {
        let wildcards = self.wildcard.keys().map(|suffix| format!("*{suffix}"));
        self.exact.keys().cloned().chain(wildcards).collect()
    }

    fn find(&self, name: &str) -> &Arc<CertifiedKey> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let wildcard = || self.wildcard.get(name.get(name.find('.')?..)?);
        self.exact.get(&name).or_else(wildcard).unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let key = hello.server_name().map_or(&self.default, |name| self.find(name));
        Some(Arc::clone(key))
    }
}

/// A chain with its key, and the names that its first certificate is for.
fn read_one(files: &CertificateFiles) -> Result<(Arc<CertifiedKey>, Vec<String>), TlsError> {
    let (file, key_file) = (files.certificate.display(), files.key.display());
    let chain = read_chain(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError(format!("the key `{key_file}` cannot be read: {}", reason(&error))))?;
    let own = chain.first().ok_or_else(|| TlsError(format!("`{file}` holds no certificate")))?;
    let names = EndEntityCert::try_from(own)
        .map_err(|error| TlsError(format!("`{file}` holds a certificate that cannot be used: {error:?}")))?
        .valid_dns_names()
        .map(str::to_ascii_lowercase)
        .collect();
    let certified =
        CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError(format!("the key `{key_file}` does not belong to the certificate `{file}`"))
            }
            other => TlsError(format!("the key `{key_file}` cannot be used: {other}")),
        })?;
    Ok((Arc::new(certified), names))
}

pub(super) fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let name = file.display();
    let unreadable = |error| TlsError(format!("the certificate `{name}` cannot be read: {}", reason(&error)));
    let chain = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError(format!("`{name}` holds no certificate in PEM form")));
    }
    Ok(chain)
}

fn reason(error: &rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "it holds none in PEM form".to_owned(),
        _ => "it is not PEM".to_owned(),
    }
}
