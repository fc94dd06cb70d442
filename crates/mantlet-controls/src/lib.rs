//! The security controls of Mantlet, as one [`tower` layer](layer) for any HTTP service in Rust, or each as a layer of its own:
//!
//! ```
//! use std::net::SocketAddr;
//!
//! use axum::{Router, extract::ConnectInfo, routing::get};
//! use mantlet_controls::{MantletLayer, cors, host};
//! use tower_layer::Layer;
//!
//! # fn main() -> Result<(), mantlet_controls::layer::InvalidConfig> {
//! let protection = MantletLayer::builder()
//!     .host(host::Config { allow: vec!["api.example.com".into()], ..Default::default() })
//!     .cors(cors::Config { origins: vec!["https://app.example.com".into()], ..Default::default() })
//!     .peer(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0))
//!     .audit(|record| eprintln!("{} {}", record.reason, record.request_id))
//!     .build()?;
//!
//! let routes = Router::new().route("/items", get(|| async { "[]" }));
//! // Around the router: the route is chosen by the path that was judged.
//! let app: Router = Router::new().fallback_service(protection.layer(routes));
//! # drop(app);
//! # Ok(())
//! # }
//! ```
//!
//! `MantletLayer::none()` begins with no control at all. These are the controls, in the order in which `mantlet.toml` has their sections:
//!
//! | control | what it is about |
//! |---|---|
//! | [`client`] | which client has really sent the request: which proxies to believe, which forged headers to drop |
//! | [`limits`] | sizes and counts of a request |
//! | [`path`] | one spelling of the path |
//! | [`host`] | hosts that are ours |
//! | [`https`] | where HTTPS is required |
//! | [`contract`] | what the app accepts |
//! | [`cors`] | whose pages may read responses |
//! | [`throttle`] | how often clients may ask |
//! | [`api_keys`] | keys of programs, made by the operator |
//! | [`issuer`] | whose tokens to believe |
//! | [`dpop`] | whether the caller has the key of its token |
//! | [`authentication`] | who the caller is |
//! | [`authorization`] | what the caller may do |
//! | [`refresh_tokens`] | whether refresh tokens leave the gate |
//! | [`csrf`] | whose pages may act with the user's cookies |
//! | [`cookies`] | attributes of the app's cookies |
//! | [`responses`] | what responses may contain |
//! | [`headers`] | security headers |
//! | [`uploads`] | multipart forms and their files |
//! | [`encoding`] | compressed bodies |
//! | [`deprecation`] | what responses of deprecated operations say |
//!
//! # Inside
//!
//! Everything here is a plain function over a request and a checked policy. There are no sockets, files,
//! environment variables or command-line flags in this crate, and no runtime, and time is handed in
//! ([`Clock`]). The gateway is one user of it, any [`http`] service can be another.
//!
//! Read [`pipeline`] first: its one function is the road that every request takes.

pub mod layer;

pub mod pipeline;

pub mod accounts;
pub mod api_keys;
pub mod authentication;
pub mod authorization;
pub mod client;
pub mod contract;
pub mod cookies;
pub mod cors;
pub mod csrf;
pub mod deprecation;
pub mod dpop;
pub mod encoding;
pub mod headers;
pub mod host;
pub mod https;
pub mod issuer;
pub mod limits;
pub mod path;
pub mod refresh_tokens;
pub mod responses;
pub mod route;
pub mod throttle;
pub mod uploads;
mod wire;

mod account;
pub mod audit;
pub mod call;
mod identity;
pub mod operation;
pub mod proof_of_work;
pub mod refusal;
mod selection;

pub mod message;
pub mod token;

pub mod config;
pub mod reason;

#[cfg(test)]
mod imports_tests;
#[cfg(test)]
mod rooms_tests;

pub use call::{Call, ClientCertificate, Peer, Scheme};
pub use config::{Clock, Context, Deployment, Mode, Section};
pub use layer::MantletLayer;
pub use message::{RequestBody, ResponseBody};
pub use pipeline::{App, Arrival, Config, Policy, WireVerdict, handle};
pub use reason::Reason;
pub use refusal::Refusal;
