//! `[tls]`: which certificates, and whether clients show theirs.

mod acme;

use std::path::Path;

use mantlet_controls::config::{Mistake, units::Span};
use mantlet_gateway::tls::{CertificateFiles, ClientCertificates, LoadedTls, TlsConfig, dev};
use serde::{Deserialize, Serialize};

use crate::{say::say, state};

/// The `[tls]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Makes a local authority and a certificate for localhost in the state folder. Default no.
    pub(crate) dev: bool,
    /// Certificate chain (PEM), the server's own first. Default empty: no TLS.
    pub(crate) certificate: String,
    /// Its private key (PEM). Default empty.
    pub(crate) key: String,
    /// Further certificates, chosen by the name that the client asks for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) more: Vec<Pair>,
    /// Authorities (PEM) whose client certificates are accepted (mTLS). Default empty: none are
    /// asked for.
    pub(crate) client_authorities: String,
    /// Whether a client must show a certificate. Default no.
    pub(crate) client_required: bool,
    /// Time that a handshake may take. Default 10 s (nginx 60 s).
    pub(crate) handshake_timeout: Span,
    /// A further certificate, fetched and renewed.
    pub(crate) acme: acme::Config,
}

/// A member of `tls.more`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dev: false,
            certificate: String::new(),
            key: String::new(),
            more: Vec::new(),
            client_authorities: String::new(),
            client_required: false,
            handshake_timeout: Span::secs(10),
            acme: acme::Config::default(),
        }
    }
}

impl Config {
    /// Reads and checks the files; `None` without TLS.
    pub(crate) fn read(&self, state_folder: &Path, http2: bool) -> Result<Option<LoadedTls>, Vec<Mistake>> {
        let acme = self.acme.check(state_folder)?;
        let mut certificates = self.pairs().map_err(|mistake| vec![mistake])?;
        if self.dev {
            // What goes wrong here goes wrong, and is said, where the certificate is made.
            let _ = state::prepare(state_folder);
            let made = dev_certificate(&state_folder.join("tls-dev")).map_err(|mistake| vec![mistake])?;
            certificates.push(made);
        }
        if certificates.is_empty() && acme.is_none() {
            return Ok(None);
        }
        let clients =
            if self.client_required { ClientCertificates::Required } else { ClientCertificates::Optional };
        let authorities = self.client_authorities.as_str();
        let config = TlsConfig {
            certificates,
            acme,
            client_authorities: (!authorities.is_empty()).then(|| (authorities.into(), clients)),
            handshake_timeout: self.handshake_timeout.0,
            http2,
        };
        LoadedTls::read(config).map(Some).map_err(|error| vec![Mistake::new("tls", error.to_string())])
    }

    fn pairs(&self) -> Result<Vec<CertificateFiles>, Mistake> {
        let own = ("tls".to_owned(), self.certificate.as_str(), self.key.as_str());
        let more = self.more.iter().enumerate();
        let more = more.map(|(index, pair)| {
            (format!("tls.more[{index}]"), pair.certificate.as_str(), pair.key.as_str())
        });
        let mut pairs = Vec::new();
        for (section, certificate, key) in std::iter::once(own).chain(more) {
            match (certificate, key) {
                ("", "") => {}
                ("", _) => {
                    return Err(Mistake::new(
                        format!("{section}.certificate"),
                        "there is a key without a certificate",
                    ));
                }
                (_, "") => {
                    return Err(Mistake::new(
                        format!("{section}.key"),
                        "there is a certificate without a key",
                    ));
                }
                (certificate, key) => {
                    pairs.push(CertificateFiles { certificate: certificate.into(), key: key.into() });
                }
            }
        }
        Ok(pairs)
    }
}

fn dev_certificate(folder: &Path) -> Result<CertificateFiles, Mistake> {
    let made = dev::prepare(folder).map_err(|error| {
        Mistake::new("tls.dev", format!("cannot create a certificate in `{}`: {error}", folder.display()))
    })?;
    if made.is_new {
        say(format!(
            "created a certificate authority for this machine; browsers warn until they trust it\n\
             curl:     curl --cacert {0} https://localhost:8000\n\
             Debian:   sudo cp {0} /usr/local/share/ca-certificates/mantlet-dev.crt && sudo update-ca-certificates\n\
             browsers: import it under Settings, Certificates, Authorities",
            made.authority.display()
        ));
    }
    Ok(made.files)
}
