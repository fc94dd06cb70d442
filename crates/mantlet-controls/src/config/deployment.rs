//! Where the gate runs.

use super::Kept;

/// The server that stands behind: how it reads what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Server {
    /// Any: what one of them may read in another way counts.
    #[default]
    Unknown,
    /// uvicorn, which Mantlet has started itself: its reading is known.
    Uvicorn,
}

/// What decides about defaults and is known only where Mantlet runs.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// What stands behind.
    pub server: Server,
    /// Mantlet ends TLS itself.
    pub has_certificate: bool,
    /// Names and addresses that are ours: of the listening socket and of the certificate; `*.example.com` as certificates have it.
    pub own_hosts: Vec<String>,
    /// What controls remember.
    pub kept: Kept,
}
