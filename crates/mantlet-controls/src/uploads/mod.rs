//! Multipart forms and their files, watched while they stream to the app.
//!
//! Defends against forms that an app and a gate before it read differently, against uploads that
//! fill a disk, thousands of parts, file names that climb out of their folder, and files that are
//! not what they are said to be. Nothing is spooled: the bytes pass as they came, and the body
//! breaks off where one of them is too many.
//!
//! A form passes if
//! 1. it is well-formed: one boundary, headers without control characters, a name for each part. What python-multipart would take
//!    although it is odd (no final boundary, `filename*`) passes in `compatible` posture and is reported;
//! 2. it has no more files and fields than it may have, and no file is too large;
//! 3. no file name climbs out of its folder; paths as names pass in `compatible` posture and are reported;
//! 4. each file's type is one of `types`, if there are any, by its Content-Type and by its first bytes. Without `types` a file that
//!    contradicts its Content-Type is reported.
//!
//! Where the contract knows no form (the handler reads the request itself) and nothing is configured, all of it is reported only: the
//! app may have a parser of its own.
//!
//! To mind in deployment: what is reported after the app has begun to answer is not recorded.
//!
//! ```
//! use mantlet_controls::{Context, Section, config::units::Size, uploads::Config};
//!
//! let types = Some(vec!["image/*".into(), "application/pdf".into()]);
//! let config = Config { types, file_size: Some(Size(5 << 20)), ..Config::default() };
//! assert!(config.check(&Context::default()).is_ok());
//! let mistakes = Config { types: Some(vec!["image".into()]), ..config }.check(&Context::default()).unwrap_err();
//! assert_eq!(mistakes[0].key, "types[0]");
//! ```

mod config;
mod names;
mod types;
mod watch;

pub use config::Config;
pub use types::Pattern;
pub(crate) use watch::FormWatch;

use crate::{Mode, config::Tolerance};

/// The checked section, for a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Mode of the control.
    pub mode: Mode,
    strict: bool,
    /// The operator has set a limit: then a form that cannot be watched does not pass.
    explicit: bool,
    file_size: u64,
    files: u32,
    fields: u32,
    types: Vec<Pattern>,
    unusual_names: Tolerance,
    disguised_files: Tolerance,
}

#[cfg(test)]
mod tests;
