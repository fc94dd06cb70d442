//! How a request reached the gate.

use std::sync::Arc;

use crate::{
    Refusal,
    call::{ClientCertificate, Peer, Scheme},
};

/// How a request reached the gate, as the transport knows it.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The other end of the connection.
    pub peer: Peer,
    /// Whether this connection is encrypted by us.
    pub scheme: Scheme,
    /// The strict reader's verdict on the bytes.
    pub wire: WireVerdict,
    /// The certificate that the client has shown and TLS has verified (mTLS).
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// The strict reader's verdict on a request's bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum WireVerdict {
    /// Not read: they came through another parser. The pipeline judges what can still be seen.
    Unread,
    /// Not to be read.
    NotAsked,
    /// They are one well-formed request.
    WellFormed,
    /// They are not.
    Refused(Refusal),
}
