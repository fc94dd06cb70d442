//! State that outlives a run: the account, the certificate, and failed attempts.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use instant_acme::AccountCredentials;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tempfile::NamedTempFile;
use x509_parser::{prelude::FromDer, time::ASN1Time};

use crate::{
    guarded::{self, Kind},
    tell,
    tls::{CertificateFiles, certificates::Certificate},
};

/// Longer than any pause.
const LONGEST_PAUSE: Duration = Duration::from_hours(10 * 24);

/// The folder of one ACME server. Only their owner can read the files, and each is replaced as a
/// whole.
#[derive(Debug)]
pub(super) struct Folder<'a>(pub(super) &'a Path);

/// The account at the server.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredAccount {
    pub(super) contact: Vec<String>,
    pub(super) credentials: AccountCredentials,
}

/// Attempts that failed, one after the other.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Failures {
    pub(super) count: u32,
    /// Whether the server refused; if not, it could not be reached.
    pub(super) refused: bool,
    /// The time before which no request is sent, in seconds since 1970.
    not_before: u64,
    /// The same, as the server demanded it.
    demanded: u64,
}

/// A certificate that was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) certificate: Certificate,
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
    /// When it was fetched.
    pub(super) obtained: SystemTime,
}

impl Folder<'_> {
    pub(super) fn account(&self) -> Option<StoredAccount> {
        self.read("account.json")
    }

    pub(super) fn keep_account(&self, account: &StoredAccount) -> io::Result<()> {
        self.write("account.json", &serde_json::to_vec_pretty(account)?)
    }

    /// The content of the file. A wait that is longer than possible is ignored: a clock was wrong.
    pub(super) fn failures(&self) -> Failures {
        let latest = seconds(SystemTime::now() + LONGEST_PAUSE);
        let failures: Option<Failures> = self.read("failures.json");
        failures.filter(|failures| failures.not_before.max(failures.demanded) <= latest).unwrap_or_default()
    }

    pub(super) fn keep_failures(&self, failures: Failures) -> io::Result<()> {
        self.write("failures.json", &serde_json::to_vec_pretty(&failures)?)
    }

    pub(super) fn forget_failures(&self) {
        // If it is not removed, it is overwritten the next time.
        let _ = fs::remove_file(self.0.join("failures.json"));
    }

    /// The certificate, if there is one that can be used.
    pub(super) fn certificate(&self) -> Option<Fetched> {
        let file = self.0.join("certificate.pem");
        self.read_secret("certificate.pem")?;
        let obtained = fs::metadata(&file).and_then(|meta| meta.modified()).ok()?;
        // A file from the future was written by a clock that was wrong.
        Fetched::read(file, obtained.min(SystemTime::now()))
    }

    /// Keeps a chain with its key if they are usable; otherwise the old file stays. Both are in one
    /// file, so that they always match.
    pub(super) fn keep_certificate<E>(
        &self,
        chain: &str,
        key: &str,
        judge: impl FnOnce(Option<Fetched>) -> Result<Fetched, E>,
    ) -> io::Result<Result<Fetched, E>> {
        let file = self.new_file(format!("{key}{chain}").as_bytes())?;
        let judged = judge(Fetched::read(file.path().to_owned(), SystemTime::now()));
        if judged.is_ok() {
            self.put(file, "certificate.pem")?;
        }
        Ok(judged)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&self.read_secret(name)?).ok()
    }

    /// None also if other users may have changed the file. That is reported, and a new one is
    /// fetched in its place.
    fn read_secret(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.0.join(name);
        let read = guarded::read(&path, Kind::Secret);
        if let Err(error) = &read
            && error.kind() == io::ErrorKind::PermissionDenied
        {
            let why = error.to_string().replace('\n', "\n  ");
            tell(&format!("error: `{}` is not used: {why}", path.display()));
        }
        read.ok()
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.put(self.new_file(content)?, name)
    }

    /// Made with mode 0600.
    fn new_file(&self, content: &[u8]) -> io::Result<NamedTempFile> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.0)?;
        let mut file = NamedTempFile::new_in(self.0)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    fn put(&self, file: NamedTempFile, name: &str) -> io::Result<()> {
        file.persist(self.0.join(name)).map_err(|error| error.error)?;
        fs::File::open(self.0)?.sync_all()
    }
}

