//! Answers for the gate: requests for the accounts, and who has a credential. On a runtime of its own.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use mantlet_accounts::Fault;
use mantlet_contract::document;
use mantlet_controls::{
    accounts::{self, Caller, Callers, Credential, Policy, Verdict},
    call::{Attribute, Origin, Principal},
    operation::Contract,
};
use mantlet_gateway::house::{Answer, Asked, House};
use mantlet_sign_in::{Settings, SignIn};
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Notify, Semaphore},
};

use super::{
    conflict::WELL_KNOWN,
    described, events, mail,
    memory::{Memory, digest},
    open::{Trouble, open},
};
use crate::{config::AccountsConfig, say::say};

/// Threads of the runtime. They wait for the database; passwords have threads of their own.
const THREADS: usize = 2;
/// Credentials that are looked up at once; more wait for their turn.
const LOOK_UPS: usize = 64;
/// How long a look-up may take, its turn included.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often what has ended is forgotten, and whether the next key is due.
const MAINTAIN: Duration = Duration::from_hours(1);
/// Pauses between two attempts to reach a database.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The accounts of an app, while a gate runs.
#[derive(Debug)]
pub(crate) struct Accounts {
    inner: Arc<Inner>,
    /// Ended by [`finish`](Self::finish).
    runtime: Runtime,
}

/// The same, as the gate has it.
#[derive(Debug, Clone)]
struct Door {
    inner: Arc<Inner>,
    runtime: tokio::runtime::Handle,
}

#[derive(Debug)]
struct Inner {
    config: AccountsConfig,
    folder: PathBuf,
    settings: Settings,
    /// Where the cookie is.
    cookie: &'static str,
    login: String,
    token: String,
    /// Not there until the database could be opened.
    opened: OnceLock<Opened>,
    turns: Semaphore,
    memory: Memory,
    /// A mail may wait.
    mail: Notify,
    /// Mails are sent no more.
    end: Notify,
    /// The last document of the app, for which policy, and what it became.
    described: Mutex<Option<(Bytes, u64, Bytes)>>,
}

#[derive(Debug)]
struct Opened {
    sign_in: SignIn,
    contract: Option<Arc<Contract>>,
}

impl Accounts {
    /// Opens the accounts, or goes on without their database until it answers, if that is a server.
    pub(crate) fn start(config: &AccountsConfig, folder: PathBuf) -> Result<Self, String> {
        let failed = |error: io::Error| format!("the accounts cannot be opened: {error}");
        let runtime =
            Builder::new_multi_thread().worker_threads(THREADS).thread_name("accounts").enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let settings = Settings {
            app: config.app(),
            path: config.path.clone(),
            home: config.home.clone(),
            registration: config.registration,
            style: config.style_sheet()?,
        };
        let sender = config.sender()?;
        let inner = Arc::new(Inner {
            config: config.clone(),
            folder,
            cookie: if config.url.starts_with("https:") { "__Host-session" } else { "session" },
            login: format!("{}/login", config.path),
            token: format!("{}/token", config.path),
            settings,
            opened: OnceLock::new(),
            turns: Semaphore::new(LOOK_UPS),
            memory: Memory::default(),
            mail: Notify::new(),
            end: Notify::new(),
            described: Mutex::default(),
        });
        match runtime.block_on(inner.open()) {
            Ok(()) => {}
            Err(Trouble::Away(why)) => {
                say(format!(
                    "the database of the accounts does not answer: {why}\n\
                     requests with a session get 503 until it does; trying again"
                ));
                let inner = Arc::clone(&inner);
                runtime.spawn(async move { inner.open_again().await });
            }
            Err(trouble @ Trouble::Broken(_)) => return Err(trouble.text()),
        }
        let maintained = Arc::clone(&inner);
        runtime.spawn(async move { maintained.maintain().await });
        match sender {
            Some(sender) => {
                let inner = Arc::clone(&inner);
                runtime.spawn(async move { inner.send_mails(&sender).await });
            }
            None => say(
                "note: `mail` under `[accounts]` is empty: mails wait in the database, so no address can be verified",
            ),
        }
        Ok(Self { inner, runtime })
    }

