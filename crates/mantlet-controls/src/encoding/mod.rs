//! Compressed bodies: their inflated size is limited, not only the size on the way.
//!
//! Defends against bodies that are small on the way and fill the app's memory when it inflates
//! them. FastAPI inflates nothing by itself; a middleware of the app may. The body passes as it
//! came; a copy is inflated piece by piece, counted and forgotten. A form is judged inflated, or as
//! it came if FastAPI reads it so.
//!
//! A body passes if
//! 1. it has no coding, or one that Mantlet can decode: `gzip`, `deflate`, `br`, `zstd`. others
//!    pass in `compatible` posture and are reported;
//! 2. inflated it is not larger than the route's `limits.body-size`;
//! 3. beyond its first MiB it is not more than `max-ratio` times larger than its compressed bytes.
//!    In `compatible` posture, unless `max-ratio` is set, that is only reported.
//!
//! ```
//! use mantlet_controls::{Context, Section, config::Tolerance, encoding::Config};
//!
//! let config = Config { unreadable: Some(Tolerance::Reject), ..Config::default() };
//! assert!(config.check(&Context::default()).is_ok());
//! let mistakes = Config { max_ratio: Some(0), ..config }.check(&Context::default()).unwrap_err();
//! assert_eq!(mistakes[0].key, "max-ratio");
//! ```

mod config;
mod inflate;
mod window;

use http::{HeaderMap, header};

pub use config::Config;
pub(crate) use inflate::{Inflate, Within};

use crate::{Mode, config::Tolerance};

/// The checked section, for a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Mode of the control.
    pub mode: Mode,
    /// Of `body-bomb`.
    pub(crate) bomb: Mode,
    max_ratio: u32,
    unreadable: Tolerance,
}

impl Policy {
    /// The treatment of a body that cannot be decoded.
    pub(crate) const fn unreadable(&self) -> Mode {
        match self.unreadable {
            Tolerance::Reject => self.mode,
            Tolerance::Report => self.mode.under(true),
            Tolerance::Allow => Mode::Off,
        }
    }
}

/// A coding that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// The coding that a request declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoded {
    Not,
    As(Coding),
    /// Several codings, or one that Mantlet does not know.
    Unreadable,
}

/// Reads the Content-Encoding.
pub(crate) fn of(headers: &HeaderMap) -> Encoded {
    let mut found = Encoded::Not;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for coding in value.as_bytes().split(|byte| *byte == b',') {
            let coding = match coding.trim_ascii().to_ascii_lowercase().as_slice() {
                b"" | b"identity" => continue,
                b"gzip" | b"x-gzip" => Encoded::As(Coding::Gzip),
                b"deflate" => Encoded::As(Coding::Deflate),
                b"br" => Encoded::As(Coding::Brotli),
                b"zstd" => Encoded::As(Coding::Zstd),
                _ => Encoded::Unreadable,
            };
            found = if found == Encoded::Not { coding } else { Encoded::Unreadable };
        }
    }
    found
}

#[cfg(test)]
mod tests;
