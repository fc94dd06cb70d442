//! One thread that asks the servers, keeps what they say and asks again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, mpsc::RecvTimeoutError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

#[cfg(feature = "aws")]
use crate::aws::SecretsManager;
use crate::{
    AGAIN,
    found::{Found, Trouble},
    place::{Place, Source},
    settings::Settings,
    two_thirds,
    vault::Vault,
};

/// How long an answer is good for one who asks: a configuration asks for the same secret several times.
const FRESH: Duration = Duration::from_secs(2);
/// How long one who asks waits, in the worst case.
const LONGEST: Duration = Duration::from_secs(30);

/// Something that an operator has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The secret is another one.
    Changed(Source),
    /// It cannot be read any more; the last one stays good. Said once.
    Failed(Source, String),
    /// It can be read again.
    Recovered(Source),
}

/// A secret that is known, and since when there is this version of it, if the server says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The secret.
    pub bytes: Vec<u8>,
    /// When this version was made.
    pub created: Option<SystemTime>,
}

/// Asks and keeps. Dropping it ends its thread.
#[derive(Debug)]
pub struct Keeper {
    asks: UnboundedSender<Ask>,
    events: Mutex<Option<UnboundedReceiver<Event>>>,
}

enum Ask {
    Configure(Box<Settings>),
    Read(Place, std::sync::mpsc::Sender<Result<Known, String>>),
}

impl Keeper {
    /// Starts its thread. It asks nothing by itself until something was asked for.
    pub fn start(settings: Settings) -> std::io::Result<Self> {
        let (asks, asked) = unbounded_channel();
        let (tell, events) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("secrets".to_owned()).spawn(move || {
            runtime.block_on(Work::new(settings, tell).go_on(asked));
        })?;
        Ok(Self { asks, events: Mutex::new(Some(events)) })
    }

    /// Asks in another way from now on.
    pub fn configure(&self, settings: Settings) {
        // It lives as long as we do.
        let _ = self.asks.send(Ask::Configure(Box::new(settings)));
    }

    /// The secret, or why there is none. It waits for a server, so do not call it on a thread of the gate.
    pub fn read(&self, place: &Place) -> Result<Known, String> {
        let (reply, replied) = std::sync::mpsc::channel();
        let _ = self.asks.send(Ask::Read(place.clone(), reply));
        replied.recv_timeout(LONGEST).unwrap_or_else(|error| {
            Err(match error {
                RecvTimeoutError::Timeout => format!("there was no answer within {} s", LONGEST.as_secs()),
                RecvTimeoutError::Disconnected => "the thread that reads secrets has ended".to_owned(),
            })
        })
    }

    /// What happens from now on. None: they were taken before.
    pub fn events(&self) -> Option<UnboundedReceiver<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

struct Entry {
    found: Found,
    /// When the server has said so, or was asked last.
    asked: Instant,
    due: Instant,
    is_failing: bool,
}

struct Work {
    settings: Settings,
    vault: Vault,
    #[cfg(feature = "aws")]
    aws: SecretsManager,
    entries: HashMap<Source, Entry>,
    tell: UnboundedSender<Event>,
}

impl Work {
    fn new(settings: Settings, tell: UnboundedSender<Event>) -> Self {
        Self {
            vault: Vault::new(settings.vault(), settings.read_here.clone()),
            #[cfg(feature = "aws")]
            aws: SecretsManager::new(&settings),
            settings,
            entries: HashMap::new(),
            tell,
        }
    }

    async fn go_on(mut self, mut asked: UnboundedReceiver<Ask>) {
        loop {
            let due = self.entries.values().map(|entry| entry.due).chain(self.vault.due()).min();
            let rest = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                ask = asked.recv() => match ask {
                    None => return,
                    Some(Ask::Configure(settings)) => self.configure(*settings),
                    Some(Ask::Read(place, reply)) => {
                        let answer = self.answer(&place).await;
                        // Who has asked may have gone.
                        let _ = reply.send(answer);
                    }
                },
                () = rest => self.refresh().await,
            }
        }
    }

