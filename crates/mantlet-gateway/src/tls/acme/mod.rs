//! Certificates fetched by ACME (RFC 8555): requested if missing, renewed in time, kept in the
//! state folder.
//!
//! All of this runs in the operating task, never on the threads of the gate. The threads only
//! answer the challenges under way, and use the certificate once it is swapped in.

pub(crate) mod challenge;
mod client;
mod order;
mod schedule;
mod state;
mod trouble;

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use instant_acme::CertificateIdentifier;
use tokio::sync::watch;

pub use self::trouble::Trouble;
use self::{
    client::Client,
    schedule::{moment, pause, renewal},
    state::{Failures, Fetched, Folder},
};
use super::{Tls, TlsError, certificates::Certificate};

/// The longest sleep, so that a suspended machine or a changed clock is noticed soon.
const NAP: Duration = Duration::from_hours(1);
/// When to ask the server again for its suggestion, if that failed or the server does not say (RFC
/// 9773 section 4.3.3).
const ASK_AGAIN: Duration = Duration::from_hours(6);

/// What to fetch, and from which server. The operator has accepted its terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The names of the certificate, in lower case.
    pub domains: Vec<String>,
    /// Addresses where the server may write to the operator, as `mailto:`.
    pub contact: Vec<String>,
    /// The address of the server's directory.
    pub directory: String,
    /// The authority (PEM) of the server's own certificate; if none, those that this machine
    /// trusts.
    pub authority: Option<PathBuf>,
    /// How the server validates that the names are ours.
    pub challenge: Challenge,
    /// Where the account and the certificate are kept.
    pub folder: PathBuf,
}

/// How a server validates a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// By a TLS handshake on port 443 (RFC 8737).
    TlsAlpn01,
    /// By a request on port 80 (RFC 8555 section 8.3).
    Http01,
}

/// An event that the operator is told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// There is a certificate already.
    Found {
        /// When it expires.
        until: SystemTime,
        /// When it will be renewed, as it looks now.
        renewal: SystemTime,
    },
    /// The certificate is missing or lacks a name, so a new one is requested.
    Asking,
    /// It has been fetched and is in force.
    Obtained {
        /// When it expires.
        until: SystemTime,
    },
    /// It could not be fetched.
    Failed {
        /// Why.
        trouble: Trouble,
        /// Time until the next attempt.
        pause: Duration,
        /// When the present one expires, if there is one.
        until: Option<SystemTime>,
    },
    /// A new one is needed, but earlier attempts failed, so the next one has to wait.
    Postponed {
        /// How long.
        pause: Duration,
        /// When the present one expires, if there is one.
        until: Option<SystemTime>,
    },
}

impl Settings {
    /// Whether the file of the authority can be used.
    pub fn check_authority(&self) -> Result<(), TlsError> {
        self.authority.as_deref().map_or(Ok(()), |file| client::roots_of(file).map(drop))
    }

    /// The certificate that was fetched before, if it can be used.
    pub(super) fn fetched(&self) -> Option<Certificate> {
        Folder(&self.folder).certificate().map(|fetched| fetched.certificate)
    }

    /// The certificate that was fetched before, if it has all names.
    fn complete(&self) -> Option<Fetched> {
        Folder(&self.folder).certificate().filter(|fetched| fetched.covers(&self.domains))
    }
}

/// Keeps the certificate valid for as long as it is polled. New settings apply at once; the same
/// settings again cause an attempt at once.
pub(crate) async fn keep(tls: &Tls, mut settings: watch::Receiver<Option<Settings>>, tell: impl Fn(Event)) {
    loop {
        let current = settings.borrow_and_update().clone();
        match current {
            Some(current) => Keeper::new(tls, &current, &tell).keep(&mut settings).await,
            None if settings.changed().await.is_err() => return std::future::pending().await,
            None => {}
        }
    }
}

/// Waits for other settings; sets `again` if the same ones came meanwhile.
async fn others(changes: &mut watch::Receiver<Option<Settings>>, settings: &Settings, again: &mut bool) {
    loop {
        match changes.changed().await {
            Ok(()) if changes.borrow_and_update().as_ref() == Some(settings) => *again = true,
            Ok(()) => return,
            Err(_) => std::future::pending().await,
        }
    }
}

struct Keeper<'a, T> {
    tls: &'a Tls,
    settings: &'a Settings,
    tell: &'a T,
    /// The certificate in force, if it has all names.
    present: Option<Fetched>,
    suggestion: Option<Suggestion>,
    failures: Failures,
}

/// When the server suggests to renew, and when to ask it again.
struct Suggestion {
    at: Option<SystemTime>,
    again: SystemTime,
}

impl<'a, T: Fn(Event)> Keeper<'a, T> {
    fn new(tls: &'a Tls, settings: &'a Settings, tell: &'a T) -> Self {
        let failures = Folder(&settings.folder).failures();
        Self { tls, settings, tell, present: settings.complete(), suggestion: None, failures }
    }

