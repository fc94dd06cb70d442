//! What logins, logouts and refreshes share.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
};

use futures_util::future::{BoxFuture, Shared as SharedFuture};
use mantlet_accounts::{
    Fault,
    provider_sessions::{COOKIE, ProviderSession, ProviderSessions},
};
use mantlet_controls::config::Secret;

use crate::{
    exchange::{Asked, Event, What},
    provider::{Away, Provider},
    settings::Settings,
    texts::cookie,
};

/// What a refresh has come to.
#[derive(Debug, Clone)]
pub(crate) enum Refreshed {
    /// The provider has confirmed the session.
    Confirmed(Box<ProviderSession>),
    /// The session has ended.
    Ended,
    /// The provider is away.
    Away,
    /// Another gate asks, and has not ended yet.
    Elsewhere,
    /// Our own side has failed.
    Fault(String),
}

/// A refresh that is on the way.
pub(crate) type Refresh = SharedFuture<BoxFuture<'static, Refreshed>>;

/// Is told of what happens without a request of its own.
pub(crate) type Watcher = Box<dyn Fn(Event) + Send + Sync>;

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) providers: Vec<Arc<Provider>>,
    pub(crate) sessions: ProviderSessions,
    /// By the session.
    pub(crate) refreshes: Mutex<HashMap<String, Refresh>>,
    pub(crate) watcher: Watcher,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("providers", &self.providers).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|provider| provider.settings.name == name)
    }

    /// The provider of a session, if it still has the same issuer.
    pub(crate) fn provider_of(&self, session: &ProviderSession) -> Option<&Arc<Provider>> {
        self.provider(&session.provider).filter(|provider| provider.settings.issuer == session.issuer)
    }

    /// The session of a request's cookie, if it was not ended.
    pub(crate) async fn session(&self, asked: &Asked) -> Result<Option<ProviderSession>, Fault> {
        match cookie(asked.headers(), asked.cookie()).filter(|value| value.starts_with(COOKIE)) {
            Some(value) => self.sessions.of_cookie(&Secret::new(value.to_owned())).await,
            None => Ok(None),
        }
    }

    /// Tells whether a provider is away, if that is news.
    pub(crate) fn note(&self, provider: &Provider, away: Option<&Away>) {
        if provider.note(away) {
            (self.watcher)(Event {
                what: if away.is_some() { What::ProviderAway } else { What::ProviderBack },
                provider: provider.settings.name.clone(),
                caller: None,
                session: None,
                detail: away.map(ToString::to_string),
            });
        }
    }
}
