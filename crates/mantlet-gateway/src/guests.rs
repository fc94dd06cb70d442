//! The open connections of all threads, because limits apply to the whole gate.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use crate::connection_state::ConnectionState;

/// Connections compared when one must make room: enough to find an old one, few enough to be cheap.
const EVICTION_SAMPLE: usize = 8;

/// Locked when a connection comes or goes.
#[derive(Debug, Default)]
pub(crate) struct Guests {
    /// Every connection, so that one can be picked at random.
    all: Vec<Arc<ConnectionState>>,
    /// Connections of each untrusted address.
    per_client: HashMap<IpAddr, usize>,
}

impl Guests {
    pub(crate) const fn count(&self) -> usize {
        self.all.len()
    }

    /// Connections of an untrusted address.
    pub(crate) fn count_of(&self, address: IpAddr) -> usize {
        self.per_client.get(&address).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, state: &Arc<ConnectionState>, address: Option<IpAddr>) {
        if let Some(address) = address {
            *self.per_client.entry(address).or_default() += 1;
        }
        state.slot.store(self.all.len(), Relaxed);
        self.all.push(Arc::clone(state));
    }

    /// Removes a connection that was added.
    pub(crate) fn remove(&mut self, state: &ConnectionState, address: Option<IpAddr>) {
        if let Some(address) = address
            && let Some(count) = self.per_client.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.per_client.remove(&address);
            }
        }
        let slot = state.slot.load(Relaxed);
        if slot < self.all.len() {
            self.all.swap_remove(slot);
            if let Some(moved) = self.all.get(slot) {
                moved.slot.store(slot, Relaxed);
            }
        }
    }

    /// Picks a few connections at random and closes the one that has been idle longest, to make
    /// room. A client that sends its request promptly is not idle, so its connection is never
    /// closed.
    pub(crate) fn evict(&self) -> bool {
        // Numbers that a client cannot foresee.
        let random = RandomState::new();
        let sample = (0..EVICTION_SAMPLE).filter_map(|n| {
            let number = usize::try_from(random.hash_one(n)).unwrap_or(0);
            self.all.get(number.checked_rem(self.all.len())?)
        });
        let waits = |state: &ConnectionState| state.is_idle() || state.is_in_head();
        let oldest = sample
            .filter(|state| waits(state) && !state.should_close())
            .max_by_key(|state| state.phase_age());
        let Some(state) = oldest else { return false };
        state.evict();
        true
    }

    /// Asks every connection to end as soon as no request is under way on it.
    pub(crate) fn close_all(&self) {
        for state in &self.all {
            state.close();
        }
    }
}
