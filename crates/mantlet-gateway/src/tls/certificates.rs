use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use webpki::EndEntityCert;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::{CertificateFiles, TlsError};

/// Certificates, found by the names that they are valid for.
#[derive(Debug)]
pub(super) struct Certificates {
    /// In lower case.
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows the `*` of `*.example.com`, which stands for one label.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    /// For clients that name no host, or a host without a certificate. None only until the first
    /// certificate has been fetched.
    default: Option<Arc<CertifiedKey>>,
    /// Names whose certificate has not been fetched yet. Another certificate would not be valid for
    /// them.
    awaited: HashSet<String>,
    from_files: Vec<Certificate>,
    /// Names whose certificate is fetched.
    domains: Vec<String>,
}

/// A certificate with its key, and its names in lower case.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) names: Vec<String>,
}

impl Certificates {
    /// The certificates from files, and one that was or will be fetched for these domains.
    pub(super) fn new(
        from_files: Vec<Certificate>,
        fetched: Option<&Certificate>,
        domains: Vec<String>,
    ) -> Self {
        let (mut exact, mut wildcard) = (HashMap::new(), HashMap::new());
        let default = from_files.first().or(fetched).map(|first| Arc::clone(&first.key));
        // Files last: if both have a name, the file is the operator's choice.
        for Certificate { key, names } in fetched.into_iter().chain(&from_files) {
            for name in names {
                match name.strip_prefix('*') {
                    Some(suffix) => wildcard.insert(suffix.to_owned(), Arc::clone(key)),
                    None => exact.insert(name.clone(), Arc::clone(key)),
                };
            }
        }
        let mut all =
            Self { exact, wildcard, default, awaited: HashSet::new(), from_files, domains: Vec::new() };
        all.awaited = domains.iter().filter(|name| all.find_own(name).is_none()).cloned().collect();
        all.domains = domains;
        all
    }

    /// The same certificates, with the fetched one replaced.
    pub(super) fn with_fetched(&self, fetched: &Certificate) -> Self {
        Self::new(self.from_files.clone(), Some(fetched), self.domains.clone())
    }

    pub(super) fn names(&self) -> Vec<String> {
        let wildcards = self.wildcard.keys().map(|suffix| format!("*{suffix}"));
        self.exact.keys().cloned().chain(wildcards).chain(self.awaited.iter().cloned()).collect()
    }

    /// When the first of them expires, in seconds since 1970.
    pub(super) fn expiry(&self) -> Option<i64> {
        let in_use = self.exact.values().chain(self.wildcard.values()).chain(&self.default);
        let ends = in_use.filter_map(|key| {
            let (_, own) = X509Certificate::from_der(key.cert.first()?).ok()?;
            Some(own.validity().not_after.timestamp())
        });
        ends.min()
    }

    /// Whether the certificate of some name is missing.
    pub(super) fn is_incomplete(&self) -> bool {
        self.default.is_none() || !self.awaited.is_empty()
    }

    /// The certificate for a client that asks for this name.
    pub(super) fn find(&self, name: Option<&str>) -> Option<&Arc<CertifiedKey>> {
        let Some(name) = name else { return self.default.as_ref() };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match self.find_own(&name) {
            None if self.awaited.contains(&name) => None,
            own => own.or(self.default.as_ref()),
        }
    }

    /// The certificate that is valid for a name, which is in lower case.
    fn find_own(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        self.exact.get(name).or_else(|| self.wildcard.get(name.get(name.find('.')?..)?))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name()).map(Arc::clone)
    }
}

impl Certificate {
    /// A chain with its key, and the names in its first certificate.
    pub(super) fn read(files: &CertificateFiles) -> Result<Self, TlsError> {
        let (file, key_file) = (files.certificate.display(), files.key.display());
        let chain = read_chain(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| TlsError(format!("the key `{key_file}` cannot be read: {}", reason(&error))))?;
        let own = chain.first().ok_or_else(|| TlsError(format!("`{file}` contains no certificate")))?;
        let names = EndEntityCert::try_from(own)
            .map_err(|error| {
                TlsError(format!("`{file}` contains a certificate that cannot be used: {error:?}"))
            })?
            .valid_dns_names()
            .map(str::to_ascii_lowercase)
            .collect();
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(
            |error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    TlsError(format!("the key `{key_file}` does not belong to the certificate `{file}`"))
                }
                other => TlsError(format!("the key `{key_file}` cannot be used: {other}")),
            },
        )?;
        Ok(Self { key: Arc::new(certified), names })
    }
}

pub(super) fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let name = file.display();
    let unreadable = |error| TlsError(format!("the certificate `{name}` cannot be read: {}", reason(&error)));
    let chain = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError(format!("`{name}` contains no certificate in PEM format")));
    }
    Ok(chain)
}

fn reason(error: &rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "it contains no key in PEM format".to_owned(),
        _ => "it is not PEM".to_owned(),
    }
}