impl Failures {
    /// Notes another failure of this kind, and when the next attempt may be.
    pub(super) fn and_another(self, refused: bool) -> Self {
        let count = if self.refused == refused { self.count } else { 0 };
        Self { count: count.saturating_add(1), refused, not_before: 0, demanded: 0 }
    }

    pub(super) fn then_wait(self, pause: Duration, demanded: Option<Duration>) -> Self {
        let at = |pause: Duration| seconds(SystemTime::now() + pause);
        Self { not_before: at(pause), demanded: demanded.map_or(0, at), ..self }
    }

    /// When the next attempt may be; if the operator is in a hurry, as soon as the server allows
    /// it.
    pub(super) fn not_before(self, hurry: bool) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(if hurry { self.demanded } else { self.not_before })
    }
}

impl Fetched {
    fn read(file: PathBuf, obtained: SystemTime) -> Option<Self> {
        let files = CertificateFiles { certificate: file.clone(), key: file };
        let certificate = Certificate::read(&files).ok()?;
        let own = certificate.key.cert.first()?;
        let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(own).ok()?;
        let validity = parsed.validity();
        let (not_before, not_after) = (system_time(validity.not_before)?, system_time(validity.not_after)?);
        Some(Self { certificate, not_before, not_after, obtained })
    }

    /// Whether it is for all of these.
    pub(super) fn covers(&self, domains: &[String]) -> bool {
        domains.iter().all(|domain| self.certificate.names.contains(domain))
    }

    pub(super) fn own(&self) -> Option<&CertificateDer<'static>> {
        self.certificate.key.cert.first()
    }
}

/// Since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn system_time(time: ASN1Time) -> Option<SystemTime> {
    Some(UNIX_EPOCH + Duration::from_secs(time.timestamp().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn failures_are_counted_by_kind_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acme/server");
        let kept = Folder(&path);
        assert_eq!(kept.failures().count, 0);
        let pause = Duration::from_mins(5);
        let failures = Failures::default().and_another(false).and_another(true).and_another(true);
        assert_eq!((failures.count, failures.refused), (2, true));
        kept.keep_failures(failures.then_wait(pause, None)).unwrap();
        let read = kept.failures();
        assert_eq!((read.count, read.refused), (2, true));
        let ahead = |hurry| read.not_before(hurry).duration_since(SystemTime::now()).unwrap_or_default();
        assert!(ahead(false) > pause / 2 && ahead(true).is_zero(), "{read:?}");
        for (path, mode) in [(path.clone(), 0o700), (path.join("failures.json"), 0o600)] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
        let demanded = failures.then_wait(pause, Some(pause)).not_before(true);
        assert!(demanded > SystemTime::now(), "a server's demand holds for those in a hurry too");
        kept.forget_failures();
        assert_eq!(kept.failures().count, 0);
    }

    #[test]
    fn broken_files_and_those_of_a_wrong_clock_are_as_if_there_were_none() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Folder(folder.path());
        for text in
            ["", "{", "[]", r#"{"count":3,"not-before":18446744073709551615}"#, r#"{"demanded":99999999999}"#]
        {
            fs::write(folder.path().join("failures.json"), text).unwrap();
            let failures = kept.failures();
            assert!(
                failures.count == 0 && failures.not_before(false) == UNIX_EPOCH,
                "{text:?}: {failures:?}"
            );
        }
        for text in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            fs::write(folder.path().join("certificate.pem"), text).unwrap();
            fs::write(folder.path().join("account.json"), text).unwrap();
            assert!(kept.certificate().is_none() && kept.account().is_none(), "{text:?}");
        }
    }
}
