//! Whose tokens are believed?
//!
//! Defends the app against tokens that are forged, expired, not valid yet, or for another app of the
//! same issuer.
//!
//! A request passes if
//! 1. it has no bearer token, or one that names no issuer of the configuration;
//! 2. its issuer's key verifies its token, and the token is of an allowed type, within its time, and for
//!    one of the audiences;
//! 3. its operation declares that it answers without a token, too (in `compatible` posture).
//!
//! A key is chosen by `iss` and `kid` before anything is believed; keys and addresses inside a token are
//! never looked at. A key takes only algorithms of its kind, so that a public key is never a secret.
//!
//! To mind in deployment: keys are fetched at the start, when they are due, and when a token names
//! another one, at most once in 30 s. While the issuer is away, the known keys serve for a day; a token
//! whose key cannot be known for that reason gets 503, not 401.
//!
//! ```
//! use mantlet_controls::{Context, Section, issuer::{Config, IssuerConfig}};
//!
//! let issuer = IssuerConfig { issuer: "https://id.example.com".into(), ..Default::default() };
//! let mistakes = Config(vec![issuer.clone()]).check(&Context::default()).unwrap_err();
//! assert_eq!(mistakes[0].key, "[0].audience");
//! let audience = vec!["https://api.example.com".into()];
//! assert!(Config(vec![IssuerConfig { audience, ..issuer }]).check(&Context::default()).is_ok());
//! ```

mod config;
mod remote;
mod trusted;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub(crate) use self::trusted::Logout;
use self::trusted::{Outcome, Source, Trusted};
pub use self::{
    config::{Config, IssuerConfig},
    remote::{Client, Introspected, Introspection, Remote},
};
pub use crate::config::Material;
use crate::{
    Call, Mode, Reason, Refusal,
    call::Known,
    identity::{Epoch, Verdict, cache},
    operation::Need,
    token::{Claims, Jws, TokenFault},
};

/// `Retry-After` while a key cannot be known.
const RETRY: Duration = Duration::from_secs(5);

/// Seconds by which clocks may differ, and in which a key may be published and sign.
const SETTLED: i64 = 30;

/// The checked `[[issuer]]` sections.
#[derive(Debug)]
pub struct Policy {
    trusted: HashMap<Box<str>, Arc<Trusted>>,
    /// The one that is asked about tokens that are not signed.
    of_opaque: Option<Arc<Trusted>>,
    /// Another configuration, other verdicts.
    epoch: Epoch,
}

/// What outlives a policy: the keys that were fetched. A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<HashMap<Place, Arc<Remote>>>>);

/// An `iss`, and the address of its keys, if that is set.
type Place = (Box<str>, Option<Box<str>>);

impl Memory {
    /// The same issuer, if it is known already.
    fn remote(&self, new: Remote) -> Arc<Remote> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (new.issuer.clone(), new.jwks.clone());
        Arc::clone(all.entry(key).or_insert_with(|| Arc::new(new)))
    }

    #[expect(clippy::unused_self, reason = "as for issuers whose keys are fetched")]
    fn introspection(&self, config: &IssuerConfig) -> Arc<Introspection> {
        let secret = config.material.as_ref().map(|material| material.0.clone());
        Arc::new(Introspection {
            url: config.introspection.as_str().into(),
            client_id: config.client_id.as_str().into(),
            client_secret: secret.unwrap_or_else(|| Vec::new().into()),
            epoch: Arc::default(),
        })
    }
}

/// What is known of a request's token.
#[derive(Debug)]
pub(crate) enum Judged {
    /// No issuer of the configuration has made it.
    NotOurs,
    /// The caller is known.
    Caller(Known),
    /// The token is bad: in this mode.
    Bad(Mode, Refusal),
}

impl Policy {
    fn new(trusted: HashMap<Box<str>, Arc<Trusted>>) -> Self {
        let of_opaque = trusted.values().find(|one| matches!(one.source, Source::Introspection(_))).cloned();
        Self { trusted, of_opaque, epoch: Epoch::default() }
    }

    /// Whether there is any.
    pub(crate) fn is_empty(&self) -> bool {
        self.trusted.is_empty()
    }

