//! Where the gate runs.

use super::{Clock, Environment, Kept};

/// The app's server, which decides how requests are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Server {
    /// Any server: a request that one of them may read differently is judged by that.
    #[default]
    Unknown,
    /// uvicorn, started by Mantlet: its reading is known.
    Uvicorn,
}

/// Facts that decide about defaults and are known only where Mantlet runs.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// The app's server.
    pub server: Server,
    /// Mantlet ends TLS itself.
    pub has_certificate: bool,
    /// Names and addresses that are ours: of the listening socket and of the certificate; `*.example.com` as certificates have it.
    pub own_hosts: Vec<String>,
    /// The environment that credentials made here are for.
    pub environment: Environment,
    /// The clock. What is kept goes on by the clock with which it was made.
    pub clock: Clock,
    /// The state of the controls.
    pub kept: Kept,
}