    /// For the gate.
    pub(crate) fn doors(&self) -> (Arc<dyn Callers>, Arc<dyn House>) {
        let door = Arc::new(Door { inner: Arc::clone(&self.inner), runtime: self.runtime.handle().clone() });
        (Arc::clone(&door) as Arc<dyn Callers>, door)
    }

    /// The settings with which they were opened.
    pub(crate) fn config(&self) -> &AccountsConfig {
        &self.inner.config
    }

    /// Ends the connections to the database, after the gate has ended.
    pub(crate) fn finish(self) {
        self.inner.end.notify_one();
        if let Some(opened) = self.inner.opened.get() {
            let closing = opened.sign_in.accounts().close_store();
            // A server that does not answer is not waited for.
            let _ = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, closing).await });
        }
        self.runtime.shutdown_timeout(FIRST_PAUSE);
    }
}

impl Inner {
    fn owns(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.settings.path.as_str());
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) || WELL_KNOWN.contains(&path)
    }

    async fn open(&self) -> Result<(), Trouble> {
        let accounts = open(&self.config, &self.folder).await?;
        let sign_in = SignIn::new(accounts, self.settings.clone());
        let contract = contract_of(&sign_in.document()).map_err(Trouble::Broken)?;
        // Only one task opens.
        let _ = self.opened.set(Opened { sign_in, contract: Some(Arc::new(contract)) });
        Ok(())
    }

    async fn open_again(&self) {
        let mut pause = FIRST_PAUSE;
        let mut told = String::new();
        loop {
            tokio::time::sleep(pause).await;
            match self.open().await {
                Ok(()) => {
                    say("the database of the accounts answers");
                    return;
                }
                Err(trouble) if trouble.text() != told => {
                    told = trouble.text();
                    say(format!("{told}; trying again"));
                }
                Err(_) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn maintain(&self) {
        loop {
            tokio::time::sleep(MAINTAIN).await;
            if let Some(opened) = self.opened.get()
                && let Err(fault) = opened.sign_in.accounts().maintain(Timestamp::now()).await
            {
                say(format!("note: what has ended could not be forgotten: {fault}"));
            }
        }
    }

    /// Sends what waits, as soon as there is a database.
    async fn send_mails(&self, sender: &mantlet_mail::Sender) {
        let opened = loop {
            match self.opened.get() {
                Some(opened) => break opened,
                None => tokio::time::sleep(FIRST_PAUSE).await,
            }
        };
        let told = mail::Told::default();
        let tell = |outcome| told.tell(&outcome);
        let accounts = opened.sign_in.accounts();
        mantlet_mail::run(accounts, sender, &self.mail, Timestamp::now, tell, self.end.notified()).await;
    }

    /// Whose a credential is.
    async fn look(&self, credential: &Credential) -> Result<Option<mantlet_sign_in::Caller>, Fault> {
        let Some(opened) = self.opened.get() else { return Err(Fault::Failed("opening the database")) };
        let (sign_in, now) = (&opened.sign_in, Timestamp::now());
        match credential {
            Credential::Cookie(value) => sign_in.caller_of_cookie(now, value).await,
            Credential::Token(value) => sign_in.caller_of_token(now, value.expose()).await,
        }
    }

    async fn judge(&self, credential: &Credential) -> Verdict {
        let looked = async {
            let _turn = self.turns.acquire().await.ok()?;
            self.look(credential).await.ok()
        };
        match tokio::time::timeout(PATIENCE, looked).await {
            Ok(Some(Some(caller))) => Verdict::Good(Arc::new(self.caller(caller))),
            Ok(Some(None)) => Verdict::Bad,
            Ok(None) | Err(_) => Verdict::Unknown,
        }
    }

    /// What the gate knows of a caller.
    fn caller(&self, caller: mantlet_sign_in::Caller) -> Caller {
        let session = events::number_of(&caller.session.id);
        let attribute =
            |name: &str, value: Value| Attribute { name: name.into(), value, origin: Origin::Claim };
        let attributes = vec![
            attribute("email", caller.address.into()),
            attribute("email_verified", caller.is_verified.into()),
            attribute("scope", caller.scope.into()),
            attribute("sid", caller.session.id.as_str().into()),
            attribute("factors", caller.session.factors.into()),
        ];
        let (issuer, subject) = (self.config.url.as_str().into(), caller.account.as_str().into());
        let expires = Some(caller.expires.as_second());
        let principal = Principal { issuer, subject, is_of_app: false, attributes, expires };
        Caller { principal: Arc::new(principal), session }
    }

    async fn answer(&self, door: &Door, asked: Asked) -> Answer {
        let Some(opened) = self.opened.get() else { return unavailable() };
        let Asked { request, client } = asked;
        let session = match accounts::credential_of(door, request.headers()) {
            None => None,
            // Anew, and not as it was a moment ago: what is done here counts for long.
            Some(credential) => match self.look(&credential).await {
                Ok(caller) => caller.map(|caller| caller.session),
                Err(_) => return unavailable(),
            },
        };
        let asked = mantlet_sign_in::Asked { request, client, origin: self.config.url.clone(), session };
        let answer = opened.sign_in.answer(Timestamp::now(), asked).await;
        if answer.event.is_some() {
            self.mail.notify_one();
        }
        if let Some(event) = answer.event.as_ref().filter(|event| events::changes_callers(event.what)) {
            self.memory.end(event.account.as_deref());
        }
        Answer { response: answer.response, event: answer.event.as_ref().map(events::of) }
    }
}

impl Callers for Door {
    fn issuer(&self) -> &str {
        &self.inner.config.url
    }

    fn cookie(&self) -> &str {
        self.inner.cookie
    }

    fn login(&self) -> &str {
        &self.inner.login
    }

    fn owns(&self, path: &str) -> bool {
        self.inner.owns(path)
    }

    fn contract(&self) -> Option<&Arc<Contract>> {
        self.inner.opened.get()?.contract.as_ref()
    }

    fn known(&self, credential: &Credential) -> Option<Verdict> {
        self.inner.memory.recall(&digest(credential), Instant::now()).map(Verdict::Good)
    }

    fn forget(&self, account: Option<&str>) {
        self.inner.memory.end(account);
    }

    fn ask(&self, credential: Credential) -> BoxFuture<'static, Verdict> {
        let door = self.clone();
        Box::pin(async move {
            let (digest, mark) = (digest(&credential), door.inner.memory.mark());
            let inner = Arc::clone(&door.inner);
            let asked = door.runtime.spawn(async move { inner.judge(&credential).await });
            let verdict = asked.await.unwrap_or(Verdict::Unknown);
            if let Verdict::Good(caller) = &verdict {
                door.inner.memory.keep(digest, caller, mark, Instant::now());
            }
            verdict
        })
    }
}

impl House for Door {
    fn answer(&self, asked: Asked) -> BoxFuture<'static, Answer> {
        let door = self.clone();
        // A task of its own: what was begun is done, whether its client waits or not.
        let answered = self.runtime.spawn(async move { door.inner.answer(&door, asked).await });
        Box::pin(async move { answered.await.unwrap_or_else(|_| unavailable()) })
    }

    fn describe(&self, document: &Bytes, public: &Policy) -> Bytes {
        let mut kept = self.inner.described.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, number, described)) = &*kept
            && *number == public.number()
            && known == document
        {
            return described.clone();
        }
        let is_public = |path: &str| public.is_public(path);
        let described = described::with_login(document, &self.inner.token, is_public);
        let described = described.map_or_else(|| document.clone(), Bytes::from);
        *kept = Some((document.clone(), public.number(), described.clone()));
        described
    }
}

/// The operations of the accounts, from their own document.
fn contract_of(document: &Value) -> Result<Contract, String> {
    let model = document::read(&document.to_string()).map_err(|error| error.to_string())?;
    Ok(Contract::compile(&model).0)
}

/// The database does not answer, or a defect of ours.
fn unavailable() -> Answer {
    let body = json!({ "detail": "Accounts cannot be looked up at the moment; try again shortly" });
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    Answer { response, event: None }
}