    /// The issuers whose keys are fetched.
    pub fn remotes(&self) -> Vec<Arc<Remote>> {
        let remotes = self.trusted.values().filter_map(|trusted| match &trusted.source {
            Source::Remote(remote) => Some(Arc::clone(remote)),
            Source::Keys(_) | Source::Introspection(_) => None,
        });
        remotes.collect()
    }

    /// Judges a token of a request, from memory alone. None: its issuer must be asked.
    pub(crate) fn judge(&self, call: &Call, token: &str) -> Option<Judged> {
        let now = call.clock.time();
        if let Some((trusted, verdict)) = self.recall(token, now.as_second()) {
            return Some(self.conclude(call, &trusted, verdict));
        }
        let (trusted, outcome) = match self.look(token, now) {
            Look::NotOurs => return Some(Judged::NotOurs),
            Look::At(trusted, outcome) => (trusted, outcome),
        };
        match outcome {
            Outcome::Judged(verdict) => {
                self.keep(token, &trusted, &verdict);
                Some(self.conclude(call, &trusted, verdict))
            }
            Outcome::KeyUnknown | Outcome::NoKeys | Outcome::Opaque => None,
        }
    }

    /// Judges the token of a request, and asks its issuer where that is needed.
    pub(crate) async fn ask(&self, call: &Call, token: &str, client: Arc<dyn Client>) -> Judged {
        let now = call.clock.time();
        let Look::At(trusted, outcome) = self.look(token, now) else { return Judged::NotOurs };
        let verdict = match (&trusted.source, outcome) {
            (_, Outcome::Judged(verdict)) => Some(verdict),
            (Source::Introspection(at), _) => {
                trusted.judge_introspected(client.introspect(at, token).await, now)
            }
            (Source::Remote(remote), _) => {
                let known = remote.epoch.number();
                if remote.want(now.as_second()) {
                    client.refresh(remote).await;
                }
                self.after_refresh(&trusted, remote, token, (call, remote.epoch.number() != known))
            }
            (Source::Keys(_), _) => Some(Verdict::Bad(TokenFault::KeyUnknown, None)),
        };
        match verdict {
            Some(verdict) => {
                self.keep(token, &trusted, &verdict);
                self.conclude(call, &trusted, verdict)
            }
            None => Judged::Bad(trusted.mode, Refusal::retry(Reason::IssuerUnavailable, RETRY)),
        }
    }

    /// Whether an issuer may say that a session has ended.
    pub(crate) fn takes_logouts(&self) -> bool {
        self.trusted.values().any(|trusted| !trusted.client_id.is_empty())
    }

    /// Reads what an issuer says about the end of a session.
    pub(crate) async fn read_logout(
        &self,
        call: &Call,
        token: &str,
        client: Option<Arc<dyn Client>>,
    ) -> Result<Logout, TokenFault> {
        let jws = Jws::read(token)?;
        let named = jws.unverified_issuer().and_then(|issuer| self.trusted.get(&*issuer));
        let trusted = named.filter(|trusted| !trusted.client_id.is_empty()).ok_or(TokenFault::Issuer)?;
        let now = call.clock.time();
        if let Some(read) = trusted.read_logout(&jws, now) {
            return read;
        }
        if let (Source::Remote(remote), Some(client)) = (&trusted.source, client)
            && remote.want(now.as_second())
        {
            client.refresh(remote).await;
        }
        trusted.read_logout(&jws, now).unwrap_or(Err(TokenFault::KeyUnknown))
    }

    /// The verdict where no issuer can be asked.
    pub(crate) fn cannot_ask(&self, call: &Call, token: &str) -> Judged {
        match self.look(token, call.clock.time()) {
            Look::NotOurs => Judged::NotOurs,
            Look::At(trusted, _) => {
                Judged::Bad(trusted.mode, Refusal::retry(Reason::IssuerUnavailable, RETRY))
            }
        }
    }

