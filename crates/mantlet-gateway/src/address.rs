//! Where the app listens.

use std::path::PathBuf;

/// Where the app listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// A host, by name or address, and a port.
    Tcp(String, u16),
}
