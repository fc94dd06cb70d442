//! Login by OpenID providers, for an app that has no login of its own: what oauth2-proxy does, for one app.
//!
//! [`Providers`] answers the requests below one path of a site ([`Settings::path`], `/auth` by default) and says who has a
//! cookie. It knows no sockets to clients, no configuration file and no gate; it asks providers with the gateway's `fetch`, and
//! keeps sessions in the accounts database ([`mantlet_accounts::provider_sessions`]).
//!
//! | path below `/auth` | what it is |
//! |---|---|
//! | `/login` | the providers to choose from; with one, its login |
//! | `/login/{name}?next=/path` | leads to the provider |
//! | `/callback/{name}` | the provider leads back here |
//! | `/logout` | ends the session here, and leads to the logout of the provider |
//! | `/backchannel-logout/{name}` | the provider says that a session has ended |
//!
//! What always holds:
//! 1. A browser holds the cookie of its session and sealed cookies of logins that have begun. Tokens of a provider never leave
//!    the gate.
//! 2. What a provider says is believed only with its signature or on its own connection (`provider`).
//! 3. However many requests need it, the provider is asked once (`refresh`).
//! 4. A provider that is away is 503 and never a logout.
//!
//! The flow is that of the library `oauth2`. Tokens are verified by the room `token` of the controls, which is built on
//! `jsonwebtoken`: it also verifies logout tokens, which no library of the flow does, and so one judge reads all tokens.

mod claims;
mod exchange;
mod login;
mod logout;
mod pages;
mod provider;
mod refresh;
mod settings;
mod shared;
mod texts;
mod ticket;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use mantlet_accounts::{Fault, Secret, provider_sessions::ProviderSessions};
use mantlet_controls::config::Mistake;

pub use self::{
    exchange::{Answer, Asked, Caller, Event, Standing, What, Why},
    settings::{Login, Settings, mistakes},
};
use self::{provider::Provider, shared::Shared, texts::cookie};

/// The providers of an app. A clone is the same.
#[derive(Debug, Clone)]
pub struct Providers(Arc<Shared>);

impl Providers {
    /// Takes the sections of all providers. `watcher` is told of what happens without a request of its own: a provider is away
    /// or back, and a session has ended at a refresh.
    pub fn new(
        settings: Settings,
        logins: &[Login],
        sessions: ProviderSessions,
        watcher: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, Vec<Mistake>> {
        let providers =
            settings::check(logins)?.into_iter().map(|one| Arc::new(Provider::new(one))).collect();
        let watcher = Box::new(watcher);
        Ok(Self(Arc::new(Shared { settings, providers, sessions, refreshes: Mutex::default(), watcher })))
    }

    /// The names and titles of the providers, for a page that offers them. `{path}/login/{name}` is the login.
    pub fn choices(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.providers.iter().map(|provider| (&*provider.settings.name, &*provider.settings.title))
    }

    /// Answers a request. None: the path is not ours, or the logout is of an account's session.
    pub async fn answer(&self, now: Timestamp, asked: &Asked) -> Result<Option<Answer>, Fault> {
        let shared = &*self.0;
        let path = asked.request.uri().path();
        let Some(path) = path.strip_prefix(&*shared.settings.path).and_then(|rest| rest.strip_prefix('/'))
        else {
            return Ok(None);
        };
        let (what, name) = path.split_once('/').map_or((path, None), |(what, name)| (what, Some(name)));
        let answer = match (what, name) {
            ("login", None) => login::choose(shared, now, asked).await?,
            ("logout", None) => {
                let value = cookie(asked.headers(), asked.cookie());
                if value.is_some_and(|value| !value.starts_with(mantlet_accounts::provider_sessions::COOKIE))
                {
                    return Ok(None);
                }
                logout::log_out(shared, now, asked).await?
            }
            (_, Some(name)) => {
                let Some(provider) = shared.provider(name) else { return Ok(None) };
                match what {
                    "login" => login::begin(shared, now, asked, provider).await?,
                    "callback" => login::end(shared, now, asked, provider).await?,
                    "backchannel-logout" => logout::by_provider(shared, now, asked, provider).await?,
                    _ => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(answer))
    }

    /// Who has the cookie `__Host-session` with this value. To be asked for each request, or for those of a second at once.
    pub async fn caller(&self, now: Timestamp, cookie: &Secret<String>) -> Result<Standing, Fault> {
        refresh::caller(&self.0, now, cookie).await
    }

    /// Whether a session goes on. The provider is not asked.
    pub async fn goes_on(&self, now: Timestamp, session: &str) -> Result<bool, Fault> {
        refresh::goes_on(&self.0, now, session).await
    }

    /// Ends all connections to the database. Where accounts are kept in it, too, that is for them to do.
    pub async fn close_store(&self) {
        self.0.sessions.close_store().await;
    }

    /// To be called at least once an hour: forgets what has ended.
    pub async fn maintain(&self, now: Timestamp) -> Result<(), Fault> {
        let oldest = self.0.providers.iter().map(|provider| provider.settings.max_age).max();
        self.0.sessions.sweep(now, oldest.unwrap_or(Duration::ZERO)).await
    }
}

#[cfg(test)]
mod rooms_tests;
