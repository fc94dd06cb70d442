//! What answers and who has a session, once the database is open: accounts with passwords, providers, or both.

use std::{path::Path, sync::Arc};

use http::HeaderMap;
use jiff::Timestamp;
use mantlet_accounts::{Fault, provider_sessions::COOKIE};
use mantlet_contract::document;
use mantlet_controls::{
    accounts::{Caller, Credential, Verdict, session_of},
    call::{Attribute, Origin, Principal},
    operation::Contract,
};
use mantlet_gateway::house::Asked;
use mantlet_providers::{Login, Providers, Standing};
use mantlet_sign_in::{Settings, SignIn};
use serde_json::Value;

use super::{
    events::number_of,
    open::{Trouble, open, open_sessions},
};
use crate::config::AccountsConfig;

/// What is to be opened.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) config: AccountsConfig,
    pub(super) has_passwords: bool,
    /// With what their references hold.
    pub(super) logins: Vec<Login>,
    pub(super) settings: Settings,
}

/// What is open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) passwords: Option<SignIn>,
    pub(super) providers: Option<Providers>,
    pub(super) contract: Option<Arc<Contract>>,
}

impl Opened {
    /// Opens the database, and what is in it. `watcher` is told of what happens at providers without a request.
    pub(super) async fn open(
        plan: &Plan,
        folder: &Path,
        watcher: impl Fn(mantlet_providers::Event) + Send + Sync + 'static,
    ) -> Result<Self, Trouble> {
        let Plan { config, has_passwords, logins, settings } = plan;
        let accounts = if *has_passwords { Some(open(config, folder).await?) } else { None };
        let providers = if logins.is_empty() {
            None
        } else {
            let sessions = match &accounts {
                Some(accounts) => accounts.provider_sessions(),
                None => open_sessions(config, folder).await?,
            };
            let own = mantlet_providers::Settings {
                app: settings.app.clone(),
                path: settings.path.clone(),
                home: settings.home.clone(),
            };
            let providers = Providers::new(own, logins, sessions, watcher).map_err(|mistakes| {
                let lines = mistakes.iter().map(|wrong| format!("`{}` {}", wrong.key, wrong.message));
                Trouble::Broken(lines.collect::<Vec<_>>().join("\n"))
            });
            Some(providers?)
        };
        let mut settings = settings.clone();
        let choices = providers.iter().flat_map(Providers::choices);
        settings.others = choices
            .map(|(name, title)| (title.to_owned(), format!("{}/login/{name}", settings.path)))
            .collect();
        let passwords = accounts.map(|accounts| SignIn::new(accounts, settings));
        let contract = match &passwords {
            Some(sign_in) => Some(Arc::new(contract_of(&sign_in.document()).map_err(Trouble::Broken)?)),
            None => None,
        };
        Ok(Self { passwords, providers, contract })
    }

    /// Ends the connections to the database.
    pub(super) async fn close(&self) {
        if let Some(sign_in) = &self.passwords {
            sign_in.accounts().close_store().await;
        } else if let Some(providers) = &self.providers {
            providers.close_store().await;
        }
    }

    /// Forgets what has ended.
    pub(super) async fn maintain(&self, now: Timestamp) -> Result<(), Fault> {
        if let Some(sign_in) = &self.passwords {
            sign_in.accounts().maintain(now).await?;
        }
        if let Some(providers) = &self.providers {
            providers.maintain(now).await?;
        }
        Ok(())
    }

    /// Has the providers answer, if the request is for them: else it is given back.
    pub(super) async fn at_provider(
        &self,
        config: &AccountsConfig,
        asked: Asked,
    ) -> Result<Result<mantlet_providers::Answer, Asked>, Fault> {
        let is_theirs = self.is_for_providers(config, &asked);
        let Some(providers) = self.providers.as_ref().filter(|_| is_theirs) else { return Ok(Err(asked)) };
        let Asked { request, client, origin } = asked;
        let asked = mantlet_providers::Asked { request, origin };
        Ok(match providers.answer(Timestamp::now(), &asked).await? {
            Some(answer) => Ok(answer),
            None => Err(Asked { request: asked.request, client, origin: asked.origin }),
        })
    }

