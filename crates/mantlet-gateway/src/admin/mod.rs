//! The admin socket: what Mantlet remembers of clients, to be seen and changed by whoever runs it. HTTP with JSON.
//!
//! Whoever may open the socket may do everything: that is its owner alone (mode 0600). It is served where it is polled, never on a thread of the
//! gate, and what is asked is short: no request has a body.

mod bans;
mod client;
mod quotas;
mod server;
mod socket;
mod trouble;

pub(crate) use self::server::serve;
pub use self::{client::ask, socket::Admin};
