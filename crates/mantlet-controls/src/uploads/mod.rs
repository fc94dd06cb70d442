//! Multipart forms and their files, watched while they stream to the app.
//!
//! Defends against forms that an app and a gate before it read differently, against uploads that
//! fill a disk, thousands of parts, file names that leave their folder, and files that are not of
//! their declared type. Nothing is stored: the bytes pass unchanged, and the body ends where it
//! breaks a rule.
//!
//! A form passes if
//! 1. it is well-formed: one boundary, headers without control characters, a name for each part.
//!    oddities that python-multipart accepts (no final boundary, `filename*`) pass in `compatible`
//!    posture and are reported;
//! 2. it does not have too many files or fields, and no file is too large;
//! 3. no file name leaves its folder; paths as names pass in `compatible` posture and are reported;
//! 4. each file's type is one of `types`, if there are any, by its Content-Type and by its first bytes. Without `types` a file that
//!    contradicts its Content-Type is reported.
//!
//! If the contract does not declare a form (the handler reads the request itself) and nothing is
//! configured, everything is only reported: the app may have a parser of its own.
//!
//! To mind in deployment: a finding after the app has begun to respond is not recorded.
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
