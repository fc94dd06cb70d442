//! Where the pages are that mails lead to.

use mantlet_accounts::{Secret, outbox::Kind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::fault::Unusable;

/// What a query may hold as it is (RFC 3986, unreserved).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The app, and where its sign-in pages are.
#[derive(Debug, Clone)]
pub struct Site {
    app: String,
    base: String,
    host: String,
}

impl Site {
    /// `app` is its name, `url` the public URL without a path, `path` where the pages are, as in `/auth`.
    pub fn new(app: &str, url: &str, path: &str) -> Result<Self, Unusable> {
        let wrong = || {
            Unusable(format!(
                "`{url}` is not the URL of a site: write it without a path, as in `https://orchard.example`"
            ))
        };
        let read = Url::parse(url).map_err(|_| wrong())?;
        let host = read.host_str().ok_or_else(wrong)?.to_owned();
        if !matches!(read.scheme(), "http" | "https") || read.path() != "/" || read.query().is_some() {
            return Err(wrong());
        }
        if !(path.is_empty() || path.starts_with('/')) {
            return Err(Unusable(format!(
                "the path `{path}` of the pages has to start with `/`, as in `/auth`"
            )));
        }
        let (start, path) = (read.as_str().trim_end_matches('/'), path.trim_end_matches('/'));
        let base = format!("{start}{path}");
        Ok(Self { app: app.to_owned(), base, host })
    }

    /// The name of the app.
    pub(crate) fn app(&self) -> &str {
        &self.app
    }

    /// The host of the site.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Where a mail leads: to the page that takes its token, or to where an account is made safe again.
    ///
    /// A mail to an address without an account has a token, too, so that writing it costs the same. No page takes it.
    pub(crate) fn link(&self, kind: Kind, token: Option<&Secret<String>>) -> String {
        let (page, takes_token) = match kind {
            Kind::Verify => ("verify", true),
            Kind::Reset | Kind::RegisteredAlready => ("reset", true),
            Kind::ConfirmAddress => ("confirm-address", true),
            Kind::AddressChanged => ("undo-address", true),
            Kind::AddressTaken | Kind::ResetUnknown | Kind::SecondFactorOn | Kind::RecoveryCodeUsed => {
                ("login", false)
            }
            Kind::PasswordChanged
            | Kind::AddressChangeAsked
            | Kind::AddressRestored
            | Kind::RefreshReused
            | Kind::SecondFactorOff
            | Kind::Closed => ("forgot", false),
        };
        let link = format!("{}/{page}", self.base);
        match token.filter(|_| takes_token) {
            Some(token) => format!("{link}?token={}", utf8_percent_encode(token.expose(), QUERY)),
            None => link,
        }
    }
}