    /// Of what both have, who logs in with a password has the page to log in, and each the logout of its own sessions.
    fn is_for_providers(&self, config: &AccountsConfig, Asked { request, origin, .. }: &Asked) -> bool {
        match request.uri().path().strip_prefix(config.path.as_str()) {
            Some("/login") => self.passwords.is_none(),
            Some("/logout") => {
                self.passwords.is_none() || is_of_provider(request.headers(), config.cookie(origin))
            }
            _ => true,
        }
    }

    /// Whose an account's credential is.
    pub(super) async fn look(
        &self,
        credential: &Credential,
    ) -> Result<Option<mantlet_sign_in::Caller>, Fault> {
        let (Some(sign_in), now) = (&self.passwords, Timestamp::now()) else { return Ok(None) };
        match credential {
            Credential::Cookie(value) => sign_in.caller_of_cookie(now, value).await,
            Credential::Token(value) => sign_in.caller_of_token(now, value.expose()).await,
        }
    }

    /// Whether the session of a caller goes on.
    pub(super) async fn goes_on(&self, config: &AccountsConfig, caller: &Caller) -> Result<bool, Fault> {
        let (now, principal) = (Timestamp::now(), &caller.principal);
        if let Some(sign_in) = self.passwords.as_ref().filter(|_| *principal.issuer == *config.url) {
            let sessions = sign_in.accounts().sessions(now, &principal.subject).await?;
            return Ok(sessions.iter().any(|session| *session.id == *caller.id));
        }
        match &self.providers {
            Some(providers) => providers.goes_on(now, &caller.id).await,
            None => Ok(false),
        }
    }

    /// Whose a session of a provider is.
    pub(super) async fn look_at_provider(&self, credential: &Credential) -> Verdict {
        let (Some(providers), Credential::Cookie(value)) = (&self.providers, credential) else {
            return Verdict::Bad;
        };
        match providers.caller(Timestamp::now(), value).await {
            Ok(Standing::Caller(caller)) => Verdict::Good(Arc::new(of_provider(*caller))),
            Ok(Standing::Unknown) => Verdict::Bad,
            Ok(Standing::Unavailable) | Err(_) => Verdict::Unknown,
        }
    }
}

/// Whether a credential is of a session that began at a provider.
pub(super) fn began_at_provider(credential: &Credential) -> bool {
    matches!(credential, Credential::Cookie(value) if value.expose().starts_with(COOKIE))
}

fn is_of_provider(headers: &HeaderMap, name: &str) -> bool {
    session_of(name, headers).is_some_and(|value| value.starts_with(COOKIE))
}

/// What the gate knows of a caller with an account.
pub(super) fn of_account(issuer: &str, caller: mantlet_sign_in::Caller) -> Caller {
    let (session, id) = (number_of(&caller.session.id), caller.session.id.as_str().into());
    let attributes = vec![
        attribute("email", caller.address.into()),
        attribute("email_verified", caller.is_verified.into()),
        attribute("scope", caller.scope.into()),
        attribute("sid", caller.session.id.as_str().into()),
        attribute("factors", caller.session.factors.into()),
    ];
    let (issuer, subject) = (issuer.into(), caller.account.as_str().into());
    let expires = Some(caller.expires.as_second());
    let principal = Principal { issuer, subject, is_of_app: false, attributes, expires };
    Caller { principal: Arc::new(principal), session, id }
}

/// What the gate knows of a caller whom a provider has logged in.
fn of_provider(caller: mantlet_providers::Caller) -> Caller {
    let (session, id) = (number_of(&caller.session), caller.session.as_str().into());
    let attributes = caller.attributes.into_iter().map(|(name, value)| attribute(&name, value)).collect();
    let (issuer, subject) = (caller.issuer.as_str().into(), caller.subject.as_str().into());
    let expires = Some(caller.expires.as_second());
    let principal = Principal { issuer, subject, is_of_app: false, attributes, expires };
    Caller { principal: Arc::new(principal), session, id }
}

fn attribute(name: &str, value: Value) -> Attribute {
    Attribute { name: name.into(), value, origin: Origin::Claim }
}

/// The operations of the accounts, from their own document.
fn contract_of(document: &Value) -> Result<Contract, String> {
    let model = document::read(&document.to_string()).map_err(|error| error.to_string())?;
    Ok(Contract::compile(&model).0)
}
