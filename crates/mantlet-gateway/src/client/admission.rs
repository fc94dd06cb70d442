//! Admits connections: counts them, in all and for each client, and makes room if the gate is full.

use std::{
    cell::Cell,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use mantlet_controls::{Peer, Reason};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection;
use crate::{connection_state::ConnectionState, shared::Shared};

/// Descriptors kept free of connections: listening sockets, logs, the app's pipes.
const RESERVED_DESCRIPTORS: usize = 64;

thread_local! {
    /// How many connections live on this thread.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// After a failed accept: without free descriptors an idle connection must go; after other errors
/// the next attempt may succeed.
pub(crate) async fn make_room(shared: &Shared, error: &io::Error) {
    // EMFILE and ENFILE have no `ErrorKind`.
    if matches!(error.raw_os_error(), Some(23 | 24)) {
        shared.guests().evict();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Admits a connection or closes it. Returns whether the gate is full, so that an idle connection
/// had to go.
pub(crate) fn let_in<T>(
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

/// A place among the open connections, for as long as the connection lives.
struct Registered {
    shared: Arc<Shared>,
    state: Arc<ConnectionState>,
    address: Option<IpAddr>,
}

impl Registered {
    /// None if there is no place. Also returns whether another connection had to go for it.
    fn new(shared: &Arc<Shared>, state: &Arc<ConnectionState>, peer: Peer) -> Option<(Self, bool)> {
        let policy = shared.policy.load();
        let address = match peer {
            Peer::Ip(socket) => Some(socket.ip().to_canonical()).filter(|ip| !policy.client.trusts(*ip)),
            Peer::Unnamed(_) | Peer::Unknown | Peer::Unix => None,
        };
        let mut guests = shared.guests();
        // A client that has its share does not displace others.
        let held = address.map_or(0, |address| guests.count_of(address));
        if held >= policy.limits.connections_per_client {
            return None;
        }
        let full = guests.count() >= policy.limits.connections.min(shared.ceiling);
        if full && !guests.evict() {
            return None;
        }
        guests.add(state, address);
        drop(guests);
        shared.connections.fetch_add(1, Relaxed);
        HERE.set(HERE.get() + 1);
        Some((Self { shared: Arc::clone(shared), state: Arc::clone(state), address }, full))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Relaxed);
        // INVARIANT: a connection ends on the thread on which it began. At the end of the thread
        // the counter may be gone first.
        let _ = HERE.try_with(|here| here.set(here.get().saturating_sub(1)));
        self.shared.guests().remove(&self.state, self.address);
    }
}

/// Half of the descriptors, because a request needs one for the client and one for the app.
pub(crate) fn descriptor_ceiling() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_ascii_whitespace().nth(3)).and_then(|soft| soft.parse().ok());
    soft.map_or(usize::MAX, |soft: usize| (soft.saturating_sub(RESERVED_DESCRIPTORS) / 2).max(8))
}

/// Asks every connection to end as soon as no request is under way on it. Returns how many are left
/// on this thread.
pub(crate) fn close_all(shared: &Shared) -> usize {
    shared.guests().close_all();
    HERE.get()
}
