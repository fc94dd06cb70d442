//! The client of a request.

use std::net::IpAddr;

use super::Scheme;

/// The caller, as far as it can be known without credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The caller's address; none if it is not known.
    pub address: Option<IpAddr>,
    /// Whether the connection comes from a proxy that may speak for others.
    pub peer_trusted: bool,
    /// The scheme that the caller used, which a trusted proxy may have told us.
    pub scheme: Scheme,
}
