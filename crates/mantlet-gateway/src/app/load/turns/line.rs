//! The line of waiting requests. The next one is of the client for whom the app has worked least
//! lately.
//!
//! The app's work for a client counts for some seconds, and less with each moment (forward decay:
//! Cormode and others, 2009). A client that comes now is placed as if the app had just worked on
//! this one request for it: before clients that have had more, and after those that came earlier
//! and have had as little. So a crowd of newcomers does not pass over any client. A network counts
//! as a few clients, however many addresses it has.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::super::shares::{CLIENTS_OF_NETWORK, COUNTERS, Client};
use super::Turn;

/// Seconds in which work for a client loses two thirds of its weight.
const MEMORY: f64 = 2.0;

#[derive(Debug, Default)]
pub(super) struct Line {
    /// No request is let in before this. A timer may be set for it.
    pub(super) not_before: Option<Instant>,
    pub(super) is_timed: bool,
    clients: HashMap<usize, Waiting>,
    networks: HashMap<usize, Network>,
    /// Networks in which clients wait, the next one first.
    order: BTreeSet<Place>,
    served: Served,
    len: usize,
    /// Requests refused since requests of clients that have left were last removed.
    refused: usize,
}

/// The place of a client or a network: by the work for it, then by its arrival.
type Place = (Score, u64, usize);

/// The waiting requests of a client.
#[derive(Debug)]
struct Waiting {
    network: usize,
    place: Place,
    requests: VecDeque<Request>,
}

#[derive(Debug)]
struct Request {
    tell: oneshot::Sender<Turn>,
    work: Work,
}

/// What the app is asked to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    /// How long it works on that, if it does nothing else.
    pub(super) takes: Duration,
    /// The request is there as a whole. Otherwise the app waits for the rest of it.
    pub(super) is_whole: bool,
}

/// How many may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) most: usize,
    /// While so few wait, there are no shares.
    pub(super) free: usize,
}

/// Clients of a network that wait, the next one first, and how many requests they have.
#[derive(Debug, Default)]
struct Network {
    place: Place,
    order: BTreeSet<Place>,
    requests: usize,
}

impl Line {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Adds a request to the end of the client's line, unless there are too many: the total is
    /// limited, and no client and no network may have more than its share of seven eighths. `now`
    /// is in seconds since any fixed moment.
    pub(super) fn join(
        &mut self,
        client: Client,
        tell: oneshot::Sender<Turn>,
        work: Work,
        now: f64,
        places: Places,
    ) -> bool {
        if !self.has_room(client, places) {
            // Requests of clients that have left make room. They are searched only now and then,
            // because that visits all requests.
            self.refused += 1;
            if self.refused < places.most / 8 {
                return false;
            }
            self.forget_who_has_left();
            if !self.has_room(client, places) {
                return false;
            }
        }
        self.len += 1;
        let request = Request { tell, work };
        if let Some(own) = self.clients.get_mut(&client.own) {
            own.requests.push_back(request);
            self.networks.entry(own.network).or_default().requests += 1;
            return true;
        }
        let place = self.served.place(client.own, Score::of(work.takes, now));
        let requests = VecDeque::from([request]);
        self.clients.insert(client.own, Waiting { network: client.network, place, requests });
        let network = self.networks.entry(client.network).or_default();
        network.requests += 1;
        network.order.insert(place);
        self.put_in_place(client.network);
        true
    }

    fn has_room(&self, client: Client, Places { most, free }: Places) -> bool {
        let own = self.clients.get(&client.own).map_or(0, |waiting| waiting.requests.len());
        let network = self.networks.get(&client.network);
        let clients = self.clients.len() + usize::from(own == 0);
        let networks = self.networks.len() + usize::from(network.is_none());
        let shared = most - most / 8;
        let share = (shared / clients).max(1);
        let of_network = network.map_or(0, |network| network.requests);
        let is_fair = own < share && of_network < (share * CLIENTS_OF_NETWORK).max(shared / networks);
        self.len < most && (self.len < free || is_fair)
    }

    fn forget_who_has_left(&mut self) {
        self.refused = 0;
        self.clients.retain(|_, own| {
            own.requests.retain(|request| !request.tell.is_closed());
            !own.requests.is_empty()
        });
        self.networks.clear();
        self.order.clear();
        for own in self.clients.values() {
            let network = self.networks.entry(own.network).or_default();
            network.requests += own.requests.len();
            network.order.insert(own.place);
        }
        self.len = self.clients.values().map(|own| own.requests.len()).sum();
        let networks: Vec<_> = self.networks.keys().copied().collect();
        for network in networks {
            self.put_in_place(network);
        }
    }

