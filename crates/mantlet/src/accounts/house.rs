//! Answers for the gate: requests for the accounts, and who has a credential. On a runtime of its own.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, Response, StatusCode, header};
use jiff::Timestamp;
use mantlet_accounts::Fault;
use mantlet_controls::{
    Scheme,
    accounts::{self, Caller, Callers, Credential, Followed, Policy, Verdict},
    audit::Sink,
    operation::Contract,
};
use mantlet_gateway::{
    audit_log::AuditLog,
    house::{Answer, Asked, House},
};
use mantlet_sign_in::Settings;
use serde_json::json;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Notify, Semaphore},
};

use super::{
    conflict::Reserved,
    described, events,
    followed::{Session, Trail},
    mail,
    memory::{Memory, digest},
    open::Trouble,
    opened::{Opened, Plan, began_at_provider, of_account},
    told::Told,
};
use crate::{
    config::{AccountsConfig, Config, LoginConfig},
    say::say,
};

/// Threads of the runtime. They wait for the database; passwords have threads of their own.
const THREADS: usize = 2;
/// Credentials that are looked up at once; more wait for their turn.
const LOOK_UPS: usize = 64;
/// The same of sessions of providers, which may have to wait for their provider.
const LOOK_UPS_AT_PROVIDER: usize = 256;
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
    login: LoginConfig,
}

/// The same, as the gate has it.
#[derive(Debug, Clone)]
struct Door {
    inner: Arc<Inner>,
    runtime: tokio::runtime::Handle,
}

#[derive(Debug)]
struct Inner {
    plan: Plan,
    folder: PathBuf,
    reserved: Reserved,
    login: String,
    token: String,
    /// Not there until the database could be opened.
    opened: OnceLock<Opened>,
    turns: Semaphore,
    turns_at_provider: Semaphore,
    turns_of_followed: Semaphore,
    memory: Arc<Memory>,
    /// What happens at providers without a request is recorded here; none if actions are not recorded.
    log: Option<AuditLog>,
    /// A mail may wait.
    mail: Notify,
    /// Mails are sent no more.
    end: Notify,
    /// What the operator was told of providers last.
    told: Arc<Told>,
    /// The last document of the app, for which policy, and what it became.
    described: Mutex<Option<(Bytes, u64, Bytes)>>,
}

impl Accounts {
    /// Opens the accounts, or goes on without their database until it answers, if that is a server.
    pub(crate) fn start(whole: &Config, log: Option<AuditLog>) -> Result<Self, String> {
        let failed = |error: io::Error| format!("the accounts cannot be opened: {error}");
        let (config, login) = (&whole.accounts, &whole.login);
        let runtime =
            Builder::new_multi_thread().worker_threads(THREADS).thread_name("accounts").enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let settings = Settings {
            app: config.app(),
            path: config.path.clone(),
            home: config.home.clone(),
            registration: config.registration,
            style: config.style_sheet()?,
            others: Vec::new(),
        };
        let has_passwords = config.has_passwords(login);
        let sender = if has_passwords { config.sender()? } else { None };
        let plan = Plan { config: config.clone(), has_passwords, logins: login.read()?, settings };
        let inner = Arc::new(Inner {
            plan,
            folder: whole.state_folder.clone(),
            reserved: Reserved { path: config.path.clone(), has_tokens: has_passwords },
            login: format!("{}/login", config.path),
            token: format!("{}/token", config.path),
            opened: OnceLock::new(),
            turns: Semaphore::new(LOOK_UPS),
            turns_at_provider: Semaphore::new(LOOK_UPS_AT_PROVIDER),
            turns_of_followed: Semaphore::new(LOOK_UPS),
            memory: Arc::default(),
            log,
            mail: Notify::new(),
            end: Notify::new(),
            told: Arc::default(),
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
            None if has_passwords => say(
                "note: `mail` under `[accounts]` is empty: mails wait in the database, so no address can be verified",
            ),
            None => {}
        }
        Ok(Self { inner, runtime, login: login.clone() })
    }

    /// For the gate.
    pub(crate) fn doors(&self) -> (Arc<dyn Callers>, Arc<dyn House>) {
        let door = Arc::new(Door { inner: Arc::clone(&self.inner), runtime: self.runtime.handle().clone() });
        (Arc::clone(&door) as Arc<dyn Callers>, door)
    }

    /// The settings with which they were opened.
    pub(crate) fn config(&self) -> (AccountsConfig, LoginConfig) {
        (self.inner.plan.config.clone(), self.login.clone())
    }

    /// The paths that the app may not have.
    pub(crate) fn reserved(&self) -> Reserved {
        self.inner.reserved.clone()
    }

    /// Ends the connections to the database, after the gate has ended.
    pub(crate) fn finish(self) {
        self.inner.end.notify_one();
        if let Some(opened) = self.inner.opened.get() {
            // A server that does not answer is not waited for.
            let _ = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, opened.close()).await });
        }
        self.runtime.shutdown_timeout(FIRST_PAUSE);
    }
}

