//! What of Mantlet touches the world: the listener, the strict wire, the connection to the app, the supervisor.
//!
//! Decisions about requests are not made here; they are [`mantlet_controls`]. This crate carries bytes to them and
//! their answers back.

mod admission;
mod body;
mod connection;
mod connection_state;
mod forward;
mod gate;
mod guests;
mod leaving;
mod lenient;
mod listener;
mod origins;
mod preflight;
mod shared;
mod shares;
mod socket;
mod store;
mod tunnel;
mod turns;
mod upstream;
mod wire;

pub mod admin;
pub mod audit_log;
pub mod fetch;
pub mod guarded;
pub mod quota_file;
pub mod supervisor;
pub mod tls;

pub use gate::{Gate, StartError};
pub use listener::Listen;
pub use shared::GateConfig;
pub use store::StoreConfig;
pub use upstream::{Address, UpstreamConfig};

/// Says something to a person, on standard error. Nobody may be there to read it: that stops nothing.
pub fn tell(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "mantlet: {text}");
}
