//! Finds the client that really sent a request, and what to believe about it.
//!
//! Defends against forged addresses and identities: a client that writes `X-Forwarded-For`, `X-Real-IP` or
//! `X-Remote-User` itself to pass for another address or user, and header names that the app's server would
//! confuse with trusted ones (`x_user` beside `x-user`).
//!
//! What counts:
//! 1. The address of the connection, if its peer is not in `client.trusted`.
//! 2. Else the forwarding header, read from right to left: the first address that is not trusted is the client.
//! 3. A peer on a unix socket is trusted.
//! 4. The host that the client asked for is the one that the first trusted proxy on the way names
//!    (`X-Forwarded-Host` with `X-Forwarded-Port`, or `host=`).
//!
//! To mind in deployment: list every proxy in front of Mantlet in `client.trusted`, and nothing
//! else. A proxy in that list can claim any address for a client.
//!
//! ```
//! use http::{HeaderMap, HeaderValue};
//! use mantlet_controls::{Context, Peer, Scheme, Section, client::{Client, Config}};
//!
//! let config = Config { trusted: vec!["10.0.0.0/8".into()], ..Config::default() };
//! let policy = config.check(&Context::default()).expect("a valid configuration");
//! let peer = Peer::Ip("10.0.0.1:4711".parse().unwrap());
//! let mut headers = HeaderMap::new();
//! headers.insert("x-forwarded-for", "6.6.6.6, 203.0.113.7, 10.2.3.4".parse().unwrap());
//! assert_eq!(Client::of(peer, Scheme::Http, &headers, &policy).address, Some("203.0.113.7".parse().unwrap()));
//! ```

mod config;
mod forwarded;
mod headers;
mod names;
mod record;

use http::{HeaderMap, HeaderValue};

pub use crate::config::Networks;
pub use config::{Config, ForwardingHeader, Policy, UnderscoreHeaders};
pub use headers::{Removed, Why, prepare};
pub use names::{HOP_BY_HOP, is_forgeable, named_in_connection, remove_hop_by_hop};

pub use crate::call::Client;
use crate::{Peer, Scheme};

/// Names of removed headers that are recorded, each once. A client can make up any number of them.
pub(crate) const MAX_RECORDED: usize = 64;

impl Client {
    /// Finds the client.
    pub fn of(peer: Peer, scheme: Scheme, headers: &HeaderMap, policy: &Policy) -> Self {
        let own = match peer {
            Peer::Unix | Peer::Unknown => None,
            Peer::Ip(socket) | Peer::Unnamed(socket) => Some(socket.ip().to_canonical()),
        };
        let peer_trusted = match peer {
            Peer::Unnamed(_) | Peer::Unknown => false,
            Peer::Ip(_) | Peer::Unix => own.is_none_or(|address| policy.trusted.contains(address)),
        };
        if !peer_trusted {
            return Self { address: own, peer_trusted, scheme };
        }
        let address = match policy.header {
            ForwardingHeader::XForwardedFor => forwarded::from_x_forwarded_for(headers, own, &policy.trusted),
            ForwardingHeader::Forwarded => forwarded::from_forwarded(headers, own, &policy.trusted),
        };
        let scheme = match scheme {
            Scheme::Https => Scheme::Https,
            Scheme::Http => match policy.header {
                ForwardingHeader::XForwardedFor => forwarded::scheme_from_x_forwarded_proto(headers),
                ForwardingHeader::Forwarded => forwarded::scheme_from_forwarded(headers),
            }
            .unwrap_or(Scheme::Http),
        };
        Self { address, peer_trusted, scheme }
    }
}

/// The host that a trusted proxy received, with its port if it names one; `None` for any other
/// peer.
pub(crate) fn forwarded_host(headers: &HeaderMap, client: &Client, policy: &Policy) -> Option<HeaderValue> {
    if !client.peer_trusted {
        return None;
    }
    match policy.header {
        ForwardingHeader::XForwardedFor => forwarded::host_from_x_forwarded_host(headers, &policy.trusted),
        ForwardingHeader::Forwarded => forwarded::host_from_forwarded(headers, &policy.trusted),
    }
}

/// Whether a request seems to come from a program on this machine: its peer is one, and no header
/// names another client.
pub(crate) fn is_local(peer: Peer, headers: &HeaderMap) -> bool {
    let Peer::Ip(peer) = peer else { return false };
    peer.ip().to_canonical().is_loopback() && forwarded::tells_of_loopback_only(headers)
}

#[cfg(test)]
mod tests;
