//! Counts the requests that the app works on, for each client, so that no client and no network
//! takes the whole app.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
};

use mantlet_controls::throttle::{InFlightGuard, Key};

/// Counters of clients. Two clients may share one, which matters only when the app is busy.
pub(crate) const COUNTERS: usize = 4_096;
/// A network counts as this many clients, however many addresses it has: an attacker gets a whole
/// network as easily as an address.
pub(crate) const CLIENTS_OF_NETWORK: usize = 8;
/// Bits that addresses of a network share, of the 128 of IPv6 and of IPv4 in it: 48, what a site has (RFC 6177), and 24 of 32.
const NETWORK_BITS: (u32, u32) = (48, 96 + 24);

/// The counters of a client and of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) own: usize,
    pub(crate) network: usize,
}

/// The requests that the app works on.
#[derive(Debug)]
pub(crate) struct Shares {
    most: usize,
    in_hand: AtomicUsize,
    clients: Counters,
    networks: Counters,
    /// Odd numbers that no client knows: each process lets other clients share a counter.
    factors: [u128; 2],
}

/// The right to send one more request to the app.
#[derive(Debug)]
pub(crate) struct Permit {
    shares: Arc<Shares>,
    client: Client,
    /// The count for the client alone, if that is limited.
    presence: Option<InFlightGuard>,
}

impl Permit {
    pub(super) fn hold(&mut self, presence: Option<InFlightGuard>) {
        self.presence = presence;
    }

    pub(super) const fn client(&self) -> Client {
        self.client
    }
}

impl Shares {
    pub(crate) fn of(most: usize) -> Arc<Self> {
        let (clients, networks) = (Counters::default(), Counters::default());
        let seed = RandomState::new();
        let half = |number: u8| u128::from(seed.hash_one(number));
        let factors = [[0, 1], [2, 3]].map(|[high, low]| (half(high) << 64) | half(low) | 1);
        Arc::new(Self { most, in_hand: AtomicUsize::new(0), clients, networks, factors })
    }

    /// How many there are.
    pub(crate) fn in_hand(&self) -> usize {
        self.in_hand.load(Relaxed)
    }

    /// The counters of a client; all unknown clients share one.
    pub(crate) fn client(&self, key: Option<Key>) -> Client {
        // Multiply and shift (Dietzfelbinger and others, 1997): two keys fall on one counter with twice the least probability at most.
        let counter = |factor: u128, key: u128| {
            usize::try_from(key.wrapping_mul(factor) >> (128 - COUNTERS.ilog2())).unwrap_or_default()
        };
        let [own, of_network] = self.factors;
        let key = key.unwrap_or_default();
        Client { own: counter(own, u128::from_be_bytes(key)), network: counter(of_network, network(key)) }
    }

    /// The right to send one more request of this client, if the app does not have too many. While
    /// it has few, a client may use all the room. Later no client may have more than an equal share
    /// of seven eighths, so that newcomers find room.
    pub(crate) fn take(self: &Arc<Self>, client: Client) -> Option<Permit> {
        // Counted first, so that two threads cannot both take the last place; the drop takes it back.
        let permit = Permit { shares: Arc::clone(self), client, presence: None };
        let (own, clients) = self.clients.enter(client.own);
        let (of_network, networks) = self.networks.enter(client.network);
        let in_hand = self.in_hand.fetch_add(1, Relaxed);
        let shared = self.most - self.most / 8;
        let share = (shared / clients.max(1)).max(1);
        let is_fair = own < share && of_network < (share * CLIENTS_OF_NETWORK).max(shared / networks.max(1));
        (in_hand < self.most && (in_hand < self.most / 2 || is_fair)).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let shares = &self.shares;
        shares.in_hand.fetch_sub(1, Relaxed);
        shares.clients.leave(self.client.own);
        shares.networks.leave(self.client.network);
    }
}

/// The network of a client. An IPv4 address is mapped into IPv6.
fn network(key: Key) -> u128 {
    let bits = u128::from_be_bytes(key);
    let (of_v6, of_v4) = NETWORK_BITS;
    let is_v4 = bits >> 32 == 0xffff;
    let host = 128 - if is_v4 { of_v4 } else { of_v6 };
    bits >> host << host
}

/// Counters, and how many of them are not zero.
#[derive(Debug)]
struct Counters {
    there: AtomicUsize,
    each: Box<[AtomicU32]>,
}

impl Default for Counters {
    fn default() -> Self {
        Self { there: AtomicUsize::new(0), each: (0..COUNTERS).map(|_| AtomicU32::new(0)).collect() }
    }
}

impl Counters {
    /// Counts one more; returns the count before, and the number of counters in use.
    fn enter(&self, number: usize) -> (usize, usize) {
        let Some(counter) = self.each.get(number) else { return (0, 1) };
        let own = counter.fetch_add(1, Relaxed) as usize;
        let there = self.there.fetch_add(usize::from(own == 0), Relaxed) + usize::from(own == 0);
        (own, there)
    }

    fn leave(&self, number: usize) {
        if self.each.get(number).is_some_and(|counter| counter.fetch_sub(1, Relaxed) == 1) {
            self.there.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_leaves_room_for_others_who_get_as_much() {
        let shares = Shares::of(16);
        let [a, b] = [1, 2].map(|number| Client { own: number, network: number });
        let mut of_a: Vec<_> = std::iter::from_fn(|| shares.take(a)).collect();
        assert_eq!(of_a.len(), 14);
        let of_b: Vec<_> = std::iter::from_fn(|| shares.take(b)).collect();
        assert_eq!(of_b.len(), 2, "there are no more places");
        // A place that one gives back goes to the other, until both have the same number.
        of_a.truncate(5);
        let more: Vec<_> = std::iter::from_fn(|| shares.take(b)).collect();
        assert_eq!(of_b.len() + more.len(), 7);
        drop((of_a, of_b, more));
        let there = [&shares.in_hand, &shares.clients.there, &shares.networks.there];
        assert_eq!(there.map(|count| count.load(Relaxed)), [0; 3]);
    }

    #[test]
    fn many_addresses_of_one_network_leave_room_for_others() {
        let shares = Shares::of(4_096);
        let of = |address: [u8; 4]| {
            let mapped = std::net::Ipv4Addr::from(address).to_ipv6_mapped();
            shares.client(Some(mapped.octets()))
        };
        assert_eq!(of([10, 0, 0, 1]).network, of([10, 0, 0, 200]).network);
        assert_ne!(of([10, 0, 0, 1]).network, of([10, 0, 1, 1]).network);
        let site = |last: u16| {
            let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 7, last, 0, 0, 0, 1);
            shares.client(Some(address.octets()))
        };
        assert_eq!(site(1).network, site(2).network);
        let one = |own| Client { own, network: 1 };
        let mut flood: Vec<_> = (0..20_000).filter_map(|number| shares.take(one(number % 200))).collect();
        assert_eq!(flood.len(), 3_400, "alone, all of it but what newcomers find");
        let other = |number: usize| Client { own: 1_000 + number, network: 1_000 + number };
        let others: Vec<_> = (0..100).filter_map(|number| shares.take(other(number))).collect();
        assert_eq!(others.len(), 100);
        flood.truncate(3_000);
        assert!(shares.take(one(201)).is_none(), "what it gives back is for others");
    }
}
