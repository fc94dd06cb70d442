//! A thread that accepts connections until the gate closes, and then waits for open ones to end.

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::join_all;
use mantlet_controls::Peer;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
};

use super::admission;
use crate::{
    listener::{self, Bound},
    shared::{Shared, Stage},
};

/// How long handshakes that have begun may take when the gate closes.
const CLOSING_DOORS: Duration = Duration::from_millis(200);

/// The life of a thread.
pub(crate) async fn work(
    sockets: Vec<Bound>,
    shared: Arc<Shared>,
    busy: Arc<AtomicUsize>,
    mut stage: watch::Receiver<Stage>,
) {
    if let Some(store) = &shared.store {
        store.connect();
    }
    let listening = Listening(Arc::clone(&shared));
    let receiving = sockets.into_iter().map(|socket| {
        let (shared, busy, mut stage) = (&shared, &busy, stage.clone());
        async move {
            match Listener::new(socket) {
                Ok(listener) => receive(&listener, shared, busy, &mut stage).await,
                Err(error) => crate::tell(&format!("a thread cannot listen: {error}")),
            }
        }
    });
    join_all(receiving).await;
    drop(listening);
    // From now on a connection closes as soon as nothing is under way on it. A request may be under way
    // whose client has left.
    loop {
        if admission::close_all(&shared) == 0 && busy.load(Relaxed) == 0 {
            return;
        }
        tokio::select! {
            _ = stage.wait_for(|stage| *stage == Stage::Ending) => return,
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
}

/// Counts a thread as listening for as long as it lives.
struct Listening(Arc<Shared>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.listening.fetch_sub(1, Relaxed);
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn new(bound: Bound) -> io::Result<Self> {
        Ok(match bound {
            Bound::Tcp(socket) => Self::Tcp(TcpListener::from_std(socket)?),
            Bound::Unix(socket) => Self::Unix(UnixListener::from_std(socket)?),
        })
    }

    /// Handshakes that have begun are completed; those that begin from now on are ignored.
    fn ignore_newcomers(&self) {
        if let Self::Tcp(socket) = self {
            listener::ignore_newcomers(socket);
        }
    }

    /// Accepts the next connection; returns whether the gate is full.
    async fn accept(&self, shared: &Arc<Shared>, busy: &Arc<AtomicUsize>) -> io::Result<bool> {
        match self {
            Self::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                let local = stream.local_addr().ok();
                Ok(admission::let_in(shared, busy, stream, Peer::Ip(address), local))
            }
            Self::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                Ok(admission::let_in(shared, busy, stream, Peer::Unix, None))
            }
        }
    }
}

/// Accepts connections until the gate closes.
async fn receive(
    listener: &Listener,
    shared: &Arc<Shared>,
    busy: &Arc<AtomicUsize>,
    stage: &mut watch::Receiver<Stage>,
) {
    let mut doors = pin!(async {
        let _ = stage.wait_for(|stage| matches!(stage, Stage::Closing | Stage::Ending)).await;
        // Closing a listening socket resets the connections in its backlog. So new ones are ignored
        // first, and those in the backlog are accepted.
        listener.ignore_newcomers();
        let _ = tokio::time::timeout(CLOSING_DOORS, stage.wait_for(|stage| *stage == Stage::Ending)).await;
    });
    loop {
        tokio::select! {
            biased;
            () = &mut doors => return,
            accepted = listener.accept(shared, busy) => match accepted {
                // A connection that was told to end must end before the next one is accepted, or a
                // flood would soon leave none to choose from.
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => {}
                Err(error) => admission::make_room(shared, &error).await,
            },
        }
    }
}
