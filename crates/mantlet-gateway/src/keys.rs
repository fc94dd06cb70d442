//! Where API keys are kept beyond this process: in the file of this machine and, with a store, where
//! several gates find them.

use std::{io, sync::Arc, time::Duration};

use mantlet_controls::api_keys::{ApiKeys, Change, KeyFacts};
use tokio::{task::spawn_blocking, time::sleep};

use crate::{key_file::KeyFile, store::SharedKeys, tell};

/// How often to ask the store whether other gates have changed keys.
const EVERY: Duration = Duration::from_millis(300);

/// The keys, and who keeps them.
#[derive(Debug)]
pub(crate) struct KeptKeys {
    /// What this gate knows.
    pub(crate) known: ApiKeys,
    file: KeyFile,
    store: Option<Arc<dyn SharedKeys>>,
}

/// Where a change is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Why it is not in the file, if it is not.
    pub(crate) in_file: Result<(), io::Error>,
    /// Other gates learn of it; none without a store.
    pub(crate) is_shared: Option<bool>,
}

impl Kept {
    /// Whether it outlives this process.
    pub(crate) fn is_durable(&self) -> bool {
        self.in_file.is_ok() || self.is_shared == Some(true)
    }
}

impl KeptKeys {
    pub(crate) fn new(file: &KeyFile, store: Option<Arc<dyn SharedKeys>>) -> Self {
        let known = file.keys();
        // Until the store was asked.
        known.set_behind(store.is_some());
        Self { known, file: file.clone(), store }
    }

    /// Keeps a new key. It is good from then on, unless it could not be kept.
    pub(crate) async fn create(&self, facts: KeyFacts) -> Kept {
        let changes = vec![Change::Created(facts)];
        let kept = self.keep(changes.clone()).await;
        if kept.is_durable() {
            self.known.apply(&changes);
        }
        kept
    }

    /// Revokes a key, at once.
    pub(crate) async fn revoke(&self, key: Box<str>, at: i64) -> Kept {
        let changes = vec![Change::Revoked { key, at }];
        self.known.apply(&changes);
        self.keep(changes).await
    }

    async fn keep(&self, changes: Vec<Change>) -> Kept {
        let in_file = self.write(changes.clone()).await;
        let is_shared = match &self.store {
            Some(store) => Some(store.share(&changes).await),
            None => None,
        };
        Kept { in_file, is_shared }
    }

    /// It waits for the disk, so not on the thread that asks.
    async fn write(&self, changes: Vec<Change>) -> io::Result<()> {
        let file = self.file.clone();
        let written = spawn_blocking(move || file.add(&changes)).await;
        written.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Learns what other gates change, for as long as it is polled.
    pub(crate) async fn follow(&self) {
        let Some(store) = &self.store else { return std::future::pending().await };
        let mut complained = false;
        loop {
            let news = store.exchange().await;
            self.known.set_behind(news.is_none());
            let news = news.unwrap_or_default();
            if !news.is_empty()
                && let Err(error) = self.write(news).await
                && error.kind() != io::ErrorKind::WouldBlock
                && !std::mem::replace(&mut complained, true)
            {
                tell(&format!("API keys of other gates cannot be kept in the state folder: {error}"));
            }
            sleep(EVERY).await;
        }
    }
}