impl Inner {
    async fn open(&self) -> Result<(), Trouble> {
        let (memory, told, log) = (Arc::clone(&self.memory), Arc::clone(&self.told), self.log.clone());
        let watcher = move |event: mantlet_providers::Event| {
            heed(&event, &memory, &told);
            if let (Some(log), Some(record)) = (&log, events::of_background(&event, Timestamp::now())) {
                log.record(record);
            }
        };
        let opened = Opened::open(&self.plan, &self.folder, watcher).await?;
        // Only one task opens.
        let _ = self.opened.set(opened);
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
            self.maintain_once().await;
        }
    }

    async fn maintain_once(&self) {
        if let Some(opened) = self.opened.get()
            && let Err(fault) = opened.maintain(Timestamp::now()).await
        {
            say(format!("note: what has ended could not be forgotten: {fault}"));
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
        let Some(sign_in) = &opened.passwords else { return };
        let told = Told::default();
        let tell = |outcome| told.tell(mail::text(&outcome));
        let accounts = sign_in.accounts();
        mantlet_mail::run(accounts, sender, &self.mail, Timestamp::now, tell, self.end.notified()).await;
    }

    async fn judge(&self, credential: &Credential) -> Verdict {
        let Some(opened) = self.opened.get() else { return Verdict::Unknown };
        let looked = async {
            if began_at_provider(credential) {
                // Of its own: a provider that is slow holds up the sessions of providers alone.
                let _turn = self.turns_at_provider.acquire().await.ok()?;
                return Some(opened.look_at_provider(credential).await);
            }
            let _turn = self.turns.acquire().await.ok()?;
            let found = opened.look(credential).await.ok()?;
            let known = |caller| Verdict::Good(Arc::new(of_account(&self.plan.config.url, caller)));
            Some(found.map_or(Verdict::Bad, known))
        };
        tokio::time::timeout(PATIENCE, looked).await.ok().flatten().unwrap_or(Verdict::Unknown)
    }

    async fn answer(&self, door: &Door, asked: Asked) -> Answer {
        let Some(opened) = self.opened.get() else { return unavailable() };
        let config = &self.plan.config;
        let origin = if config.url.is_empty() { asked.origin.clone() } else { config.url.clone() };
        let asked = match opened.at_provider(config, Asked { origin, ..asked }).await {
            Ok(Ok(answer)) => return self.tell(answer),
            Ok(Err(asked)) => asked,
            Err(_) => return unavailable(),
        };
        let Asked { request, client, origin } = asked;
        if request.method() == Method::GET && request.uri().path().trim_end_matches('/') == config.path {
            let account = format!("{}/account", config.path);
            return see_other(if opened.passwords.is_some() { &account } else { &config.home });
        }
        let Some(sign_in) = &opened.passwords else { return not_found() };
        let scheme = if origin.starts_with("https:") { Scheme::Https } else { Scheme::Http };
        let session = match accounts::credential_of(door, scheme, request.headers()) {
            None => None,
            // Anew, and not as it was a moment ago: what is done here counts for long.
            Some(credential) => match opened.look(&credential).await {
                Ok(caller) => caller.map(|caller| caller.session),
                Err(_) => return unavailable(),
            },
        };
        let asked = mantlet_sign_in::Asked { request, client, origin, session };
        let answer = sign_in.answer(Timestamp::now(), asked).await;
        if answer.event.is_some() {
            self.mail.notify_one();
        }
        if let Some(event) = answer.event.as_ref().filter(|event| events::changes_callers(event.what)) {
            self.memory.end(event.account.as_deref());
        }
        Answer { response: answer.response, event: answer.event.as_ref().map(events::of) }
    }

    /// The answer of a provider's room, after what it has changed here.
    fn tell(&self, answer: mantlet_providers::Answer) -> Answer {
        let mantlet_providers::Answer { response, event } = answer;
        if let Some(event) = &event {
            heed(event, &self.memory, &self.told);
        }
        Answer { response, event: event.as_ref().map(events::of_provider) }
    }
}

