//! A host and its port as text: `example.com:8000` (RFC 3986 section 3.2).

mod shape;
mod spelling;

pub use shape::is_well_formed;
pub(crate) use spelling::{address, name, respelled, split};
pub use spelling::{is_loopback, is_same};

/// A host as `host.allow` has it.
pub(crate) fn listed(host: &str) -> String {
    match address(host) {
        Some(std::net::IpAddr::V6(address)) => format!("[{address}]"),
        _ => name(host).into_owned(),
    }
}

/// The host of `host:port`; brackets of an IPv6 address are dropped.
pub(crate) fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}
