//! What of Mantlet touches the world: the listener, the strict wire, the connection to the app, the supervisor.
//!
//! Decisions about requests are not made here; they are [`mantlet_controls`]. This crate carries bytes to them and
//! their answers back.

mod app;
mod client;
mod connection_state;
mod gate;
mod guests;
mod listener;
mod request_body;
mod shared;
mod store;
mod wire;

pub mod admin;
pub mod audit_log;
pub mod guarded;
pub mod quota_file;
pub mod tls;

#[cfg(test)]
mod rooms_tests;

pub use app::{Address, UpstreamConfig, fetch, supervisor};
pub use gate::{Gate, StartError};
pub use listener::Listen;
pub use shared::GateConfig;
pub use store::StoreConfig;

/// Says something to a person, on standard error. Nobody may be there to read it: that stops nothing.
pub fn tell(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "mantlet: {text}");
}
