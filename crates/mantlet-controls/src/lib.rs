//! The security controls of Mantlet and the pipeline that runs them.
//!
//! Everything here is a plain function over a request and a checked policy. There are no sockets, files,
//! environment variables or command-line flags in this crate, and no runtime: the gateway is one user of
//! it, any [`http`] service can be another, through a [`layer`].
//!
//! Read [`pipeline`] first: its one function is the road that every request takes.

pub mod layer;
pub mod pipeline;

pub mod call;
pub mod client;
pub mod contract;
pub mod cookies;
pub mod cors;
pub mod csrf;
pub mod encoding;
pub mod headers;
pub mod host;
pub mod https;
pub mod limits;
pub mod path;
pub mod responses;
pub mod route;
pub mod throttle;
pub mod uploads;

mod answer;
mod body;
mod budget;
mod cookie;
mod foreign;

pub mod audit;
mod media_type;
pub mod mode;
mod networks;
mod news;
mod origin;
pub mod policy;
pub mod reason;
pub mod refusal;
pub mod remedy;
pub mod request_id;
pub mod response;
pub mod units;
mod vary;
mod watch;
mod well_formed;

pub use answer::Answer;
pub use body::RequestBody;
pub use call::{Arrival, Call, ClientCertificate, Peer, Scheme, Wire};
pub use mode::Mode;
pub use pipeline::{App, handle};
pub use policy::{Config, Policy, Surroundings};
pub use reason::Reason;
pub use refusal::Refusal;
