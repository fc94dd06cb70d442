//! One canonical path, made once: the app reads the path that was matched and judged.
//!
//! Defends against paths that mean one thing to the gate and another to the app: `/a/../admin`,
//! `%2e%2e%2f`, double encodings, overlong UTF-8, backslashes, look-alikes. A path with more than
//! one reading is refused, never repaired.
//!
//! Whose readings count depends on the app's server ([`Readers`]). If it is **uvicorn**, as with
//! `mantlet run`, a path is decoded once, and nothing else is done to it: it passes, and is sent
//! byte for byte, if
//! 1. no segment is `.` or `..`, not even to a reader that decodes again, or reads `\` or
//!    look-alikes as separators and dots;
//! 2. it contains no NUL, at which file names end;
//! 3. it does not end in a line feed, which Starlette's patterns ignore.
//!
//! If it may be **any** server, a path passes if, decoded once,
//! 1. it is valid UTF-8 and every percent-encoding is complete;
//! 2. no segment is `.` or `..`, nor a Unicode look-alike of one;
//! 3. it contains no control character, no backslash, and no look-alike of `/` or `\`;
//! 4. decoding it again would not reveal a separator, a dot, a control character or a percent sign;
//! 5. it does not begin with an empty segment, and as sent contains no `;`, at which other servers
//!    cut it off (`%3B` is data and passes);
//!
//! and it is sent in its canonical spelling.
//!
//! Letter case and a trailing slash are part of the path, as they are to Starlette. `%2F` is a slash, as it is to
//! Starlette, so `/files%2Fx` is judged as `/files/x`.
//!
//! ```
//! use mantlet_controls::{Reason, path::CanonicalPath};
//!
//! let judge = |path: &str| CanonicalPath::new(path, false).map(|path| path.as_str().to_owned());
//! assert_eq!(judge("/items/caf%C3%A9"), Ok("/items/café".to_owned()));
//! assert_eq!(judge("/a/%2e%2e/admin"), Err(Reason::PathDotSegment));
//! ```

mod config;
mod strictly;
mod uvicorn;

use std::borrow::Cow;

use http::Uri;

pub use config::{Config, Policy, Readers};

pub use crate::call::{CanonicalPath, Place, Spellings};
use crate::{Mode, Reason, call::path::Sent};

impl CanonicalPath {
    /// Judges a path as any server may read it; `semicolons` allows `;` in it.
    pub fn new(path: &str, semicolons: bool) -> Result<Self, Reason> {
        let (sent, decoded) = strictly::judge(path, semicolons)?;
        Ok(Self { sent: Sent::Own(sent.into_owned()), decoded })
    }

    /// Judges the path of a request.
    pub fn of(uri: &Uri, policy: &Policy) -> Result<Self, Reason> {
        let mut path = Self::as_sent(uri);
        match policy.readers {
            Readers::Uvicorn => path.decoded = uvicorn::judge(path.sent.as_str())?,
            Readers::Any => {
                let (sent, decoded) = strictly::judge(path.sent.as_str(), policy.semicolons)?;
                // Report mode changes nothing.
                if let (Cow::Owned(own), Mode::Enforce) = (sent, policy.mode) {
                    path.sent = Sent::Own(own);
                }
                path.decoded = decoded;
            }
        }
        Ok(path)
    }

    /// The path of a request that passes unjudged, or although it would be refused: the path that
    /// the app reads, so that later controls judge that.
    pub fn unjudged(uri: &Uri, policy: &Policy) -> Self {
        let mut path = Self::as_sent(uri);
        if policy.mode == Mode::Report || policy.readers == Readers::Uvicorn {
            path.decoded = uvicorn::read(path.sent.as_str());
        }
        path
    }
}

/// Characters that some software turns into `/` or `\`.
const LOOKALIKE_SEPARATORS: [char; 5] = ['\u{ff0f}', '\u{ff3c}', '\u{2044}', '\u{2215}', '\u{29f8}'];

/// A dot, or what NFKC makes one: FULLWIDTH FULL STOP, ONE DOT LEADER, TWO DOT LEADER, SMALL FULL STOP.
const fn looks_like_dots(c: char) -> bool {
    matches!(c, '.' | '\u{ff0e}' | '\u{2024}' | '\u{2025}' | '\u{fe52}')
}

/// Whether a segment is `.` or `..`, or looks like one.
fn looks_like_dot_segment(segment: &str) -> bool {
    !segment.is_empty() && segment.chars().take(3).count() <= 2 && segment.chars().all(looks_like_dots)
}

fn hex_value(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests;