    /// Whether the next request is there as a whole.
    pub(super) fn begins_with_whole(&self) -> bool {
        let first = || {
            let (_, _, network) = self.order.first()?;
            let (_, _, client) = self.networks.get(network)?.order.first()?;
            self.clients.get(client)?.requests.front()
        };
        first().is_some_and(|request| request.work.is_whole)
    }

    /// The next request whose client is still there, and how long the app works on it.
    pub(super) fn next(&mut self, now: f64) -> Option<(oneshot::Sender<Turn>, Work)> {
        loop {
            let (_, _, network_number) = *self.order.first()?;
            let network = self.networks.get_mut(&network_number)?;
            let (_, _, number) = network.order.pop_first()?;
            let own = self.clients.get_mut(&number)?;
            let before = own.requests.len();
            let mut next = None;
            while next.is_none()
                && let Some(request) = own.requests.pop_front()
            {
                next = Some(request).filter(|request| !request.tell.is_closed());
            }
            self.len -= before - own.requests.len();
            network.requests -= before - own.requests.len();
            if let Some(request) = &next {
                self.served.serve(number, network_number, request.work.takes, now);
            }
            if own.requests.is_empty() {
                self.clients.remove(&number);
            } else {
                own.place = self.served.place(number, Score::default());
                network.order.insert(own.place);
            }
            self.put_in_place(network_number);
            if let Some(request) = next {
                return Some((request.tell, request.work));
            }
        }
    }

    /// A network has the place of its first client, or one further back if the app has worked much
    /// for all of its clients together.
    fn put_in_place(&mut self, number: usize) {
        let Some(network) = self.networks.get_mut(&number) else { return };
        self.order.remove(&network.place);
        let Some((first, came, _)) = network.order.first() else {
            self.networks.remove(&number);
            return;
        };
        network.place = (self.served.of_network(number).max(*first), *came, number);
        self.order.insert(network.place);
    }
}

/// The logarithm of the work for a client. A second of work weighs more the later it was, so older
/// work loses weight without any update. It is not negative, so its bits sort like the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Score(u64);

impl Score {
    /// Added so that the logarithm of the shortest work stays above zero.
    const BASE: f64 = 100.0;

    fn of(work: Duration, now: f64) -> Self {
        Self::from_log(work.as_secs_f64().max(1e-6).ln() + now / MEMORY + Self::BASE)
    }

    fn from_log(log: f64) -> Self {
        Self(log.max(0.0).to_bits())
    }

    const fn log(self) -> f64 {
        f64::from_bits(self.0)
    }

    fn and(self, other: Self) -> Self {
        let (less, more) = (self.min(other), self.max(other));
        if less == Self::default() {
            return more;
        }
        Self::from_log(more.log() + (less.log() - more.log()).exp().ln_1p())
    }

    /// The share of one of so many.
    fn part(self, of: usize) -> Self {
        let parts = u32::try_from(of).unwrap_or(u32::MAX);
        Self::from_log(self.log() - f64::from(parts).ln())
    }
}

/// The work for each client, in a fixed amount of memory.
#[derive(Debug)]
struct Served {
    clients: Box<[Score]>,
    networks: Box<[Score]>,
    numbers: u64,
}

impl Default for Served {
    fn default() -> Self {
        let none = || vec![Score::default(); COUNTERS].into();
        Self { clients: none(), networks: none(), numbers: 0 }
    }
}

impl Served {
    /// The place of a client that has come or was let in just now, not before `least`.
    fn place(&mut self, client: usize, least: Score) -> Place {
        self.numbers += 1;
        let score = self.clients.get(client).copied().unwrap_or_default();
        (score.max(least), self.numbers, client)
    }

    fn of_network(&self, network: usize) -> Score {
        self.networks.get(network).map_or(Score::default(), |score| score.part(CLIENTS_OF_NETWORK))
    }

