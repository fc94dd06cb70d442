//! The admin socket: the operator sees and changes what Mantlet remembers of clients. HTTP with
//! JSON.
//!
//! Every user who can open the socket may do everything, so only its owner can (mode 0600). The
//! socket is served by the task that polls it, never by a thread of the gate. Requests have no
//! body.

mod accounts;
mod bans;
mod client;
mod keys;
mod quotas;
mod server;
mod sessions;
mod socket;
mod trouble;

pub(crate) use self::server::serve;
pub use self::{
    client::ask,
    socket::{Admin, PAGE},
};
