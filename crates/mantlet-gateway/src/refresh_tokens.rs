//! Where the handles of refresh tokens are kept beyond this process: in the file of this machine
//! and, with a store, where several gates find them.
//!
//! Requests of one family take turns: within this process by a lock, with a store by one more that
//! all gates see. With a store nothing is judged without it: what this gate knows may be old, and
//! the app would be sent a token that another gate has replaced. The file is written all the same:
//! a store that has lost its memory is told everything again.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use mantlet_controls::refresh_tokens::{Family, FamilyId, Keeper, Kept, NoTurn, Turn};
use tokio::{
    sync::{Mutex as Lock, OwnedMutexGuard},
    time::{Instant, sleep, timeout_at},
};

use crate::{
    refresh_file::{Families, Inlet, RefreshFile},
    store::{SharedFamilies, Stored},
};

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to tell the store what it has not taken.
const EVERY: Duration = Duration::from_millis(250);

/// The families, and who keeps them.
pub(crate) struct KeptFamilies {
    known: Families,
    file: Inlet,
    store: Option<Arc<dyn SharedFamilies>>,
    turns: Turns,
    /// Families that the store has not taken.
    unsent: Mutex<HashSet<FamilyId>>,
}

impl fmt::Debug for KeptFamilies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptFamilies").field("store", &self.store).finish_non_exhaustive()
    }
}

impl KeptFamilies {
    pub(crate) fn new(file: &RefreshFile, store: Option<Arc<dyn SharedFamilies>>) -> Self {
        let (turns, unsent) = (Turns::default(), Mutex::default());
        Self { known: file.known().clone(), file: file.inlet(), store, turns, unsent }
    }

    /// Tells the store what it has not taken or has lost, for as long as it is polled.
    pub(crate) async fn follow(&self) {
        let Some(store) = &self.store else { return std::future::pending().await };
        loop {
            let unsent: Vec<_> = self.unsent().iter().copied().collect();
            for family in unsent.into_iter().filter_map(|id| self.known.get(id)) {
                self.send(&**store, &family).await;
            }
            if self.known.count() > 0 && store.has_lost_its_memory().await == Some(true) {
                let mut is_told = true;
                for family in self.known.all() {
                    is_told &= self.send(&**store, &family).await;
                }
                if is_told {
                    store.remember().await;
                }
            }
            sleep(EVERY).await;
        }
    }

    /// Tells the store of a family. False if the store does not respond.
    async fn send(&self, store: &dyn SharedFamilies, family: &Family) -> bool {
        match store.keep(family).await {
            Stored::Yes => {}
            Stored::Overtaken(newer) => self.learn(&newer),
            Stored::No => return false,
        }
        // Unless it has changed meanwhile.
        if self.known.get(family.id).is_none_or(|known| known.revision <= family.revision) {
            self.unsent().remove(&family.id);
        }
        true
    }

    /// Takes what another gate has made of a family.
    fn learn(&self, family: &Family) {
        match self.known.put(family.clone()) {
            Ok(()) => self.file.keep_soon(family),
            // The store has not taken that of this gate.
            Err(known) if known.revision > family.revision => return,
            Err(_) => {}
        }
        self.unsent().remove(&family.id);
    }

    async fn enter_by(&self, id: FamilyId, deadline: Instant) -> Result<Turn, NoTurn> {
        let own = timeout_at(deadline, self.turns.enter(id)).await.map_err(|_| NoTurn::Busy)?;
        let Some(store) = &self.store else {
            self.file.look().await;
            let family = self.known.get(id).map(Arc::unwrap_or_clone);
            return Ok(Turn { family, end: Box::new(own) });
        };
        let (theirs, of_all) = store.enter(id, deadline).await?;
        if let Some(family) = theirs {
            self.learn(&family);
        }
        let family = self.known.get(id).map(Arc::unwrap_or_clone);
        // The turn among all gates ends first, then that within this one.
        Ok(Turn { family, end: Box::new((of_all, own)) })
    }

    async fn keep_it(&self, family: Family) -> Kept {
        let taken = match &self.store {
            Some(store) => match store.keep(&family).await {
                Stored::Yes => true,
                Stored::Overtaken(newer) => {
                    self.learn(&newer);
                    return Kept::Overtaken(newer);
                }
                Stored::No => {
                    self.unsent().insert(family.id);
                    false
                }
            },
            None => true,
        };
        if let Err(newer) = self.known.put(family.clone()) {
            // What the store has taken was first, even if this gate has learned of a later one
            // since.
            let was_first = taken && self.store.is_some();
            return if was_first {
                Kept::Yes
            } else {
                Kept::Overtaken(Box::new(Arc::unwrap_or_clone(newer)))
            };
        }
        let is_in_file = self.file.keep_now(&family).await;
        if taken && (is_in_file || self.store.is_some()) { Kept::Yes } else { Kept::No }
    }

    fn unsent(&self) -> MutexGuard<'_, HashSet<FamilyId>> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper for KeptFamilies {
    fn enter(&self, id: FamilyId) -> BoxFuture<'_, Result<Turn, NoTurn>> {
        Box::pin(self.enter_by(id, Instant::now() + PATIENCE))
    }

    fn keep(&self, family: Family) -> BoxFuture<'_, Kept> {
        Box::pin(self.keep_it(family))
    }

    fn is_complete(&self) -> BoxFuture<'_, bool> {
        match &self.store {
            Some(store) => store.is_complete(),
            None => Box::pin(std::future::ready(true)),
        }
    }
}

/// Who is in turn within this process.
#[derive(Clone, Default)]
struct Turns(Arc<Mutex<HashMap<FamilyId, Arc<Lock<()>>>>>);

/// A turn, or a place in the line for it.
struct Own {
    turns: Turns,
    id: FamilyId,
    /// None only before the turn has come and after it has ended.
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    async fn enter(&self, id: FamilyId) -> Own {
        let lock = Arc::clone(self.lock().entry(id).or_default());
        // Made before it waits: its place is given up if its client leaves.
        let mut own = Own { turns: self.clone(), id, held: None };
        own.held = Some(lock.lock_owned().await);
        own
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FamilyId, Arc<Lock<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.held = None;
        let mut all = self.turns.lock();
        if all.get(&self.id).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            all.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_after_another_and_nothing_is_left() {
        let turns = Turns::default();
        let id: FamilyId = "000102030405060708090a0b".parse().unwrap();
        let first = turns.enter(id).await;
        let other = turns.enter("0f0102030405060708090a0b".parse().unwrap()).await;
        let soon = || Instant::now() + Duration::from_millis(20);
        assert!(timeout_at(soon(), turns.enter(id)).await.is_err(), "it is not its turn");
        drop(first);
        let second = timeout_at(soon(), turns.enter(id)).await.ok();
        assert!(second.is_some());
        drop((second, other));
        assert!(turns.lock().is_empty());
    }
}
