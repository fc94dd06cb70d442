//! How a message leaves: to a mail server, or into a folder.
//!
//! A server has to show a certificate that is good for its name, and what is said before that is not secret. A server on this
//! machine may speak in plain text.

use std::{fmt, fs, io::Write, path::PathBuf, time::Duration};

use lettre::{
    Address,
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailParameter},
    },
};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use url::{Host, Url};

use crate::{
    fault::{Failure, Unusable},
    site::Site,
};

/// How long one answer of a server may take.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a mail may take in all. Shorter than the lease of a mail.
const WHOLE: Duration = Duration::from_secs(90);

/// Where messages go.
#[derive(Debug)]
pub struct Transport(To);

enum To {
    Server(Server),
    Folder(PathBuf),
}

struct Server {
    host: String,
    port: u16,
    /// Encrypted from the first byte, and not by STARTTLS.
    is_implicit: bool,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    hello: ClientId,
}

impl fmt::Debug for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(server) => write!(f, "{}:{}", server.host, server.port),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

impl Transport {
    /// `smtps://USER:PASSWORD@HOST:465`, `smtp://HOST:587` (with STARTTLS, unless the host is this machine), or `file:FOLDER`.
    ///
    /// `authority` has the only authorities that a server may have its certificate from, PEM; none: those that this machine
    /// trusts. With it a server on this machine has to encrypt, too. Nothing is connected to yet.
    pub fn open(text: &str, authority: Option<&[u8]>, site: &Site) -> Result<Self, Unusable> {
        if let Some(folder) = text.strip_prefix("file:") {
            let folder = PathBuf::from(folder);
            fs::create_dir_all(&folder).map_err(|error| {
                Unusable(format!("the folder `{}` for mails cannot be made: {error}", folder.display()))
            })?;
            return Ok(Self(To::Folder(folder)));
        }
        Server::read(text, authority, site).map(To::Server).map(Self)
    }

    /// Hands a message over.
    pub(crate) async fn hand_over(
        &self,
        id: &str,
        envelope: &Envelope,
        message: Vec<u8>,
    ) -> Result<(), Failure> {
        match &self.0 {
            To::Server(server) => {
                let late =
                    |_| Failure::ForNow(format!("`{}` took longer than {} s", server.host, WHOLE.as_secs()));
                timeout(WHOLE, server.send(envelope, &message)).await.map_err(late)?
            }
            To::Folder(folder) => {
                let (folder, path) = (folder.clone(), folder.join(format!("{id}.eml")));
                let said = format!("`{}` cannot be written", path.display());
                let write = move || {
                    // A temporary file is for its owner alone, and so is what it becomes.
                    let mut file = tempfile::NamedTempFile::new_in(folder)?;
                    file.write_all(&message)?;
                    file.as_file().sync_all()?;
                    file.persist(path).map_err(std::io::Error::from)
                };
                match tokio::task::spawn_blocking(write).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(Failure::ForNow(format!("{said}: {error}"))),
                    Err(error) => Err(Failure::ForNow(format!("{said}: {error}"))),
                }
            }
        }
    }
}

