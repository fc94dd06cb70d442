//! The identity in a client's certificate.

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use http::HeaderValue;
use mantlet_controls::ClientCertificate;
use rustls::pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

/// A client's certificate that is not valid any more: TLS does not verify it again when a session
/// is resumed.
#[derive(Debug)]
pub(crate) struct Expired;

/// Reads the certificate that the handshake has verified, now or when the session began.
pub(crate) fn read(chain: Option<&[CertificateDer<'_>]>) -> Result<Option<ClientCertificate>, Expired> {
    let Some(own) = chain.and_then(<[_]>::first) else { return Ok(None) };
    // A certificate that cannot be read is treated as expired.
    let (_, certificate) = X509Certificate::from_der(own).map_err(|_| Expired)?;
    if !certificate.validity().is_valid() {
        return Err(Expired);
    }
    let name = name(&certificate).unwrap_or_else(|| format!("serial {}", certificate.raw_serial_as_string()));
    Ok(Some(ClientCertificate { name, header: header(own).ok_or(Expired)? }))
}

/// The most specific name: a URI (SPIFFE, RFC 9525), an e-mail address or a host of the alternative
/// names, else the common name, else the whole subject.
fn name(certificate: &X509Certificate<'_>) -> Option<String> {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.map(|extension| &extension.value.general_names[..]).unwrap_or_default();
    let first = |pick: fn(&GeneralName<'_>) -> Option<String>| alternatives.iter().find_map(pick);
    let uri = |name: &GeneralName<'_>| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    };
    let mail = |name: &GeneralName<'_>| match name {
        GeneralName::RFC822Name(address) => Some((*address).to_owned()),
        _ => None,
    };
    let host = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(host) => Some((*host).to_owned()),
        _ => None,
    };
    let common = || certificate.subject().iter_common_name().next()?.as_str().ok().map(str::to_owned);
    let subject = || Some(certificate.subject().to_string());
    first(uri)
        .or_else(|| first(mail))
        .or_else(|| first(host))
        .or_else(common)
        .or_else(subject)
        .filter(|name| !name.is_empty())
}

/// RFC 9440 section 2.1: the certificate as a byte sequence of structured fields.
fn header(certificate: &CertificateDer<'_>) -> Option<HeaderValue> {
    HeaderValue::try_from(format!(":{}:", BASE64.encode(certificate))).ok()
}