    fn configure(&mut self, settings: Settings) {
        if settings == self.settings {
            return;
        }
        if settings.vault != self.settings.vault {
            self.vault = Vault::new(settings.vault(), settings.read_here.clone());
            // What another server has is another secret.
            self.entries.retain(|source, _| !matches!(source, Source::Vault(_)));
        }
        #[cfg(feature = "aws")]
        if settings.aws != self.settings.aws {
            self.aws = SecretsManager::new(&settings);
            self.entries.retain(|source, _| !matches!(source, Source::Aws(_)));
        }
        self.settings = settings;
        let latest = Instant::now() + self.settings.refresh;
        for entry in self.entries.values_mut() {
            entry.due = entry.due.min(latest);
        }
    }

    async fn answer(&mut self, place: &Place) -> Result<Known, String> {
        let is_good = |entry: &Entry| {
            // A lease is good until it ends: asked again, the server would make another.
            entry.found.lease.is_some() || entry.is_failing || entry.asked.elapsed() < FRESH
        };
        if !self.entries.get(&place.source).is_some_and(is_good) {
            self.ask(&place.source).await.map_err(|trouble| trouble.message().to_owned())?;
        }
        let found = &self.entries.get(&place.source).ok_or_else(|| "it is not known".to_owned())?.found;
        Ok(Known { bytes: found.get(place.field.as_deref())?, created: found.created })
    }

    /// Does what is due.
    async fn refresh(&mut self) {
        let now = Instant::now();
        if self.vault.due().is_some_and(|due| due <= now) {
            let kept = self.vault.keep_session().await;
            if let Err(trouble) = kept {
                self.session_failed(&trouble);
            }
        }
        let due: Vec<Source> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.due <= now)
            .map(|(source, _)| source.clone())
            .collect();
        for source in due {
            if !self.renew(&source).await {
                // What is wrong was told.
                let _ = self.ask(&source).await;
            }
        }
    }

    /// The secrets stay good for now, so it is told of the first alone.
    fn session_failed(&mut self, trouble: &Trouble) {
        let of_vault = self.entries.iter_mut().find(|(source, _)| matches!(source, Source::Vault(_)));
        if let Some((source, entry)) = of_vault
            && !entry.is_failing
        {
            entry.is_failing = true;
            let _ = self.tell.send(Event::Failed(source.clone(), trouble.message().to_owned()));
        }
    }

    /// Makes a lease last longer. False: the secret has to be asked for.
    async fn renew(&mut self, source: &Source) -> bool {
        let Some(entry) = self.entries.get_mut(source) else { return false };
        let Some(lease) = entry.found.lease.clone().filter(|lease| lease.renewable) else { return false };
        match self.vault.renew(&lease).await {
            // Near the longest time that it may have, a renewal brings little.
            Ok(time) if time >= lease.time / 2 => {
                entry.due = Instant::now() + two_thirds(time);
                true
            }
            _ => false,
        }
    }

    /// Asks the server. What is known stays where it does not answer.
    async fn ask(&mut self, source: &Source) -> Result<(), Trouble> {
        let asked = match source {
            Source::Vault(path) => self.vault.read(path).await,
            #[cfg(feature = "aws")]
            Source::Aws(name) => self.aws.read(name).await,
            #[cfg(not(feature = "aws"))]
            Source::Aws(_) => Err(Trouble::Refused("this Mantlet was built without AWS".to_owned())),
        };
        let now = Instant::now();
        match (asked, self.entries.get_mut(source)) {
            (Ok(found), known) => {
                let time = found.lease.as_ref().map_or(self.settings.refresh, |lease| two_thirds(lease.time));
                if let Some(known) = known {
                    if known.is_failing {
                        let _ = self.tell.send(Event::Recovered(source.clone()));
                    }
                    if !known.found.is_same(&found) {
                        let _ = self.tell.send(Event::Changed(source.clone()));
                    }
                }
                let entry = Entry { found, asked: now, due: now + time, is_failing: false };
                self.entries.insert(source.clone(), entry);
                Ok(())
            }
            (Err(trouble), Some(known)) => {
                if !known.is_failing {
                    let event = Event::Failed(source.clone(), trouble.message().to_owned());
                    let _ = self.tell.send(event);
                }
                (known.is_failing, known.asked) = (true, now);
                known.due = now + AGAIN.min(self.settings.refresh);
                Ok(())
            }
            (Err(trouble), None) => Err(trouble),
        }
    }
}
