//! Takes secrets out of what a program prints: bytes in, bytes out.
//!
//! Two stages, each a stream:
//!
//! 1. [`Scrubber`]'s first stage looks at bytes. It replaces *known* secrets, in several spellings, and what has a
//!    form that nothing else has: tokens, private keys, keys of services, passwords in URLs ([`rules`](Rules)).
//! 2. The second stage looks at lines, and exists only where it is asked for: card numbers and patterns of the
//!    operator's own ([`Further`]).
//!
//! What comes out depends on the bytes alone and not on how they were split, unless [`Scrubber::rest`] lets go what
//! was held back. Then the beginning of a secret may have been shown, and only the rest of it is replaced.
//!
//! Bounds: 16 KiB are held back at most in the first stage, and one line of at most 16 KiB in the second. The work
//! for each byte does not grow with the number of secrets.
//!
//! The crate does no I/O and knows no clock.
//!
//! ```
//! use mantlet_scrub::{Further, Known, Rules, Scrubber};
//!
//! let rules = Rules::new(&[Known { name: "app.env.KEY", value: b"tops3cret-value" }], Further::default())?;
//! let (mut scrubber, mut out) = (Scrubber::new(rules.into()), Vec::new());
//! scrubber.push(b"the key is tops3cret", &mut out);
//! scrubber.push(b"-value!\n", &mut out);
//! scrubber.finish(&mut out);
//! assert_eq!(out, b"the key is [secret app.env.KEY]!\n");
//! # Ok::<(), mantlet_scrub::Error>(())
//! ```

mod cards;
mod shapes;
mod spellings;

mod lines;

mod rules;

mod bytes;

mod scrubber;

pub use lines::{Error, Further};
pub use rules::{Known, Rules, Unfit, fitness};
pub use scrubber::Scrubber;

#[cfg(test)]
mod rooms_tests;