    /// Runs until there are other settings.
    async fn keep(&mut self, changes: &mut watch::Receiver<Option<Settings>>) {
        let wanted = self.due().await;
        if let Some(until) = self.until() {
            (self.tell)(Event::Found { until, renewal: wanted.max(SystemTime::now()) });
        }
        // If failures of earlier runs make us wait, the operator is told.
        let mut is_news = wanted <= SystemTime::now();
        let mut hurry = false;
        loop {
            // INVARIANT: after an attempt, one of the two is in the future.
            let due = self.due().await.max(self.failures.not_before(hurry));
            let Ok(rest) = due.duration_since(SystemTime::now()) else {
                if is_news && self.present.is_none() {
                    (self.tell)(Event::Asking);
                }
                (is_news, hurry) = (false, false);
                let settings = self.settings;
                tokio::select! {
                    () = self.attempt() => {}
                    // An attempt under way is dropped: its certificate is not wanted any more.
                    () = others(changes, settings, &mut hurry) => return,
                }
                continue;
            };
            if is_news {
                (self.tell)(Event::Postponed { pause: rest, until: self.until() });
                is_news = false;
            }
            tokio::select! {
                changed = changes.changed() => match changed {
                    Ok(()) if changes.borrow_and_update().as_ref() != Some(self.settings) => return,
                    Ok(()) => {
                        // As the reload found it; and the operator is there to be told.
                        (hurry, self.present) = (true, self.settings.complete());
                        is_news = self.due().await <= SystemTime::now();
                    }
                    Err(_) => std::future::pending().await,
                },
                // A little longer than the rest, or the sleep would end too soon.
                () = tokio::time::sleep(rest.min(NAP) + Duration::from_millis(1)) => {}
            }
        }
    }

    /// When to fetch a certificate, if no attempt has failed.
    async fn due(&mut self) -> SystemTime {
        let now = SystemTime::now();
        let Some(present) = &self.present else { return now };
        if self.suggestion.as_ref().is_none_or(|known| known.again <= now) {
            self.suggestion = Some(self.suggestion(present).await);
        }
        renewal(present, self.suggestion.as_ref().and_then(|known| known.at))
    }

    /// When the present certificate ends.
    fn until(&self) -> Option<SystemTime> {
        self.present.as_ref().map(|present| present.not_after)
    }

    /// Fetches a certificate and puts it in force, or notes the failure.
    async fn attempt(&mut self) {
        let folder = Folder(&self.settings.folder);
        match self.fetch(self.present.as_ref()).await {
            Ok(fetched) => {
                folder.forget_failures();
                (self.tell)(Event::Obtained { until: fetched.not_after });
                (self.present, self.suggestion, self.failures) = (Some(fetched), None, Failures::default());
            }
            Err(trouble) => {
                let failures = self.failures.and_another(trouble.refused);
                let pause = pause(failures.count, failures.refused, trouble.retry_after);
                self.failures = failures.then_wait(pause, trouble.retry_after);
                // If the failure cannot be noted, only the next start tries too soon.
                let _ = folder.keep_failures(self.failures);
                (self.tell)(Event::Failed { trouble, pause, until: self.until() });
            }
        }
    }

    async fn fetch(&self, present: Option<&Fetched>) -> Result<Fetched, Trouble> {
        let client = self.client()?;
        let fetched = order::certificate(self.settings, &client, self.tls.challenges(), present).await;
        let fetched = fetched.map_err(|trouble| Trouble { retry_after: client.retry_after(), ..trouble })?;
        self.tls.put_fetched(&fetched.certificate);
        Ok(fetched)
    }

    fn client(&self) -> Result<Client, Trouble> {
        Client::new(self.settings.authority.as_deref()).map_err(|fault| {
            let help = "name the authority of the server's certificate with `directory-authority`";
            Trouble::new(false, format!("cannot connect to {}: {fault}", self.settings.directory), help)
        })
    }

    /// Asks the server when it suggests to renew (ARI, RFC 9773). Not every server can, and nothing depends on it.
    async fn suggestion(&self, fetched: &Fetched) -> Suggestion {
        let (now, known) = (SystemTime::now(), self.suggestion.as_ref().and_then(|known| known.at));
        let asked = async {
            let own = CertificateIdentifier::try_from(fetched.own()?).ok()?;
            Folder(&self.settings.folder).account()?;
            let client = self.client().ok()?;
            order::account(self.settings, &client).await.ok()?.renewal_info(&own).await.ok()
        };
        match asked.await {
            Some((info, again)) => {
                let window = info.suggested_window;
                let (start, end) = (SystemTime::from(window.start), SystemTime::from(window.end));
                // The chosen moment is kept while it lies in the window.
                let at = known.filter(|at| (start..=end).contains(at));
                let again = now + again.clamp(Duration::from_mins(1), Duration::from_hours(24));
                Suggestion { at: Some(at.unwrap_or_else(|| moment(start, end))), again }
            }
            None => Suggestion { at: known, again: now + ASK_AGAIN },
        }
    }
}
