//! How many requests the app has in hand, and whose they are: no client shall take all of it.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
};

use mantlet_controls::throttle::{Key, Presence};

/// Counters of clients. Two clients that fall on the same one share it, which matters only when the app is busy.
const COUNTERS: usize = 4_096;

/// What the app has in hand.
#[derive(Debug)]
pub(crate) struct Shares {
    most: usize,
    in_hand: AtomicUsize,
    /// Counters that are not zero.
    clients: AtomicUsize,
    of_client: Box<[AtomicU32]>,
    seed: RandomState,
}

/// The right to have one more request in the app's hands.
#[derive(Debug)]
pub(crate) struct Permit {
    shares: Arc<Shares>,
    counter: usize,
    /// What is counted for the client alone, where that is limited.
    presence: Option<Presence>,
}

impl Permit {
    pub(crate) fn with(self, presence: Option<Presence>) -> Self {
        let mut permit = self;
        permit.presence = presence;
        permit
    }
}

impl Shares {
    pub(crate) fn of(most: usize) -> Arc<Self> {
        let of_client = (0..COUNTERS).map(|_| AtomicU32::new(0)).collect();
        let (in_hand, clients) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { most, in_hand, clients, of_client, seed: RandomState::new() })
    }

    /// The counter of a client.
    pub(crate) fn counter(&self, client: Option<Key>) -> usize {
        usize::try_from(self.seed.hash_one(client)).unwrap_or_default() % COUNTERS
    }

    /// The right to send one more request of this client, if the app has not too many in hand. While it has few, everybody may have as many
    /// as there is room for; later nobody may have more than an equal share of seven eighths: newcomers find room.
    pub(crate) fn take(self: &Arc<Self>, counter: usize) -> Option<Permit> {
        // Counted first, so that two threads cannot both take the last place; the drop takes it back.
        let permit = Permit { shares: Arc::clone(self), counter, presence: None };
        let own = self.of_client.get(counter)?.fetch_add(1, Relaxed) as usize;
        let clients = self.clients.fetch_add(usize::from(own == 0), Relaxed) + usize::from(own == 0);
        let in_hand = self.in_hand.fetch_add(1, Relaxed);
        let share = (self.most - self.most / 8) / clients.max(1);
        let has_room = in_hand < self.most && (in_hand < self.most / 2 || own < share.max(1));
        has_room.then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let shares = &self.shares;
        shares.in_hand.fetch_sub(1, Relaxed);
        if shares.of_client.get(self.counter).is_some_and(|counter| counter.fetch_sub(1, Relaxed) == 1) {
            shares.clients.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_leaves_room_for_others_who_get_as_much() {
        let shares = Shares::of(16);
        let (a, b) = (1, 2);
        let mut of_a: Vec<_> = std::iter::from_fn(|| shares.take(a)).collect();
        assert_eq!(of_a.len(), 14);
        let of_b: Vec<_> = std::iter::from_fn(|| shares.take(b)).collect();
        assert_eq!(of_b.len(), 2, "there are no more places");
        // What one gives back, the other gets, until both have the same.
        of_a.truncate(5);
        let more: Vec<_> = std::iter::from_fn(|| shares.take(b)).collect();
        assert_eq!(of_b.len() + more.len(), 7);
        drop((of_a, of_b, more));
        assert_eq!((shares.in_hand.load(Relaxed), shares.clients.load(Relaxed)), (0, 0));
    }
}
