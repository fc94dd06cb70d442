//! Who gets in: counts connections, in all and for each client, and makes room when there is none.

use std::{
    cell::RefCell,
    collections::hash_map::RandomState,
    hash::BuildHasher,
    io,
    net::IpAddr,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use mantlet_controls::{Peer, Reason};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    connection,
    flow::{Flow, Phase},
    gate::Shared,
};

/// Connections looked at when one must make room. Enough to find an old one, few enough to cost nothing.
const EVICTION_SAMPLE: usize = 8;
/// Descriptors kept free of connections: listening sockets, logs, the app's pipes.
const RESERVED_DESCRIPTORS: usize = 64;

thread_local! {
    /// Every connection of this thread, so that one can be picked at random.
    static REGISTRY: RefCell<Vec<Arc<Flow>>> = const { RefCell::new(Vec::new()) };
}

/// After an accept that failed: without descriptors, somebody who waits must go; else the next try may do better.
pub(crate) async fn make_room(error: &io::Error) {
    // EMFILE and ENFILE have no kind of their own.
    if matches!(error.raw_os_error(), Some(23 | 24)) {
        evict();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Takes a connection in, unless there are too many; then it is closed.
pub(crate) fn admit<T>(shared: &Arc<Shared>, busy: &Arc<AtomicUsize>, stream: T, peer: Peer)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let policy = shared.policy.load();
    let most = policy.limits.connections.min(shared.ceiling);
    if shared.connections.load(Relaxed) >= most && !evict() {
        return connection::refuse_connection(shared, peer, Reason::TooManyConnections);
    }
    let address = match peer {
        Peer::Ip(socket) if !policy.client.trusts(socket.ip().to_canonical()) => {
            Some(socket.ip().to_canonical())
        }
        Peer::Ip(_) | Peer::Unix => None,
    };
    if let Some(address) = address {
        let mut per_client = shared.per_client.lock().unwrap_or_else(PoisonError::into_inner);
        let count = per_client.entry(address).or_insert(0);
        if *count >= policy.limits.connections_per_client {
            drop(per_client);
            return connection::refuse_connection(shared, peer, Reason::TooManyConnections);
        }
        *count += 1;
    }
    drop(policy);
    let flow = Arc::new(Flow::new(Arc::clone(busy)));
    let registered = Registered::new(shared, &flow, address);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        connection::serve(stream, shared, flow, peer).await;
        drop(registered);
    });
}

/// A place in the counts and the registry, for as long as the connection lives.
struct Registered {
    shared: Arc<Shared>,
    flow: Arc<Flow>,
    address: Option<IpAddr>,
}

impl Registered {
    fn new(shared: &Arc<Shared>, flow: &Arc<Flow>, address: Option<IpAddr>) -> Self {
        shared.connections.fetch_add(1, Relaxed);
        REGISTRY.with_borrow_mut(|registry| {
            flow.slot.store(registry.len(), Relaxed);
            registry.push(Arc::clone(flow));
        });
        Self { shared: Arc::clone(shared), flow: Arc::clone(flow), address }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Relaxed);
        if let Some(address) = self.address {
            let mut per_client = self.shared.per_client.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = per_client.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    per_client.remove(&address);
                }
            }
        }
        // INVARIANT: a connection ends on the thread on which it began, so its slot is in this registry. At the end of
        // the thread the registry may be gone first.
        let _ = REGISTRY.try_with(|registry| {
            let mut registry = registry.borrow_mut();
            let slot = self.flow.slot.load(Relaxed);
            if slot < registry.len() {
                registry.swap_remove(slot);
                if let Some(moved) = registry.get(slot) {
                    moved.slot.store(slot, Relaxed);
                }
            }
        });
    }
}

/// Closes the connection that has waited longest, of a few picked at random, to make room for one that may be quicker.
/// A client that sends its request promptly is never picked.
fn evict() -> bool {
    REGISTRY.with_borrow(|registry| {
        if registry.is_empty() {
            return false;
        }
        let oldest = (0..EVICTION_SAMPLE)
            .filter_map(|_| registry.get(random() % registry.len()))
            .filter(|flow| !flow.should_close() && (flow.is_idle() || flow.phase() == Phase::Head))
            .max_by_key(|flow| flow.phase_age());
        let Some(flow) = oldest else { return false };
        flow.evict();
        true
    })
}

/// A number that a client cannot foresee.
fn random() -> usize {
    usize::try_from(RandomState::new().hash_one(0_u8)).unwrap_or(0)
}

/// Half of the descriptors: a request needs one for the client and one for the app.
pub(crate) fn descriptor_ceiling() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_ascii_whitespace().nth(3)).and_then(|soft| soft.parse().ok());
    soft.map_or(usize::MAX, |soft: usize| (soft.saturating_sub(RESERVED_DESCRIPTORS) / 2).max(8))
}

/// Asks every connection of this thread to end when nothing is under way on it; returns how many are left.
pub(crate) fn close_all() -> usize {
    REGISTRY.with_borrow(|registry| {
        for flow in registry {
            flow.close();
        }
        registry.len()
    })
}
