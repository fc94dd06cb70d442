//! The admin socket: the operator sees and changes what Mantlet remembers of clients. HTTP with
//! JSON.
//!
//! A user that may open the socket may do everything: that is its owner alone (mode 0600). It is
//! served where it is polled, never on a thread of the gate. Questions are short: no request has a
//! body.

mod bans;
mod client;
mod quotas;
mod server;
mod socket;
mod trouble;

pub(crate) use self::server::serve;
pub use self::{client::ask, socket::Admin};
