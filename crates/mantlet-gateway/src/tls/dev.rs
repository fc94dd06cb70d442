//! Certificates for development: a local authority, created once, and its certificate for this
//! machine.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::CertificateFiles;
use crate::guarded::{self, Kind};

/// Names by which a developer calls this machine.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// A certificate older than this is replaced. Those of rcgen are valid far longer, but browsers
/// accept 398 days at most.
const RENEW_AFTER: Duration = Duration::from_hours(300 * 24);

/// The files that `--tls-dev` created or found.
#[derive(Debug)]
pub struct DevCertificate {
    /// The certificate and its key.
    pub files: CertificateFiles,
    /// The authority's certificate, which a browser must trust.
    pub authority: PathBuf,
    /// The authority is new, so no browser trusts it yet.
    pub is_new: bool,
}

/// Creates the files that are missing in the folder or too old.
pub fn prepare(folder: &Path) -> io::Result<DevCertificate> {
    fs::create_dir_all(folder)?;
    let file = |name: &str| folder.join(name);
    let (authority, authority_key) = (file("ca.pem"), file("ca-key.pem"));
    let files = CertificateFiles { certificate: file("localhost.pem"), key: file("localhost-key.pem") };

    let is_new = !(authority.exists() && authority_key.exists());
    let key = if is_new {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = authority_params().self_signed(&key).map_err(io::Error::other)?;
        guarded::replace(&authority_key, key.serialize_pem().as_bytes())?;
        write_public(&authority, &certificate.pem())?;
        key
    } else {
        let text = guarded::read(&authority_key, Kind::Secret)?;
        KeyPair::from_pem(&String::from_utf8_lossy(&text)).map_err(io::Error::other)?
    };
    if is_new || !is_fresh(&files.certificate) || !files.key.exists() {
        let own = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = Issuer::new(authority_params(), key);
        let certificate =
            own_params().and_then(|params| params.signed_by(&own, &issuer)).map_err(io::Error::other)?;
        guarded::replace(&files.key, own.serialize_pem().as_bytes())?;
        write_public(&files.certificate, &certificate.pem())?;
    }
    // TLS must get the file that was checked.
    guarded::read(&files.key, Kind::Secret)?;
    Ok(DevCertificate { files, authority, is_new })
}

/// The same every time, because an issuer is identified by its name and its key.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, "Mantlet development authority of this machine");
    params
}

fn own_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, "localhost");
    // Chromium and Safari refuse certificates that are valid for longer.
    let now = std::time::SystemTime::now();
    params.not_before = (now - Duration::from_hours(24)).into();
    params.not_after = (now + Duration::from_hours(397 * 24)).into();
    Ok(params)
}

fn is_fresh(file: &Path) -> bool {
    let age =
        fs::metadata(file).and_then(|meta| meta.modified()).map(|made| made.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age < RENEW_AFTER)
}

/// Writes a file that every user may read.
fn write_public(file: &Path, text: &str) -> io::Result<()> {
    guarded::replace(file, text.as_bytes())?.set_permissions(fs::Permissions::from_mode(0o644))
}
