//! The part of Mantlet that touches the world: sockets, files and processes.
//!
//! Decisions about requests are not made here; they are [`mantlet_controls`]. This crate carries
//! bytes to the controls and carries out their decisions. From the top:
//!
//! | room | what it does |
//! |---|---|
//! | `gate` | starts the gate, reloads it, drains it and ends it |
//! | [`admin`] | the socket at which the operator sees and changes what Mantlet remembers |
//! | `client` | the clients' shore: accepts connections and speaks HTTP/1, HTTP/2 and WebSocket on them |
//! | [`scrape`] | what metrics say of the gate, and the port where they are served |
//! | `shared` | what all threads of the gate see |
//! | `app` | the app's shore: forwards requests on pooled connections, shares a busy app out, keeps it running |
//! | `issuers` | asks issuers of tokens |
//! | `sessions`, `keys`, `refresh_tokens` | where sessions, API keys and refresh tokens are kept beyond this process |
//! | `store` | counters, sessions, API keys and refresh tokens that several gates share |
//! | `wire`, `guests`, `request_body`, `connection_state` | what a connection is made of: strict bytes, its place, a body, its state |
//! | [`house`] | what answers requests for the accounts beside the app |
//! | [`app_events`] | hears the app's own events |
//! | [`traces`] | spans of requests, for an OpenTelemetry collector |
//! | [`fetch`] | asks a server one question |
//! | [`tls`], [`audit_log`], [`quota_file`], [`session_file`], [`key_file`], [`refresh_file`], [`evidence_file`], `journal`, `listener`, [`guarded`], `metrics`, `address`, `clock` | certificates, files, sockets, counters and the time |
//!
//! A room imports rooms below it alone: `rooms_tests.rs` knows the floors.

mod gate;

pub mod admin;
mod client;

pub mod scrape;

mod shared;
pub mod small_server;

mod issuers;
mod keys;
mod refresh_tokens;
mod sessions;

mod app;
mod store;

pub mod app_events;
pub mod audit_log;
mod condition_files;
pub mod evidence_file;
mod guests;
pub mod house;
pub mod key_file;
pub mod quota_file;
pub mod refresh_file;
mod request_body;
pub mod session_file;
pub mod tls;
mod wire;

pub mod traces;

pub mod fetch;

mod address;
mod clock;
mod connection_state;
pub mod guarded;
mod journal;
mod listener;
mod metrics;

#[cfg(test)]
mod rooms_tests;

pub use address::Address;
pub use app::{UpstreamConfig, output, supervisor};
pub use gate::{Gate, StartError};
pub use listener::Listen;
pub use shared::GateConfig;
pub use store::StoreConfig;

/// Tells the operator something on standard error. A failure to write it is ignored.
pub fn tell(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "mantlet: {text}");
}
