//! Who gets in: counts connections, in all and for each client, and makes room when there is none.

use std::{
    cell::Cell,
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use mantlet_controls::{Peer, Reason};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{connection, connection_state::ConnectionState, gate::Shared};

/// Connections looked at when one must make room. Enough to find an old one, few enough to cost nothing.
const EVICTION_SAMPLE: usize = 8;
/// Descriptors kept free of connections: listening sockets, logs, the app's pipes.
const RESERVED_DESCRIPTORS: usize = 64;

thread_local! {
    /// How many connections live on this thread.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// Who is in, on all threads: the limits are those of the whole gate. Locked when a connection comes or goes.
#[derive(Debug, Default)]
pub(crate) struct Guests {
    /// Every connection, so that one can be picked at random.
    all: Vec<Arc<ConnectionState>>,
    /// Connections of each untrusted address.
    per_client: HashMap<IpAddr, usize>,
}

impl Guests {
    fn of(shared: &Shared) -> MutexGuard<'_, Self> {
        shared.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connection that has waited longest, of a few picked at random, to make room for one that may be quicker.
    /// A client that sends its request promptly is never picked: it has not waited.
    fn evict(&self) -> bool {
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
}

/// After an accept that failed: without descriptors, somebody who waits must go; else the next try may do better.
pub(crate) async fn make_room(shared: &Shared, error: &io::Error) {
    // EMFILE and ENFILE have no kind of their own.
    if matches!(error.raw_os_error(), Some(23 | 24)) {
        Guests::of(shared).evict();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Takes a connection in or closes it. Says whether the gate is full, so that it took the place of one that waits.
pub(crate) fn admit<T>(
    shared: &Arc<Shared>,
    busy: &Arc<AtomicUsize>,
    stream: T,
    peer: Peer,
    local: Option<SocketAddr>,
) -> bool
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let state = Arc::new(ConnectionState::new(Arc::clone(busy), local));
    let Some((registered, full)) = Registered::new(shared, &state, peer) else {
        connection::refuse_connection(shared, peer, Reason::TooManyConnections);
        return false;
    };
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        connection::serve(stream, shared, state, peer).await;
        drop(registered);
    });
    full
}

/// A place among the guests, for as long as the connection lives.
struct Registered {
    shared: Arc<Shared>,
    state: Arc<ConnectionState>,
    address: Option<IpAddr>,
}

impl Registered {
    /// None if there is no place. Says also whether there was one only because somebody had to go.
    fn new(shared: &Arc<Shared>, state: &Arc<ConnectionState>, peer: Peer) -> Option<(Self, bool)> {
        let policy = shared.policy.load();
        let address = match peer {
            Peer::Ip(socket) => Some(socket.ip().to_canonical()).filter(|ip| !policy.client.trusts(*ip)),
            Peer::Unnamed(_) | Peer::Unknown | Peer::Unix => None,
        };
        let mut guests = Guests::of(shared);
        // A client that has its share does not drive out others.
        let held = address.and_then(|address| guests.per_client.get(&address).copied()).unwrap_or(0);
        if held >= policy.limits.connections_per_client {
            return None;
        }
        let full = guests.all.len() >= policy.limits.connections.min(shared.ceiling);
        if full && !guests.evict() {
            return None;
        }
        if let Some(address) = address {
            guests.per_client.insert(address, held + 1);
        }
        state.slot.store(guests.all.len(), Relaxed);
        guests.all.push(Arc::clone(state));
        drop(guests);
        shared.connections.fetch_add(1, Relaxed);
        HERE.set(HERE.get() + 1);
        Some((Self { shared: Arc::clone(shared), state: Arc::clone(state), address }, full))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Relaxed);
        // INVARIANT: a connection ends on the thread on which it began. At the end of the thread the counter may be gone first.
        let _ = HERE.try_with(|here| here.set(here.get().saturating_sub(1)));
        let mut guests = Guests::of(&self.shared);
        if let Some(address) = self.address
            && let Some(count) = guests.per_client.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                guests.per_client.remove(&address);
            }
        }
        let slot = self.state.slot.load(Relaxed);
        if slot < guests.all.len() {
            guests.all.swap_remove(slot);
            if let Some(moved) = guests.all.get(slot) {
                moved.slot.store(slot, Relaxed);
            }
        }
    }
}

/// Half of the descriptors: a request needs one for the client and one for the app.
pub(crate) fn descriptor_ceiling() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_ascii_whitespace().nth(3)).and_then(|soft| soft.parse().ok());
    soft.map_or(usize::MAX, |soft: usize| (soft.saturating_sub(RESERVED_DESCRIPTORS) / 2).max(8))
}

/// Asks every connection to end when nothing is under way on it; returns how many are left on this thread.
pub(crate) fn close_all(shared: &Shared) -> usize {
    for state in &Guests::of(shared).all {
        state.close();
    }
    HERE.get()
}
