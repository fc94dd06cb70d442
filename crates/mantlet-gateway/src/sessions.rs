//! Where sessions are kept beyond this process: in the file of this machine and, with a store, where
//! several gates find them.
//!
//! With a store the file is written all the same: a gate that is killed has lost nothing that the
//! store did not take, and a store that has lost its memory is told everything again.

use std::{future::ready, sync::Arc};

use futures_util::future::{BoxFuture, FutureExt, join};
use mantlet_controls::authentication::sessions::{Digest, Event, Keeper, Kind, Sessions};

use crate::session_file::SessionFile;

/// The sessions of the app, and who keeps them.
#[derive(Debug)]
pub(crate) struct KeptSessions {
    /// What this gate knows.
    pub(crate) known: Sessions,
    file: Arc<dyn Keeper>,
    store: Option<Arc<dyn Keeper>>,
}

/// Where events are kept that were to be kept now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    /// They outlive this process.
    pub(crate) is_durable: bool,
    /// Other gates learn of them; none without a store.
    pub(crate) is_shared: Option<bool>,
}

impl KeptSessions {
    pub(crate) fn new(file: &SessionFile, store: Option<Arc<dyn Keeper>>) -> Self {
        Self { known: file.sessions().clone(), file: file.keeper(), store }
    }

    /// Keeps events; says where they are kept when a request may go on.
    pub(crate) async fn keep(&self, events: Vec<Event>) -> Whereabouts {
        let Some(store) = &self.store else {
            return Whereabouts { is_durable: self.file.keep_now(events).await, is_shared: None };
        };
        let (in_file, in_store) = join(self.file.keep_now(events.clone()), store.keep_now(events)).await;
        Whereabouts { is_durable: in_file || in_store, is_shared: Some(in_store) }
    }

    async fn ask(
        &self,
        question: impl FnOnce(&Arc<dyn Keeper>) -> BoxFuture<'_, Option<Vec<Event>>>,
    ) -> Option<Vec<Event>> {
        match &self.store {
            Some(store) => question(store).await,
            None => Some(Vec::new()),
        }
    }
}

impl Keeper for KeptSessions {
    fn keep_soon(&self, events: Vec<Event>) {
        match &self.store {
            Some(store) => {
                self.file.keep_soon(events.clone());
                store.keep_soon(events);
            }
            None => self.file.keep_soon(events),
        }
    }

    fn keep_now(&self, events: Vec<Event>) -> BoxFuture<'_, bool> {
        // With every answer; the session itself is known to all by then, and its end is told with all of
        // its credentials.
        let is_signed_anew = |event: &Event| matches!(event, Event::HandedOut { kind: Kind::Cookie, .. });
        if events.iter().all(is_signed_anew) {
            self.keep_soon(events);
            return ready(true).boxed();
        }
        let is_end = |event: &Event| matches!(event, Event::Ended { .. } | Event::EndedBefore { .. });
        if let Some(store) = self.store.as_ref().filter(|_| !events.iter().any(is_end)) {
            // Another gate may be shown it next. The disk is not waited for.
            self.file.keep_soon(events.clone());
            return store.keep_now(events);
        }
        async {
            let whereabouts = self.keep(events).await;
            whereabouts.is_shared.unwrap_or(whereabouts.is_durable)
        }
        .boxed()
    }

    fn find(&self, digest: Digest) -> BoxFuture<'_, Option<Vec<Event>>> {
        self.ask(move |store| store.find(digest)).boxed()
    }

    fn find_account(&self, name: Digest) -> BoxFuture<'_, Option<Vec<Event>>> {
        self.ask(move |store| store.find_account(name)).boxed()
    }

    fn find_session(&self, id: u64) -> BoxFuture<'_, Option<Vec<Event>>> {
        self.ask(move |store| store.find_session(id)).boxed()
    }

    fn is_shared(&self) -> bool {
        self.store.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use mantlet_controls::authentication::sessions::{Cause, SessionFacts, digest};

    use super::*;

    /// A store that does not answer.
    #[derive(Debug, Default)]
    struct Silent(Mutex<Vec<Event>>);

    impl Keeper for Silent {
        fn keep_soon(&self, events: Vec<Event>) {
            self.0.lock().unwrap().extend(events);
        }

        fn keep_now(&self, events: Vec<Event>) -> BoxFuture<'_, bool> {
            self.keep_soon(events);
            std::future::pending().boxed()
        }

        fn find(&self, _: Digest) -> BoxFuture<'_, Option<Vec<Event>>> {
            ready(None).boxed()
        }

        fn is_shared(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn a_cookie_that_is_signed_anew_waits_for_no_store() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.jsonl");
        let file = SessionFile::open(path, Sessions::default(), true).unwrap();
        let store = Arc::new(Silent::default());
        let kept = KeptSessions::new(&file, Some(Arc::clone(&store) as Arc<dyn Keeper>));
        let facts =
            SessionFacts { id: 7, account: None, names: vec![], began: 1, address: None, within: None };
        let (began, ended) =
            (Event::Began(facts), Event::Ended { session: 7, at: 2, cause: Cause::Logout, left: Vec::new() });
        let (digest, cookie) = (digest(b"value"), Some("session".into()));
        let cookie =
            Event::HandedOut { session: 7, digest, kind: Kind::Cookie, cookie, at: 1, expires: None };
        assert_eq!(kept.keep_now(vec![cookie.clone()]).now_or_never(), Some(true));
        for events in [vec![began, cookie.clone()], vec![cookie, ended]] {
            assert_eq!(kept.keep_now(events).now_or_never(), None);
        }
        assert_eq!(store.0.lock().unwrap().len(), 5);
    }
}
