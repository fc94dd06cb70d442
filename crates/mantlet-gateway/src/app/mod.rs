//! The app's shore: sends requests to the app, and keeps what is known about it.

pub mod output;
pub mod supervisor;

mod forward;
mod leaving;
mod lenient;
mod load;
mod origins;
mod pool;
mod request_body;
mod response_body;
mod socket;

pub use self::pool::UpstreamConfig;
pub(crate) use self::{
    forward::{Forward, WebSocketUpgrade},
    load::Permit,
    pool::Upstream,
    response_body::AppResponseBody,
};