/// What an event at a provider changes here.
fn heed(event: &mantlet_providers::Event, memory: &Memory, told: &Told) {
    if events::ends_sessions(event.what) {
        memory.end(events::subject_of(event));
    }
    if let Some(news) = events::news(event) {
        told.tell(news);
    }
}

impl Callers for Door {
    fn issuer(&self) -> Option<&str> {
        self.inner.plan.has_passwords.then_some(&*self.inner.plan.config.url)
    }

    fn cookie(&self, scheme: Scheme) -> &str {
        let origin = if scheme == Scheme::Https { "https:" } else { "http:" };
        self.inner.plan.config.cookie(origin)
    }

    fn login(&self) -> &str {
        &self.inner.login
    }

    fn owns(&self, path: &str) -> bool {
        self.inner.reserved.has(path)
    }

    fn contract(&self) -> Option<&Arc<Contract>> {
        self.inner.opened.get()?.contract.as_ref()
    }

    fn known(&self, credential: &Credential) -> Option<Verdict> {
        self.inner.memory.recall(&digest(credential), Instant::now()).map(Verdict::Good)
    }

    fn follow(&self, caller: &Arc<Caller>) -> Arc<dyn Followed> {
        Arc::new(Session::new(Path { door: self.clone(), caller: Arc::clone(caller) }))
    }

    fn forget(&self, account: Option<&str>) {
        self.inner.memory.end(account);
        // Many may have come: what their hashes cost is what logins to unknown addresses have to cost.
        if account.is_none() {
            let inner = Arc::clone(&self.inner);
            self.runtime.spawn(async move { inner.maintain_once().await });
        }
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

/// Where a session is looked up.
struct Path {
    door: Door,
    caller: Arc<Caller>,
}

impl Trail for Path {
    fn number(&self) -> u64 {
        self.door.inner.memory.number_of(&self.caller.principal.subject)
    }

    fn look_up(&self, tell: impl FnOnce(Result<bool, Fault>) + Send + 'static) {
        let (inner, caller) = (Arc::clone(&self.door.inner), Arc::clone(&self.caller));
        self.door.runtime.spawn(async move {
            let looked = async {
                let _turn = inner.turns_of_followed.acquire().await;
                match inner.opened.get() {
                    Some(opened) => opened.goes_on(&inner.plan.config, &caller).await,
                    None => Err(Fault::Failed("opening the database")),
                }
            };
            let late = Err(Fault::Failed("waiting for the database"));
            tell(tokio::time::timeout(PATIENCE, looked).await.unwrap_or(late));
        });
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
        if !self.inner.plan.has_passwords {
            return document.clone();
        }
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

/// The database does not answer, or a defect of ours.
fn unavailable() -> Answer {
    let detail = "Accounts cannot be looked up at the moment; try again shortly";
    let mut answer = said(StatusCode::SERVICE_UNAVAILABLE, detail);
    answer.response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    answer
}

fn not_found() -> Answer {
    said(StatusCode::NOT_FOUND, "Not Found")
}

/// An answer in FastAPI's shape.
fn said(status: StatusCode, detail: &str) -> Answer {
    let mut response = Response::new(Bytes::from(json!({ "detail": detail }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Answer { response, event: None }
}

/// Leads to another page of this site.
fn see_other(path: &str) -> Answer {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    // A path of the configuration, which was checked.
    if let Ok(location) = HeaderValue::try_from(path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Answer { response, event: None }
}