    fn serve(&mut self, client: usize, network: usize, work: Duration, now: f64) {
        let work = Score::of(work, now);
        for score in [self.clients.get_mut(client), self.networks.get_mut(network)].into_iter().flatten() {
            *score = score.and(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: Work = Work { takes: Duration::from_millis(10), is_whole: true };

    /// A line in which clients wait, each with so many requests; the order in which so many of them
    /// are let in.
    struct Waiters {
        line: Line,
        told: Vec<oneshot::Receiver<Turn>>,
        now: f64,
    }

    impl Waiters {
        fn new() -> Self {
            Self { line: Line::default(), told: Vec::new(), now: 0.0 }
        }

        fn join(&mut self, own: usize, network: usize, most: usize) -> bool {
            let (tell, told) = oneshot::channel();
            self.told.push(told);
            self.line.join(Client { own, network }, tell, WORK, self.now, Places { most, free: 0 })
        }

        /// Who is let in: the client whose line is one shorter.
        fn next(&mut self) -> Option<usize> {
            let before: Vec<_> =
                self.line.clients.iter().map(|(own, waiting)| (*own, waiting.requests.len())).collect();
            self.now += WORK.takes.as_secs_f64();
            self.line.next(self.now)?;
            let left = |own: usize| self.line.clients.get(&own).map_or(0, |waiting| waiting.requests.len());
            before.into_iter().find(|(own, count)| left(*own) < *count).map(|(own, _)| own)
        }
    }

    #[test]
    fn nobody_gets_all_of_the_line() {
        let mut waiters = Waiters::new();
        let of_one = (0..100).filter(|_| waiters.join(1, 1, 16)).count();
        let of_two = (0..100).filter(|_| waiters.join(2, 2, 16)).count();
        assert_eq!((of_one, of_two), (14, 2));
        assert_eq!(waiters.line.clients.len(), 2, "who is refused has no place there");
        waiters.told.clear();
        let tries = (0..3).any(|_| waiters.join(2, 2, 16));
        assert!(tries, "those who have left make room, sooner or later");
    }

    #[test]
    fn a_network_has_no_more_than_a_few_clients_or_its_share() {
        let mut waiters = Waiters::new();
        let of_network = (0..10_000).filter(|number| waiters.join(number % 200, 1, 4_096)).count();
        assert_eq!(of_network, 3_584 / 200 * 200, "alone it has all");
        let mut waiters = Waiters::new();
        for own in 1_000..1_004 {
            assert!(waiters.join(own, own, 4_096));
        }
        let of_network = (0..10_000).filter(|number| waiters.join(number % 200, 1, 4_096)).count();
        assert_eq!(of_network, 3_584 / 5);
    }

    #[test]
    fn until_an_app_is_known_half_of_the_line_is_for_all() {
        let mut line = Line::default();
        let mut join = |own| {
            let (tell, told) = oneshot::channel();
            std::mem::forget(told);
            line.join(Client { own, network: own }, tell, WORK, 0.0, Places { most: 16, free: 8 })
        };
        assert!(join(1));
        assert_eq!(
            (0..100).filter(|_| join(2)).count(),
            7,
            "with one other, it has its share beyond the half"
        );
        assert_eq!((0..100).filter(|_| join(1)).count(), 6);
    }

    #[test]
    fn whoever_asks_little_does_not_wait_for_those_who_ask_much() {
        let mut waiters = Waiters::new();
        // Two hundred addresses of one network, and five clients elsewhere with a request now and
        // then.
        for number in 0..3_000 {
            assert!(waiters.join(number % 200, 1, 4_096));
        }
        for _ in 0..100 {
            waiters.next().unwrap();
        }
        for round in 0..20 {
            for own in 1_000..1_005 {
                assert!(waiters.join(own, own, 4_096));
            }
            let next: Vec<_> = (0..40).map(|_| waiters.next().unwrap()).collect();
            let last = next.iter().rposition(|own| *own >= 1_000).unwrap();
            assert!(last <= 5, "round {round}: {next:?}");
        }
    }

    #[test]
    fn a_crowd_of_newcomers_passes_over_nobody() {
        let mut waiters = Waiters::new();
        assert!(waiters.join(1, 1, 4_096));
        waiters.next().unwrap();
        for number in 2..50 {
            assert!(waiters.join(number, number, 4_096));
        }
        assert!(waiters.join(1, 1, 4_096));
        let mut others = 50..2_000;
        // For each that is let in, three come.
        let before = std::iter::from_fn(|| {
            for own in others.by_ref().take(3) {
                assert!(waiters.join(own, own, 4_096));
            }
            waiters.next()
        });
        let before = before.take_while(|own| *own != 1).count();
        assert!(before < 50, "{before} were let in before");
    }

    #[test]
    fn two_that_ask_for_all_get_as_much_over_time() {
        let mut waiters = Waiters::new();
        let mut got = [0, 0];
        for _ in 0..10_000 {
            for own in [0, 1] {
                // The one always has ten waiting and the other two.
                while waiters.line.clients.get(&own).map_or(0, |waiting| waiting.requests.len())
                    < [10, 2][own]
                {
                    assert!(waiters.join(own, own, 4_096));
                }
            }
            got[waiters.next().unwrap()] += 1;
        }
        assert!(got.iter().all(|got| (4_900..=5_100).contains(got)), "{got:?}");
    }
}