    /// The verdict once keys could be fetched. None: it cannot be known whether its key is a new one.
    #[expect(clippy::unused_self, reason = "it stands beside what asks")]
    fn after_refresh(
        &self,
        trusted: &Trusted,
        remote: &Remote,
        token: &str,
        (call, is_fresh): (&Call, bool),
    ) -> Option<Verdict> {
        let jws = Jws::read(token).ok()?;
        match trusted.judge(&jws, call.clock.time()) {
            Outcome::Judged(verdict) => Some(verdict),
            Outcome::NoKeys | Outcome::Opaque => None,
            Outcome::KeyUnknown => {
                let fetched = remote.keys()?.at;
                let issued = Claims::read(&jws).ok().and_then(|claims| claims.issued);
                // A key is published before it signs. What the token says of its time is not verified;
                // a false one only makes its own refusal another one.
                let now = call.clock.time().as_second();
                let is_older = is_fresh || issued.unwrap_or(now) + SETTLED <= fetched;
                is_older.then_some(Verdict::Bad(TokenFault::KeyUnknown, None))
            }
        }
    }

    /// The issuer of a token, as the token says, and what is known without asking.
    fn look(&self, token: &str, now: jiff::Timestamp) -> Look {
        let of_opaque = || match &self.of_opaque {
            Some(trusted) => Look::At(Arc::clone(trusted), Outcome::Opaque),
            None => Look::NotOurs,
        };
        let jws = match Jws::read(token) {
            Ok(jws) => jws,
            Err(TokenFault::Critical) => return self.of_critical(token),
            Err(_) => return of_opaque(),
        };
        let named = jws.unverified_issuer().and_then(|issuer| self.trusted.get(&*issuer));
        match named {
            Some(trusted) => Look::At(Arc::clone(trusted), trusted.judge(&jws, now)),
            None => Look::NotOurs,
        }
    }

    /// A token with an extension in its header, that says that it is of one of ours.
    fn of_critical(&self, token: &str) -> Look {
        let issuer = Jws::issuer_of_payload(token);
        match issuer.and_then(|issuer| self.trusted.get(&*issuer)) {
            Some(trusted) => {
                Look::At(Arc::clone(trusted), Outcome::Judged(Verdict::Bad(TokenFault::Critical, None)))
            }
            None => Look::NotOurs,
        }
    }

    fn epoch_of(&self, trusted: &Trusted) -> u64 {
        match &trusted.source {
            // The state of its keys, and of the configuration, in one number.
            Source::Remote(remote) => remote.epoch.number() ^ (self.epoch.number() << 32),
            Source::Introspection(at) => at.epoch.number() ^ (self.epoch.number() << 32),
            Source::Keys(_) => self.epoch.number(),
        }
    }

    fn recall(&self, token: &str, now: i64) -> Option<(Arc<Trusted>, Verdict)> {
        cache::recall(token, now, |by, epoch, verdict| {
            let trusted = self.trusted.get(by).filter(|trusted| self.epoch_of(trusted) == epoch)?;
            Some((Arc::clone(trusted), verdict.clone()))
        })
    }

    fn keep(&self, token: &str, trusted: &Trusted, verdict: &Verdict) {
        cache::keep(token, &trusted.issuer, self.epoch_of(trusted), verdict);
    }

    #[expect(clippy::unused_self, reason = "what the configuration says of routes will count here, too")]
    fn conclude(&self, call: &Call, trusted: &Trusted, verdict: Verdict) -> Judged {
        match verdict {
            Verdict::Good(principal) => Judged::Caller(principal),
            Verdict::Unjudged => Judged::NotOurs,
            Verdict::Bad(fault, _) => {
                // An operation that asks for no token does not read it.
                let need =
                    call.operation.as_ref().map(|matched| matched.security().and_then(|own| own.bearer));
                let (mode, line) = match need {
                    None | Some(Some(Need::Required)) => (trusted.mode, trusted.line()),
                    // No line enforces it.
                    Some(Some(Need::Optional) | None) => (trusted.mode.under(true), Box::default()),
                };
                let refusal = Refusal::about(Reason::TokenInvalid, fault.text());
                Judged::Bad(mode, Refusal { remedy: Some(line), ..refusal })
            }
        }
    }
}

enum Look {
    NotOurs,
    At(Arc<Trusted>, Outcome),
}
