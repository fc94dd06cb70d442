//! Sizes, counts and times that a request may take.
//!
//! Defends against clients that exhaust resources: endless heads and bodies, slow senders, slow
//! readers, thousands of connections. The wire and the listener enforce most limits, before there
//! is a request. This control enforces the one that depends on the route: the declared size of the
//! body. A body without a declared size is counted while it arrives.
//!
//! ```
//! use mantlet_controls::{Context, Section, config::units::Size, limits::Config};
//!
//! let config = Config { body_size: Some(Size(1 << 20)), ..Config::default() };
//! assert!(config.check(&Context::default()).is_ok());
//! let mistakes = Config { head_size: Size(10), ..config }.check(&Context::default()).unwrap_err();
//! assert_eq!(mistakes[0].key, "head-size");
//! ```

mod config;

use http::{HeaderMap, header};

pub use config::{BodySizes, Config, Policy};

use crate::Reason;

/// Refuses a body whose declared size is over the route's limit, before a byte of it is read.
pub fn declared_size(headers: &HeaderMap, limit: u64) -> Result<(), Reason> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    match declared {
        Some(size) if size > limit => Err(Reason::BodyTooLarge),
        _ => Ok(()),
    }
}
