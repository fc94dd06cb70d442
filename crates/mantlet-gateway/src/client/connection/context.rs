//! The context of a connection that speaks HTTP.

use std::sync::{Arc, Mutex, PoisonError};

use mantlet_controls::{
    ClientCertificate, Peer, Reason, Scheme,
    audit::{Record, Sink},
};

use super::websocket::Tunnel;
use crate::{clock, connection_state::ConnectionState, shared::Shared};

/// Shared by all requests of a connection.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) shared: Arc<Shared>,
    pub(super) state: Arc<ConnectionState>,
    pub(super) peer: Peer,
    pub(super) scheme: Scheme,
    pub(super) certificate: Option<Arc<ClientCertificate>>,
    /// The WebSocket that takes over the connection once the response to its handshake is written.
    tunnel: Mutex<Option<Box<Tunnel>>>,
}

impl Context {
    pub(super) fn new(
        shared: Arc<Shared>,
        state: Arc<ConnectionState>,
        peer: Peer,
        scheme: Scheme,
        certificate: Option<Arc<ClientCertificate>>,
    ) -> Arc<Self> {
        Arc::new(Self { shared, state, peer, scheme, certificate, tunnel: Mutex::default() })
    }

    pub(super) fn set_tunnel(&self, tunnel: Tunnel) {
        *self.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(tunnel));
    }

    pub(super) fn take_tunnel(&self) -> Option<Box<Tunnel>> {
        self.tunnel.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Records that a connection was closed without a response.
pub(in crate::client) fn refuse_connection(shared: &Shared, peer: Peer, reason: Reason) {
    let address = match peer {
        Peer::Ip(socket) | Peer::Unnamed(socket) => Some(socket.ip()),
        Peer::Unknown | Peer::Unix => None,
    };
    shared.audit.record(Record::of_connection(address, reason, clock::now()));
}