impl Server {
    fn read(text: &str, authority: Option<&[u8]>, site: &Site) -> Result<Self, Unusable> {
        // The text has a password, so no message repeats it.
        let wrong = || {
            Unusable(
                "where mail goes is to be written as `smtps://USER:PASSWORD@HOST:465`, `smtp://HOST:587` or \
                 `file:FOLDER`; in USER and PASSWORD, `@`, `:`, `/` and `%` are written as `%40`, `%3A`, `%2F` and `%25`"
                    .to_owned(),
            )
        };
        let url = Url::parse(text).map_err(|_| wrong())?;
        let is_implicit = match url.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(wrong()),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong());
        }
        let (host, is_local) = match url.host().ok_or_else(wrong)? {
            Host::Domain(name) => match name.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
                Ok(address) => (address.to_string(), address.is_loopback()),
                Err(_) => (name.to_owned(), name == "localhost"),
            },
            Host::Ipv4(address) => (address.to_string(), address.is_loopback()),
            Host::Ipv6(address) => (address.to_string(), address.is_loopback()),
        };
        let port = url.port().unwrap_or(if is_implicit { 465 } else { 587 });
        let plain = |part: &str| percent_decode_str(part).decode_utf8().map(Into::into).map_err(|_| wrong());
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => {
                Some(Credentials::new(plain(user)?, plain(password)?))
            }
            _ => return Err(wrong()),
        };
        let tls =
            (is_implicit || !is_local || authority.is_some()).then(|| tls(&host, authority)).transpose()?;
        let hello = ClientId::Domain(site.host().to_owned());
        Ok(Self { host, port, is_implicit, tls, credentials, hello })
    }

    async fn send(&self, envelope: &Envelope, message: &[u8]) -> Result<(), Failure> {
        let Some(to) = envelope.to().first() else {
            return Err(Failure::ForGood("the mail has no address".to_owned()));
        };
        let mut connection = self.connect().await.map_err(|error| self.said("connecting", &error))?;
        let sent = self.talk(&mut connection, (envelope.from(), to), message).await;
        // Whether it was taken is known by now; how the server parts does not matter.
        connection.abort().await;
        sent
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let at_once = self.tls.clone().filter(|_| self.is_implicit);
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(ANSWER), &self.hello, at_once, None).await?;
        if let Some(tls) = self.tls.clone().filter(|_| !self.is_implicit) {
            connection.starttls(tls, &self.hello).await?;
        }
        Ok(connection)
    }

    /// Step by step, and not by the library's `send`: a server that refuses the recipient for good (5xx) will always do so,
    /// while one that refuses our login or our address does so until an operator has set it right.
    async fn talk(
        &self,
        connection: &mut AsyncSmtpConnection,
        (from, to): (Option<&Address>, &Address),
        message: &[u8],
    ) -> Result<(), Failure> {
        if let Some(credentials) = &self.credentials {
            let login = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            login.map_err(|error| self.said("logging in", &error))?;
        }
        let mut parameters = Vec::new();
        if !is_ascii(to) || from.is_some_and(|from| !is_ascii(from)) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Failure::ForGood(format!(
                    "`{}` takes no addresses that are not ASCII (SMTPUTF8)",
                    self.host
                )));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let answer = connection.command(Mail::new(from.cloned(), parameters)).await;
        answer.map_err(|error| self.said("naming the sender", &error))?;
        let answer = connection.command(Rcpt::new(to.clone(), Vec::new())).await;
        answer.map_err(|error| match self.said("naming the recipient", &error) {
            Failure::ForNow(said) if error.is_permanent() => Failure::ForGood(said),
            other => other,
        })?;
        let answer = connection.command(Data).await;
        answer.map_err(|error| self.said("handing the mail over", &error))?;
        let answer = connection.message(message).await;
        answer.map_err(|error| self.said("handing the mail over", &error))?;
        Ok(())
    }

    fn said(&self, step: &str, error: &Error) -> Failure {
        let mut said = format!("{step} at `{}:{}`: {error}", self.host, self.port);
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            let more = error.to_string();
            if !said.contains(&more) {
                said = format!("{said}: {more}");
            }
            source = error.source();
        }
        Failure::ForNow(said)
    }
}

fn tls(host: &str, authority: Option<&[u8]>) -> Result<TlsParameters, Unusable> {
    let unusable =
        |error: Error| Unusable(format!("TLS to the mail server `{host}` cannot be set up: {error}"));
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(pem) = authority {
        if !pem.windows(27).any(|part| part == b"-----BEGIN CERTIFICATE-----") {
            return Err(Unusable(
                "the authority of the mail server has no certificate in PEM format".to_owned(),
            ));
        }
        let authority = Certificate::from_pem(pem).map_err(unusable)?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authority);
    }
    builder.build_rustls().map_err(unusable)
}

fn is_ascii(address: &Address) -> bool {
    address.user().is_ascii() && address.domain().is_ascii()
}
